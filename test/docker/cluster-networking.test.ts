import { describe, expect, it } from "vitest";
import type { Container } from "../../src/docker/container/container.ts";
import { SECOND } from "../../src/sim/time.ts";
import { ip, net, watch } from "../linux/two-hosts.ts";
import { ClusterLab, DIRECT, ENCNET, INGRESS, keysFrom, TESTNET } from "./cluster-lab.ts";

/** The published service of recording 03: tasks on node1 and node2, none on node3. */
function published(lab: ClusterLab): Container[] {
  const task = (node: number, slot: number, own: string) =>
    lab.task(node, { service: "pub", slot, addresses: [[INGRESS, own, "10.0.0.5"]], port: [8_080, 80] });
  const tasks = [task(2, 1, "10.0.0.6"), task(1, 2, "10.0.0.7")];
  lab.wait(2);
  return tasks;
}

/** The service of recording 02: a task on each of three nodes, and c1 on node1. */
function balanced(lab: ClusterLab) {
  for (const [node, own] of [
    [1, "10.0.1.8"],
    [2, "10.0.1.6"],
    [3, "10.0.1.7"],
  ] as const)
    lab.allocate(node, TESTNET, own);
  const task = (node: number, slot: number, own: string) => {
    const made = lab.task(node, { service: "web", slot, addresses: [[TESTNET, own, "10.0.1.2"]] });
    lab.wait(1);
    return made;
  };
  const tasks = [task(3, 1, "10.0.1.4"), task(2, 3, "10.0.1.3"), task(1, 2, "10.0.1.5")] as const;
  const c1 = lab.container(1, "c1", TESTNET, "10.0.1.11");
  lab.wait(1);
  return { tasks, c1 };
}

/** `address weight` of every server in a node's sandbox, as ipvsadm lists them. */
function servers(lab: ClusterLab, node: number, handle = "lb_say6mhukv"): string[] {
  const text = lab.runIn(lab.nodes[node - 1]!.host, handle, "ipvsadm -Ln");
  return [...text.matchAll(/-> ([\d.]+):0 +Masq +(\d)/g)].map(([, address, weight]) => `${address} ${weight}`);
}

function rulesOf(text: string): string[] {
  return text.split("\n").filter((line) => line.startsWith("-A") && !line.includes("127.0.0.11"));
}

function neighbours(lab: ClusterLab, node: number, handle: string): string[] {
  const text = lab.runIn(lab.nodes[node - 1]!.host, handle, "ip neigh");
  return [...text.matchAll(/^([\d.]+) dev vxlan0 .*PERMANENT/gm)].map(([, address]) => address!).sort();
}

