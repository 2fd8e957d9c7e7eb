import { describe, expect, it } from "vitest";
import { ipvsadm } from "../../../src/commands/ipvsadm/ipvsadm.ts";
import type { IngressPort } from "../../../src/docker/load-balancer/ingress-port.ts";
import { IngressRules, type Release } from "../../../src/docker/load-balancer/ingress-rules.ts";
import { IpvsModule } from "../../../src/docker/load-balancer/ipvs-module.ts";
import { type BalancedService, LoadBalancer } from "../../../src/docker/load-balancer/load-balancer.ts";
import { openTask } from "../../../src/docker/load-balancer/task-rules.ts";
import type { NetworkNamespace } from "../../../src/linux/namespace.ts";
import { findNetfilter, netfilterOf } from "../../../src/linux/netfilter/attach.ts";
import { iptables } from "../../../src/linux/netfilter/iptables.ts";
import { save } from "../../../src/linux/netfilter/iptables-save.ts";
import { TcpSocket } from "../../../src/linux/tcp/tcp-socket.ts";
import { World } from "../../../src/linux/world.ts";
import { ip, net } from "../../linux/two-hosts.ts";

const PUB: IngressPort = { name: "", protocol: "tcp", targetPort: 80, publishedPort: 8_080 };

/** A node with docker_gwbridge's stand-in, and a sandbox with an interface `eth0`. */
function sandbox(address: string) {
  const world = new World({ seed: "rules" });
  const host = world.createNamespace("node1");
  const namespace = world.createNamespace("node1/sandbox");
  const outside = world.createNamespace("outside");
  const overlay = world.createLink("veth", { namespace, name: "eth0" }, { namespace: outside, name: "veth0" });
  const bridge = world.createLink("veth", { namespace: host, name: "docker_gwbridge" }, { namespace, name: "eth1" });
  namespace.addAddress(overlay.a, net(address));
  host.addAddress(bridge.a, net("172.18.0.1/16"));
  namespace.addAddress(bridge.b, net("172.18.0.2/16"));
  for (const device of [overlay.a, overlay.b, bridge.a, bridge.b]) device.setUp(true);
  return { world, host, namespace, device: overlay.a, address: net(address) };
}

/** The rules of all tables, as iptables-save writes them. */
function rules(namespace: NetworkNamespace): string[] {
  const netfilter = findNetfilter(namespace);
  const text = netfilter === undefined ? "" : save(netfilter, { counters: false, date: "" });
  return text.split("\n").filter((line) => /^(-A|\*)/.test(line));
}

function servers(namespace: NetworkNamespace): string[] {
  const { stdout } = ipvsadm(["-Ln"], { namespace, stdin: "", hostName: () => undefined });
  return stdout.split("\n").slice(3);
}

function run(namespace: NetworkNamespace, ...lines: string[]): void {
  for (const line of lines) expect(iptables(netfilterOf(namespace), line.split(" ")).stderr).toBe("");
}

