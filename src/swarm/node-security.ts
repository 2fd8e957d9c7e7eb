/** A node's certificate at the ends of its connections, and whom it takes others for (swarmkit ca/config.go, SecurityConfig). */
import type { Identify } from "./ca/caller.ts";
import type { CertificateContent, KeyedCertificate, Pki } from "./ca/pki.ts";
import { isValidAt } from "./ca/root.ts";
import type { Security, ShownCertificates } from "./grpc/security.ts";

/** As they are at the moment of asking. */
export interface NodeCredentials {
  readonly certificate: KeyedCertificate | undefined;
  readonly root: Uint8Array | undefined;
}

/**
 * What a connection is for: fetching the root certificate from somebody who cannot be verified yet; asking for the first certificate; talking to
 * managers as a node; serving as a manager.
 */
export type Purpose = "root" | "certificate" | "manager" | "server";

export type SecurityOf = (credentials: NodeCredentials, purpose: Purpose) => Security;

/** The control plane in clear: certificates are shown beside the wire. One table for all nodes of a network. */
export function clearSecurity(shown: ShownCertificates): SecurityOf {
  return (credentials, purpose) => {
    if (purpose === "root" || purpose === "certificate") return { kind: "clear", shown };
    return {
      kind: "clear",
      shown,
      get certificate() {
        return credentials.certificate?.certificate;
      },
    };
  };
}

/** Takes a certificate for what it says when our root has signed it and it is valid now. What it says is worked out once. */
export function identifier(pki: Pki, credentials: NodeCredentials, nowSeconds: () => number): Identify {
  const known = new WeakMap<Uint8Array, { root: Uint8Array; content: CertificateContent | undefined }>();
  const contentOf = (certificate: Uint8Array): CertificateContent | undefined => {
    const { root } = credentials;
    if (root === undefined) return undefined;
    const before = known.get(certificate);
    if (before?.root === root) return before.content;
    const content = pki.isSignedBy(certificate, root) ? pki.read(certificate) : undefined;
    known.set(certificate, { root, content });
    return content;
  };
  return (certificate) => {
    const content = contentOf(certificate);
    return content !== undefined && isValidAt(content, nowSeconds()) ? content.identity : undefined;
  };
}
