/** The secrets of TLS 1.3 with SHA-256, RFC 8446 §7.1: from the shared key and what was said to the keys of both directions. */
import { expand, extract } from "@noble/hashes/hkdf.js";
import { hmac } from "@noble/hashes/hmac.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { concat, u16, vector8 } from "../../wire/tls-vector.ts";

export const HASH_BYTES = 32;
const NOTHING = new Uint8Array(0);
const ZEROS = new Uint8Array(HASH_BYTES);
const encoder = new TextEncoder();

export function hash(bytes: Uint8Array): Uint8Array {
  return sha256(bytes);
}

/** HKDF-Expand-Label. */
export function expandLabel(secret: Uint8Array, label: string, context: Uint8Array, length: number): Uint8Array {
  const info = concat(u16(length), vector8(encoder.encode(`tls13 ${label}`)), vector8(context));
  return expand(sha256, secret, info, length);
}

/** Derive-Secret, of a transcript that has been hashed. */
export function deriveSecret(secret: Uint8Array, label: string, transcriptHash: Uint8Array): Uint8Array {
  return expandLabel(secret, label, transcriptHash, HASH_BYTES);
}

export interface TrafficSecrets {
  readonly client: Uint8Array;
  readonly server: Uint8Array;
}

/** Without a pre-shared key: the only way that Swarm's connections go. */
export class KeySchedule {
  readonly #handshakeSecret: Uint8Array;

  constructor(sharedSecret: Uint8Array) {
    const early = extract(sha256, ZEROS, ZEROS);
    const derived = deriveSecret(early, "derived", hash(NOTHING));
    this.#handshakeSecret = extract(sha256, sharedSecret, derived);
  }

  /** `helloHash`: of ClientHello and ServerHello. */
  handshakeTraffic(helloHash: Uint8Array): TrafficSecrets {
    return {
      client: deriveSecret(this.#handshakeSecret, "c hs traffic", helloHash),
      server: deriveSecret(this.#handshakeSecret, "s hs traffic", helloHash),
    };
  }

  /** `finishedHash`: of everything up to the server's Finished. */
  applicationTraffic(finishedHash: Uint8Array): TrafficSecrets {
    const derived = deriveSecret(this.#handshakeSecret, "derived", hash(NOTHING));
    const master = extract(sha256, ZEROS, derived);
    return {
      client: deriveSecret(master, "c ap traffic", finishedHash),
      server: deriveSecret(master, "s ap traffic", finishedHash),
    };
  }
}

/** What Finished carries (§4.4.4). */
export function finishedData(trafficSecret: Uint8Array, transcriptHash: Uint8Array): Uint8Array {
  return hmac(sha256, expandLabel(trafficSecret, "finished", NOTHING, HASH_BYTES), transcriptHash);
}

/** The secret after a KeyUpdate (§7.2). */
export function nextTrafficSecret(trafficSecret: Uint8Array): Uint8Array {
  return expandLabel(trafficSecret, "traffic upd", NOTHING, HASH_BYTES);
}
