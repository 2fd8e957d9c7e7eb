/** How a node's messages leave it: made into datagrams and stream messages, sealed if there is a keyring, and kept until the caller takes them. */
import type { Random } from "../sim/random.ts";
import type { Nanoseconds } from "../sim/time.ts";
import type { Ipv4Address } from "../wire/address.ts";
import { putU32 } from "../wire/bytes.ts";
import { COMPOUND_HEADER_BYTES, COMPOUND_PART_BYTES, wrap } from "./datagram.ts";
import type { Keyring } from "./keyring.ts";
import { NONCE_BYTES, OVERHEAD_BYTES, seal } from "./seal.ts";
import * as stream from "./stream.ts";
import type { StreamMessage } from "./stream-messages.ts";

export interface Endpoint {
  readonly address: Ipv4Address;
  readonly port: number;
}

/** A UDP datagram to send from port 7946. */
export interface DatagramOutput {
  readonly kind: "datagram";
  readonly to: Endpoint;
  readonly bytes: Uint8Array;
}
/**
 * A TCP connection to open and write `bytes` to. The caller ends each exactly once: with the bytes of the reply if one is awaited, as sent if
 * none is, or as failed (refused, or out of time); then it closes the connection.
 */
export interface StreamOutput {
  readonly kind: "stream";
  readonly stream: number;
  readonly to: Endpoint;
  readonly bytes: Uint8Array;
  readonly awaitsReply: boolean;
  readonly timeoutNs: Nanoseconds;
  /** What `timeoutNs` is for: connecting alone, connecting and the rest anew (Go's deadline is set again), or all of it together. */
  readonly timeoutCovers: "connecting" | "each-step" | "exchange";
}

/** Rumours that fit into what is left of a packet. */
export type Rumours = (overheadBytes: number, limitBytes: number) => Uint8Array[];

/** What became of a stream: the reply if one was awaited. */
export type StreamOutcome = StreamMessage | "sent" | "failed";
export type StreamEnd = (outcome: StreamOutcome) => void;

export class Outbox {
  readonly #random: Random;
  readonly #keyring: Keyring | undefined;
  readonly #packetBytes: number;
  #outputs: (DatagramOutput | StreamOutput)[] = [];
  #streams = 0;
  readonly #awaiting = new Map<number, StreamEnd>();

  constructor(random: Random, keyring: Keyring | undefined, packetBytes: number) {
    this.#random = random;
    this.#keyring = keyring;
    this.#packetBytes = packetBytes;
  }

  /** The room for messages in a compound. */
  get compoundBytes(): number {
    return this.#packetBytes - COMPOUND_HEADER_BYTES - (this.#keyring === undefined ? 0 : OVERHEAD_BYTES);
  }

  take(): (DatagramOutput | StreamOutput)[] {
    const outputs = this.#outputs;
    this.#outputs = [];
    return outputs;
  }

  /** `parts` in one datagram; the checksum is for receivers that are known as members. */
  send(to: Endpoint, parts: readonly Uint8Array[], hasChecksum: boolean): void {
    this.sendPlain(to, wrap(parts, hasChecksum));
  }

  /** What `wrap` made, which nobody writes after that. */
  sendPlain(to: Endpoint, plaintext: Uint8Array): void {
    const keyring = this.#keyring;
    const bytes = keyring === undefined ? plaintext : seal(keyring.primary, this.#nonce(), plaintext);
    this.#outputs.push({ kind: "datagram", to: { address: to.address, port: to.port }, bytes });
  }

  /** `message` with as many rumours as fit: pings and their answers. */
  sendWithRumours(to: Endpoint, message: Uint8Array, rumours: Rumours): void {
    const more = rumours(COMPOUND_PART_BYTES, this.compoundBytes - message.length);
    this.send(to, [message, ...more], false);
  }

  /** Opens a stream; `ended` is called once. */
  open(to: Endpoint, message: StreamMessage, timeoutNs: Nanoseconds, awaitsReply: boolean, ended: StreamEnd): void {
    const id = ++this.#streams;
    this.#awaiting.set(id, ended);
    const bytes = this.sealedForStream(message);
    const endpoint = { address: to.address, port: to.port };
    const timeoutCovers = message.kind === "push-pull" ? "each-step" : awaitsReply ? "exchange" : "connecting";
    this.#outputs.push({ kind: "stream", stream: id, to: endpoint, bytes, awaitsReply, timeoutNs, timeoutCovers });
  }

  sealedForStream(message: StreamMessage): Uint8Array {
    return stream.emit(message, this.#keyring, this.#keyring === undefined ? new Uint8Array(0) : this.#nonce());
  }

  /** The caller's word on stream `id`; a second one says nothing. */
  end(id: number, outcome: StreamOutcome): void {
    const ended = this.#awaiting.get(id);
    this.#awaiting.delete(id);
    ended?.(outcome);
  }

  #nonce(): Uint8Array {
    const nonce = new Uint8Array(NONCE_BYTES);
    for (let at = 0; at < NONCE_BYTES; at += 4) putU32(nonce, at, this.#random.u32());
    return nonce;
  }
}