describe("a swarm's ingress network", () => {
  it("gives each node a sandbox with the addresses and routes recorded", () => {
    const lab = new ClusterLab(2);
    const node1 = lab.nodes[0]!.host;
    published(lab);
    const addresses = lab.runIn(node1, "ingress_sbox", "ip -4 -o addr").replace(/\\.*/g, "").replace(/ +/g, " ");
    expect(addresses.trim().split("\n")).toEqual([
      "1: lo inet 127.0.0.1/8 scope host lo",
      expect.stringMatching(/: eth0 inet 10\.0\.0\.2\/24 brd 10\.0\.0\.255 scope global eth0$/),
      expect.stringMatching(/: eth0 inet 10\.0\.0\.5\/32 scope global eth0$/),
      expect.stringMatching(/: eth1 inet 172\.18\.0\.2\/16 brd 172\.18\.255\.255 scope global eth1$/),
    ]);
    expect(lab.runIn(node1, "ingress_sbox", "ip route")).toBe(
      "default via 172.18.0.1 dev eth1 \n" +
        "10.0.0.0/24 dev eth0 proto kernel scope link src 10.0.0.2 \n" +
        "172.18.0.0/16 dev eth1 proto kernel scope link src 172.18.0.2 \n",
    );
  });

  it("programs firewall and load balancer of every node as recorded", () => {
    const lab = new ClusterLab(3);
    published(lab);
    for (const [index, own] of ["10.0.0.2", "10.0.0.3", "10.0.0.4"].entries()) {
      const { host } = lab.nodes[index]!;
      expect(rulesOf(lab.runIn(host, "ingress_sbox", "iptables-save"))).toEqual([
        "-A PREROUTING -p tcp -m tcp --dport 8080 -j MARK --set-xmark 0x100/0xffffffff",
        "-A INPUT -d 10.0.0.5/32 -j MARK --set-xmark 0x100/0xffffffff",
        `-A POSTROUTING -d 10.0.0.0/24 -m ipvs --ipvs -j SNAT --to-source ${own}`,
      ]);
      expect(servers(lab, index + 1, "ingress_sbox")).toEqual(["10.0.0.6 1", "10.0.0.7 1"]);
      // The bridges' own rules are others' to check: what is the mesh's, in its places.
      const filter = rulesOf(lab.run(host, "iptables-save -t filter"));
      expect(filter.slice(0, 3)).toEqual([
        "-A FORWARD -j DOCKER-USER",
        "-A FORWARD -j DOCKER-INGRESS",
        "-A FORWARD -j DOCKER-ISOLATION-STAGE-1",
      ]);
      expect(filter.filter((rule) => rule.startsWith("-A DOCKER-INGRESS"))).toEqual([
        "-A DOCKER-INGRESS -p tcp -m tcp --dport 8080 -j ACCEPT",
        "-A DOCKER-INGRESS -p tcp -m state --state RELATED,ESTABLISHED -m tcp --sport 8080 -j ACCEPT",
        "-A DOCKER-INGRESS -j RETURN",
      ]);
      const nat = rulesOf(lab.run(host, "iptables-save -t nat"));
      expect(nat[0]).toBe("-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER-INGRESS");
      expect(nat).toContain("-A DOCKER-INGRESS -p tcp -m tcp --dport 8080 -j DNAT --to-destination 172.18.0.2:8080");
    }
    const task = rulesOf(lab.run([...lab.nodes[0]!.engine.containers.values()][0]!, "iptables-save"));
    expect(task).toContain("-A PREROUTING -d 10.0.0.7/32 -p tcp -m tcp --dport 8080 -j REDIRECT --to-ports 80");
    expect(task.filter((rule) => rule.endsWith("-j DROP")).length).toBe(6);
  });

  it.each(["20.10", "current"] as const)("serves the published port on every node (%s)", (release) => {
    const lab = new ClusterLab(3, { release });
    published(lab);
    for (const node of [11, 12, 13]) {
      const answers = [1, 2, 3, 4].map(() => lab.ask(lab.client, `http://192.168.50.${node}:8080/`));
      expect(answers.slice(0, 2).sort()).toEqual(["node1-2", "node2-1"]);
      expect(answers.slice(2)).toEqual(answers.slice(0, 2));
    }
    expect(lab.ask(lab.nodes[2]!.host, "http://127.0.0.1:8080/")).toMatch(/^node/);
  });

  it("accepts connections and never answers them where the host's rules were flushed: the placeholder has them", () => {
    const lab = new ClusterLab(2);
    published(lab);
    lab.run(lab.nodes[0]!.host, "iptables -F; iptables -t nat -F");
    expect(lab.run(lab.client, "curl -sS -m 5 http://192.168.50.11:8080/")).toMatch(/Operation timed out/);
    expect(lab.ask(lab.client, "http://192.168.50.12:8080/")).toMatch(/^node/);
  });

  it("tells of each node's own endpoint, with a name in 20.10 and without one today, as recorded", () => {
    for (const [release, tables] of [
      ["20.10", ["endpoint_table", "overlay_peer_table"]],
      ["current", ["overlay_peer_table"]],
    ] as const) {
      const lab = new ClusterLab(2, { release });
      const entries = lab.nodes[0]!.cluster.agent!.entries(INGRESS.id);
      expect([...new Set(entries.map(({ table }) => table))]).toEqual(tables);
      expect(entries.length).toBe(2 * tables.length);
    }
  });

  it("keeps the kernel's own settings in its sandbox, which was made before ip_vs was loaded, as recorded", () => {
    const lab = new ClusterLab(1);
    lab.task(1, { service: "pub", slot: 1, addresses: [[INGRESS, "10.0.0.6", "10.0.0.5"]], port: [8_080, 80] });
    lab.allocate(1, TESTNET, "10.0.1.3");
    const read = (handle: string) =>
      lab.runIn(lab.nodes[0]!.host, handle, "sysctl -n net.ipv4.vs.conntrack net.ipv4.vs.conn_reuse_mode");
    expect([read("ingress_sbox"), read("lb_say6mhukv")]).toEqual(["1\n1\n", "0\n0\n"]);
  });
});

