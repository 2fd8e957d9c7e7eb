/**
 * What the swarm needs of X.509 (RFC 5280) and PKCS #10 (RFC 2986): certificates and requests as bytes, whatever makes them. Times are seconds since the
 * start of the run, before it negative.
 */
import type { Random } from "../../sim/random.ts";
import type { Identity } from "./identity.ts";

export interface Validity {
  readonly notBeforeSeconds: number;
  readonly notAfterSeconds: number;
}

/** A certificate with the private key of what it certifies, both in PEM. */
export interface KeyedCertificate {
  readonly certificate: Uint8Array;
  readonly key: Uint8Array;
}

export interface CertificateContent extends Validity {
  /** Undefined: not a node's certificate. */
  readonly identity: Identity | undefined;
}

export interface Pki {
  /** A certificate that signs itself. */
  newRoot(commonName: string, validity: Validity, random: Random): KeyedCertificate;
  newRequest(random: Random): { readonly request: Uint8Array; readonly key: Uint8Array };
  /** A node's certificate in PEM; undefined: the request is none, or its signature is wrong. */
  sign(root: KeyedCertificate, request: Uint8Array, identity: Identity, validity: Validity): Uint8Array | undefined;
  /** Of the first certificate in PEM or in DER; undefined: there is none. */
  read(certificate: Uint8Array): CertificateContent | undefined;
  isSignedBy(certificate: Uint8Array, root: Uint8Array): boolean;
  sha256(bytes: Uint8Array): Uint8Array;
}
