/** A namespace's firewall as Docker programs it: one iptables(8) command at a time, some of them only when the rule is not there yet. */
import type { NetworkNamespace } from "../../linux/namespace.ts";
import { netfilterOf } from "../../linux/netfilter/attach.ts";
import { iptables } from "../../linux/netfilter/iptables.ts";
import type { TableName } from "../../linux/netfilter/table.ts";

export class Firewall {
  readonly #namespace: NetworkNamespace;

  constructor(namespace: NetworkNamespace) {
    this.#namespace = namespace;
  }

  /** Each answers whether iptables did it: the user may have flushed what Docker once made. */
  append(table: TableName, chain: string, rule: string): boolean {
    return this.#run(table, "-A", chain, rule);
  }
  insert(table: TableName, chain: string, rule: string): boolean {
    return this.#run(table, "-I", chain, rule);
  }
  delete(table: TableName, chain: string, rule: string): boolean {
    return this.#run(table, "-D", chain, rule);
  }
  has(table: TableName, chain: string, rule: string): boolean {
    return this.#run(table, "-C", chain, rule);
  }

  hasChain(table: TableName, chain: string): boolean {
    return netfilterOf(this.#namespace).findTable(table)?.chain(chain) !== undefined;
  }
  addChain(table: TableName, chain: string): void {
    if (!this.hasChain(table, chain)) this.#run(table, "-N", chain, "");
  }
  flushChain(table: TableName, chain: string): void {
    if (this.hasChain(table, chain)) this.#run(table, "-F", chain, "");
  }

  /** At the head, wherever it stood before. */
  insertAnew(table: TableName, chain: string, rule: string): boolean {
    while (this.delete(table, chain, rule));
    return this.insert(table, chain, rule);
  }
  insertOnce(table: TableName, chain: string, rule: string): boolean {
    return this.has(table, chain, rule) || this.insert(table, chain, rule);
  }
  appendOnce(table: TableName, chain: string, rule: string): boolean {
    return this.has(table, chain, rule) || this.append(table, chain, rule);
  }

  #run(table: TableName, command: string, chain: string, rule: string): boolean {
    const argv = ["-t", table, command, chain, ...rule.split(" ").filter((word) => word !== "")];
    return iptables(netfilterOf(this.#namespace), argv).status === 0;
  }
}
