/** Certification requests, PKCS #10 (RFC 2986): a subject and a public key, signed with the private one. */
import * as der from "./der.ts";
import { emitPublicKey, type Malformed, parseSigned, readPublicKey } from "./x509.ts";
import { emitName, type Name, readName } from "./x509-name.ts";

export interface RequestContent {
  readonly subject: Name;
  /** The point, uncompressed: 65 octets. */
  readonly publicKey: Uint8Array;
}

export interface CertificateRequest extends RequestContent {
  readonly signedBytes: Uint8Array;
  readonly signature: Uint8Array;
}

/** What is to be signed; `emitSigned` of x509.ts puts it together. */
export function emitRequestContent({ subject, publicKey }: RequestContent): Uint8Array {
  const attributes = der.element(der.CONTEXT_CONSTRUCTED);
  return der.sequence(der.smallInteger(0), emitName(subject), emitPublicKey(publicKey), attributes);
}

/** Attributes are passed over. */
export function parseRequest(bytes: Uint8Array): CertificateRequest | Malformed {
  const signed = parseSigned(bytes);
  if (typeof signed === "string") return signed;
  const { content, signedBytes, signature } = signed;
  content.next(der.INTEGER);
  const subject = readName(content);
  const publicKey = readPublicKey(content);
  if (typeof publicKey === "string") return publicKey;
  return content.malformed ? "x509-malformed" : { subject, publicKey, signedBytes, signature };
}
