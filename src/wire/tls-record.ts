/** Records of TLS 1.3, RFC 8446 §5: five octets of type, version and length, then as much content. */
import { getU16, putU16 } from "./bytes.ts";

export const HEADER_BYTES = 5;
export const CHANGE_CIPHER_SPEC = 20;
export const ALERT = 21;
export const HANDSHAKE = 22;
export const APPLICATION_DATA = 23;
/** What a record may hold in clear (§5.1). */
export const MAXIMUM_CONTENT_BYTES = 16_384;
/** What one may be longer by when it is protected (§5.2). */
const MAXIMUM_EXPANSION_BYTES = 256;
/** TLS 1.2 for ever (§5.1), but 1.0 in front of a ClientHello. */
export const VERSION = 0x0303;
export const HELLO_VERSION = 0x0301;

export interface TlsRecord {
  readonly type: number;
  /** Lies in the bytes that were parsed. */
  readonly content: Uint8Array;
}

/** `tls-truncated`: more octets are to come. */
export type Malformed = "tls-truncated" | "tls-record-too-large" | "tls-bad-record";

export function parse(bytes: Uint8Array, at: number, end: number): TlsRecord | Malformed {
  if (end - at < HEADER_BYTES) return "tls-truncated";
  const type = bytes[at]!;
  if (type < CHANGE_CIPHER_SPEC || type > APPLICATION_DATA || bytes[at + 1] !== 3) return "tls-bad-record";
  const length = getU16(bytes, at + 3);
  if (length > MAXIMUM_CONTENT_BYTES + MAXIMUM_EXPANSION_BYTES) return "tls-record-too-large";
  if (end - at < HEADER_BYTES + length) return "tls-truncated";
  return { type, content: bytes.subarray(at + HEADER_BYTES, at + HEADER_BYTES + length) };
}

/** Writes `HEADER_BYTES` at `at`. */
export function emitHeader(type: number, version: number, length: number, bytes: Uint8Array, at: number): void {
  bytes[at] = type;
  putU16(bytes, at + 1, version);
  putU16(bytes, at + 3, length);
}

/** §6, by number; with Go's words for them. */
export const ALERTS: ReadonlyMap<number, string> = new Map([
  [0, "close notify"],
  [10, "unexpected message"],
  [20, "bad record MAC"],
  [22, "record overflow"],
  [40, "handshake failure"],
  [42, "bad certificate"],
  [43, "unsupported certificate"],
  [44, "revoked certificate"],
  [45, "expired certificate"],
  [46, "unknown certificate"],
  [47, "illegal parameter"],
  [48, "unknown certificate authority"],
  [49, "access denied"],
  [50, "error decoding message"],
  [51, "error decrypting message"],
  [70, "protocol version not supported"],
  [80, "internal error"],
  [86, "inappropriate fallback"],
  [90, "user canceled"],
  [109, "missing extension"],
  [110, "unsupported extension"],
  [112, "unrecognized name"],
  [116, "certificate required"],
  [120, "no application protocol"],
]);
export const CLOSE_NOTIFY = 0;
