/**
 * Putting IPv4 fragments together again, RFC 791 §3.2, as Linux does (net/ipv4/ip_fragment.c, inet_fragment.c): overlaps end the datagram
 * (RFC 5722's rule), exact repeats end the repeat alone, and what is not whole after 30 s is given up with an ICMP error if its first fragment came.
 */
import type { Clock } from "../sim/simulation.ts";
import { Timer } from "../sim/timer.ts";
import { putU16 } from "../wire/bytes.ts";
import * as ipv4 from "../wire/ipv4.ts";
import type { DropReason } from "./drop-reason.ts";
import { type FrameId, type FrameStore, LARGE_FRAME_BYTES, NO_FRAME, type Place } from "./frame-store.ts";
import { HZ, jiffiesAt, wheelDelayNs } from "./jiffies.ts";
import type { NetDevice } from "./net-device.ts";

export interface ReassemblySettings {
  /** ipfrag_time, in seconds. */
  readonly timeoutSeconds: number;
  /** ipfrag_high_thresh: bytes that may wait. */
  readonly limitBytes: number;
}

/** Told when a datagram was given up whose first fragment is there; the frame stays the caller's. */
export type ReassemblyTimeout = (first: FrameId, device: NetDevice) => void;

const MAXIMUM_PACKET_BYTES = 65_535;
/** What a waiting fragment costs beside its bytes (struct sk_buff and its end). */
const OVERHEAD_BYTES = 576;
const NOT_ECT = 1;
const CE = 8;

interface Piece {
  readonly frame: FrameId;
  readonly offset: number; // of the payload within the datagram
  readonly end: number;
  readonly length: number; // IPv4 total length
}

/** One datagram that is not whole yet. */
class Datagram {
  readonly pieces: Piece[] = []; // by offset
  readonly device: NetDevice;
  readonly timer: Timer;
  /** Payload bytes of the whole, once the last fragment has come. */
  lastEnd: number | undefined = undefined;
  furthestEnd = 0;
  ecnSeen = 0;
  longest = 0;
  longestDontFragment = 0;

  constructor(device: NetDevice, clock: Clock, expire: () => void) {
    this.device = device;
    this.timer = new Timer(clock, expire);
  }
}

export class Reassembly {
  readonly #clock: Clock;
  readonly #frames: FrameStore;
  readonly #place: Place;
  readonly #settings: () => ReassemblySettings;
  readonly #onTimeout: ReassemblyTimeout;
  readonly #datagrams = new Map<string, Datagram>();
  #waitingBytes = 0;

  constructor(
    clock: Clock,
    frames: FrameStore,
    place: Place,
    settings: () => ReassemblySettings,
    onTimeout: ReassemblyTimeout,
  ) {
    this.#clock = clock;
    this.#frames = frames;
    this.#place = place;
    this.#settings = settings;
    this.#onTimeout = onTimeout;
  }

  /** Datagrams that wait for more. */
  get pending(): number {
    return this.#datagrams.size;
  }

