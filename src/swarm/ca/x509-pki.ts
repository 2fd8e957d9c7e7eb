/** The swarm's certificates as real ones: X.509 and PKCS #10 on P-256, in PEM, with the names that swarmkit puts into them. */
import type { Random } from "../../sim/random.ts";
import { emitPem, parsePem } from "../../wire/pem.ts";
import * as x509 from "../../wire/x509.ts";
import type { Name } from "../../wire/x509-name.ts";
import * as certificates from "../tls/certificates.ts";
import { emitPrivateKey, parsePrivateKey } from "../tls/ec-private-key.ts";
import * as p256 from "../tls/p256.ts";
import { type Identity, roleOf, unitOf } from "./identity.ts";
import type { CertificateContent, KeyedCertificate, Pki, Validity } from "./pki.ts";

const CERTIFICATE = "CERTIFICATE";
const REQUEST = "CERTIFICATE REQUEST";
/** What a manager's certificate is good for beside its own names: issuing. */
const AUTHORITY_NAME = "swarm-ca";
const NOBODY: Name = { organization: undefined, organizationalUnit: undefined, commonName: undefined };

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** `startSeconds`: the wall clock's second, since 1970, at which the run starts. */
export function x509Pki(startSeconds: number): Pki {
  const lifetimeOf = ({ notBeforeSeconds, notAfterSeconds }: Validity): certificates.Lifetime => ({
    notBeforeSeconds: Math.floor(notBeforeSeconds + startSeconds),
    notAfterSeconds: Math.floor(notAfterSeconds + startSeconds),
  });
  return {
    newRoot(commonName: string, validity: Validity, random: Random): KeyedCertificate {
      const { certificate, privateKey } = certificates.newRoot(commonName, lifetimeOf(validity), random);
      return { certificate: toPem(CERTIFICATE, certificate), key: encoder.encode(emitPrivateKey(privateKey)) };
    },

    newRequest(random: Random) {
      const { privateKey } = p256.newKeyPair(random);
      const request = toPem(REQUEST, certificates.newRequest(privateKey, NOBODY));
      return { request, key: encoder.encode(emitPrivateKey(privateKey)) };
    },

    sign(root: KeyedCertificate, request: Uint8Array, identity: Identity, validity: Validity) {
      const [asked] = derOf(REQUEST, request);
      const [certificate] = derOf(CERTIFICATE, root.certificate);
      const privateKey = parsePrivateKey(decoder.decode(root.key));
      const publicKey = asked === undefined ? undefined : certificates.keyOfRequest(asked);
      if (publicKey === undefined || certificate === undefined || privateKey === undefined) return undefined;
      const unit = unitOf(identity.role);
      const names = [unit, identity.nodeId, ...(identity.role === "manager" ? [AUTHORITY_NAME] : [])];
      const subject = { organization: identity.clusterId, organizationalUnit: unit, commonName: identity.nodeId };
      const lifetime = lifetimeOf(validity);
      const serialSource = certificates.serialSource(publicKey, lifetime);
      const issued = certificates.issue({ certificate, privateKey }, publicKey, subject, names, lifetime, serialSource);
      return toPem(CERTIFICATE, issued);
    },

    read(certificate: Uint8Array): CertificateContent | undefined {
      const parsed = first(certificate);
      if (parsed === undefined) return undefined;
      const { organization, organizationalUnit, commonName } = parsed.subject;
      const role = roleOf(organizationalUnit ?? "");
      const isNode = organization !== undefined && commonName !== undefined && role !== undefined;
      return {
        notBeforeSeconds: parsed.notBeforeSeconds - startSeconds,
        notAfterSeconds: parsed.notAfterSeconds - startSeconds,
        identity: isNode ? { nodeId: commonName, role, clusterId: organization } : undefined,
      };
    },

    isSignedBy(certificate: Uint8Array, root: Uint8Array): boolean {
      const leaf = first(certificate);
      return (
        leaf !== undefined &&
        derOf(CERTIFICATE, root).some((one) => {
          const authority = x509.parse(one);
          return typeof authority !== "string" && certificates.isSignedBy(leaf, authority);
        })
      );
    },

    sha256: (bytes: Uint8Array) => p256.digest(bytes),
  };
}

function toPem(label: string, bytes: Uint8Array): Uint8Array {
  return encoder.encode(emitPem(label, bytes));
}

/** Of PEM, or of DER as it is. */
function derOf(label: string, bytes: Uint8Array): Uint8Array[] {
  const blocks = parsePem(label, decoder.decode(bytes));
  return blocks.length === 0 && bytes[0] === 0x30 ? [bytes] : blocks;
}

function first(certificate: Uint8Array): x509.Certificate | undefined {
  const [bytes] = derOf(CERTIFICATE, certificate);
  const parsed = bytes === undefined ? "x509-malformed" : x509.parse(bytes);
  return typeof parsed === "string" ? undefined : parsed;
}
