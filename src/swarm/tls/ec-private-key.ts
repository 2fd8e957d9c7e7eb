/** Private keys on P-256 as OpenSSL and Go write them: ECPrivateKey of RFC 5915, in PEM `EC PRIVATE KEY`. */
import * as der from "../../wire/der.ts";
import { emitPem, parsePem } from "../../wire/pem.ts";
import { publicKeyOf } from "./p256.ts";

const LABEL = "EC PRIVATE KEY";
const P256 = "1.2.840.10045.3.1.7";
const KEY_BYTES = 32;

export function emitPrivateKey(privateKey: Uint8Array): string {
  const curve = der.element(der.CONTEXT_CONSTRUCTED, der.objectIdentifier(P256));
  const point = der.element(der.CONTEXT_CONSTRUCTED | 1, der.bitString(publicKeyOf(privateKey)));
  const key = der.element(der.OCTET_STRING, privateKey);
  return emitPem(LABEL, der.sequence(der.smallInteger(1), key, curve, point));
}

/** The 32 octets of the first key; undefined: there is none. */
export function parsePrivateKey(pem: string): Uint8Array | undefined {
  const bytes = parsePem(LABEL, pem)[0];
  if (bytes === undefined) return undefined;
  const inside = new der.DerReader(bytes).inside(der.SEQUENCE);
  inside.next(der.INTEGER);
  const key = inside.content(der.OCTET_STRING);
  return inside.malformed || key.length !== KEY_BYTES ? undefined : key;
}
