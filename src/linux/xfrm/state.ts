/** One security association in the kernel, RFC 4301 §4.4.2: a key for one direction between two hosts, with its counters and limits (struct xfrm_state). */
import type { Random } from "../../sim/random.ts";
import type { Nanoseconds } from "../../sim/time.ts";
import type { Ipv4Address } from "../../wire/address.ts";
import { AesGcm, IV_BYTES } from "./aes-gcm.ts";
import { ReplayWindow } from "./replay-window.ts";
import type { Mark, Selector } from "./selector.ts";

/** When an association or a policy ends by itself; undefined: never (XFRM_INF, or 0 seconds). Soft limits only warn. */
export interface Lifetime {
  readonly softBytes?: number | undefined;
  readonly hardBytes?: number | undefined;
  readonly softPackets?: number | undefined;
  readonly hardPackets?: number | undefined;
  readonly softSeconds?: number | undefined;
  readonly hardSeconds?: number | undefined;
  /** Counted from the first use. */
  readonly softUseSeconds?: number | undefined;
  readonly hardUseSeconds?: number | undefined;
}

/** What `ip xfrm state add` tells the kernel. */
export interface StateRequest {
  readonly source: Ipv4Address;
  readonly destination: Ipv4Address;
  readonly spi: number;
  readonly reqid: number;
  readonly mark: Mark;
  readonly selector: Selector;
  /** AES key of 16, 24 or 32 bytes, and 4 bytes of salt. */
  readonly keyAndSalt: Uint8Array;
  /** 8, 12 or 16. */
  readonly icvBytes: number;
  readonly replayWindow: number;
  /** What counts as received and sent already: `replay-seq`, `replay-oseq`. */
  readonly sequence: number;
  readonly outputSequence: number;
  /** The mark that packets get that the association was applied to; undefined: they keep theirs. */
  readonly outputMark: Mark | undefined;
  readonly lifetime: Lifetime;
  /** Names of `flag` and `extra-flag`, in the order in which `ip xfrm state` lists them. */
  readonly flags: readonly string[];
}

const LAST_SEQUENCE = 0xffff_ffff;

export class XfrmState {
  readonly request: StateRequest;
  readonly cipher: AesGcm;
  readonly replay: ReplayWindow;
  readonly addedNs: Nanoseconds;
  firstUseNs: Nanoseconds | undefined = undefined;
  bytes = 0;
  packets = 0;
  /** Packets that were refused: older than the window, seen before, not authentic. */
  readonly refused = { window: 0, replay: 0, integrity: 0 };
  #outputSequence: number;
  /** What the sequence number is mixed with to give the IV (crypto/seqiv.c): no two of a key are equal, none can be foretold. */
  readonly #ivSalt = new Uint8Array(IV_BYTES);

  constructor(request: StateRequest, random: Random, nowNs: Nanoseconds) {
    this.request = request;
    this.cipher = new AesGcm(request.keyAndSalt, request.icvBytes);
    this.replay = new ReplayWindow(request.replayWindow, request.sequence);
    this.addedNs = nowNs;
    this.#outputSequence = request.outputSequence;
    for (let index = 0; index < IV_BYTES; index++) this.#ivSalt[index] = random.below(256);
  }

  /** The number that was sent last: `oseq`. */
  get outputSequence(): number {
    return this.#outputSequence;
  }

  /** The next number to send, from 1; 0: none is left, and the association must not be used any more (RFC 4303 §3.3.3). */
  takeSequence(): number {
    if (this.#outputSequence === LAST_SEQUENCE) {
      if (!this.request.flags.includes("oseq-may-wrap")) return 0;
      this.#outputSequence = 0;
    }
    return ++this.#outputSequence;
  }

  /** Writes the initialization vector of a packet: its sequence number in 64 bits, mixed. */
  writeIv(bytes: Uint8Array, at: number, sequence: number): void {
    for (let index = 0; index < IV_BYTES; index++) bytes[at + index] = this.#ivSalt[index]!;
    for (let index = 0; index < 4; index++)
      bytes[at + 4 + index] = bytes[at + 4 + index]! ^ ((sequence >>> (24 - 8 * index)) & 0xff);
  }

  /** Has a hard limit of bytes or packets been reached? */
  get exhausted(): boolean {
    const { hardBytes, hardPackets } = this.request.lifetime;
    return (
      (hardBytes !== undefined && this.bytes >= hardBytes) || (hardPackets !== undefined && this.packets >= hardPackets)
    );
  }

  count(payloadBytes: number): void {
    this.bytes += payloadBytes;
    this.packets++;
  }

  /** The mark of a packet that has gone through. */
  markAfter(mark: number): number {
    const set = this.request.outputMark;
    return set === undefined ? mark : (set.value & set.mask) | (mark & ~set.mask);
  }
}
