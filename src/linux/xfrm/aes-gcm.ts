/**
 * AES in Galois/counter mode as ESP uses it, RFC 4106: the nonce is a salt of 4 bytes that belongs to the key, and the 8 bytes of initialization vector that
 * each packet carries; SPI and sequence number are authenticated with the ciphertext. Linux calls it rfc4106(gcm(aes)).
 */
import { type CipherGCMTypes, createCipheriv, createDecipheriv } from "node:crypto";
import { assert } from "../../sim/assert.ts";

export const SALT_BYTES = 4;
export const IV_BYTES = 8;
const ASSOCIATED_BYTES = 8;

/** RFC 4106 §6: the integrity check value has 16 bytes, or 8 or 12 where the peers agree. */
export function isIcvLength(icvBytes: number): boolean {
  return icvBytes === 8 || icvBytes === 12 || icvBytes === 16;
}

/** Key and salt together, as `ip xfrm state` writes them: 20, 28 or 36 bytes. */
export function isKeyLength(keyAndSaltBytes: number): boolean {
  return keyAndSaltBytes === 20 || keyAndSaltBytes === 28 || keyAndSaltBytes === 36;
}

export class AesGcm {
  readonly icvBytes: number;
  readonly #algorithm: CipherGCMTypes;
  readonly #key: Uint8Array;
  readonly #nonce: Uint8Array;
  readonly #options: { readonly authTagLength: number };

  /** `keyAndSalt` is copied. */
  constructor(keyAndSalt: Uint8Array, icvBytes: number) {
    assert(isKeyLength(keyAndSalt.length) && isIcvLength(icvBytes), "an AES-GCM key of a wrong length");
    const keyBytes = keyAndSalt.length - SALT_BYTES;
    this.icvBytes = icvBytes;
    this.#algorithm = keyBytes === 16 ? "aes-128-gcm" : keyBytes === 24 ? "aes-192-gcm" : "aes-256-gcm";
    this.#key = keyAndSalt.slice(0, keyBytes);
    this.#nonce = new Uint8Array(SALT_BYTES + IV_BYTES);
    this.#nonce.set(keyAndSalt.subarray(keyBytes));
    this.#options = { authTagLength: icvBytes };
  }

  /** Seals in place what lies from behind the IV to `end`, and writes the integrity check value at `end`. The ESP header stands at `at`. */
  seal(bytes: Uint8Array, at: number, end: number): void {
    const text = at + ASSOCIATED_BYTES + IV_BYTES;
    const cipher = createCipheriv(this.#algorithm, this.#key, this.#nonceOf(bytes, at), this.#options);
    cipher.setAAD(bytes.subarray(at, at + ASSOCIATED_BYTES));
    bytes.set(cipher.update(bytes.subarray(text, end)), text);
    cipher.final();
    bytes.set(cipher.getAuthTag(), end);
  }

  /** Opens in place what `seal` has sealed; `end` is where the integrity check value stands. False: it does not fit, and nothing is changed. */
  open(bytes: Uint8Array, at: number, end: number): boolean {
    const text = at + ASSOCIATED_BYTES + IV_BYTES;
    const decipher = createDecipheriv(this.#algorithm, this.#key, this.#nonceOf(bytes, at), this.#options);
    decipher.setAAD(bytes.subarray(at, at + ASSOCIATED_BYTES));
    decipher.setAuthTag(bytes.subarray(end, end + this.icvBytes));
    const clear = decipher.update(bytes.subarray(text, end));
    try {
      decipher.final(); // throws when the value does not fit: the library's way to say so
    } catch {
      return false;
    }
    bytes.set(clear, text);
    return true;
  }

  #nonceOf(bytes: Uint8Array, at: number): Uint8Array {
    this.#nonce.set(bytes.subarray(at + ASSOCIATED_BYTES, at + ASSOCIATED_BYTES + IV_BYTES), SALT_BYTES);
    return this.#nonce;
  }
}
