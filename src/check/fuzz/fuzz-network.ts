/**
 * The network that frames are thrown at: one of every kind of device and table that the emulated kernel has, built with the words that people type.
 *
 *   n1 n2 n3   nodes on the underlay's switch `u` (spanning tree and snooping on), 10.9.0.1 to .3
 *   o1 o2      sandboxes of an overlay as Docker makes them: br0, vxlan0 (VNI 256, proxy, l2miss, l3miss, fixed entries), containers c1 c2
 *   n2 n3 br9  an overlay as people make it: VNI 9, learning, head-end replication, VLAN filtering; c3 (with a VLAN device) and c4 behind it
 *   n1 n2      ESP between them around their VXLAN
 *   n3         firewall, connection tracking, published port and masquerading for c5 on docker0
 *   lb         load balancer in front of n1 and n2, by mark, by address, by direct routing
 */
import { Host, TextBuffer } from "../../commands/host.ts";
import { runLine } from "../../commands/shell.ts";
import { WORDS } from "../../commands/words.ts";
import { ipvsOf } from "../../linux/ipvs/attach.ts";
import type { RealServerRequest } from "../../linux/ipvs/real-server.ts";
import type { SchedulerName } from "../../linux/ipvs/scheduler.ts";
import type { NetworkNamespace } from "../../linux/namespace.ts";
import { World } from "../../linux/world.ts";
import { assert } from "../../sim/assert.ts";
import { SECOND } from "../../sim/time.ts";
import type { Ipv4Address } from "../../wire/address.ts";
import { parseIpv4 } from "../../wire/address.ts";

const NAMESPACES = ["u", "n1", "n2", "n3", "lb", "o1", "o2", "c1", "c2", "c3", "c4", "c5"];
const SWITCHED = ["n1", "n2", "n3", "lb"];
const ESP_KEY = "0x000102030405060708090a0b0c0d0e0f00001001";
/** Ports of bridges forward when their carrier has been reported, those of a spanning tree after twice the forward delay. */
const SETTLE_NS = 8 * SECOND;

const UNDERLAY = [
  "ip -n u link add br0 type bridge stp_state 1 forward_delay 200 mcast_snooping 1",
  ...SWITCHED.flatMap((name, index) => [
    `ip -n ${name} link add eth0 type veth peer name ${name} netns u`,
    `ip -n u link set ${name} master br0 up`,
    `ip -n ${name} addr add 10.9.0.${index + 1}/24 dev eth0`,
    `ip -n ${name} link set eth0 up`,
    `ip netns exec ${name} sysctl -w net.ipv4.ip_forward=1`,
  ]),
  "ip -n u link set br0 up",
  "ip -n u addr add 10.9.0.254/24 dev br0",
];

function sandbox(own: number, other: number): string[] {
  const o = `o${own}`;
  const c = `c${own}`;
  return [
    `ip -n n${own} link add vxlan0 type vxlan id 256 dstport 4789 proxy l2miss l3miss`,
    `ip -n n${own} link set vxlan0 netns ${o}`,
    `ip -n ${o} link add br0 type bridge`,
    `ip -n ${o} addr add 10.0.0.1/24 dev br0`,
    `ip -n ${o} link set vxlan0 master br0 up`,
    `ip -n ${o} link set br0 up`,
    `ip -n ${c} link add eth0 address 02:42:0a:00:00:0${own} type veth peer name veth0 netns ${o}`,
    `ip -n ${o} link set veth0 master br0 up`,
    `ip -n ${c} link set eth0 mtu 1450 up`,
    `ip -n ${c} addr add 10.0.0.${own + 1}/24 dev eth0`,
    `ip netns exec ${o} bridge fdb add 02:42:0a:00:00:0${other} dev vxlan0 dst 10.9.0.${other} self permanent`,
    `ip -n ${o} neigh add 10.0.0.${other + 1} lladdr 02:42:0a:00:00:0${other} dev vxlan0 nud permanent`,
  ];
}

