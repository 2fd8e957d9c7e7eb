import { createPrivateKey, X509Certificate } from "node:crypto";
import { describe, expect, it } from "vitest";
import { Random } from "../../../src/sim/random.ts";
import { x509Pki } from "../../../src/swarm/ca/x509-pki.ts";

const START = 1_795_368_140;
const pki = x509Pki(START);
const random = new Random("pki");
const root = pki.newRoot("swarm-ca", { notBeforeSeconds: -300, notAfterSeconds: 630_719_700 }, random);
const identity = {
  nodeId: "say6mhukvyjz1okq0r4wqx2yq",
  role: "manager",
  clusterId: "lgz5xj1eqg1uchk2gkgjyv1bd",
} as const;
const validity = { notBeforeSeconds: -3_600, notAfterSeconds: 7_776_000 };

describe("The swarm's certificates as X.509", () => {
  it("go from request to certificate, and tell the identity again", () => {
    const { request, key } = pki.newRequest(random);
    const certificate = pki.sign(root, request, identity, validity)!;
    expect(pki.read(certificate)).toEqual({ identity, ...validity });
    expect(pki.isSignedBy(certificate, root.certificate)).toBe(true);
    const read = new X509Certificate(certificate);
    expect(read.checkPrivateKey(createPrivateKey(Buffer.from(key)))).toBe(true);
    expect(read.verify(new X509Certificate(root.certificate).publicKey)).toBe(true);
    // In DER, as TLS carries it, it says the same.
    expect(pki.read(read.raw)).toEqual({ identity, ...validity });
  });

  it("are not given for what is no request, or with what is no authority", () => {
    expect(pki.sign(root, new Uint8Array(20), identity, validity)).toBeUndefined();
    const { request } = pki.newRequest(random);
    const nobody = { certificate: new Uint8Array(0), key: new Uint8Array(0) };
    expect(pki.sign(nobody, request, identity, validity)).toBeUndefined();
    expect(pki.read(request)).toBeUndefined();
  });

  it("do not say that the authority itself is a node, nor that another authority signed", () => {
    expect(pki.read(root.certificate)?.identity).toBeUndefined();
    const other = pki.newRoot("swarm-ca", { notBeforeSeconds: 0, notAfterSeconds: 1 }, random);
    expect(pki.isSignedBy(other.certificate, root.certificate)).toBe(false);
    expect(pki.isSignedBy(root.certificate, root.certificate)).toBe(true);
  });
});