  /** Takes a fragment that starts at its IPv4 header. Answers the whole packet once it is there (as one frame), else `NO_FRAME`. Takes over the hold. */
  add(frame: FrameId, device: NetDevice): FrameId {
    const frames = this.#frames;
    const bytes = frames.bytes;
    const at = frames.start(frame);
    const settings = this.#settings();
    const key = `${ipv4.source(bytes, at)} ${ipv4.destination(bytes, at)} ${ipv4.identification(bytes, at)} ${ipv4.protocol(bytes, at)}`;
    let datagram = this.#datagrams.get(key);
    if (datagram === undefined) {
      if (this.#waitingBytes > settings.limitBytes || settings.timeoutSeconds === 0)
        return this.#refuse(frame, "fragment-limit");
      const made = new Datagram(device, this.#clock, () => this.#expire(key, made));
      const expires = jiffiesAt(this.#clock.nowNs) + settings.timeoutSeconds * HZ;
      made.timer.set(wheelDelayNs(this.#clock.nowNs, expires));
      this.#datagrams.set(key, made);
      datagram = made;
    }
    const problem = this.#insert(datagram, frame);
    if (problem !== undefined) {
      frames.drop(frame, problem, this.#place);
      if (problem !== "fragment-duplicate") this.#discard(key, datagram, problem);
      return NO_FRAME;
    }
    if (!isWhole(datagram)) return NO_FRAME;
    return this.#join(key, datagram);
  }

  /** Ends everything that waits. */
  flush(): void {
    for (const [key, datagram] of [...this.#datagrams]) this.#discard(key, datagram, "namespace-removed");
  }

  #refuse(frame: FrameId, reason: DropReason): FrameId {
    this.#frames.drop(frame, reason, this.#place);
    return NO_FRAME;
  }

  #insert(datagram: Datagram, frame: FrameId): DropReason | undefined {
    const frames = this.#frames;
    const bytes = frames.bytes;
    const at = frames.start(frame);
    const headerBytes = ipv4.headerBytes(bytes, at);
    const length = frames.length(frame);
    const offset = ipv4.fragmentOffsetBytes(bytes, at);
    let end = offset + length - headerBytes;
    if (headerBytes + end > MAXIMUM_PACKET_BYTES) return "fragment-too-long";
    if (ipv4.moreFragments(bytes, at)) {
      end = offset + ((end - offset) & ~7);
      if (end > datagram.furthestEnd && datagram.lastEnd !== undefined) return "fragment-malformed";
    } else {
      const contradicts = datagram.lastEnd !== undefined && datagram.lastEnd !== end;
      if (end < datagram.furthestEnd || contradicts) return "fragment-malformed";
    }
    if (end === offset) return "fragment-malformed";
    const { pieces } = datagram;
    let index = pieces.length;
    while (index > 0 && pieces[index - 1]!.offset >= end) index--;
    const before = pieces[index - 1];
    if (before !== undefined && before.end > offset)
      return coveredBy(pieces, offset, end) ? "fragment-duplicate" : "fragment-overlap";
    if (!ipv4.moreFragments(bytes, at)) datagram.lastEnd = end;
    if (end > datagram.furthestEnd) datagram.furthestEnd = end;
    pieces.splice(index, 0, { frame, offset, end, length });
    this.#waitingBytes += length + OVERHEAD_BYTES;
    datagram.ecnSeen |= 1 << (ipv4.typeOfService(bytes, at) & 3); // not-ECT, ECT(1), ECT(0), CE
    if (length > datagram.longest) datagram.longest = length;
    if (ipv4.dontFragment(bytes, at) && length > datagram.longestDontFragment) datagram.longestDontFragment = length;
    return undefined;
  }

  /** ip_frag_reasm: the first fragment's header in front of everybody's payload. */
  #join(key: string, datagram: Datagram): FrameId {
    const frames = this.#frames;
    const first = datagram.pieces[0]!;
    const headerBytes = ipv4.headerBytes(frames.bytes, frames.start(first.frame));
    const total = headerBytes + datagram.furthestEnd;
    const ecn = combineEcn(datagram.ecnSeen);
    const problem: DropReason | undefined =
      total > MAXIMUM_PACKET_BYTES || total > LARGE_FRAME_BYTES
        ? "fragment-too-long"
        : ecn === undefined
          ? "fragment-malformed"
          : undefined;
    if (problem !== undefined || ecn === undefined) {
      this.#discard(key, datagram, problem ?? "fragment-malformed");
      return NO_FRAME;
    }
    const whole = frames.make(total);
    frames.inherit(whole, first.frame);
    frames.mark[whole] = frames.mark[first.frame]!;
    frames.connection[whole] = frames.connection[first.frame]!;
    frames.flags[whole] = frames.flags[first.frame]!;
    const bytes = frames.bytes;
    const to = frames.start(whole);
    const from = frames.start(first.frame);
    bytes.copyWithin(to, from, from + headerBytes);
    for (const piece of datagram.pieces) {
      const at = frames.start(piece.frame);
      const payload = at + ipv4.headerBytes(bytes, at);
      bytes.copyWithin(to + headerBytes + piece.offset, payload, payload + piece.end - piece.offset);
    }
    bytes[to + 1] = bytes[to + 1]! | ecn;
    putU16(bytes, to + 2, total);
    putU16(bytes, to + 6, datagram.longestDontFragment === datagram.longest ? ipv4.DONT_FRAGMENT : 0);
    ipv4.writeChecksum(bytes, to);
    frames.setCuts(
      whole,
      datagram.longest,
      datagram.pieces.map((piece) => piece.end - piece.offset),
    );
    this.#forget(key, datagram);
    for (const piece of datagram.pieces) frames.consume(piece.frame);
    return whole;
  }

  #expire(key: string, datagram: Datagram): void {
    const first = datagram.pieces[0];
    if (first !== undefined && first.offset === 0) this.#onTimeout(first.frame, datagram.device);
    this.#discard(key, datagram, "fragment-timeout");
  }

  #discard(key: string, datagram: Datagram, reason: DropReason): void {
    this.#forget(key, datagram);
    for (const piece of datagram.pieces) this.#frames.drop(piece.frame, reason, this.#place);
  }

  #forget(key: string, datagram: Datagram): void {
    datagram.timer.stop();
    this.#datagrams.delete(key);
    for (const piece of datagram.pieces) this.#waitingBytes -= piece.length + OVERHEAD_BYTES;
  }
}

function isWhole(datagram: Datagram): boolean {
  if (datagram.lastEnd === undefined) return false;
  let reached = 0;
  for (const piece of datagram.pieces) {
    if (piece.offset !== reached) return false;
    reached = piece.end;
  }
  return reached === datagram.lastEnd;
}

/** Does one unbroken run of pieces hold all of `offset` to `end`? Then the fragment is a repeat (IPFRAG_DUP). */
function coveredBy(pieces: readonly Piece[], offset: number, end: number): boolean {
  let runStart = -1;
  let runEnd = -1;
  for (const piece of pieces) {
    if (piece.offset !== runEnd) runStart = piece.offset;
    runEnd = piece.end;
    if (runStart <= offset && runEnd >= end && runStart >= 0) return true;
  }
  return false;
}

/** RFC 3168 §5.3 as ip_frag_ecn_table: CE spreads over ECT; not-ECT mixes with nothing (undefined: the datagram is dropped). */
function combineEcn(seen: number): number | undefined {
  if ((seen & NOT_ECT) !== 0) return seen === NOT_ECT ? 0 : undefined;
  return (seen & CE) !== 0 ? 3 : 0;
}
