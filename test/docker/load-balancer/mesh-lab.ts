/**
 * Nodes of a swarm wired by hand: an underlay, on each node docker_gwbridge and the sandboxes of overlay networks with their load balancers, and tasks that
 * say who they are and whom they see. No engine and no gossip: every service is told to every node at once.
 */
import type { IngressPort } from "../../../src/docker/load-balancer/ingress-port.ts";
import { IngressRules } from "../../../src/docker/load-balancer/ingress-rules.ts";
import { IpvsModule } from "../../../src/docker/load-balancer/ipvs-module.ts";
import { type BalancedService, LoadBalancer } from "../../../src/docker/load-balancer/load-balancer.ts";
import { openTask } from "../../../src/docker/load-balancer/task-rules.ts";
import { OverlayNetwork } from "../../../src/docker/overlay-network.ts";
import { type Bridge, createBridge } from "../../../src/linux/bridge.ts";
import type { NetworkNamespace } from "../../../src/linux/namespace.ts";
import type { NetDevice } from "../../../src/linux/net-device.ts";
import { netfilterOf } from "../../../src/linux/netfilter/attach.ts";
import { iptables } from "../../../src/linux/netfilter/iptables.ts";
import { TcpSocket } from "../../../src/linux/tcp/tcp-socket.ts";
import { World } from "../../../src/linux/world.ts";
import { formatIpv4, type Ipv4Address, type MacAddress, type Vni } from "../../../src/wire/address.ts";
import { describe as line } from "../../../src/wire/describe.ts";
import * as ethernet from "../../../src/wire/ethernet.ts";
import * as ipv4 from "../../../src/wire/ipv4.ts";
import { ip, net, pass, type Seen, watch } from "../../linux/two-hosts.ts";

const PUB: IngressPort = { name: "", protocol: "tcp", targetPort: 80, publishedPort: 8_080 };
export const PUBLISHED: BalancedService = { mark: 258, virtualAddress: ip("10.0.0.5"), ports: [PUB] };
export const INTERNAL: BalancedService = { mark: 256, virtualAddress: ip("10.0.1.2"), ports: [] };

export class MeshNode {
  readonly host: NetworkNamespace;
  readonly address: Ipv4Address;
  readonly gatewayBridge: Bridge;
  readonly ingress: LoadBalancer;
  readonly internal: LoadBalancer;

  constructor(
    host: NetworkNamespace,
    address: Ipv4Address,
    gatewayBridge: Bridge,
    ingress: LoadBalancer,
    internal: LoadBalancer,
  ) {
    this.host = host;
    this.address = address;
    this.gatewayBridge = gatewayBridge;
    this.ingress = ingress;
    this.internal = internal;
  }
}

/** node1, node2, … are 192.168.50.11, .12, …; the client is 192.168.50.100. */
export class MeshLab {
  readonly world = new World({ seed: "mesh" });
  readonly client: NetworkNamespace;
  readonly nodes: MeshNode[] = [];
  readonly #switch: Bridge;
  readonly #ingress: OverlayNetwork;
  readonly #internal: OverlayNetwork;

  constructor(count: number) {
    const { world } = this;
    const wire = world.createNamespace("switch");
    this.#switch = createBridge(wire, { name: "br0" });
    this.#switch.device.setUp(true);
    const overlay = (name: string, vni: number, third: number) =>
      new OverlayNetwork(world, {
        name,
        mode: "swarm",
        vni: vni as Vni,
        mtu: 1_450,
        subnet: net(`10.0.${third}.0/24`),
        gateway: ip(`10.0.${third}.1`),
      });
    this.#ingress = overlay("ingress", 4_096, 0);
    this.#internal = overlay("testnet", 4_097, 1);
    this.client = world.createNamespace("client");
    this.#cable(this.client, "192.168.50.100");
    for (let number = 1; number <= count; number++) this.#addNode(number);
    this.pass(2); // ports forward
  }

