/**
 * Sealing of gossip, memberlist security.go: version byte, nonce of 12 bytes, AES-GCM ciphertext, tag of 16. Version 0 pads the plaintext to
 * blocks of 16 (PKCS #7), version 1 does not; Swarm sends version 1 with AES-128.
 */
import { createCipheriv, createDecipheriv } from "node:crypto";
import type { Malformed } from "./malformed.ts";

export const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const BLOCK_BYTES = 16;
/** What version 1 adds to a plaintext. */
export const OVERHEAD_BYTES = 1 + NONCE_BYTES + TAG_BYTES;
const NO_DATA = new Uint8Array(0);

export type EncryptionVersion = 0 | 1;

/** 16, 24 or 32 bytes: AES-128, -192, -256. */
export type GossipKey = Uint8Array;

export function isKey(key: Uint8Array): boolean {
  return key.length === 16 || key.length === 24 || key.length === 32;
}

/** `additional` is authenticated, not written. The caller never uses a nonce twice with one key. */
export function seal(
  key: GossipKey,
  nonce: Uint8Array,
  plaintext: Uint8Array,
  additional: Uint8Array = NO_DATA,
  version: EncryptionVersion = 1,
): Uint8Array {
  const cipher = createCipheriv(algorithm(key), key, nonce);
  cipher.setAAD(additional);
  const padded = version === 0 ? pad(plaintext) : plaintext;
  const sealed = new Uint8Array(OVERHEAD_BYTES + padded.length);
  sealed[0] = version;
  sealed.set(nonce, 1);
  sealed.set(cipher.update(padded), 1 + NONCE_BYTES);
  cipher.final();
  sealed.set(cipher.getAuthTag(), 1 + NONCE_BYTES + padded.length);
  return sealed;
}

/** The plaintext by the first of `keys` that fits. */
export function open(
  keys: readonly GossipKey[],
  sealed: Uint8Array,
  additional: Uint8Array = NO_DATA,
): Uint8Array | Malformed {
  if (sealed.length < OVERHEAD_BYTES) return "gossip-undecryptable";
  const version = sealed[0]!;
  if (version > 1) return "gossip-encryption-version";
  const nonce = sealed.subarray(1, 1 + NONCE_BYTES);
  const tagAt = sealed.length - TAG_BYTES;
  for (const key of keys) {
    const decipher = createDecipheriv(algorithm(key), key, nonce);
    decipher.setAAD(additional);
    decipher.setAuthTag(sealed.subarray(tagAt));
    const plaintext = Uint8Array.from(decipher.update(sealed.subarray(1 + NONCE_BYTES, tagAt)));
    if (!isGenuine(decipher)) continue;
    return version === 0 ? unpad(plaintext) : plaintext;
  }
  return "gossip-undecryptable";
}

/** Node says by an exception that the tag is wrong; here that is the peer's doing, and a value. */
function isGenuine(decipher: { final(): Uint8Array }): boolean {
  try {
    decipher.final();
    return true;
  } catch {
    return false;
  }
}

function algorithm(key: GossipKey): "aes-128-gcm" | "aes-192-gcm" | "aes-256-gcm" {
  if (key.length === 16) return "aes-128-gcm";
  return key.length === 24 ? "aes-192-gcm" : "aes-256-gcm";
}

function pad(plaintext: Uint8Array): Uint8Array {
  const more = BLOCK_BYTES - (plaintext.length % BLOCK_BYTES);
  const padded = new Uint8Array(plaintext.length + more).fill(more);
  padded.set(plaintext);
  return padded;
}

function unpad(padded: Uint8Array): Uint8Array | Malformed {
  const more = padded[padded.length - 1] ?? 0;
  if (more < 1 || more > padded.length) return "gossip-undecryptable";
  return padded.subarray(0, padded.length - more);
}
