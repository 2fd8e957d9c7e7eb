/** Makes, signs and verifies certificates and requests: swarmkit's ca/certificates.go, with cfssl's and Go's rules of what is in them. */
import { Random } from "../../sim/random.ts";
import { toHex } from "../../wire/bytes.ts";
import { formatTime } from "../../wire/der.ts";
import * as x509 from "../../wire/x509.ts";
import type { Name } from "../../wire/x509-name.ts";
import * as request from "../../wire/x509-request.ts";
import * as p256 from "./p256.ts";

export interface Lifetime {
  /** Seconds since 1970. */
  readonly notBeforeSeconds: number;
  readonly notAfterSeconds: number;
}

/** A certificate in DER and the private key of what it certifies. */
export interface Credentials {
  readonly certificate: Uint8Array;
  readonly privateKey: Uint8Array;
}

const SERIAL_NUMBER_BYTES = 20;

function newSerialNumber(random: Random): Uint8Array {
  const octets = p256.drawBytes(random, SERIAL_NUMBER_BYTES);
  octets[0] = (octets[0]! & 0x7f) | 0x01; // positive, and always of the same length
  return octets;
}

/** Chance for the serial number of an authority that has none of its own: each key and lifetime gives another. */
export function serialSource(publicKey: Uint8Array, { notBeforeSeconds, notAfterSeconds }: Lifetime): Random {
  return new Random(`serial ${toHex(publicKey)} ${notBeforeSeconds} ${notAfterSeconds}`);
}

/** A certificate that signs itself, as `swarm init` makes one. */
export function newRoot(commonName: string, lifetime: Lifetime, random: Random): Credentials {
  const { privateKey, publicKey } = p256.newKeyPair(random);
  const subject: Name = { organization: undefined, organizationalUnit: undefined, commonName };
  const content = x509.emitContent({
    ...lifetime,
    serialNumber: newSerialNumber(random),
    issuer: subject,
    subject,
    publicKey,
    isAuthority: true,
    dnsNames: [],
    subjectKeyId: p256.keyIdentifier(publicKey),
    authorityKeyId: undefined,
  });
  return { certificate: x509.emitSigned(content, p256.sign(content, privateKey)), privateKey };
}

/** A request for the key's certificate; Swarm's authority decides on the subject. */
export function newRequest(privateKey: Uint8Array, subject: Name): Uint8Array {
  const content = request.emitRequestContent({ subject, publicKey: p256.publicKeyOf(privateKey) });
  return x509.emitSigned(content, p256.sign(content, privateKey));
}

/** The public key of a request whose signature is right. */
export function keyOfRequest(bytes: Uint8Array): Uint8Array | undefined {
  const parsed = request.parseRequest(bytes);
  if (typeof parsed === "string") return undefined;
  return p256.verify(parsed.signature, parsed.signedBytes, parsed.publicKey) ? parsed.publicKey : undefined;
}

/** A certificate for a key, for servers and clients. */
export function issue(
  issuer: Credentials,
  publicKey: Uint8Array,
  subject: Name,
  dnsNames: readonly string[],
  lifetime: Lifetime,
  random: Random,
): Uint8Array {
  const parent = x509.parse(issuer.certificate);
  const content = x509.emitContent({
    ...lifetime,
    serialNumber: newSerialNumber(random),
    issuer: typeof parent === "string" ? subject : parent.subject,
    subject,
    publicKey,
    isAuthority: false,
    dnsNames,
    subjectKeyId: p256.keyIdentifier(publicKey),
    authorityKeyId: p256.keyIdentifier(p256.publicKeyOf(issuer.privateKey)),
  });
  return x509.emitSigned(content, p256.sign(content, issuer.privateKey));
}

/** Was the certificate signed by the key of the other one? */
export function isSignedBy(certificate: x509.Certificate, issuer: x509.Certificate): boolean {
  return issuer.isAuthority && p256.verify(certificate.signature, certificate.signedBytes, issuer.publicKey);
}

/**
 * Why a chain (DER, the peer's own first) is not to be trusted, in Go's words; undefined: it is. `host`: the name that must be among those of the
 * certificate; undefined: any.
 */
export function refuseChain(
  chain: readonly Uint8Array[],
  roots: readonly Uint8Array[],
  nowSeconds: number,
  host: string | undefined,
): string | undefined {
  const parsed = chain.map((one) => x509.parse(one));
  const certificates = parsed.filter((one) => typeof one !== "string");
  const leaf = certificates[0];
  if (leaf === undefined || certificates.length < parsed.length) return "x509: malformed certificate";
  const authorities = roots.map((one) => x509.parse(one)).filter((one) => typeof one !== "string");
  for (let at: x509.Certificate = leaf, rest = certificates.slice(1); ; ) {
    const expired = refuseLifetime(at, nowSeconds);
    if (expired !== undefined) return expired;
    const root = authorities.find((one) => isSignedBy(at, one));
    if (root !== undefined) {
      const rootExpired = refuseLifetime(root, nowSeconds);
      if (rootExpired !== undefined) return rootExpired;
      break;
    }
    const next = rest.find((one) => isSignedBy(at, one));
    if (next === undefined) return "x509: certificate signed by unknown authority";
    rest = rest.filter((one) => one !== next);
    at = next;
  }
  if (host === undefined || leaf.dnsNames.includes(host)) return undefined;
  if (leaf.dnsNames.length === 0) return `x509: certificate is not valid for any names, but wanted to match ${host}`;
  return `x509: certificate is valid for ${leaf.dnsNames.join(", ")}, not ${host}`;
}

function refuseLifetime(certificate: x509.Certificate, nowSeconds: number): string | undefined {
  const words = "x509: certificate has expired or is not yet valid";
  const { notBeforeSeconds, notAfterSeconds } = certificate;
  if (nowSeconds < notBeforeSeconds)
    return `${words}: current time ${at(nowSeconds)} is before ${at(notBeforeSeconds)}`;
  if (nowSeconds > notAfterSeconds) return `${words}: current time ${at(nowSeconds)} is after ${at(notAfterSeconds)}`;
  return undefined;
}

/** RFC 3339, from the form that certificates have. */
function at(seconds: number): string {
  return formatTime(Math.floor(seconds));
}