function learningOverlay(own: number, other: number, container: string): string[] {
  const n = `n${own}`;
  return [
    `ip -n ${n} link add br9 type bridge vlan_filtering 1`,
    `ip -n ${n} link add vxlan9 type vxlan id 9 dstport 4789 local 10.9.0.${own} ttl 5`,
    `ip -n ${n} link set vxlan9 master br9 up`,
    `ip -n ${n} link set br9 up`,
    `ip netns exec ${n} bridge fdb append 00:00:00:00:00:00 dev vxlan9 dst 10.9.0.${other}`,
    `ip -n ${container} link add eth0 type veth peer name ${container} netns ${n}`,
    `ip -n ${n} link set ${container} master br9 up`,
    `ip -n ${container} addr add 10.8.0.${own}/24 dev eth0`,
    `ip -n ${container} link set eth0 mtu 1450 up`,
    `ip -n ${container} link add link eth0 name eth0.10 type vlan id 10`,
    `ip -n ${container} addr add 10.7.0.${own}/24 dev eth0.10`,
    `ip -n ${container} link set eth0.10 up`,
    `ip netns exec ${n} bridge vlan add dev ${container} vid 10`,
    `ip netns exec ${n} bridge vlan add dev vxlan9 vid 10`,
    `ip -n ${n} addr add 10.8.0.${own + 10}/24 dev br9`,
  ];
}

function protection(own: number, other: number): string[] {
  const [a, b] = [`10.9.0.${own}`, `10.9.0.${other}`];
  const state = (from: string, to: string, spi: number): string =>
    `ip -n n${own} xfrm state add src ${from} dst ${to} proto esp spi ${spi} reqid 7 mode transport aead 'rfc4106(gcm(aes))' ${ESP_KEY} 64 replay-window 32`;
  const policy = (from: string, to: string, direction: string): string =>
    `ip -n n${own} xfrm policy add src ${from}/32 dst ${to}/32 proto udp dport 4789 dir ${direction} tmpl src ${from} dst ${to} proto esp reqid 7 mode transport`;
  return [state(a, b, 0x1000 + own), state(b, a, 0x1000 + other), policy(a, b, "out"), policy(b, a, "in")];
}

const FIREWALL = [
  "ip -n n3 link add docker0 type bridge",
  "ip -n n3 addr add 172.17.0.1/16 dev docker0",
  "ip -n n3 link set docker0 up",
  "ip -n c5 link add eth0 type veth peer name c5 netns n3",
  "ip -n n3 link set c5 master docker0 up",
  "ip -n c5 addr add 172.17.0.2/16 dev eth0",
  "ip -n c5 link set eth0 up",
  "ip -n c5 route add default via 172.17.0.1",
  "ip netns exec n3 iptables -t nat -A PREROUTING -p tcp --dport 8080 -j DNAT --to-destination 172.17.0.2:80",
  "ip netns exec n3 iptables -t nat -A PREROUTING -p udp --dport 5300 -j DNAT --to-destination 172.17.0.2:53",
  "ip netns exec n3 iptables -t nat -A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE",
  "ip netns exec n3 iptables -P FORWARD DROP",
  "ip netns exec n3 iptables -A FORWARD -m physdev --physdev-is-bridged -j ACCEPT",
  "ip netns exec n3 iptables -A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
  "ip netns exec n3 iptables -A FORWARD -m conntrack --ctstate INVALID -j DROP",
  "ip netns exec n3 iptables -A FORWARD -d 172.17.0.2 -p tcp --dport 80 -j ACCEPT",
  "ip netns exec n3 iptables -A FORWARD -d 172.17.0.2 -p udp --dport 53 -j ACCEPT",
  "ip netns exec n3 iptables -A FORWARD -i docker0 ! -o docker0 -j ACCEPT",
  "ip netns exec n3 iptables -A FORWARD -p tcp -j REJECT --reject-with tcp-reset",
  "ip netns exec n3 iptables -A FORWARD -j REJECT",
  "ip netns exec n3 iptables -t mangle -A FORWARD -p tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu",
  "ip netns exec n3 sysctl -w net.bridge.bridge-nf-call-iptables=1",
  "ip netns exec lb iptables -t mangle -A PREROUTING -p tcp --dport 8081 -j MARK --set-mark 256",
  "ip netns exec lb iptables -t nat -A POSTROUTING -m ipvs --ipvs -j SNAT --to-source 10.9.0.4",
  "ip netns exec lb sysctl -w net.ipv4.vs.conntrack=1",
  "ip -n n1 addr add 10.9.0.100/32 dev lo",
  "ip -n lb addr add 10.9.0.100/32 dev eth0",
];

