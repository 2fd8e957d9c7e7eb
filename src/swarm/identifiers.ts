/**
 * How the swarm names and keys its things (swarmkit identity/randomid.go, ca/config.go, manager/encryption/encryption.go): ids of 25
 * characters, join tokens, unlock keys.
 */
import type { Random } from "../sim/random.ts";

const ID_ENTROPY_BYTES = 17;
const ID_LENGTH = 25;
const BASE = 36;

const TOKEN_PREFIX = "SWMTKN-1";
const DIGEST_LENGTH = 50;
const DIGEST_BYTES = 32;
const SECRET_LENGTH = 25;
const SECRET_BYTES = 16;

const UNLOCK_PREFIX = "SWMKEY-1-";
export const UNLOCK_KEY_BYTES = 32;
const BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

export function drawBytes(random: Random, count: number): Uint8Array {
  const bytes = new Uint8Array(count);
  for (let at = 0; at < count; at++) bytes[at] = random.u32() >>> 24;
  return bytes;
}

/** Of a node, service, task, network, secret, config, cluster or session. */
export function newId(random: Random): string {
  return idOf(drawBytes(random, ID_ENTROPY_BYTES));
}

/** 17 bytes; the top bit is set so that the number has its full length, and the first digit, which is not evenly spread, goes. */
export function idOf(entropy: Uint8Array): string {
  const bytes = entropy.slice();
  bytes[0] = (bytes[0] ?? 0) | 0x80;
  return numberOf(bytes)
    .toString(BASE)
    .slice(1, ID_LENGTH + 1);
}

export interface JoinToken {
  /** SHA-256 of the root certificate. */
  readonly digest: Uint8Array;
  readonly secret: string;
}

/** `digest` is the SHA-256 of the root certificate in PEM; `secret` 16 random bytes. */
export function formatJoinToken(digest: Uint8Array, secret: Uint8Array): string {
  return `${TOKEN_PREFIX}-${base36(digest, DIGEST_LENGTH)}-${base36(secret, SECRET_LENGTH)}`;
}

export function newJoinToken(digest: Uint8Array, random: Random): string {
  return formatJoinToken(digest, drawBytes(random, SECRET_BYTES));
}

/** Undefined: no join token is written so. */
export function parseJoinToken(text: string): JoinToken | undefined {
  const match = /^SWMTKN-1-([0-9a-z]{50})-([0-9a-z]{25})$/.exec(text);
  if (match === null) return undefined;
  const digest = bytesOfBase36(match[1]!, DIGEST_BYTES);
  return digest === undefined ? undefined : { digest, secret: match[2]! };
}

/** `SWMKEY-1-` and 32 bytes in base 64 without padding. */
export function formatUnlockKey(key: Uint8Array): string {
  let text = "";
  for (let at = 0; at < key.length; at += 3) {
    const [a = 0, b = 0, c = 0] = key.subarray(at, at + 3);
    const bits = (a << 16) | (b << 8) | c;
    const characters = Math.min(3, key.length - at) + 1;
    for (let place = 0; place < characters; place++) text += BASE64[(bits >>> (18 - 6 * place)) & 0x3f];
  }
  return UNLOCK_PREFIX + text;
}

/** Undefined: "invalid key string". */
export function parseUnlockKey(text: string): Uint8Array | undefined {
  const match = /^SWMKEY-1-([A-Za-z0-9+/]{43})$/.exec(text);
  if (match === null) return undefined;
  const key = new Uint8Array(UNLOCK_KEY_BYTES);
  let bits = 0;
  let held = 0;
  let at = 0;
  for (const character of match[1]!) {
    bits = ((bits << 6) | BASE64.indexOf(character)) & 0xffff;
    held += 6;
    if (held < 8) continue;
    held -= 8;
    key[at++] = (bits >>> held) & 0xff;
  }
  return key;
}

/** Lower-case hex, as in `remote CA does not match fingerprint. Expected: <hex>`. */
export function hex(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += byte.toString(16).padStart(2, "0");
  return text;
}

function base36(bytes: Uint8Array, length: number): string {
  return numberOf(bytes).toString(BASE).padStart(length, "0");
}

function numberOf(bytes: Uint8Array): bigint {
  let number = 0n;
  for (const byte of bytes) number = (number << 8n) | BigInt(byte);
  return number;
}

/** Undefined: the number needs more than `count` bytes. */
function bytesOfBase36(text: string, count: number): Uint8Array | undefined {
  let number = 0n;
  for (const digit of text) number = number * BigInt(BASE) + BigInt(Number.parseInt(digit, BASE));
  const bytes = new Uint8Array(count);
  for (let at = count - 1; at >= 0; at--) {
    bytes[at] = Number(number & 0xffn);
    number >>= 8n;
  }
  return number === 0n ? bytes : undefined;
}
