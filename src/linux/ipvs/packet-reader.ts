/** What the load balancer looks at in a packet: who talks to whom, TCP's flags, and what an ICMP error is about. */
import * as icmp from "../../wire/icmp.ts";
import * as ipv4 from "../../wire/ipv4.ts";
import * as tcp from "../../wire/tcp.ts";
import type { FrameId, FrameStore } from "../frame-store.ts";
import { makeTuple, readTuple, type Tuple } from "../netfilter/conntrack/tuple.ts";

const TYPE_SOURCE_QUENCH = 4;

export class PacketReader {
  readonly #frames: FrameStore;
  readonly #tuple: Tuple = makeTuple();

  constructor(frames: FrameStore) {
    this.#frames = frames;
  }

  /** The tuple of a whole TCP or UDP packet; written over by the next reading. */
  tuple(frame: FrameId): Tuple | undefined {
    const { bytes } = this.#frames;
    const at = this.#frames.start(frame);
    if (!balances(ipv4.protocol(bytes, at))) return undefined;
    return readTuple(bytes, at, this.#frames.end(frame), this.#tuple) ? this.#tuple : undefined;
  }

  /** 0 for UDP; -1: no whole TCP header. */
  tcpFlags(frame: FrameId): number {
    const { bytes } = this.#frames;
    const at = this.#frames.start(frame);
    if (ipv4.protocol(bytes, at) !== ipv4.PROTOCOL_TCP) return 0;
    const header = at + ipv4.headerBytes(bytes, at);
    if (tcp.check(bytes, header, this.#frames.end(frame)) !== undefined) return -1;
    return tcp.flags(bytes, header);
  }

  isIcmp(frame: FrameId): boolean {
    return ipv4.protocol(this.#frames.bytes, this.#frames.start(frame)) === ipv4.PROTOCOL_ICMP;
  }

  /** The tuple of the packet that an unreachable, quench or time exceeded message quotes. */
  quotedTuple(frame: FrameId): Tuple | undefined {
    const { bytes } = this.#frames;
    const at = this.#frames.start(frame);
    const end = this.#frames.end(frame);
    if (!this.isIcmp(frame)) return undefined;
    const message = at + ipv4.headerBytes(bytes, at);
    if (icmp.check(bytes, message, end) !== undefined) return undefined;
    const type = icmp.type(bytes, message);
    if (type !== icmp.TYPE_UNREACHABLE && type !== icmp.TYPE_TIME_EXCEEDED && type !== TYPE_SOURCE_QUENCH)
      return undefined;
    const quote = message + icmp.HEADER_BYTES;
    if (ipv4.checkHeader(bytes, quote, end) !== undefined) return undefined;
    if (!readTuple(bytes, quote, end, this.#tuple)) return undefined;
    return balances(this.#tuple.protocol) ? this.#tuple : undefined;
  }
}

function balances(protocol: number): boolean {
  return protocol === ipv4.PROTOCOL_TCP || protocol === ipv4.PROTOCOL_UDP;
}