describe("an overlay network of a swarm", () => {
  it("balances a service in turn among its tasks, who see the load balancer of the client's node", () => {
    const lab = new ClusterLab(3);
    const { c1 } = balanced(lab);
    const answers = [1, 2, 3, 4, 5, 6].map(() => lab.ask(c1, "http://10.0.1.2/"));
    expect(answers).toEqual(["node1-2", "node2-3", "node3-1", "node1-2", "node2-3", "node3-1"]); // as recorded
    expect(lab.run(c1, "curl -s http://10.0.1.2/")).toContain("RemoteAddr: 10.0.1.8:");
  });

  it("looks in the load balancer's sandbox as recorded", () => {
    const lab = new ClusterLab(3);
    balanced(lab);
    const node1 = lab.nodes[0]!.host;
    expect(rulesOf(lab.runIn(node1, "lb_say6mhukv", "iptables-save"))).toEqual([
      "-A INPUT -d 10.0.1.2/32 -j MARK --set-xmark 0x100/0xffffffff",
      "-A POSTROUTING -d 10.0.1.0/24 -m ipvs --ipvs -j SNAT --to-source 10.0.1.8",
    ]);
    expect(servers(lab, 1)).toEqual(["10.0.1.3 1", "10.0.1.4 1", "10.0.1.5 1"]);
    expect(lab.runIn(node1, "lb_say6mhukv", "ip route")).toBe(
      "10.0.1.0/24 dev eth0 proto kernel scope link src 10.0.1.8 \n",
    );
    expect(neighbours(lab, 1, "1-say6mhukvy")).toEqual(["10.0.1.3", "10.0.1.4", "10.0.1.6", "10.0.1.7"]);
  });

  it("has names for services, tasks and containers on every node that has it", () => {
    const lab = new ClusterLab(3);
    const { tasks } = balanced(lab);
    for (const { engine } of lab.nodes) {
      const names = engine.names.find(TESTNET.id)!;
      const look = (name: string) => names.lookUp(name, "ipv4");
      expect(look("web")).toEqual({ addresses: [ip("10.0.1.2")] });
      const all = look("tasks.web");
      expect(typeof all === "object" && [...all.addresses].sort()).toEqual(
        ["10.0.1.3", "10.0.1.4", "10.0.1.5"].map(ip).sort(),
      );
      expect(look("c1")).toEqual({ addresses: [ip("10.0.1.11")] });
      expect(look(tasks[0].name)).toEqual({ addresses: [ip("10.0.1.4")] });
      expect(look("node3-1")).toEqual({ addresses: [ip("10.0.1.4")] });
      expect(names.reverse(ip("10.0.1.11"))).toBe("c1.testnet");
    }
  });

  it("is asked by containers by name", () => {
    const lab = new ClusterLab(3);
    const { c1 } = balanced(lab);
    expect(lab.run(c1, "dig +short web @127.0.0.11")).toBe("10.0.1.2\n");
  });

  it("is known on the nodes alone that have it", () => {
    const lab = new ClusterLab(3);
    lab.allocate(1, TESTNET, "10.0.1.2");
    lab.container(1, "c1", TESTNET, "10.0.1.3");
    lab.wait(40);
    expect(lab.nodes[2]!.cluster.agent!.entries(TESTNET.id)).toEqual([]);
    lab.allocate(3, TESTNET, "10.0.1.4");
    lab.wait(1);
    expect(neighbours(lab, 3, "1-say6mhukvy")).toEqual(["10.0.1.2", "10.0.1.3"]);
    expect(
      lab.nodes[0]!.cluster.peersOf(TESTNET.id)
        .map(({ address }) => address)
        .sort(),
    ).toEqual([ip("192.168.50.11"), ip("192.168.50.13")].sort());
    const services = lab.nodes[2]!.cluster.servicesOf(TESTNET.id);
    expect(services.get("")?.tasks).toEqual([
      expect.objectContaining({ name: "c1", address: ip("10.0.1.3"), host: ip("192.168.50.11") }),
    ]);
  });

  it("drains a task that will be stopped within a second everywhere, and forgets it when it is gone", () => {
    const lab = new ClusterLab(3);
    const { tasks, c1 } = balanced(lab);
    lab.nodes[2]!.cluster.deactivate(tasks[0]);
    lab.wait(1);
    for (const node of [1, 2, 3]) expect(servers(lab, node)).toEqual(["10.0.1.3 1", "10.0.1.4 0", "10.0.1.5 1"]);
    expect(lab.nodes[0]!.engine.names.find(TESTNET.id)!.lookUp(tasks[0].name, "ipv4")).toBeUndefined();
    expect(neighbours(lab, 1, "1-say6mhukvy")).toContain("10.0.1.4");
    tasks[0].stop(0);
    lab.wait(1);
    for (const node of [1, 2, 3]) expect(servers(lab, node)).toEqual(["10.0.1.3 1", "10.0.1.5 1"]);
    expect(neighbours(lab, 1, "1-say6mhukvy")).not.toContain("10.0.1.4");
    expect([1, 2, 3, 4].map(() => lab.ask(c1, "http://10.0.1.2/")).sort()).toEqual([
      "node1-2",
      "node1-2",
      "node2-3",
      "node2-3",
    ]);
  });

  it("gives a task with a health check no connections before it is well", () => {
    const lab = new ClusterLab(2);
    lab.allocate(1, TESTNET, "10.0.1.8");
    lab.allocate(2, TESTNET, "10.0.1.9");
    const healthCheck = { command: ["true"], intervalNs: 5 * SECOND };
    lab.task(1, { service: "web", slot: 1, addresses: [[TESTNET, "10.0.1.3", "10.0.1.2"]] }, { healthCheck });
    lab.wait(4);
    expect([servers(lab, 1), servers(lab, 2)]).toEqual([[], []]);
    expect(neighbours(lab, 2, "1-say6mhukvy")).toContain("10.0.1.3");
    lab.wait(3);
    expect([servers(lab, 1), servers(lab, 2)]).toEqual([["10.0.1.3 1"], ["10.0.1.3 1"]]);
  });

  it("lets tasks answer clients themselves when it routes instead of translating", () => {
    const lab = new ClusterLab(2);
    lab.allocate(1, DIRECT, "10.0.3.8");
    lab.allocate(2, DIRECT, "10.0.3.9");
    const task = lab.task(2, { service: "web", slot: 1, addresses: [[DIRECT, "10.0.3.3", "10.0.3.2"]] });
    const c1 = lab.container(1, "c1", DIRECT, "10.0.3.11");
    lab.wait(1);
    expect(lab.run(c1, "curl -s -m 5 http://10.0.3.2/")).toContain("RemoteAddr: 10.0.3.11:");
    expect(lab.runIn(lab.nodes[0]!.host, "lb_dsr000000", "ipvsadm -Ln")).toContain(
      "10.0.3.3:0                   Route",
    );
    expect(lab.run(task, "ip -4 addr show lo")).toContain("10.0.3.2/32");
  });

  it("is joined and left by a running container, and everybody hears of it", () => {
    const lab = new ClusterLab(2);
    for (const node of [1, 2]) lab.allocate(node, TESTNET, `10.0.1.${7 + node}`);
    lab.allocate(1, ENCNET, "10.0.2.2");
    const c1 = lab.container(1, "c1", ENCNET, "10.0.2.3");
    expect(c1.connect({ network: "testnet", address: ip("10.0.1.11"), aliases: ["db"] })).toBeUndefined();
    lab.wait(1);
    const look = (name: string) => lab.nodes[1]!.engine.names.find(TESTNET.id)!.lookUp(name, "ipv4");
    expect([look("c1"), look("db")]).toEqual([{ addresses: [ip("10.0.1.11")] }, { addresses: [ip("10.0.1.11")] }]);
    expect(neighbours(lab, 2, "1-say6mhukvy")).toContain("10.0.1.11");
    expect(c1.disconnect("testnet")).toBeUndefined();
    lab.wait(1);
    expect([look("c1"), look("db")]).toEqual([undefined, undefined]);
    expect(neighbours(lab, 2, "1-say6mhukvy")).not.toContain("10.0.1.11");
  });

  it("leaves the node when nobody is in it, and not before", () => {
    const lab = new ClusterLab(2);
    lab.allocate(1, TESTNET, "10.0.1.8");
    lab.allocate(2, TESTNET, "10.0.1.9");
    const c1 = lab.container(1, "c1", TESTNET, "10.0.1.11");
    lab.wait(1);
    const { cluster, host, engine } = lab.nodes[0]!;
    expect(cluster.release(TESTNET.id)?.message).toMatch(/has active endpoints/);
    c1.remove(true);
    lab.wait(1);
    expect(cluster.release(TESTNET.id)).toBeUndefined();
    expect([...host.namedNamespaces.keys()].sort()).toEqual(["1-1acqcenrj8", "ingress_sbox"]);
    expect(engine.findNetwork("testnet")).toHaveProperty("refused");
    lab.wait(1);
    expect(neighbours(lab, 2, "1-say6mhukvy")).toEqual([]);
    expect(lab.nodes[1]!.cluster.peersOf(TESTNET.id).length).toBe(1);
    lab.allocate(1, TESTNET, "10.0.1.8");
    lab.wait(1);
    expect(neighbours(lab, 1, "1-say6mhukvy")).toEqual(["10.0.1.9"]);
  });

  it("does not come without an address for its load balancer, or with one that is no address of it", () => {
    const lab = new ClusterLab(1);
    const { cluster, host } = lab.nodes[0]!;
    expect(cluster.allocate(TESTNET, undefined)?.message).toBe(
      `failed to find a load balancer IP to use for network: ${TESTNET.id}`,
    );
    expect(cluster.allocate(TESTNET, net("10.9.9.9/24"))?.message).toMatch(/no matching subnet/);
    expect([...host.namedNamespaces.keys()].sort()).toEqual(["1-1acqcenrj8", "ingress_sbox"]);
    expect(cluster.networks.size).toBe(1);
  });

  it("keeps its load balancer when it is allocated again, and makes another for another address", () => {
    const lab = new ClusterLab(1);
    lab.allocate(1, TESTNET, "10.0.1.8");
    const before = lab.nodes[0]!.host.namedNamespaces.get("lb_say6mhukv");
    lab.allocate(1, TESTNET, "10.0.1.8");
    expect(lab.nodes[0]!.host.namedNamespaces.get("lb_say6mhukv")).toBe(before);
    lab.allocate(1, TESTNET, "10.0.1.9");
    expect(lab.runIn(lab.nodes[0]!.host, "lb_say6mhukv", "ip -4 addr show eth0")).toContain("10.0.1.9/24");
  });
});

