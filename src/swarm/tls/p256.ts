/**
 * Keys and signatures on P-256 (FIPS 186-5; ECDSA with SHA-256). The nonces of signatures follow from key and message (RFC 6979), so that a run comes out the
 * same each time.
 */
import { p256 } from "@noble/curves/nist.js";
import { sha1 } from "@noble/hashes/legacy.js";
import { sha256 } from "@noble/hashes/sha2.js";
import type { Random } from "../../sim/random.ts";

const FORMAT = { format: "der", lowS: false } as const;

export interface KeyPair {
  /** 32 octets. */
  readonly privateKey: Uint8Array;
  /** The point, uncompressed: 65 octets. */
  readonly publicKey: Uint8Array;
}

export function drawBytes(random: Random, count: number): Uint8Array {
  return Uint8Array.from({ length: count }, () => random.below(0x100));
}

export function newKeyPair(random: Random): KeyPair {
  // 16 octets beyond the order's 32 leave no bias to speak of (FIPS 186-5 A.2.1).
  const { secretKey } = p256.keygen(drawBytes(random, 48));
  return { privateKey: secretKey, publicKey: p256.getPublicKey(secretKey, false) };
}

export function publicKeyOf(privateKey: Uint8Array): Uint8Array {
  return p256.getPublicKey(privateKey, false);
}

/** An ECDSA-Sig-Value in DER. */
export function sign(message: Uint8Array, privateKey: Uint8Array): Uint8Array {
  return p256.sign(message, privateKey, FORMAT);
}

/** False also for what is no signature or no point at all. */
export function verify(signature: Uint8Array, message: Uint8Array, publicKey: Uint8Array): boolean {
  try {
    return p256.verify(signature, message, publicKey, FORMAT);
  } catch {
    return false; // the library's way to say that the bytes are malformed
  }
}

export function digest(bytes: Uint8Array): Uint8Array {
  return sha256(bytes);
}

/** RFC 5280 §4.2.1.2 (1): what certificates name a key by. */
export function keyIdentifier(publicKey: Uint8Array): Uint8Array {
  return sha1(publicKey);
}
