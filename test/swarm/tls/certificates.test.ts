import { createHash, createPrivateKey, createPublicKey, createSign, createVerify, X509Certificate } from "node:crypto";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Random } from "../../../src/sim/random.ts";
import * as certificates from "../../../src/swarm/tls/certificates.ts";
import * as p256 from "../../../src/swarm/tls/p256.ts";
import { toHex } from "../../../src/wire/bytes.ts";
import * as der from "../../../src/wire/der.ts";
import { emitPem } from "../../../src/wire/pem.ts";
import * as x509 from "../../../src/wire/x509.ts";
import { hex } from "../../wire/codec-laws.ts";

const NOW = 1_795_368_140;
const LIFE = { notBeforeSeconds: NOW - 3_600, notAfterSeconds: NOW + 7_776_000 };
const NODE = "say6mhukvyjz1okq0r4wqx2yq";
const CLUSTER = "lgz5xj1eqg1uchk2gkgjyv1bd";
const NOBODY = { organization: undefined, organizationalUnit: undefined, commonName: undefined };
const subject = { organization: CLUSTER, organizationalUnit: "swarm-manager", commonName: NODE };

function authority(seed = "authority") {
  const random = new Random(seed);
  const root = certificates.newRoot("swarm-ca", { ...LIFE, notAfterSeconds: NOW + 630_720_000 }, random);
  const key = p256.newKeyPair(random);
  const names = ["swarm-manager", NODE, "swarm-ca"];
  const leaf = certificates.issue(root, key.publicKey, subject, names, LIFE, random);
  return { root, key, leaf };
}

describe("Certificates (RFC 5280)", () => {
  it("are what OpenSSL reads and verifies", () => {
    const { root, leaf } = authority();
    const parent = new X509Certificate(root.certificate);
    const node = new X509Certificate(leaf);
    expect(parent.subject).toBe("CN=swarm-ca");
    expect(parent.ca).toBe(true);
    expect(parent.verify(parent.publicKey)).toBe(true);
    expect(node.subject).toBe(`O=${CLUSTER}\nOU=swarm-manager\nCN=${NODE}`);
    expect(node.subjectAltName).toBe(`DNS:swarm-manager, DNS:${NODE}, DNS:swarm-ca`);
    expect(node.validTo).toBe("Feb 20 17:22:20 2027 GMT");
    expect(node.ca).toBe(false);
    expect(node.checkIssued(parent)).toBe(true);
    expect(node.verify(parent.publicKey)).toBe(true);
    expect(node.verify(node.publicKey)).toBe(false);
  });

  it("have the sizes of a real manager's and a real worker's, give or take the signature's", () => {
    const { root, key, leaf } = authority();
    const worker = { ...subject, organizationalUnit: "swarm-worker" };
    const names = ["swarm-worker", NODE];
    const other = certificates.issue(root, key.publicKey, worker, names, LIFE, new Random("other"));
    expect(Math.abs(leaf.length - 569)).toBeLessThanOrEqual(2);
    expect(Math.abs(other.length - 557)).toBeLessThanOrEqual(2);
  });

  it("come back from their own bytes", () => {
    const { root, key, leaf } = authority();
    const parsed = x509.parse(leaf);
    expect(parsed).toMatchObject({
      issuer: { commonName: "swarm-ca" },
      subject,
      ...LIFE,
      publicKey: key.publicKey,
      isAuthority: false,
      dnsNames: ["swarm-manager", NODE, "swarm-ca"],
      subjectKeyId: p256.keyIdentifier(key.publicKey),
      authorityKeyId: p256.keyIdentifier(p256.publicKeyOf(root.privateKey)),
    });
    expect(x509.parse(root.certificate)).toMatchObject({ isAuthority: true, authorityKeyId: undefined });
  });

  it("are the same for the same seed, and others for another", () => {
    expect(toHex(authority().leaf)).toBe(toHex(authority().leaf));
    expect(toHex(authority().leaf)).not.toBe(toHex(authority("another").leaf));
  });

  it("are refused when cut or damaged, and never cause an exception", () => {
    const { root, leaf } = authority();
    for (let cut = 0; cut < leaf.length; cut += 7) expect(typeof x509.parse(leaf.subarray(0, cut))).toBe("string");
    fc.assert(
      fc.property(fc.nat(leaf.length - 1), fc.integer({ min: 1, max: 255 }), (at, turn) => {
        const damaged = leaf.slice();
        damaged[at]! ^= turn;
        expect(certificates.refuseChain([damaged], [root.certificate], NOW, undefined)).toBeDefined();
      }),
    );
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => typeof x509.parse(bytes) === "string"));
  });

  it("are trusted only in their time, from a known authority, for their names, in Go's words", () => {
    const { root, leaf } = authority();
    const stranger = authority("stranger").root;
    const refuse = (roots: Uint8Array[], now: number, host?: string) =>
      certificates.refuseChain([leaf], roots, now, host);
    expect(refuse([root.certificate], NOW, "swarm-manager")).toBeUndefined();
    expect(refuse([stranger.certificate, root.certificate], NOW)).toBeUndefined();
    expect(refuse([stranger.certificate], NOW)).toBe("x509: certificate signed by unknown authority");
    expect(refuse([root.certificate], LIFE.notAfterSeconds + 1)).toBe(
      "x509: certificate has expired or is not yet valid: current time 2027-02-20T17:22:21Z is after 2027-02-20T17:22:20Z",
    );
    expect(refuse([root.certificate], LIFE.notBeforeSeconds - 1)).toMatch(/is before 2026-11-22T16:22:20Z$/);
    expect(refuse([root.certificate], NOW, "node3")).toBe(
      `x509: certificate is valid for swarm-manager, ${NODE}, swarm-ca, not node3`,
    );
    expect(certificates.refuseChain([], [root.certificate], NOW, undefined)).toBe("x509: malformed certificate");
  });

  it("are trusted through one between them and the root only when that one may sign", () => {
    const { root, key, leaf } = authority();
    const end = { certificate: leaf, privateKey: key.privateKey };
    const forged = certificates.issue(end, key.publicKey, subject, ["swarm-manager"], LIFE, new Random("forged"));
    expect(certificates.refuseChain([forged, leaf], [root.certificate], NOW, undefined)).toBe(
      "x509: certificate signed by unknown authority",
    );
  });
});

