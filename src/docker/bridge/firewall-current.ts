/**
 * The firewall of the current engine (moby daemon/libnetwork/drivers/bridge/internal/iptabler): FORWARD leads to one chain of Docker's, which asks for
 * known connections, internal networks and published ports, in this order; what none of them lets in is dropped at the end of
 * the chain DOCKER, whatever FORWARD's policy is. The raw table keeps other hosts from routing to containers directly.
 */
import type { Netfilter } from "../../linux/netfilter/netfilter.ts";
import { formatIpv4, formatPrefix, IPV4_LOOPBACK, type Ipv4Address } from "../../wire/address.ts";
import { type BridgeFirewall, type BridgeRules, RuleProgrammer } from "./firewall.ts";
import type { PublishedPort } from "./published-port.ts";

const USER = "DOCKER-USER";
const FORWARD = "DOCKER-FORWARD";
const BRIDGE = "DOCKER-BRIDGE";
const KNOWN = "DOCKER-CT";
const INTERNAL = "DOCKER-INTERNAL";

export class CurrentFirewall implements BridgeFirewall {
  readonly #rules: RuleProgrammer;
  /** Bridges send back where they received from; no userland proxy. */
  readonly #hairpin: boolean;

  constructor(netfilter: Netfilter, hairpin: boolean) {
    this.#rules = new RuleProgrammer(netfilter);
    this.#hairpin = hairpin;
  }

  start(dropForwarded: boolean): void {
    const rules = this.#rules;
    if (dropForwarded) rules.run("-P FORWARD DROP");
    rules.newChain("nat", "DOCKER");
    for (const chain of ["DOCKER", BRIDGE, KNOWN, FORWARD, INTERNAL, USER]) rules.newChain("filter", chain);
    for (const chain of [KNOWN, INTERNAL, BRIDGE]) rules.append("filter", FORWARD, `-j ${chain}`);
    rules.jumpFirst("filter", "FORWARD", `-j ${FORWARD}`);
    rules.jumpFirst("filter", "FORWARD", `-j ${USER}`);
    rules.append("nat", "PREROUTING", "-m addrtype --dst-type LOCAL -j DOCKER");
    rules.append("nat", "OUTPUT", `-m addrtype --dst-type LOCAL -j DOCKER${this.#hairpin ? "" : " ! -d 127.0.0.0/8"}`);
  }

  addNetwork(network: BridgeRules): void {
    const rules = this.#rules;
    if (network.masquerades && !network.internal)
      for (const rule of this.#outbound(network)) rules.insert("nat", "POSTROUTING", rule);
    for (const [chain, rule] of networkRules(network)) rules.append("filter", chain, rule);
  }

  removeNetwork(network: BridgeRules): void {
    const rules = this.#rules;
    for (const rule of this.#outbound(network)) rules.delete("nat", "POSTROUTING", rule);
    for (const [chain, rule] of networkRules(network)) rules.delete("filter", chain, rule);
  }

  addEndpoint(network: BridgeRules, address: Ipv4Address): void {
    if (!network.internal) this.#rules.appendNew("raw", "PREROUTING", directAccess(network, address));
  }

  removeEndpoint(network: BridgeRules, address: Ipv4Address): void {
    if (!network.internal) this.#rules.delete("raw", "PREROUTING", directAccess(network, address));
  }

  publish(network: BridgeRules, address: Ipv4Address, port: PublishedPort): void {
    for (const [table, chain, rule, position] of this.#portRules(network, address, port))
      this.#rules.run(`-t ${table} ${position} ${chain} ${rule}`);
  }

  unpublish(network: BridgeRules, address: Ipv4Address, port: PublishedPort): void {
    for (const [table, chain, rule] of this.#portRules(network, address, port)) this.#rules.delete(table, chain, rule);
  }

  #outbound({ bridgeName: bridge, subnet }: BridgeRules): string[] {
    const outbound = [`-s ${formatPrefix(subnet)} ! -o ${bridge} -j MASQUERADE`];
    if (this.#hairpin) outbound.push(`-o ${bridge} -m addrtype --src-type LOCAL -j MASQUERADE`);
    return outbound;
  }

  #portRules(
    { bridgeName: bridge }: BridgeRules,
    address: Ipv4Address,
    port: PublishedPort,
  ): [table: string, chain: string, rule: string, position: "-A" | "-I"][] {
    const { protocol, containerPort, hostAddress, hostPort } = port;
    const to = formatIpv4(address);
    const at = hostAddress === 0 ? "" : `-d ${formatIpv4(hostAddress)}/32 `;
    const notFromInside = this.#hairpin ? "" : `! -i ${bridge} `;
    const rules: [string, string, string, "-A" | "-I"][] = [
      [
        "nat",
        "DOCKER",
        `${at}${notFromInside}-p ${protocol} --dport ${hostPort} -j DNAT --to-destination ${to}:${containerPort}`,
        "-A",
      ],
      [
        "filter",
        "DOCKER",
        `-d ${to} ! -i ${bridge} -o ${bridge} -p ${protocol} --dport ${containerPort} -j ACCEPT`,
        "-I",
      ],
    ];
    if (this.#hairpin)
      rules.push([
        "nat",
        "POSTROUTING",
        `-s ${to} -d ${to} -p ${protocol} --dport ${containerPort} -j MASQUERADE`,
        "-A",
      ]);
    // A port on the loopback address is for this host alone, whatever other hosts route here.
    if (hostAddress === IPV4_LOOPBACK)
      rules.push(["raw", "PREROUTING", `-d 127.0.0.1/32 ! -i lo -p ${protocol} --dport ${hostPort} -j DROP`, "-A"]);
    return rules;
  }
}

function directAccess({ bridgeName }: BridgeRules, address: Ipv4Address): string {
  return `-d ${formatIpv4(address)} ! -i ${bridgeName} -j DROP`;
}

/** A network's rules in the filter table, each behind those of the networks before it. */
function networkRules(network: BridgeRules): (readonly [chain: string, rule: string])[] {
  const { bridgeName: bridge, betweenContainers } = network;
  if (network.internal) {
    const subnet = formatPrefix(network.subnet);
    return [
      [INTERNAL, `! -s ${subnet} -o ${bridge} -j DROP`],
      [INTERNAL, `! -d ${subnet} -i ${bridge} -j DROP`],
      [FORWARD, `-i ${bridge} -o ${bridge} -j ${betweenContainers ? "ACCEPT" : "DROP"}`],
    ];
  }
  return [
    [KNOWN, `-o ${bridge} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT`],
    [BRIDGE, `-o ${bridge} -j DOCKER`],
    ["DOCKER", `! -i ${bridge} -o ${bridge} -j DROP`],
    ...(betweenContainers
      ? [[FORWARD, `-i ${bridge} -j ACCEPT`] as const]
      : [
          [FORWARD, `-i ${bridge} -o ${bridge} -j DROP`] as const,
          [FORWARD, `-i ${bridge} ! -o ${bridge} -j ACCEPT`] as const,
        ]),
  ];
}
