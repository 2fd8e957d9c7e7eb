/**
 * One message on a gossip stream as TCP carries it, memberlist net.go: sealed, type 10 and a length in front (both authenticated),
 * or in clear. The caller's TCP gives bytes in any portions; `measure` says when a message is whole.
 */
import { getU32, putU32 } from "../wire/bytes.ts";
import { MOST_BYTES } from "./compression.ts";
import type { Keyring } from "./keyring.ts";
import type { Malformed } from "./malformed.ts";
import { ENCRYPT } from "./messages.ts";
import { OVERHEAD_BYTES, open, seal } from "./seal.ts";
import * as messages from "./stream-messages.ts";

const HEADER_BYTES = 5;

/** `nonce` is used when there is a keyring. */
export function emit(message: messages.StreamMessage, keyring: Keyring | undefined, nonce: Uint8Array): Uint8Array {
  const plaintext = messages.emit(message);
  if (keyring === undefined) return plaintext;
  const bytes = new Uint8Array(HEADER_BYTES + OVERHEAD_BYTES + plaintext.length);
  bytes[0] = ENCRYPT;
  putU32(bytes, 1, OVERHEAD_BYTES + plaintext.length);
  bytes.set(seal(keyring.primary, nonce, plaintext, bytes.subarray(0, HEADER_BYTES)), HEADER_BYTES);
  return bytes;
}

/** How many bytes the first message takes; undefined while they do not tell yet. With a keyring, clear text is refused. */
export function measure(bytes: Uint8Array, keyring: Keyring | undefined): number | undefined | Malformed {
  if (bytes.length === 0) return undefined;
  if (keyring === undefined) return messages.measure(bytes);
  if (bytes[0] !== ENCRYPT) return "gossip-undecryptable";
  if (bytes.length < HEADER_BYTES) return undefined;
  const length = getU32(bytes, 1);
  return length > MOST_BYTES ? "gossip-too-large" : HEADER_BYTES + length;
}

export function parse(bytes: Uint8Array, keyring: Keyring | undefined): messages.StreamMessage | Malformed {
  const length = measure(bytes, keyring);
  if (typeof length === "string") return length;
  if (length === undefined || length > bytes.length) return "gossip-truncated";
  if (keyring === undefined) return messages.parse(bytes.subarray(0, length));
  const header = bytes.subarray(0, HEADER_BYTES);
  const plaintext = open(keyring.keys, bytes.subarray(HEADER_BYTES, length), header);
  return typeof plaintext === "string" ? plaintext : messages.parse(plaintext);
}

/** What the other side is told when its bytes do not open, in memberlist's words. Bytes that open and are no message get no answer. */
export function complaint(bytes: Uint8Array, keyring: Keyring | undefined, refusal: Malformed): string | undefined {
  if (keyring === undefined)
    return bytes[0] === ENCRYPT ? "Remote state is encrypted and encryption is not configured" : undefined;
  if (bytes.length > 0 && bytes[0] !== ENCRYPT) return "Encryption is configured but remote state is not encrypted";
  return refusal === "gossip-undecryptable" ? "No installed keys could decrypt the message" : undefined;
}
