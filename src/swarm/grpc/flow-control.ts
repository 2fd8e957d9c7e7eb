/**
 * The receiver's side of flow control, RFC 9113 §5.2, with grpc-go's rules of when to give credit back: a quarter of the window at a time for streams
 * and connections; more at once when one message is larger than the window; and windows that grow with the bandwidth-delay product, which one ping
 * at a time measures.
 */
import type { Nanoseconds } from "../../sim/time.ts";
import { DEFAULT_WINDOW_BYTES, LARGEST_WINDOW_BYTES } from "../../wire/http2.ts";

/** What one stream may still send us. */
export class StreamWindow {
  #limitBytes: number;
  /** Received and not yet read by the program. */
  #pendingBytes = 0;
  /** Read, and not yet given back. */
  #owedBytes = 0;
  /** Credit given beyond the limit, for one large message. */
  #extraBytes = 0;

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  set limitBytes(bytes: number) {
    this.#limitBytes = bytes;
  }

  /** False: more than it was allowed to. */
  received(bytes: number): boolean {
    this.#pendingBytes += bytes;
    return this.#pendingBytes + this.#owedBytes <= this.#limitBytes + this.#extraBytes;
  }

  /** The program has read so many bytes: the credit to give now, 0 for none. */
  read(bytes: number): number {
    this.#pendingBytes -= bytes;
    const fromExtra = Math.min(bytes, this.#extraBytes);
    this.#extraBytes -= fromExtra;
    this.#owedBytes += bytes - fromExtra;
    if (this.#owedBytes < this.#limitBytes / 4) return 0;
    const credit = this.#owedBytes;
    this.#owedBytes = 0;
    return credit;
  }

  /** The program wants `bytes` that have not come yet: the credit to give now so that they can. */
  expect(bytes: number): number {
    const allowed = this.#limitBytes - (this.#pendingBytes + this.#owedBytes);
    if (bytes <= allowed) return 0;
    this.#extraBytes = Math.min(bytes, LARGEST_WINDOW_BYTES - this.#limitBytes);
    return this.#extraBytes;
  }
}

/** What the whole connection may still send us; it does not wait for programs to read. */
export class ConnectionWindow {
  #limitBytes = DEFAULT_WINDOW_BYTES;
  #owedBytes = 0;

  /** Raises the window: the credit to give now. */
  raise(limitBytes: number): number {
    const credit = limitBytes - this.#limitBytes;
    this.#limitBytes = limitBytes;
    return credit;
  }

  /** The credit to give now. Since it comes at a quarter of the window, no peer can go beyond the whole. */
  received(bytes: number): number {
    this.#owedBytes += bytes;
    return this.#owedBytes >= this.#limitBytes / 4 ? this.takeOwed() : 0;
  }

  takeOwed(): number {
    const credit = this.#owedBytes;
    this.#owedBytes = 0;
    return credit;
  }
}

/** What grpc-go's pings for this carry, to know their answers. */
export const BANDWIDTH_PING = Uint8Array.of(2, 4, 16, 16, 9, 14, 7, 7);
const LARGEST_PRODUCT_BYTES = 16 * 1024 * 1024;

/** grpc-go's bdp_estimator.go: bytes that arrive during one round trip tell how large the windows should be. */
export class BandwidthEstimator {
  #productBytes = DEFAULT_WINDOW_BYTES;
  #sampleBytes = 0;
  #samples = 0;
  #sentAtNs: Nanoseconds | undefined;
  #roundTripNs = 0;
  #fastest = 0; // bytes in a nanosecond

  /** So much data came. True: send the ping now. */
  received(bytes: number, nowNs: Nanoseconds): boolean {
    if (this.#productBytes === LARGEST_PRODUCT_BYTES) return false;
    if (this.#sentAtNs !== undefined) {
      this.#sampleBytes += bytes;
      return false;
    }
    this.#sentAtNs = nowNs;
    this.#sampleBytes = bytes;
    this.#samples++;
    return true;
  }

  /** The ping's answer came. A number: what the windows are to be from now on. */
  answered(nowNs: Nanoseconds): number | undefined {
    if (this.#sentAtNs === undefined) return undefined;
    const elapsedNs = Math.max(nowNs - this.#sentAtNs, 1);
    this.#sentAtNs = undefined;
    // The first ten are averaged; later the recent past counts more.
    this.#roundTripNs += (elapsedNs - this.#roundTripNs) * (this.#samples < 10 ? 1 / this.#samples : 0.9);
    const bandwidth = this.#sampleBytes / (this.#roundTripNs * 1.5);
    if (bandwidth > this.#fastest) this.#fastest = bandwidth;
    if (this.#sampleBytes < 0.66 * this.#productBytes || bandwidth !== this.#fastest) return undefined;
    this.#productBytes = Math.min(2 * this.#sampleBytes, LARGEST_PRODUCT_BYTES);
    return this.#productBytes;
  }
}
