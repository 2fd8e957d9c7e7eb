/** An authority with a manager and a worker, and what each brings to a connection. */
import { Random } from "../../../src/sim/random.ts";
import * as certificates from "../../../src/swarm/tls/certificates.ts";
import * as p256 from "../../../src/swarm/tls/p256.ts";
import type { TlsSecurity } from "../../../src/swarm/tls/tls-security.ts";

export const NOW = 1_795_368_140;
export const LIFE = { notBeforeSeconds: NOW - 3_600, notAfterSeconds: NOW + 7_776_000 };
const CLUSTER = "lgz5xj1eqg1uchk2gkgjyv1bd";

export function authority(seed = "authority") {
  const random = new Random(seed);
  const root = certificates.newRoot("swarm-ca", { ...LIFE, notAfterSeconds: NOW + 630_720_000 }, random);
  const node = (nodeId: string, role: "manager" | "worker", lifetime = LIFE) => {
    const { privateKey, publicKey } = p256.newKeyPair(random);
    const unit = `swarm-${role}`;
    const subject = { organization: CLUSTER, organizationalUnit: unit, commonName: nodeId };
    const names = [unit, nodeId, ...(role === "manager" ? ["swarm-ca"] : [])];
    const certificate = certificates.issue(root, publicKey, subject, names, lifetime, random);
    return { certificates: [certificate], privateKey };
  };
  const manager = node("say6mhukvyjz1okq0r4wqx2yq", "manager");
  const worker = node("w0rk3rhukvyjz1okq0r4wqx2y", "worker");
  return { root: root.certificate, node, manager, worker };
}

export function security(settings: Partial<TlsSecurity> & Pick<TlsSecurity, "credentials" | "roots">): TlsSecurity {
  return {
    kind: "tls",
    serverName: undefined,
    verifiesServer: true,
    nowSeconds: () => NOW,
    random: new Random("tls"),
    ...settings,
  };
}