describe("a node of a swarm", () => {
  it("vanishes from the others' tables six seconds after it was cut off, and is back at once when it is healed", () => {
    const lab = new ClusterLab(3);
    balanced(lab);
    lab.cut(3, true);
    lab.wait(2);
    expect(servers(lab, 1)).toContain("10.0.1.4 1");
    lab.wait(8);
    expect(servers(lab, 1)).toEqual(["10.0.1.3 1", "10.0.1.5 1"]);
    expect(neighbours(lab, 1, "1-say6mhukvy")).toEqual(["10.0.1.3", "10.0.1.6"]);
    // It believes the same of the others.
    expect(servers(lab, 3)).toEqual(["10.0.1.4 1"]);
    lab.cut(3, false);
    lab.wait(2);
    for (const node of [1, 2, 3]) expect(servers(lab, node)).toEqual(["10.0.1.3 1", "10.0.1.4 1", "10.0.1.5 1"]);
    expect(neighbours(lab, 1, "1-say6mhukvy")).toEqual(["10.0.1.3", "10.0.1.4", "10.0.1.6", "10.0.1.7"]);
  });

  it("says goodbye when it leaves: the others forget it at once, and nothing of the swarm stays on it", () => {
    const lab = new ClusterLab(2);
    published(lab);
    const { cluster, host, engine } = lab.nodes[0]!;
    for (const container of [...engine.containers.values()]) container.remove(true);
    let left = false;
    cluster.leave(() => {
      left = true;
    });
    lab.wait(3);
    expect(left).toBe(true);
    expect(servers(lab, 2, "ingress_sbox")).toEqual(["10.0.0.6 1"]);
    expect(neighbours(lab, 2, "1-1acqcenrj8")).toEqual([]);
    expect([...host.namedNamespaces.keys()]).toEqual([]);
    expect(rulesOf(lab.run(host, "iptables-save")).filter((rule) => rule.includes("8080"))).toEqual([]);
    lab.join(1, 2);
    lab.wait(3);
    expect(servers(lab, 1, "ingress_sbox")).toEqual(["10.0.0.6 1"]);
    expect(lab.ask(lab.client, "http://192.168.50.11:8080/")).toBe("node2-1");
  });

  it("says nothing when its power goes, and comes back under another name", () => {
    const lab = new ClusterLab(2);
    published(lab);
    const { cluster, engine } = lab.nodes[0]!;
    const name = cluster.agent!.nodeName;
    cluster.stop();
    engine.cutPower();
    lab.wait(1);
    expect(servers(lab, 2, "ingress_sbox")).toEqual(["10.0.0.6 1", "10.0.0.7 1"]);
    lab.wait(9);
    expect(servers(lab, 2, "ingress_sbox")).toEqual(["10.0.0.6 1"]);
    engine.start();
    lab.join(1, 2);
    lab.wait(3);
    expect(cluster.agent!.nodeName).not.toBe(name);
    expect(cluster.servicesOf(INGRESS.id).get("pub")?.localIndex).toBe(256); // its marks are counted anew
    expect(servers(lab, 1, "ingress_sbox")).toEqual(["10.0.0.6 1"]);
  });

  it("goes on alone when it cannot reach the cluster, and joins it later", () => {
    const lab = new ClusterLab(1);
    lab.cut(1, true);
    const { cluster } = lab.nodes[0]!;
    cluster.stop();
    const start = { nodeId: "n", advertiseAddress: ip("192.168.50.11"), listenAddress: ip("0.0.0.0") };
    cluster.start({ ...start, bootstrap: [ip("192.168.50.12")], keys: keysFrom(1), gossipInClear: true });
    lab.allocate(1, TESTNET, "10.0.1.8");
    expect(cluster.agent!.entries(TESTNET.id)).toEqual([]);
    lab.wait(11);
    expect(cluster.agent!.entries(TESTNET.id).length).toBe(1);
  });
});

