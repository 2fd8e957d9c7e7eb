/**
 * A handshake that a listener has answered and the peer has not completed (RFC 9293 §3.10.7.2 and SYN-RECEIVED): Linux's request socket,
 * small, because anybody can make one. It repeats its SYN,ACK after 1, 2, 4, ... s and gives up after `tcp_synack_retries`.
 */
import type { Nanoseconds } from "../../sim/time.ts";
import type { Ipv4Address } from "../../wire/address.ts";
import { ACK, RST, SYN } from "../../wire/tcp.ts";
import { HZ } from "../jiffies.ts";
import type { TcpHost } from "./connection-state.ts";
import type { Conversation } from "./conversation.ts";
import { RTO_MAX_JIFFIES } from "./rtt.ts";
import type { IncomingSegment } from "./segment.ts";
import { add, after, before } from "./sequence.ts";
import { TIMER_RETRANSMIT, type TimerOwner, type TimerRow } from "./timers.ts";

/** What a segment for it means: nothing more to do, complete the connection, refuse it with a reset, or it is over. */
export type PendingVerdict = "wait" | "complete" | "refuse" | "reset" | "unacceptable" | "repeated";

/** Where a pending connection belongs, and how it speaks. */
export interface PendingOwner {
  /** Sends the host's segment with the addresses of `pending`. */
  transmitFor(pending: PendingConnection): void;
  forget(pending: PendingConnection): void;
}

export class PendingConnection implements TimerOwner {
  readonly host: TcpHost;
  readonly owner: PendingOwner;
  readonly localAddress: Ipv4Address;
  readonly localPort: number;
  readonly remoteAddress: Ipv4Address;
  readonly remotePort: number;
  readonly iss: number;
  readonly irs: number;
  readonly timestampOffset: number;
  /** Agreed with the SYN. */
  readonly peerMss: number;
  readonly peerScale: number;
  readonly windowScaling: boolean;
  readonly sack: boolean;
  readonly timestamps: boolean;
  recentTimestamp: number;
  /** What we offer. */
  readonly mss: number;
  readonly window: number;
  readonly scale: number;
  readonly receiveLimit: number;
  conversation: Conversation | undefined = undefined;
  sentUs = 0;
  retransmissions = 0;
  timeouts = 0;
  /** Its acknowledgement came while the backlog was full. */
  acknowledged = false;
  readonly #timerRow: TimerRow;
  #lastAnswerNs: Nanoseconds = -1;

  constructor(
    host: TcpHost,
    owner: PendingOwner,
    addresses: { localAddress: Ipv4Address; localPort: number; remoteAddress: Ipv4Address; remotePort: number },
    syn: IncomingSegment,
    offer: { iss: number; timestampOffset: number; mss: number; window: number; scale: number; receiveLimit: number },
  ) {
    const settings = host.settings;
    this.host = host;
    this.owner = owner;
    this.localAddress = addresses.localAddress;
    this.localPort = addresses.localPort;
    this.remoteAddress = addresses.remoteAddress;
    this.remotePort = addresses.remotePort;
    this.iss = offer.iss;
    this.irs = syn.sequence;
    this.timestampOffset = offer.timestampOffset;
    this.peerMss = syn.mss === 0 ? 536 : syn.mss;
    this.windowScaling = settings.windowScaling && syn.windowScale >= 0;
    this.peerScale = this.windowScaling ? syn.windowScale : 0;
    this.sack = settings.sack && syn.sackPermitted;
    this.timestamps = settings.timestamps && syn.hasTimestamp;
    this.recentTimestamp = this.timestamps ? syn.timestampValue : 0;
    this.mss = offer.mss;
    this.window = offer.window;
    this.scale = this.windowScaling ? offer.scale : 0;
    this.receiveLimit = offer.receiveLimit;
    this.#timerRow = host.timers.take(this);
  }

  get timestampNow(): number {
    return (Math.floor(this.host.clock.nowNs / 1_000_000) + this.timestampOffset) | 0;
  }

  /** Sends the SYN,ACK for the first time. */
  start(): void {
    this.sentUs = Math.floor(this.host.clock.nowNs / 1_000);
    this.sendSynAck();
    this.host.timers.setJiffies(this.#timerRow, TIMER_RETRANSMIT, HZ);
  }

  /** It became a connection or is refused: stops its timer. */
  end(): void {
    this.host.timers.release(this.#timerRow);
  }

  timerFired(): void {
    if (this.timeouts >= this.host.settings.synAckRetries) {
      this.owner.forget(this);
      return;
    }
    if (!this.acknowledged || this.timeouts > 0) {
      this.retransmissions++;
      this.sendSynAck();
    }
    this.timeouts++;
    const wait = Math.min(HZ * 2 ** this.timeouts, RTO_MAX_JIFFIES);
    this.host.timers.setJiffies(this.#timerRow, TIMER_RETRANSMIT, wait);
  }

  sendSynAck(): void {
    const segment = this.host.segment;
    segment.reset(SYN | ACK, this.iss, add(this.irs, 1));
    segment.window = Math.min(this.window, 0xffff);
    segment.mss = this.mss;
    segment.sackPermitted = this.sack;
    segment.windowScale = this.windowScaling ? this.scale : -1;
    this.#addTimestamps();
    this.owner.transmitFor(this);
  }

  /** The handshake's other segments, as tcp_check_req sorts them. */
  judge(segment: IncomingSegment): PendingVerdict {
    const expected = add(this.irs, 1);
    const old = this.timestamps && segment.hasTimestamp && ((this.recentTimestamp - segment.timestampValue) | 0) > 1;
    if (segment.sequence === this.irs && segment.has(SYN) && !segment.has(ACK) && !segment.has(RST) && !old) {
      if (!this.#isRateLimited()) {
        this.retransmissions++;
        this.sendSynAck();
      }
      return "repeated";
    }
    if (segment.has(ACK) && !segment.has(RST) && segment.acknowledgement !== add(this.iss, 1)) return "refuse";
    const limit = add(expected, this.window);
    const inWindow = !before(segment.end, expected) && !after(segment.sequence, limit);
    if (old || !inWindow) {
      if (!segment.has(RST) && !this.#isRateLimited()) this.#sendAck();
      return "unacceptable";
    }
    if (this.timestamps && segment.hasTimestamp && !after(segment.sequence, expected))
      this.recentTimestamp = segment.timestampValue;
    const synchronizes = segment.has(SYN) && segment.sequence !== this.irs;
    if (segment.has(RST) || synchronizes) return segment.has(RST) ? "reset" : "refuse";
    return segment.has(ACK) ? "complete" : "wait";
  }

  #sendAck(): void {
    const segment = this.host.segment;
    segment.reset(ACK, add(this.iss, 1), add(this.irs, 1));
    segment.window = this.window >>> this.scale;
    this.#addTimestamps();
    this.owner.transmitFor(this);
  }

  #addTimestamps(): void {
    if (!this.timestamps) return;
    const segment = this.host.segment;
    segment.hasTimestamp = true;
    segment.timestampValue = this.timestampNow;
    segment.timestampEcho = this.recentTimestamp;
  }

  #isRateLimited(): boolean {
    const nowNs = this.host.clock.nowNs;
    if (this.#lastAnswerNs >= 0 && nowNs - this.#lastAnswerNs < this.host.settings.invalidRateLimitNs) return true;
    this.#lastAnswerNs = nowNs;
    return false;
  }
}