export class FuzzNetwork {
  readonly world: World;
  readonly hosts = new Map<string, Host>();

  /** Built and settled: bridges forward, nobody has said anything yet. */
  constructor(seed: string) {
    this.world = new World({ seed });
    const namedNamespaces = new Map<string, NetworkNamespace>();
    const machine = this.#host("machine", this.world.createNamespace("machine"), namedNamespaces);
    const lines = [
      ...NAMESPACES.flatMap((name) => [`ip netns add ${name}`, `ip -n ${name} link set lo up`]),
      ...UNDERLAY,
      ...sandbox(1, 2),
      ...sandbox(2, 1),
      ...learningOverlay(2, 3, "c3"),
      ...learningOverlay(3, 2, "c4"),
      ...protection(1, 2),
      ...protection(2, 1),
      ...FIREWALL,
    ];
    for (const line of lines) type(machine, line);
    for (const name of NAMESPACES) this.hosts.set(name, this.#host(name, namedNamespaces.get(name)!, namedNamespaces));
    balance(this.namespace("lb"));
    this.world.simulation.run(SETTLE_NS);
  }

  namespace(name: string): NetworkNamespace {
    return this.hosts.get(name)!.namespace;
  }

  #host(name: string, namespace: NetworkNamespace, namedNamespaces: Map<string, NetworkNamespace>): Host {
    return new Host({ name, world: this.world, namespace, words: WORDS, namedNamespaces });
  }
}

function type(machine: Host, line: string): void {
  const said = new TextBuffer();
  const process = machine.spawn("bash", { stdout: said, stderr: said }, (self) =>
    runLine(self, machine.context(), line),
  );
  assert(process.exitStatus === 0, `the network for fuzzing cannot be built: ${line}: ${said.text}`);
}

function balance(namespace: NetworkNamespace): void {
  const ipvs = ipvsOf(namespace);
  const server = (address: string, port: number, method: RealServerRequest["method"]): RealServerRequest => ({
    address: ip(address),
    port,
    method,
    weight: 1,
    upperThreshold: 0,
    lowerThreshold: 0,
  });
  const add = (
    mark: number,
    protocol: number,
    port: number,
    scheduler: SchedulerName,
    method: RealServerRequest["method"],
  ) => {
    const key = { mark, protocol, address: (mark === 0 ? ip("10.9.0.100") : 0) as Ipv4Address, port };
    const persistentSeconds = scheduler === "sh" ? 10 : undefined;
    const problem = ipvs.addService(key, { scheduler, persistentSeconds, clientMask: -1, onePacket: false });
    assert(problem === undefined, `no virtual service: ${problem}`);
    ipvs.addServer(key, server("10.9.0.1", mark === 0 ? port : 80, method));
    ipvs.addServer(key, server("10.9.0.2", mark === 0 ? port : 80, method));
  };
  add(0, 6, 80, "rr", "masquerade");
  add(0, 17, 53, "wlc", "masquerade");
  add(256, 6, 0, "rr", "masquerade");
  add(0, 6, 81, "sh", "route");
}

function ip(text: string): Ipv4Address {
  return parseIpv4(text)!;
}
