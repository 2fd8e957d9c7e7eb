import { describe, expect, it } from "vitest";
import { SECOND } from "../../src/sim/time.ts";
import { formatUnlockKey, hex, parseJoinToken } from "../../src/swarm/identifiers.ts";
import { SwarmLab } from "./swarm-lab.ts";

const NOT_A_MANAGER = "This node is not a swarm manager.";

describe("docker swarm init", () => {
  it("makes this node the first manager", () => {
    const lab = new SwarmLab(1);
    expect(lab.at(1).node.state).toBe("inactive");
    expect(lab.init(1)).toBe("ok");
    expect(lab.at(1).node.nodeId).toMatch(/^[0-9a-z]{25}$/);
    const cluster = lab.leader!.store!.cluster!;
    expect(cluster.id).toBe(lab.at(1).node.clusterId);
    const digest = parseJoinToken(cluster.rootCa.joinTokens.worker)!.digest;
    expect(cluster.rootCa.caCertHash).toBe(`sha256:${hex(digest)}`);
    expect(cluster.rootCa.joinTokens.worker.slice(0, 60)).toBe(cluster.rootCa.joinTokens.manager.slice(0, 60));
    expect(cluster.rootCa.joinTokens.worker).not.toBe(cluster.rootCa.joinTokens.manager);
  });

  it("is the same in the same run, and another in another", () => {
    const idOf = (seed: number) => {
      const lab = new SwarmLab(1, { seed });
      lab.init(1);
      return [lab.at(1).node.nodeId, lab.leader!.store!.save()];
    };
    expect(idOf(1)).toEqual(idOf(1));
    expect(idOf(1)).not.toEqual(idOf(2));
  });

  it("is refused on a node of a swarm, and with addresses that are none", () => {
    const lab = new SwarmLab(1);
    expect(lab.init(1, { advertiseAddress: "0.0.0.0" })).toBe(
      "advertise address must be a non-zero IP address or network interface (with optional port number)",
    );
    expect(lab.init(1, { listenAddress: "nonsense" })).toBe(
      "listen address must be an IP address or network interface (with optional port number)",
    );
    expect(lab.init(1, { dataPathAddress: "eth9" })).toBe(
      "data path address must be a non-zero IP address or network interface (without a port number)",
    );
    expect(lab.at(1).node.state).toBe("inactive");
    expect(lab.init(1, { advertiseAddress: "eth0:2377" })).toBe("ok");
    expect(lab.init(1)).toBe(
      'This node is already part of a swarm. Use "docker swarm leave" to leave this swarm and join another one.',
    );
  });

  it("asks for an address when the machine has several", () => {
    const lab = new SwarmLab(2);
    const { namespace } = lab.at(1);
    namespace.addAddress(namespace.device("eth0")!, { address: lab.at(2).address, length: 24 });
    expect(lab.init(1)).toBe(
      "could not choose an IP address to advertise since this system has multiple addresses on interface eth0 " +
        "(192.168.50.11 and 192.168.50.12)",
    );
  });
});

describe("docker swarm join", () => {
  it("makes a worker with the worker's token", () => {
    const lab = new SwarmLab(2).cluster(1, 1);
    expect(lab.at(2).node.state).toBe("active");
    expect(lab.at(2).node.manager).toBeUndefined();
    const node = lab.leader!.store!.get("node", lab.at(2).node.nodeId!)!;
    expect(node).toMatchObject({ role: "worker", spec: { desiredRole: "worker", membership: "accepted" } });
    expect(node.certificate.status.state).toBe("issued");
    expect(lab.at(2).node.control).toMatchObject({ error: expect.stringContaining(`${NOT_A_MANAGER} Worker nodes`) });
  });

  it("finds out a token that is malformed, of another cluster, or wrong", () => {
    const lab = new SwarmLab(3).cluster(1);
    const { worker } = lab.tokens;
    expect(lab.join(2, "SWMTKN-1-short")).toBe("invalid join token");
    const wrong = `${worker.slice(0, -25)}${"0".repeat(25)}`;
    expect(lab.join(2, wrong)).toBe(
      "rpc error: code = InvalidArgument desc = A valid join token is necessary to join this cluster",
    );
    const other = new SwarmLab(1, { seed: "other" }).cluster(1).tokens.worker;
    const expected = hex(parseJoinToken(other)!.digest);
    expect(lab.join(2, other)).toBe(`remote CA does not match fingerprint. Expected: ${expected}`);
    expect(lab.at(2).node.state).toBe("inactive");
    expect(lab.leader!.store!.count("node")).toBe(1);
    expect(lab.join(2, worker)).toBe("ok");
  });

  it("says what grpc-go says when nobody listens", () => {
    const lab = new SwarmLab(3).cluster(1);
    expect(lab.join(2, lab.tokens.worker, { remoteAddress: "192.168.50.13:2377" })).toBe(
      "rpc error: code = Unavailable desc = connection error: " +
        'desc = "transport: Error while dialing: dial tcp 192.168.50.13:2377: connect: connection refused"',
    );
  });

  it("goes on in the background when nobody answers for 20 s", () => {
    const lab = new SwarmLab(2).cluster(1);
    const { worker } = lab.tokens;
    lab.cut(1, true);
    const fromNs = lab.nowNs;
    expect(lab.join(2, worker)).toMatch(/^Timeout was reached before node joined\. The attempt to join the swarm will/);
    expect(lab.nowNs - fromNs).toBe(20 * SECOND);
    expect(lab.at(2).node.state).toBe("pending");
    lab.cut(1, false);
    lab.until(() => lab.at(2).node.state !== "pending");
    expect(lab.at(2).node.state).toBe("active");
  });

  it("fails on a machine whose clock is far behind or ahead", () => {
    const lab = new SwarmLab(3).cluster(1);
    lab.at(2).clockOffsetSeconds = -2 * 3600;
    expect(lab.join(2, lab.tokens.worker)).toBe(
      "error while validating Root CA Certificate: x509: certificate has expired or is not yet valid",
    );
    lab.at(3).clockOffsetSeconds = 91 * 86_400;
    expect(lab.join(3, lab.tokens.worker)).toBe("x509: certificate has expired or is not yet valid");
  });
});