describe("the load balancer of an overlay network", () => {
  function balancer() {
    const parts = sandbox("10.0.1.8/24");
    const module = new IpvsModule(parts.host, true);
    return { ...parts, lb: new LoadBalancer({ ...parts, module, method: "masquerade", ingress: undefined }) };
  }
  const WEB: BalancedService = { mark: 256, virtualAddress: ip("10.0.1.2"), ports: [] };

  it("marks what comes for the virtual address, balances by the mark and sends it on as from itself, as recorded", () => {
    const { lb, namespace, device } = balancer();
    for (const task of ["10.0.1.3", "10.0.1.4", "10.0.1.5"]) lb.addBackend(WEB, ip(task));
    expect(rules(namespace)).toEqual([
      "*mangle",
      "-A INPUT -d 10.0.1.2/32 -j MARK --set-xmark 0x100/0xffffffff",
      "*nat",
      "-A POSTROUTING -d 10.0.1.0/24 -m ipvs --ipvs -j SNAT --to-source 10.0.1.8",
    ]);
    expect(servers(namespace)).toEqual([
      "FWM  256 rr",
      "  -> 10.0.1.3:0                   Masq    1      0          0         ",
      "  -> 10.0.1.4:0                   Masq    1      0          0         ",
      "  -> 10.0.1.5:0                   Masq    1      0          0         ",
      "",
    ]);
    expect(device.addresses.map(({ address, length }) => [address, length])).toEqual([
      [ip("10.0.1.8"), 24],
      [ip("10.0.1.2"), 32],
    ]);
    expect(
      ["conntrack", "conn_reuse_mode", "expire_nodest_conn", "expire_quiescent_template"].map((key) =>
        namespace.sysctl.number(`net.ipv4.vs.${key}`),
      ),
    ).toEqual([1, 0, 1, 1]);
  });

  it("translates sources by one rule, however many services there are", () => {
    const { lb, namespace } = balancer();
    lb.addBackend(WEB, ip("10.0.1.3"));
    lb.addBackend({ mark: 258, virtualAddress: ip("10.0.1.20"), ports: [] }, ip("10.0.1.21"));
    expect(rules(namespace)).toEqual([
      "*mangle",
      "-A INPUT -d 10.0.1.2/32 -j MARK --set-xmark 0x100/0xffffffff",
      "-A INPUT -d 10.0.1.20/32 -j MARK --set-xmark 0x102/0xffffffff",
      "*nat",
      "-A POSTROUTING -d 10.0.1.0/24 -m ipvs --ipvs -j SNAT --to-source 10.0.1.8",
    ]);
  });

  it("drains a task by weight 0, and a drained one that is added again stays drained", () => {
    const { lb, namespace } = balancer();
    for (const task of ["10.0.1.3", "10.0.1.4"]) lb.addBackend(WEB, ip(task));
    lb.drainBackend(WEB, ip("10.0.1.3"));
    lb.addBackend(WEB, ip("10.0.1.3"));
    expect(servers(namespace)).toEqual([
      "FWM  256 rr",
      "  -> 10.0.1.3:0                   Masq    0      0          0         ",
      "  -> 10.0.1.4:0                   Masq    1      0          0         ",
      "",
    ]);
  });

  it("takes a service away with its mark and its address, and keeps the translation", () => {
    const { lb, namespace, device } = balancer();
    lb.addBackend(WEB, ip("10.0.1.3"));
    lb.removeBackend(WEB, ip("10.0.1.3"));
    lb.removeService(WEB);
    lb.removeService(WEB);
    expect(rules(namespace)).toEqual([
      "*mangle",
      "*nat",
      "-A POSTROUTING -d 10.0.1.0/24 -m ipvs --ipvs -j SNAT --to-source 10.0.1.8",
    ]);
    expect(servers(namespace)).toEqual([""]);
    expect(device.addresses.length).toBe(1);
  });

  it("routes instead of translating in a network with the option dsr", () => {
    const parts = sandbox("10.0.1.8/24");
    const lb = new LoadBalancer({ ...parts, module: new IpvsModule(parts.host), method: "route", ingress: undefined });
    lb.addBackend(WEB, ip("10.0.1.3"));
    expect(rules(parts.namespace)).toEqual(["*mangle", "-A INPUT -d 10.0.1.2/32 -j MARK --set-xmark 0x100/0xffffffff"]);
    expect(servers(parts.namespace)[1]).toBe("  -> 10.0.1.3:0                   Route   1      0          0         ");
  });

  it("keeps the kernel's settings when it was made before ip_vs was loaded; then they fall on the host, as recorded", () => {
    const { namespace, host, device, address } = sandbox("10.0.1.8/24");
    const module = new IpvsModule(host);
    const lb = new LoadBalancer({ namespace, device, address, module, method: "masquerade", ingress: undefined });
    expect(host.sysctl.number("net.ipv4.vs.conn_reuse_mode")).toBe(1);
    lb.addBackend(WEB, ip("10.0.1.3"));
    const read = (where: NetworkNamespace) =>
      ["conntrack", "conn_reuse_mode", "expire_nodest_conn"].map((key) => where.sysctl.number(`net.ipv4.vs.${key}`));
    expect(read(namespace)).toEqual([1, 1, 0]);
    expect(read(host)).toEqual([0, 0, 1]);
  });
});

