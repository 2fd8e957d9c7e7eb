/** What a bridge driver asks of the host's firewall; each release of the engine has rules of its own. */

import { iptables } from "../../linux/netfilter/iptables.ts";
import type { Netfilter } from "../../linux/netfilter/netfilter.ts";
import { assert } from "../../sim/assert.ts";
import type { Ipv4Address, Prefix } from "../../wire/address.ts";
import type { PublishedPort } from "./published-port.ts";

/** A bridge network as its rules see it. */
export interface BridgeRules {
  readonly bridgeName: string;
  readonly subnet: Prefix;
  readonly internal: boolean;
  readonly betweenContainers: boolean;
  readonly masquerades: boolean;
}

export interface BridgeFirewall {
  /** The engine starts: chains and jumps that all networks share. `dropForwarded`: the engine has switched forwarding on itself. */
  start(dropForwarded: boolean): void;
  addNetwork(rules: BridgeRules): void;
  removeNetwork(rules: BridgeRules): void;
  addEndpoint(rules: BridgeRules, address: Ipv4Address): void;
  removeEndpoint(rules: BridgeRules, address: Ipv4Address): void;
  publish(rules: BridgeRules, address: Ipv4Address, port: PublishedPort): void;
  unpublish(rules: BridgeRules, address: Ipv4Address, port: PublishedPort): void;
}

/** Adds, inserts and deletes rules by the words that iptables(8) takes, in the manner of libnetwork: nothing twice, nothing missed. */
export class RuleProgrammer {
  readonly #netfilter: Netfilter;

  constructor(netfilter: Netfilter) {
    this.#netfilter = netfilter;
  }

  /** Runs one command that must succeed. */
  run(command: string): void {
    const outcome = iptables(this.#netfilter, command.split(" "));
    assert(outcome.status === 0, `iptables ${command}: ${outcome.stderr}`);
  }

  exists(table: string, chain: string, rule: string): boolean {
    return iptables(this.#netfilter, `-t ${table} -C ${chain} ${rule}`.split(" ")).status === 0;
  }

  newChain(table: string, chain: string): void {
    iptables(this.#netfilter, ["-t", table, "-N", chain]); // it may be there, from the last time that the engine ran
  }

  append(table: string, chain: string, rule: string): void {
    if (!this.exists(table, chain, rule)) this.run(`-t ${table} -A ${chain} ${rule}`);
  }

  insert(table: string, chain: string, rule: string): void {
    if (!this.exists(table, chain, rule)) this.run(`-t ${table} -I ${chain} ${rule}`);
  }

  /** A rule that is new for certain: many endpoints' rules are not searched through for each more. */
  appendNew(table: string, chain: string, rule: string): void {
    this.run(`-t ${table} -A ${chain} ${rule}`);
  }

  delete(table: string, chain: string, rule: string): void {
    iptables(this.#netfilter, `-t ${table} -D ${chain} ${rule}`.split(" "));
  }

  /** Makes a jump the chain's first rule, wherever it was. */
  jumpFirst(table: string, chain: string, rule: string): void {
    this.delete(table, chain, rule);
    this.run(`-t ${table} -I ${chain} ${rule}`);
  }
}
