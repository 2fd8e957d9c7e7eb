import { describe, expect, it } from "vitest";
import { Random } from "../../src/sim/random.ts";
import { x509Pki } from "../../src/swarm/ca/x509-pki.ts";
import { identifier, type NodeCredentials } from "../../src/swarm/node-security.ts";
import { sealedSecurity } from "../../src/swarm/sealed-security.ts";
import { bytes, ECHO, Lab } from "./grpc/lab.ts";

const START = 1_795_368_140;
const pki = x509Pki(START);
const random = new Random("sealed");
const root = pki.newRoot("swarm-ca", { notBeforeSeconds: -300, notAfterSeconds: 630_719_700 }, random);

function node(nodeId: string, role: "manager" | "worker"): NodeCredentials {
  const { request, key } = pki.newRequest(random);
  const validity = { notBeforeSeconds: -3_600, notAfterSeconds: 7_776_000 };
  const certificate = pki.sign(root, request, { nodeId, role, clusterId: "cluster" }, validity)!;
  return { certificate: { certificate, key }, root: root.certificate };
}

const security = (name: string) => sealedSecurity({ nowSeconds: () => START + 10, random: new Random(name) });
const manager = node("manager1", "manager");
const serverSecurity = security("manager1")(manager, "server");

describe("A sealed control plane", () => {
  it("tells a manager which node calls, from the certificate in TLS", () => {
    const worker = node("worker1", "worker");
    const lab = new Lab({ serverSecurity, clientSecurity: security("worker1")(worker, "manager") });
    const identify = identifier(pki, manager, () => 10);
    let seen: unknown;
    lab.server.unary("/a.B/Who", (_request, call, answer) => {
      seen = call.peerCertificate === undefined ? undefined : identify(call.peerCertificate);
      answer({ response: bytes("") });
    });
    lab.server.listen();
    expect(lab.call("/a.B/Who", bytes(""))).toEqual(bytes(""));
    expect(seen).toEqual({ nodeId: "worker1", role: "worker", clusterId: "cluster" });
  });

  it("lets a joiner fetch the root from anybody, and then asks for a name that only managers have", () => {
    const nobody: NodeCredentials = { certificate: undefined, root: undefined };
    const fetching = new Lab({ serverSecurity, clientSecurity: security("joiner")(nobody, "root") });
    fetching.server.listen();
    expect(fetching.call(ECHO, bytes("root"))).toEqual(bytes("root"));
    const known: NodeCredentials = { certificate: undefined, root: root.certificate };
    const asking = new Lab({ serverSecurity, clientSecurity: security("joiner")(known, "certificate") });
    asking.server.listen();
    expect(asking.call(ECHO, bytes("csr"))).toEqual(bytes("csr"));
    const worker = security("worker2")(node("worker2", "worker"), "server");
    const deceived = new Lab({ serverSecurity: worker, clientSecurity: security("joiner")(known, "certificate") });
    deceived.server.listen();
    expect(deceived.call(ECHO, bytes("csr"))).toMatch(
      /x509: certificate is valid for swarm-worker, worker2, not swarm-ca/,
    );
  });

  it("shows a renewed certificate at the next connection", () => {
    let now = node("worker1", "worker");
    const credentials: NodeCredentials = {
      get certificate() {
        return now.certificate;
      },
      root: root.certificate,
    };
    const clientSecurity = security("worker1")(credentials, "manager");
    const shown: string[] = [];
    for (const role of ["worker", "manager"] as const) {
      now = node("worker1", role);
      const lab = new Lab({ serverSecurity, clientSecurity });
      lab.server.unary("/a.B/Who", (_request, call, answer) => {
        shown.push(pki.read(call.peerCertificate!)?.identity?.role ?? "");
        answer({ response: bytes("") });
      });
      lab.server.listen();
      lab.call("/a.B/Who", bytes(""));
    }
    expect(shown).toEqual(["worker", "manager"]);
  });
});