describe("the ingress load balancer", () => {
  const SERVICE: BalancedService = { mark: 258, virtualAddress: ip("10.0.0.5"), ports: [PUB] };

  function ingress(release: Release) {
    const parts = sandbox("10.0.0.2/24");
    if (release === "20.10")
      run(
        parts.host,
        "-N DOCKER-USER",
        "-N DOCKER-ISOLATION-STAGE-1",
        "-A DOCKER-USER -j RETURN",
        "-I FORWARD -j DOCKER-ISOLATION-STAGE-1",
        "-I FORWARD -j DOCKER-USER",
      );
    else run(parts.host, "-N DOCKER-FORWARD", "-A DOCKER-FORWARD -i docker0 -j ACCEPT", "-A FORWARD -j DOCKER-FORWARD");
    run(parts.host, "-t nat -N DOCKER", "-t nat -A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER");
    const hostRules = new IngressRules(parts.host, release);
    const lb = new LoadBalancer({
      ...parts,
      module: new IpvsModule(parts.host),
      method: "masquerade",
      ingress: { rules: hostRules, gatewayAddress: ip("172.18.0.2") },
    });
    return { ...parts, lb, hostRules };
  }

  it("marks by the published port too, as recorded", () => {
    const { lb, namespace } = ingress("20.10");
    for (const task of ["10.0.0.6", "10.0.0.7"]) lb.addBackend(SERVICE, ip(task));
    expect(rules(namespace)).toEqual([
      "*mangle",
      "-A PREROUTING -p tcp -m tcp --dport 8080 -j MARK --set-xmark 0x102/0xffffffff",
      "-A INPUT -d 10.0.0.5/32 -j MARK --set-xmark 0x102/0xffffffff",
      "*nat",
      "-A POSTROUTING -d 10.0.0.0/24 -m ipvs --ipvs -j SNAT --to-source 10.0.0.2",
    ]);
    expect(servers(namespace)[0]).toBe("FWM  258 rr");
  });

  it("leads the host's port to itself, in 20.10 as recorded", () => {
    const { lb, host } = ingress("20.10");
    lb.addBackend(SERVICE, ip("10.0.0.6"));
    expect(rules(host)).toEqual([
      "*filter",
      "-A FORWARD -j DOCKER-USER",
      "-A FORWARD -j DOCKER-INGRESS",
      "-A FORWARD -j DOCKER-ISOLATION-STAGE-1",
      "-A DOCKER-INGRESS -p tcp -m tcp --dport 8080 -j ACCEPT",
      "-A DOCKER-INGRESS -p tcp -m state --state RELATED,ESTABLISHED -m tcp --sport 8080 -j ACCEPT",
      "-A DOCKER-INGRESS -j RETURN",
      "-A DOCKER-USER -j RETURN",
      "*nat",
      "-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER-INGRESS",
      "-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER",
      "-A OUTPUT -m addrtype --dst-type LOCAL -j DOCKER-INGRESS",
      "-A POSTROUTING -o docker_gwbridge -m addrtype --src-type LOCAL -j MASQUERADE",
      "-A DOCKER-INGRESS -p tcp -m tcp --dport 8080 -j DNAT --to-destination 172.18.0.2:8080",
      "-A DOCKER-INGRESS -j RETURN",
    ]);
    expect(host.sysctl.number("net.ipv4.conf.docker_gwbridge.route_localnet")).toBe(1);
  });

  it("leads the host's port to itself by DOCKER-FORWARD today", () => {
    const { lb, host } = ingress("current");
    lb.addBackend(SERVICE, ip("10.0.0.6"));
    const dns: IngressPort = { name: "", protocol: "udp", targetPort: 53, publishedPort: 5_353 };
    lb.addBackend({ mark: 259, virtualAddress: ip("10.0.0.9"), ports: [dns] }, ip("10.0.0.10"));
    expect(rules(host)).toEqual([
      "*filter",
      "-A FORWARD -j DOCKER-FORWARD",
      "-A DOCKER-FORWARD -j DOCKER-INGRESS",
      "-A DOCKER-FORWARD -i docker0 -j ACCEPT",
      "-A DOCKER-INGRESS -p udp -m udp --dport 5353 -j ACCEPT",
      "-A DOCKER-INGRESS -p udp -m udp --sport 5353 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
      "-A DOCKER-INGRESS -p tcp -m tcp --dport 8080 -j ACCEPT",
      "-A DOCKER-INGRESS -p tcp -m tcp --sport 8080 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
      "-A DOCKER-INGRESS -j RETURN",
      "*nat",
      "-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER-INGRESS",
      "-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER",
      "-A OUTPUT -m addrtype --dst-type LOCAL -j DOCKER-INGRESS",
      "-A POSTROUTING -o docker_gwbridge -m addrtype --src-type LOCAL -j MASQUERADE",
      "-A DOCKER-INGRESS -p udp -m udp --dport 5353 -j DNAT --to-destination 172.18.0.2:5353",
      "-A DOCKER-INGRESS -p tcp -m tcp --dport 8080 -j DNAT --to-destination 172.18.0.2:8080",
      "-A DOCKER-INGRESS -j RETURN",
    ]);
  });

  it("reserves the published port on the host while a service has it, and no longer", () => {
    const { lb, host } = ingress("20.10");
    const bind = () => {
      const socket = new TcpSocket(host);
      const problem = socket.bind(ip("0.0.0.0"), 8_080) ?? socket.listen(1);
      socket.close();
      return problem;
    };
    lb.addBackend(SERVICE, ip("10.0.0.6"));
    expect(bind()).toBe("EADDRINUSE");
    const before = rules(host).length;
    lb.removeBackend(SERVICE, ip("10.0.0.6"));
    lb.removeService(SERVICE);
    expect(bind()).toBeUndefined();
    expect(before - rules(host).length).toBe(3);
  });

  it("serves a port that another program has taken before", () => {
    const { lb, host, namespace } = ingress("20.10");
    const other = new TcpSocket(host);
    other.bind(ip("0.0.0.0"), 8_080);
    other.listen(1);
    lb.addBackend(SERVICE, ip("10.0.0.6"));
    expect(rules(host)).toContain(
      "-A DOCKER-INGRESS -p tcp -m tcp --dport 8080 -j DNAT --to-destination 172.18.0.2:8080",
    );
    expect(servers(namespace)[0]).toBe("FWM  258 rr");
  });

  it("keeps a port's rules until the last of the bindings that share it has gone", () => {
    const { hostRules, host } = ingress("current");
    hostRules.publish([PUB], ip("172.18.0.2"));
    hostRules.publish([PUB], ip("172.18.0.2"));
    const count = () => rules(host).filter((rule) => rule.includes("8080")).length;
    expect(count()).toBe(3);
    hostRules.withdraw([PUB], ip("172.18.0.2"));
    expect(count()).toBe(3);
    hostRules.withdraw([PUB], ip("172.18.0.2"));
    hostRules.withdraw([PUB], ip("172.18.0.2"));
    expect(count()).toBe(0);
  });

  it("puts its rules back when the user has flushed the host's firewall and a service comes", () => {
    const { lb, host } = ingress("current");
    lb.addBackend(SERVICE, ip("10.0.0.6"));
    run(host, "-F", "-t nat -F", "-t nat -X", "-F DOCKER-INGRESS", "-X DOCKER-INGRESS");
    const other = { mark: 260, virtualAddress: ip("10.0.0.30"), ports: [{ ...PUB, publishedPort: 9_090 }] };
    lb.addBackend(other, ip("10.0.0.31"));
    expect(rules(host).filter((rule) => rule.includes("8080"))).toEqual([]);
    expect(rules(host).filter((rule) => rule.includes("9090")).length).toBe(3);
    expect(rules(host)).toContain("-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER-INGRESS");
  });
});

