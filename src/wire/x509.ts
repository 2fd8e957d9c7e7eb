/**
 * X.509 certificates version 3, RFC 5280 §4, for keys on P-256 and signatures by ECDSA with SHA-256 (RFC 5758 §3.2): what Swarm's authority issues.
 * Bytes only: who signs and who verifies stands elsewhere.
 */
import * as der from "./der.ts";
import { emitName, type Name, readName } from "./x509-name.ts";

export interface CertificateContent {
  /** An unsigned number, highest octet first. */
  readonly serialNumber: Uint8Array;
  readonly issuer: Name;
  readonly subject: Name;
  /** Seconds since 1970. */
  readonly notBeforeSeconds: number;
  readonly notAfterSeconds: number;
  /** The point, uncompressed: 65 octets. */
  readonly publicKey: Uint8Array;
  /** May it sign others? */
  readonly isAuthority: boolean;
  readonly dnsNames: readonly string[];
  readonly subjectKeyId: Uint8Array;
  /** Of the issuer's key; undefined on a certificate that signs itself. */
  readonly authorityKeyId: Uint8Array | undefined;
}

export interface Certificate extends CertificateContent {
  /** What was signed, and the signature (ECDSA-Sig-Value). */
  readonly signedBytes: Uint8Array;
  readonly signature: Uint8Array;
}

export type Malformed = "x509-malformed" | "x509-unsupported-key" | "x509-unsupported-signature";

const ECDSA_WITH_SHA256 = "1.2.840.10045.4.3.2";
const EC_PUBLIC_KEY = "1.2.840.10045.2.1";
const P256 = "1.2.840.10045.3.1.7";
const SUBJECT_KEY_ID = "2.5.29.14";
const KEY_USAGE = "2.5.29.15";
const SUBJECT_ALTERNATIVE_NAME = "2.5.29.17";
const BASIC_CONSTRAINTS = "2.5.29.19";
const AUTHORITY_KEY_ID = "2.5.29.35";
const EXTENDED_KEY_USAGE = "2.5.29.37";
const SERVER_AUTHENTICATION = "1.3.6.1.5.5.7.3.1";
const CLIENT_AUTHENTICATION = "1.3.6.1.5.5.7.3.2";
/** digitalSignature and keyEncipherment; keyCertSign and cRLSign. */
const LEAF_USAGE = der.bitString(Uint8Array.of(0xa0), 5);
const AUTHORITY_USAGE = der.bitString(Uint8Array.of(0x06), 1);
const DNS_NAME = 2;
const POINT_BYTES = 65;

export function signatureAlgorithm(): Uint8Array {
  return der.sequence(der.objectIdentifier(ECDSA_WITH_SHA256));
}

/** What is to be signed. */
export function emitContent(content: CertificateContent): Uint8Array {
  return der.sequence(
    der.element(der.CONTEXT_CONSTRUCTED, der.smallInteger(2)), // version 3
    der.unsigned(content.serialNumber),
    signatureAlgorithm(),
    emitName(content.issuer),
    der.sequence(der.time(content.notBeforeSeconds), der.time(content.notAfterSeconds)),
    emitName(content.subject),
    emitPublicKey(content.publicKey),
    der.element(der.CONTEXT_CONSTRUCTED | 3, der.sequence(...extensionsOf(content))),
  );
}

/** What was signed and its signature together: a certificate, a request, a CRL. */
export function emitSigned(signedBytes: Uint8Array, signature: Uint8Array): Uint8Array {
  return der.sequence(signedBytes, signatureAlgorithm(), der.bitString(signature));
}

export function emitPublicKey(point: Uint8Array): Uint8Array {
  const algorithm = der.sequence(der.objectIdentifier(EC_PUBLIC_KEY), der.objectIdentifier(P256));
  return der.sequence(algorithm, der.bitString(point));
}

function extensionsOf(content: CertificateContent): Uint8Array[] {
  const extensions = [extension(KEY_USAGE, true, content.isAuthority ? AUTHORITY_USAGE : LEAF_USAGE)];
  if (!content.isAuthority) {
    const usages = [SERVER_AUTHENTICATION, CLIENT_AUTHENTICATION].map((one) => der.objectIdentifier(one));
    extensions.push(extension(EXTENDED_KEY_USAGE, false, der.sequence(...usages)));
  }
  const constraints = content.isAuthority ? der.sequence(der.truth()) : der.sequence();
  extensions.push(extension(BASIC_CONSTRAINTS, true, constraints));
  extensions.push(extension(SUBJECT_KEY_ID, false, der.element(der.OCTET_STRING, content.subjectKeyId)));
  if (content.authorityKeyId !== undefined) {
    const identifier = der.element(der.CONTEXT, content.authorityKeyId);
    extensions.push(extension(AUTHORITY_KEY_ID, false, der.sequence(identifier)));
  }
  if (content.dnsNames.length > 0)
    extensions.push(extension(SUBJECT_ALTERNATIVE_NAME, false, emitNames(content.dnsNames)));
  return extensions;
}

/** GeneralNames of host names, as in the extension subjectAltName. */
export function emitNames(dnsNames: readonly string[]): Uint8Array {
  const encoder = new TextEncoder();
  return der.sequence(...dnsNames.map((name) => der.element(der.CONTEXT | DNS_NAME, encoder.encode(name))));
}

