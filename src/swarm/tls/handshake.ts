/** What the two sides of a TLS 1.3 handshake have in common, RFC 8446 §4. */
import * as handshake from "../../wire/tls-handshake.ts";
import { concat } from "../../wire/tls-vector.ts";
import { hash } from "./key-schedule.ts";

/** Why a handshake or a connection fails: the alert that the peer gets (RFC 8446 §6) and Go's words for our side. */
export interface Fault {
  readonly alert: number;
  readonly text: string;
}

export const UNEXPECTED_MESSAGE = 10;
export const BAD_RECORD_MAC = 20;
export const RECORD_OVERFLOW = 22;
export const HANDSHAKE_FAILURE = 40;
export const BAD_CERTIFICATE = 42;
export const ILLEGAL_PARAMETER = 47;
export const DECODE_ERROR = 50;
export const DECRYPT_ERROR = 51;
export const PROTOCOL_VERSION = 70;
export const MISSING_EXTENSION = 109;
export const NO_APPLICATION_PROTOCOL = 120;

export function fault(alert: number, text: string): Fault {
  return { alert, text };
}

/** The connection as the handshake sees it. */
export interface HandshakeHost {
  /** One message in a record of its own, under the keys now in force; it leaves with `flush`. */
  send(message: Uint8Array): void;
  sendChangeCipherSpec(): void;
  flush(): void;
  protectWriting(trafficSecret: Uint8Array): void;
  protectReading(trafficSecret: Uint8Array): void;
  /** A secret for whoever reads captures: its name in the key log. */
  logSecret(label: string, clientRandom: Uint8Array, secret: Uint8Array): void;
  /** Done: `certificates` is the peer's chain, empty when it showed none. */
  established(certificates: readonly Uint8Array[]): void;
}

export interface Handshake {
  /** The first words; nothing for a server. */
  start(): void;
  /** One whole message of the peer. */
  message(bytes: Uint8Array): Fault | undefined;
}

export const TLS_AES_128_GCM_SHA256 = 0x1301;
/** What Swarm speaks inside: HTTP/2. */
export const PROTOCOL = "h2";
/** In the order of Go's preferences; of these we make and take only ECDSA with P-256. */
// biome-ignore format: four a line
export const SIGNATURE_SCHEMES: readonly number[] = [
  0x0804, 0x0403, 0x0807, 0x0805,
  0x0806, 0x0401, 0x0501, 0x0601,
  0x0503, 0x0603, 0x0201, 0x0203,
];

/** Everything that was said so far. */
export class Transcript {
  #bytes = new Uint8Array(0);

  add(message: Uint8Array): void {
    this.#bytes = concat(this.#bytes, message) as Uint8Array<ArrayBuffer>;
  }

  hash(): Uint8Array {
    return hash(this.#bytes);
  }
}

/** What a CertificateVerify signs (§4.4.3). */
export function verifiedContent(side: "server" | "client", transcriptHash: Uint8Array): Uint8Array {
  const words = new TextEncoder().encode(`TLS 1.3, ${side} CertificateVerify`);
  return concat(new Uint8Array(64).fill(0x20), words, Uint8Array.of(0), transcriptHash);
}

export type Parsed<Kind extends handshake.HandshakeMessage["kind"]> = Extract<
  handshake.HandshakeMessage,
  { readonly kind: Kind }
>;

export function parseMessage(bytes: Uint8Array): handshake.HandshakeMessage | Fault {
  const message = handshake.parse(bytes);
  return typeof message === "string" ? fault(DECODE_ERROR, "tls: error decoding message") : message;
}

export function unexpected(kind: string): Fault {
  return fault(UNEXPECTED_MESSAGE, `tls: received unexpected handshake message of type ${kind}`);
}

export function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((octet, index) => octet === b[index]);
}
