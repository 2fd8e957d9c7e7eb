/**
 * The firewall of Docker 20.10 (libnetwork drivers/bridge/setup_ip_tables.go, iptables/iptables.go, firewall_linux.go), in the order in which it programs
 * it: what is inserted later stands first. Networks are kept apart by two isolation stages; what comes from outside meets FORWARD's policy.
 */

import type { Netfilter } from "../../linux/netfilter/netfilter.ts";
import { formatIpv4, formatPrefix, type Ipv4Address } from "../../wire/address.ts";
import { type BridgeFirewall, type BridgeRules, RuleProgrammer } from "./firewall.ts";
import type { PublishedPort } from "./published-port.ts";

const USER = "DOCKER-USER";
const INGRESS = "DOCKER-INGRESS";
const STAGE_1 = "DOCKER-ISOLATION-STAGE-1";
const STAGE_2 = "DOCKER-ISOLATION-STAGE-2";

export class Firewall2010 implements BridgeFirewall {
  readonly #netfilter: Netfilter;
  readonly #rules: RuleProgrammer;
  /** Bridges send back where they received from; no userland proxy. */
  readonly #hairpin: boolean;

  constructor(netfilter: Netfilter, hairpin: boolean) {
    this.#netfilter = netfilter;
    this.#rules = new RuleProgrammer(netfilter);
    this.#hairpin = hairpin;
  }

  start(dropForwarded: boolean): void {
    const rules = this.#rules;
    if (dropForwarded) rules.run("-P FORWARD DROP");
    rules.newChain("nat", "DOCKER");
    rules.newChain("filter", "DOCKER");
    for (const chain of [STAGE_1, STAGE_2]) {
      rules.newChain("filter", chain);
      rules.append("filter", chain, "-j RETURN");
    }
    this.#arrange();
  }

  addNetwork(network: BridgeRules): void {
    const { bridgeName: bridge } = network;
    const rules = this.#rules;
    const subnet = formatPrefix(network.subnet);
    if (network.internal) {
      rules.insert("filter", STAGE_1, `-i ${bridge} ! -d ${subnet} -j DROP`);
      rules.insert("filter", STAGE_1, `-o ${bridge} ! -s ${subnet} -j DROP`);
      this.#betweenContainers(network);
    } else {
      if (network.masquerades) rules.insert("nat", "POSTROUTING", `-s ${subnet} ! -o ${bridge} -j MASQUERADE`);
      if (network.masquerades && !this.#hairpin) rules.insert("nat", "DOCKER", `-i ${bridge} -j RETURN`);
      if (this.#hairpin) rules.insert("nat", "POSTROUTING", `-o ${bridge} -m addrtype --src-type LOCAL -j MASQUERADE`);
      this.#betweenContainers(network);
      rules.insert("filter", "FORWARD", `-i ${bridge} ! -o ${bridge} -j ACCEPT`);
      rules.append("nat", "PREROUTING", "-m addrtype --dst-type LOCAL -j DOCKER");
      rules.append(
        "nat",
        "OUTPUT",
        `-m addrtype --dst-type LOCAL -j DOCKER${this.#hairpin ? "" : " ! -d 127.0.0.0/8"}`,
      );
      rules.insert("filter", "FORWARD", `-o ${bridge} -j DOCKER`);
      rules.insert("filter", "FORWARD", `-o ${bridge} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT`);
    }
    rules.insert("filter", STAGE_1, `-i ${bridge} ! -o ${bridge} -j ${STAGE_2}`);
    rules.insert("filter", STAGE_2, `-o ${bridge} -j DROP`);
    this.#arrange();
  }

  removeNetwork(network: BridgeRules): void {
    const { bridgeName: bridge } = network;
    const rules = this.#rules;
    const subnet = formatPrefix(network.subnet);
    rules.delete("filter", STAGE_1, `-i ${bridge} ! -o ${bridge} -j ${STAGE_2}`);
    rules.delete("filter", STAGE_2, `-o ${bridge} -j DROP`);
    rules.delete("filter", "FORWARD", `-i ${bridge} -o ${bridge} -j ${network.betweenContainers ? "ACCEPT" : "DROP"}`);
    if (network.internal) {
      rules.delete("filter", STAGE_1, `-i ${bridge} ! -d ${subnet} -j DROP`);
      rules.delete("filter", STAGE_1, `-o ${bridge} ! -s ${subnet} -j DROP`);
      return;
    }
    rules.delete("filter", "FORWARD", `-i ${bridge} ! -o ${bridge} -j ACCEPT`);
    rules.delete("filter", "FORWARD", `-o ${bridge} -j DOCKER`);
    rules.delete("filter", "FORWARD", `-o ${bridge} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT`);
    rules.delete("nat", "POSTROUTING", `-s ${subnet} ! -o ${bridge} -j MASQUERADE`);
    rules.delete("nat", "POSTROUTING", `-o ${bridge} -m addrtype --src-type LOCAL -j MASQUERADE`);
    rules.delete("nat", "DOCKER", `-i ${bridge} -j RETURN`);
  }

  addEndpoint(): void {}

  removeEndpoint(): void {}

  publish(network: BridgeRules, address: Ipv4Address, port: PublishedPort): void {
    for (const [table, chain, rule] of this.#portRules(network, address, port))
      this.#rules.run(`-t ${table} -A ${chain} ${rule}`);
  }

  unpublish(network: BridgeRules, address: Ipv4Address, port: PublishedPort): void {
    for (const [table, chain, rule] of this.#portRules(network, address, port)) this.#rules.delete(table, chain, rule);
  }

  #portRules(
    { bridgeName: bridge }: BridgeRules,
    address: Ipv4Address,
    port: PublishedPort,
  ): [string, string, string][] {
    const { protocol, containerPort, hostAddress, hostPort } = port;
    const to = formatIpv4(address);
    const at = hostAddress === 0 ? "" : `-d ${formatIpv4(hostAddress)}/32 `;
    const notFromInside = this.#hairpin ? "" : `! -i ${bridge} `;
    return [
      [
        "nat",
        "DOCKER",
        `${at}${notFromInside}-p ${protocol} --dport ${hostPort} -j DNAT --to-destination ${to}:${containerPort}`,
      ],
      ["filter", "DOCKER", `-d ${to} ! -i ${bridge} -o ${bridge} -p ${protocol} --dport ${containerPort} -j ACCEPT`],
      ["nat", "POSTROUTING", `-s ${to} -d ${to} -p ${protocol} --dport ${containerPort} -j MASQUERADE`],
    ];
  }

  #betweenContainers({ bridgeName: bridge, betweenContainers }: BridgeRules): void {
    const rule = `-i ${bridge} -o ${bridge} -j`;
    if (betweenContainers) this.#rules.insert("filter", "FORWARD", `${rule} ACCEPT`);
    else this.#rules.append("filter", "FORWARD", `${rule} DROP`);
  }

  /** FORWARD begins with the users' chain, the mesh's if there is one, and the isolation. */
  #arrange(): void {
    const rules = this.#rules;
    rules.jumpFirst("filter", "FORWARD", `-j ${STAGE_1}`);
    if (this.#netfilter.table("filter").chain(INGRESS) !== undefined)
      rules.jumpFirst("filter", "FORWARD", `-j ${INGRESS}`);
    rules.newChain("filter", USER);
    rules.append("filter", USER, "-j RETURN");
    rules.jumpFirst("filter", "FORWARD", `-j ${USER}`);
  }
}