/** One extension around its value. */
export function extension(identifier: string, critical: boolean, value: Uint8Array): Uint8Array {
  const parts = critical ? [der.truth()] : [];
  return der.sequence(der.objectIdentifier(identifier), ...parts, der.element(der.OCTET_STRING, value));
}

export function parse(bytes: Uint8Array): Certificate | Malformed {
  const signed = parseSigned(bytes);
  if (typeof signed === "string") return signed;
  const { content } = signed;
  if (content.tag === der.CONTEXT_CONSTRUCTED) content.next(der.CONTEXT_CONSTRUCTED);
  const serialNumber = content.content(der.INTEGER);
  content.next(der.SEQUENCE); // the algorithm again
  const issuer = readName(content);
  const validity = content.inside(der.SEQUENCE);
  const notBeforeSeconds = validity.time();
  const notAfterSeconds = validity.time();
  const subject = readName(content);
  const publicKey = readPublicKey(content);
  if (typeof publicKey === "string") return publicKey;
  const found = readExtensions(content);
  if (content.malformed || validity.malformed || found === undefined) return "x509-malformed";
  return {
    serialNumber: serialNumber[0] === 0 ? serialNumber.subarray(1) : serialNumber,
    issuer,
    subject,
    notBeforeSeconds,
    notAfterSeconds,
    publicKey,
    ...found,
    signedBytes: signed.signedBytes,
    signature: signed.signature,
  };
}

/** The three parts of anything signed; `content` reads inside what was signed. */
export function parseSigned(
  bytes: Uint8Array,
): { readonly content: der.DerReader; readonly signedBytes: Uint8Array; readonly signature: Uint8Array } | Malformed {
  const outer = new der.DerReader(bytes);
  const parts = outer.inside(der.SEQUENCE);
  if (outer.more) return "x509-malformed";
  const signedPart = parts.next(der.SEQUENCE);
  const algorithm = parts.inside(der.SEQUENCE).objectIdentifier();
  const signature = parts.content(der.BIT_STRING);
  if (signedPart === undefined || parts.malformed || signature[0] !== 0) return "x509-malformed";
  if (algorithm !== ECDSA_WITH_SHA256) return "x509-unsupported-signature";
  return {
    content: new der.DerReader(bytes, signedPart.from, signedPart.to),
    signedBytes: bytes.slice(signedPart.at, signedPart.to),
    signature: signature.subarray(1),
  };
}

export function readPublicKey(reader: der.DerReader): Uint8Array | Malformed {
  const info = reader.inside(der.SEQUENCE);
  const algorithm = info.inside(der.SEQUENCE);
  const kind = algorithm.objectIdentifier();
  const curve = kind === EC_PUBLIC_KEY ? algorithm.objectIdentifier() : "";
  const point = info.content(der.BIT_STRING);
  if (info.malformed || algorithm.malformed) return kind !== EC_PUBLIC_KEY ? "x509-unsupported-key" : "x509-malformed";
  if (curve !== P256 || point.length !== 1 + POINT_BYTES || point[1] !== 4) return "x509-unsupported-key";
  return point.subarray(1);
}

type Extensions = Pick<CertificateContent, "isAuthority" | "dnsNames" | "subjectKeyId" | "authorityKeyId">;

/** Extensions that we do not know are passed over; undefined: malformed. */
function readExtensions(content: der.DerReader): Extensions | undefined {
  let isAuthority = false;
  let dnsNames: readonly string[] = [];
  let subjectKeyId: Uint8Array = new Uint8Array(0);
  let authorityKeyId: Uint8Array | undefined;
  while (content.more && content.tag !== (der.CONTEXT_CONSTRUCTED | 3)) content.any(); // unique identifiers
  if (!content.more) return { isAuthority, dnsNames, subjectKeyId, authorityKeyId };
  const list = content.inside(der.CONTEXT_CONSTRUCTED | 3).inside(der.SEQUENCE);
  while (list.more) {
    const one = list.inside(der.SEQUENCE);
    const identifier = one.objectIdentifier();
    if (one.tag === der.BOOLEAN) one.next(der.BOOLEAN);
    const value = new der.DerReader(one.content(der.OCTET_STRING));
    if (one.malformed) return undefined;
    if (identifier === BASIC_CONSTRAINTS) {
      const inside = value.inside(der.SEQUENCE);
      isAuthority = inside.tag === der.BOOLEAN && inside.content(der.BOOLEAN)[0] !== 0;
    } else if (identifier === SUBJECT_ALTERNATIVE_NAME) {
      dnsNames = readNames(value);
    } else if (identifier === SUBJECT_KEY_ID) {
      subjectKeyId = value.content(der.OCTET_STRING);
    } else if (identifier === AUTHORITY_KEY_ID) {
      const inside = value.inside(der.SEQUENCE);
      if (inside.tag === der.CONTEXT) authorityKeyId = inside.content(der.CONTEXT);
    }
    if (value.malformed) return undefined;
  }
  return list.malformed ? undefined : { isAuthority, dnsNames, subjectKeyId, authorityKeyId };
}

function readNames(value: der.DerReader): string[] {
  const names: string[] = [];
  const list = value.inside(der.SEQUENCE);
  while (list.more) {
    const one = list.any();
    if (one !== undefined && one.tag === (der.CONTEXT | DNS_NAME))
      names.push(new TextDecoder().decode(list.bytes.subarray(one.from, one.to)));
  }
  if (list.malformed) value.malformed = true;
  return names;
}