describe("docker swarm leave", () => {
  it("is refused outside a swarm, and for managers without --force", () => {
    const lab = new SwarmLab(2);
    expect(lab.leave(1)).toBe("This node is not part of a swarm");
    lab.cluster(1);
    const introduction = "You are attempting to leave the swarm on a node that is participating as a manager. ";
    expect(lab.leave(1)).toBe(
      `${introduction}Removing the last manager erases all current state of the swarm. Use \`--force\` to ignore this message. `,
    );
    lab.join(2, lab.tokens.manager);
    lab.run(3);
    expect(lab.leave(1)).toBe(
      `${introduction}Removing this node leaves 1 managers out of 2. Without a Raft quorum your swarm will be inaccessible. ` +
        "The only way to restore a swarm that has lost consensus is to reinitialize it with `--force-new-cluster`. " +
        "Use `--force` to suppress this message.",
    );
  });

  it("leaves nothing behind, and the node may join again under another id", () => {
    const lab = new SwarmLab(2).cluster(1, 1);
    const before = lab.at(2).node.nodeId;
    expect(lab.leave(2)).toBe("ok");
    expect(lab.at(2).node.state).toBe("inactive");
    expect(lab.at(2).node.control).toMatchObject({ error: expect.stringContaining('Use "docker swarm init"') });
    expect(lab.join(2, lab.tokens.worker)).toBe("ok");
    expect(lab.at(2).node.nodeId).not.toBe(before);
    expect(lab.leader!.store!.count("node")).toBe(3);
  });
});

describe("a node that is started again", () => {
  it("is who it was", () => {
    const lab = new SwarmLab(2).cluster(1, 1);
    const ids = [1, 2].map((number) => lab.at(number).node.nodeId);
    for (const number of [1, 2]) lab.at(number).node.powerOff();
    lab.run(5);
    for (const number of [1, 2]) lab.at(number).node.restart();
    lab.until(() => [1, 2].every((number) => lab.at(number).node.state === "active"));
    expect([1, 2].map((number) => lab.at(number).node.nodeId)).toEqual(ids);
    expect(lab.leader!.store!.count("node")).toBe(2);
  });

  it("is locked when its manager is, until the right key comes", () => {
    const lab = new SwarmLab(1);
    expect(lab.init(1, { cluster: { autoLock: true } })).toBe("ok");
    const key = formatUnlockKey(lab.leader!.store!.cluster!.unlockKeys[0]!.key);
    expect(lab.unlock(1, key)).toBe("swarm is not locked");
    lab.at(1).node.powerOff();
    lab.at(1).node.restart();
    expect(lab.at(1).node.state).toBe("locked");
    expect(lab.at(1).node.control).toEqual({
      error:
        "Swarm is encrypted and needs to be unlocked before it can be used. " +
        'Please use "docker swarm unlock" to unlock it.',
    });
    expect(lab.unlock(1, "SWMKEY-1-no")).toBe("invalid key string");
    expect(lab.unlock(1, formatUnlockKey(new Uint8Array(32)))).toBe(
      "swarm could not be unlocked: invalid key provided",
    );
    expect(lab.leave(1)).toMatch(/^Swarm is encrypted and locked\. Please unlock it first or use `--force`/);
    expect(lab.unlock(1, key)).toBe("ok");
    expect(lab.at(1).node.state).toBe("active");
  });

  it("has to join again when its certificate has expired in the meantime", () => {
    const lab = new SwarmLab(2).cluster(1, 1);
    lab.at(2).node.powerOff();
    lab.at(2).clockOffsetSeconds = 91 * 86_400;
    lab.at(2).node.restart();
    expect(lab.at(2).node.state).toBe("error");
    expect(lab.at(2).node.control).toEqual({
      error: "Swarm certificates have expired. To replace them, leave the swarm and join again.",
    });
  });

  it("alone begins anew with what it has when it is told to", () => {
    const lab = new SwarmLab(3).cluster(3);
    const before = lab.leader!.store!.count("node");
    for (const number of [1, 2, 3]) lab.at(number).node.powerOff();
    lab.at(2).node.restart();
    lab.run(30);
    expect(lab.leader).toBeUndefined();
    expect(lab.init(2, { forceNewCluster: true, advertiseAddress: "eth0" })).toBe("ok");
    expect(lab.listManagers()).toEqual(["node2 Leader"]);
    expect(lab.leader!.store!.count("node")).toBe(before);
  });
});

describe("a node's certificate", () => {
  it("is renewed between half and four fifths of its life", () => {
    const lab = new SwarmLab(2);
    expect(lab.init(1, { cluster: { certificateExpiryNs: 3600 * SECOND } })).toBe("ok");
    expect(lab.join(2, lab.tokens.worker)).toBe("ok");
    const { node } = lab.at(2);
    const first = node.disk.certificate;
    // Two hours, of which the first is in the past: half of it is now.
    const seconds = lab.until(() => node.disk.certificate !== first, 3600);
    expect(seconds).toBeLessThanOrEqual(0.6 * 3600 + 60);
    lab.run(1);
    expect(node.state).toBe("active");
  });
});
