/** Segments made by hand for one side of an established connection: numbers count from what that side expects and has sent. */

import { ByteRing } from "../../../src/linux/tcp/byte-ring.ts";
import { OutgoingSegment } from "../../../src/linux/tcp/segment.ts";
import { MILLISECOND } from "../../../src/sim/time.ts";
import * as tcp from "../../../src/wire/tcp.ts";
import { Link, line, pattern, type Seen, type Side } from "./two-hosts.ts";

export interface Crafted {
  readonly flags?: number;
  /** Relative to the side's rcvNxt. */
  readonly sequence?: number;
  /** Relative to the side's sndNxt. */
  readonly acknowledgement?: number;
  readonly bytes?: number;
  readonly window?: number;
  /** Relative to the newest timestamp that the side has seen; absent: as new. */
  readonly timestamp?: number;
  readonly withoutTimestamp?: boolean;
}

/** Two connected hosts, 10 ms apart, quiet. */
export function connected(options: ConstructorParameters<typeof Link>[0] = {}): Link {
  const link = new Link(options);
  link.b.listen();
  link.a.connect();
  link.run(100 * MILLISECOND);
  return link;
}

/** Hands a segment to a side at once; says what it made of it and what it sent in answer. */
export function hand(link: Link, to: Side, crafted: Crafted): { verdict: string; sent: string[]; seen: Seen[] } {
  const c = to.connection!;
  const segment = new OutgoingSegment();
  const sequence = (c.rcvNxt + (crafted.sequence ?? 0)) | 0;
  segment.reset(crafted.flags ?? tcp.ACK, sequence, (c.sndNxt + (crafted.acknowledgement ?? 0)) | 0);
  segment.window = crafted.window ?? 500;
  if (c.timestamps && crafted.withoutTimestamp !== true) {
    segment.hasTimestamp = true;
    segment.timestampValue = (c.recentTimestamp + (crafted.timestamp ?? 0)) | 0;
    segment.timestampEcho = c.timestampNow;
  }
  const count = crafted.bytes ?? 0;
  if (count > 0) {
    const ring = new ByteRing();
    ring.reserve(sequence, sequence, (sequence + count) | 0);
    ring.write(sequence, pattern(count), 0, count);
    segment.payload = ring;
    segment.payloadBytes = count;
  }
  const wire = new Uint8Array(segment.headerBytes + count);
  segment.write(wire, 0, 1, 2);
  const before = link.log.length;
  link.inject(to, wire);
  const seen = link.log.slice(before);
  return { verdict: to.verdicts.at(-1)!, sent: seen.map(line), seen };
}