  /** A task of the published service. */
  publish(node: number, name: string, address: string): NetworkNamespace {
    const task = this.task(node, name, this.#ingress, address);
    openTask(task, ip(address), PUBLISHED.ports);
    for (const { ingress } of this.nodes) ingress.addBackend(PUBLISHED, ip(address));
    return task;
  }

  /** A task of the service inside the swarm. */
  serve(node: number, name: string, address: string): NetworkNamespace {
    const task = this.task(node, name, this.#internal, address);
    for (const { internal } of this.nodes) internal.addBackend(INTERNAL, ip(address));
    return task;
  }

  /** A container that is no task. */
  container(node: number, name: string, address: string): NetworkNamespace {
    return this.task(node, name, this.#internal, address);
  }

  /** What the server at that address answers: its name and whom it sees; or the error. */
  ask(from: NetworkNamespace, to: string, port: number): string {
    const socket = new TcpSocket(from);
    const problem = socket.connect(ip(to), port);
    this.pass(0.2);
    if (socket.state !== "established") return socket.takeError() ?? problem;
    socket.write(new TextEncoder().encode("who"));
    this.pass(0.2);
    const answer = socket.read(1_000);
    socket.close();
    this.pass(0.2);
    return answer instanceof Uint8Array ? new TextDecoder().decode(answer) : String(answer);
  }

  connect(from: NetworkNamespace, to: string, port: number): TcpSocket {
    const socket = new TcpSocket(from);
    socket.connect(ip(to), port);
    this.pass(0.2);
    return socket;
  }

  pass(seconds: number): void {
    pass(this.world, seconds);
  }

  watch(host: NetworkNamespace, device: string): Seen[] {
    const found = host.device(device);
    if (found === undefined) throw new Error(`no ${device} in ${host.name}`);
    return watch(this.world, found);
  }

  task(node: number, name: string, network: OverlayNetwork, address: string): NetworkNamespace {
    const { world } = this;
    const task = world.createNamespace(name);
    const { host, gatewayBridge } = this.nodes[node - 1]!;
    network.join(host.name, task, { address: net(`${address}/24`), mac: macOf(ip(address)) });
    const gateway = this.#join(gatewayBridge, host, task, "eth1", `172.18.0.${20 + gatewayBridge.ports.length}`);
    task.routes.add({ destination: net("0.0.0.0/0"), gateway: ip("172.18.0.1"), device: gateway });
    answer(task);
    return task;
  }

  #addNode(number: number): void {
    const { world } = this;
    const host = world.createNamespace(`node${number}`);
    const address = ip(`192.168.50.${10 + number}`);
    this.#cable(host, formatIpv4(address));
    host.sysctl.set("net.ipv4.ip_forward", "1");
    host.loopback.setUp(true);
    const gatewayBridge = createBridge(host, { name: "docker_gwbridge" });
    host.addAddress(gatewayBridge.device, net("172.18.0.1/16"));
    gatewayBridge.device.setUp(true);
    for (const rule of [
      "-N DOCKER-FORWARD",
      "-A FORWARD -j DOCKER-FORWARD",
      "-P FORWARD DROP",
      "-A DOCKER-FORWARD -o docker_gwbridge -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
      "-A DOCKER-FORWARD -i docker_gwbridge ! -o docker_gwbridge -j ACCEPT",
      "-t nat -A POSTROUTING -s 172.18.0.0/16 ! -o docker_gwbridge -j MASQUERADE",
    ])
      iptables(netfilterOf(host), rule.split(" "));
    const sandbox = (network: OverlayNetwork, name: string, lb: string) => {
      network.addNode(host, address);
      const namespace = world.createNamespace(`node${number}/${name}`);
      namespace.sysctl.set("net.ipv4.ip_forward", "1"); // as the host has it
      network.join(host.name, namespace, { address: net(`${lb}/24`), mac: macOf(ip(lb)) });
      return { namespace, device: namespace.device("eth0")!, address: net(`${lb}/24`) };
    };
    const module = new IpvsModule(host);
    const outer = sandbox(this.#ingress, "ingress_sbox", `10.0.0.${1 + number}`);
    const gateway = this.#join(gatewayBridge, host, outer.namespace, "eth1", "172.18.0.2");
    outer.namespace.routes.add({ destination: net("0.0.0.0/0"), gateway: ip("172.18.0.1"), device: gateway });
    const rules = new IngressRules(host, "current");
    const ingress = new LoadBalancer({
      ...outer,
      module,
      method: "masquerade",
      ingress: { rules, gatewayAddress: ip("172.18.0.2") },
    });
    const inner = sandbox(this.#internal, "lb_testnet", `10.0.1.${5 + number}`);
    const internal = new LoadBalancer({ ...inner, module, method: "masquerade", ingress: undefined });
    this.nodes.push(new MeshNode(host, address, gatewayBridge, ingress, internal));
  }

  #cable(host: NetworkNamespace, address: string): void {
    const wire = this.world.namespaces.get("switch")!;
    const { a, b } = this.world.createLink(
      "nic",
      { namespace: host, name: "eth0" },
      { namespace: wire, name: `port${this.#switch.ports.length}` },
    );
    this.#switch.addPort(b);
    host.addAddress(a, net(`${address}/24`));
    a.setUp(true);
    b.setUp(true);
  }

  #join(bridge: Bridge, host: NetworkNamespace, container: NetworkNamespace, name: string, address: string): NetDevice {
    const { a, b } = this.world.createLink(
      "veth",
      { namespace: container, name },
      { namespace: host, name: `veth${container.name.replace(/\W/g, "").slice(-8)}` },
    );
    bridge.addPort(b);
    container.addAddress(a, net(`${address}/16`));
    a.setUp(true);
    b.setUp(true);
    return a;
  }
}

/** A server on port 80 that tells its name and whom it sees to everybody who says a word, and keeps the connection. */
function answer(task: NetworkNamespace): void {
  const listener = new TcpSocket(task);
  listener.bind(ip("0.0.0.0"), 80);
  listener.listen(64);
  listener.changed.add({
    wake: () => {
      for (let socket = listener.accept(); typeof socket === "object"; socket = listener.accept()) {
        const connection = socket;
        const reply = () => {
          const read = connection.read(1_000);
          if (read instanceof Uint8Array)
            connection.write(new TextEncoder().encode(`${task.name} sees ${formatIpv4(connection.remoteAddress)}`));
          else if (read === "end") connection.close();
        };
        connection.changed.add({ wake: reply });
        reply();
      }
    },
  });
}

/** Docker's: 02:42 and the address. */
function macOf(address: Ipv4Address): MacAddress {
  return (0x0242_0000_0000 + address) as MacAddress;
}

const VXLAN_OVERHEAD_BYTES = 50;

/** TCP frames as `direction ttl T source > destination flags`, through VXLAN; others not. */
export function tcpLines(seen: readonly Seen[]): string[] {
  return seen.flatMap(({ bytes, direction }) => {
    const text = line(bytes, 0, bytes.length);
    const found = /IP ([\d.]+) > ([\d.]+): Flags (\[[A-Z.]+\])[^:]*$/.exec(text);
    if (found === null) return [];
    const outer = text.includes("VXLAN");
    const at = outer ? VXLAN_OVERHEAD_BYTES : 0;
    const ttl = ipv4.timeToLive(bytes, at + ethernet.HEADER_BYTES);
    return [`${direction} ttl ${ttl} ${found[1]} > ${found[2]} ${found[3]}${outer ? " in VXLAN" : ""}`];
  });
}