describe("Certification requests (PKCS #10)", () => {
  it("give the key of whoever signed them", () => {
    const key = p256.newKeyPair(new Random("request"));
    const request = certificates.newRequest(key.privateKey, NOBODY);
    expect(certificates.keyOfRequest(request)).toEqual(key.publicKey);
    for (let at = 0; at < request.length; at += 5) {
      const damaged = request.slice();
      damaged[at]! ^= 0x10;
      expect(certificates.keyOfRequest(damaged)).toBeUndefined();
    }
  });
});

describe("ECDSA on P-256", () => {
  it("signs as RFC 6979 A.2.5 does", () => {
    const key = hex("C9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721");
    const text = (content: string) => new TextEncoder().encode(content);
    const r = "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716";
    const s = "f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8";
    expect(toHex(p256.sign(text("sample"), key))).toBe(`3046022100${r}022100${s}`);
  });

  it("verifies what OpenSSL signs, and the reverse", () => {
    const { privateKey, publicKey } = p256.newKeyPair(new Random("both"));
    const d = Buffer.from(privateKey).toString("base64url");
    const [x, y] = [publicKey.slice(1, 33), publicKey.slice(33)].map((one) => Buffer.from(one).toString("base64url"));
    const jwk = { kty: "EC", crv: "P-256", d, x: x!, y: y! };
    const message = Buffer.from("a message");
    const theirs = createSign("sha256")
      .update(message)
      .sign(createPrivateKey({ key: jwk, format: "jwk" }));
    expect(p256.verify(theirs, message, publicKey)).toBe(true);
    const ours = p256.sign(message, privateKey);
    expect(
      createVerify("sha256")
        .update(message)
        .verify(createPublicKey({ key: jwk, format: "jwk" }), ours),
    ).toBe(true);
    expect(p256.verify(ours, Buffer.from("another"), publicKey)).toBe(false);
    expect(p256.verify(Uint8Array.of(1, 2, 3), message, publicKey)).toBe(false);
    expect(p256.verify(ours, message, new Uint8Array(65))).toBe(false);
    expect(Buffer.from(p256.digest(message))).toEqual(createHash("sha256").update(message).digest());
  });
});

describe("DER", () => {
  it("writes times that it reads again, from 1950 to 9999", () => {
    const years = fc.integer({ min: -631_152_000, max: 253_402_300_799 });
    fc.assert(
      fc.property(years, (seconds) => {
        expect(new der.DerReader(der.time(seconds)).time()).toBe(seconds);
        expect(der.formatTime(seconds)).toBe(new Date(seconds * 1_000).toISOString().replace(".000", ""));
      }),
    );
  });

  it("writes object identifiers as X.690 8.19 does", () => {
    expect(toHex(der.objectIdentifier("1.2.840.10045.4.3.2"))).toBe("06082a8648ce3d040302");
    expect(toHex(der.objectIdentifier("2.999.3"))).toBe("0603883703");
    expect(new der.DerReader(hex("0603883703")).objectIdentifier()).toBe("2.999.3");
  });

  it.each(["", "30", "3081", "308100", "30820001aa", "3003aa", "30ffaaaa"])("refuses %s", (text) => {
    const reader = new der.DerReader(hex(text));
    reader.next(der.SEQUENCE);
    expect(reader.malformed).toBe(true);
  });

  it("goes into PEM with lines of 64 characters", () => {
    const pem = emitPem("CERTIFICATE", authority().leaf);
    expect(new X509Certificate(pem).raw.length).toBe(authority().leaf.length);
    expect(Math.max(...pem.split("\n").map((line) => line.length))).toBe(64);
  });
});