describe("keys of a swarm", () => {
  it("are needed for an encrypted network, which is refused before they are there", () => {
    const lab = new ClusterLab(1);
    const { cluster } = lab.nodes[0]!;
    cluster.stop();
    const start = { nodeId: "n", advertiseAddress: ip("192.168.50.11"), listenAddress: ip("192.168.50.11") };
    cluster.start({ ...start, bootstrap: [], keys: [], gossipInClear: false });
    const refusal = cluster.allocate(ENCNET, net("10.0.2.2/24"));
    expect(refusal?.message).toBe("cannot join secure network: encryption keys not present");
    cluster.setKeys(keysFrom(1));
    expect(cluster.allocate(ENCNET, net("10.0.2.2/24"))).toBeUndefined();
  });

  it("seal gossip and encrypted networks, and change without a lost word", () => {
    const lab = new ClusterLab(2, { gossipInClear: false });
    lab.allocate(1, ENCNET, "10.0.2.2");
    lab.allocate(2, ENCNET, "10.0.2.3");
    const e1 = lab.container(1, "e1", ENCNET, "10.0.2.4");
    lab.container(2, "e2", ENCNET, "10.0.2.5");
    lab.wait(2);
    const seen = watch(lab.world, lab.nodes[0]!.host.namespace.device("eth0")!);
    const ping = () => lab.run(e1, "ping -c 1 -W 1 10.0.2.5");
    expect(ping()).toContain(" 0% packet loss");
    expect(seen.some(({ bytes }) => bytes[23] === 50)).toBe(true);
    for (let time = 2; time <= 5; time++) {
      for (const { cluster } of lab.nodes) {
        cluster.setKeys(keysFrom(time));
        lab.wait(0.7);
      }
      expect(ping()).toContain(" 0% packet loss");
    }
    lab.container(2, "e3", ENCNET, "10.0.2.6");
    lab.wait(1);
    expect(neighbours(lab, 1, "1-rj3f1ruz6j")).toContain("10.0.2.6");
  });
});