describe("the rules in a task that publishes ports", () => {
  it("turn the published port into the task's and close everything else, as recorded", () => {
    const task = new World({ seed: 1 }).createNamespace("task");
    openTask(task, ip("10.0.0.7"), [PUB]);
    openTask(task, ip("10.0.0.7"), []);
    expect(rules(task)).toEqual([
      "*filter",
      "-A INPUT -d 10.0.0.7/32 -p tcp -m tcp --dport 80 -m conntrack --ctstate NEW,ESTABLISHED -j ACCEPT",
      "-A INPUT -d 10.0.0.7/32 -p sctp -j DROP",
      "-A INPUT -d 10.0.0.7/32 -p udp -j DROP",
      "-A INPUT -d 10.0.0.7/32 -p tcp -j DROP",
      "-A OUTPUT -s 10.0.0.7/32 -p tcp -m tcp --sport 80 -m conntrack --ctstate ESTABLISHED -j ACCEPT",
      "-A OUTPUT -s 10.0.0.7/32 -p sctp -j DROP",
      "-A OUTPUT -s 10.0.0.7/32 -p udp -j DROP",
      "-A OUTPUT -s 10.0.0.7/32 -p tcp -j DROP",
      "*nat",
      "-A PREROUTING -d 10.0.0.7/32 -p tcp -m tcp --dport 8080 -j REDIRECT --to-ports 80",
    ]);
  });
});
