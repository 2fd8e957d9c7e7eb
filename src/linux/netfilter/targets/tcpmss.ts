/** `-j TCPMSS`: lowers the maximum segment size that a SYN announces (xt_TCPMSS), for paths whose MTU nobody tells. */
import { getU16, putU16 } from "../../../wire/bytes.ts";
import { adjust } from "../../../wire/checksum.ts";
import * as ipv4 from "../../../wire/ipv4.ts";
import * as tcp from "../../../wire/tcp.ts";
import * as options from "../../../wire/tcp-options.ts";
import { flag, option, RuleError, type TargetExtension } from "../extension.ts";
import type { Packet } from "../packet.ts";
import type { Target } from "../rule-parts.ts";
import { CONTINUE, type Verdict } from "../verdict.ts";

class SegmentSizeTarget implements Target {
  readonly name = "TCPMSS";
  /** undefined: what the way's MTU allows. */
  readonly #size: number | undefined;
  readonly points;

  constructor(size: number | undefined) {
    this.#size = size;
    this.points = size === undefined ? (["forward", "output", "postrouting"] as const) : undefined;
  }

  run(packet: Packet): Verdict {
    if (!packet.hasTransport(tcp.HEADER_BYTES)) return CONTINUE;
    if ((tcp.flags(packet.bytes, packet.transportAt) & tcp.SYN) === 0) return CONTINUE;
    const size = this.#size ?? (packet.egress?.mtu ?? 0) - ipv4.HEADER_BYTES - tcp.HEADER_BYTES;
    const optionsEnd = Math.min(packet.transportAt + tcp.dataOffsetBytes(packet.bytes, packet.transportAt), packet.end);
    const found = options.find(
      packet.bytes,
      packet.transportAt + tcp.HEADER_BYTES,
      optionsEnd,
      options.KIND_MAXIMUM_SEGMENT_SIZE,
    );
    if (found < 0 || size <= 0) return CONTINUE;
    const before = getU16(packet.bytes, found + 2);
    if (before <= size) return CONTINUE; // never raised
    const offset = found + 2 - packet.at;
    packet.own();
    const { bytes, at, transportAt } = packet;
    putU16(bytes, at + offset, size);
    // The option may lie at an odd offset; the checksum sees words.
    const odd = ((at + offset - transportAt) & 1) === 1;
    const swap = (value: number) => (odd ? ((value & 0xff) << 8) | (value >>> 8) : value);
    putU16(bytes, transportAt + 16, adjust(tcp.checksum(bytes, transportAt), swap(before), swap(size)));
    return CONTINUE;
  }
  save(): string {
    return this.#size === undefined ? "--clamp-mss-to-pmtu" : `--set-mss ${this.#size}`;
  }
  list(): string {
    return this.#size === undefined ? "TCPMSS clamp to PMTU" : `TCPMSS set ${this.#size}`;
  }
}

export const TCPMSS_TARGET: TargetExtension = {
  name: "TCPMSS",
  options: [option("set-mss"), flag("clamp-mss-to-pmtu")],
  build(uses, context) {
    if (context.protocol !== ipv4.PROTOCOL_TCP) throw new RuleError("TCPMSS target: TCP protocol required");
    if (uses.has("clamp-mss-to-pmtu")) return new SegmentSizeTarget(undefined);
    if (!uses.has("set-mss")) throw new RuleError("TCPMSS target: At least one parameter is required");
    return new SegmentSizeTarget(uses.number("set-mss", 0, 0xffff));
  },
};
