/** The cluster's nodes as networkdb sees them, nodemgmt.go: active, failed, or left by their own word; the latter two are kept for a day. */
import type { Nanoseconds } from "../sim/time.ts";
import type { Ipv4Address } from "../wire/address.ts";

export type Standing = "active" | "failed" | "left";

export interface KnownNode {
  readonly name: string;
  address: Ipv4Address;
  port: number;
  /** Lamport time of the last node event. */
  time: number;
  standing: Standing;
  /** When it ceased to be active. */
  goneNs: Nanoseconds | undefined;
}

export class NodeRegistry {
  readonly #nodes = new Map<string, KnownNode>();
  /** Those that have not left, by address and port: more than one while a restarted engine's old name is unknown to be gone. */
  readonly #present = new Map<number, KnownNode[]>();
  readonly #counts: Record<Standing, number> = { active: 0, failed: 0, left: 0 };

  get(name: string): KnownNode | undefined {
    return this.#nodes.get(name);
  }

  isActive(name: string): boolean {
    return this.#nodes.get(name)?.standing === "active";
  }

  with(standing: Standing): KnownNode[] {
    if (this.#counts[standing] === 0) return [];
    return [...this.#nodes.values()].filter((node) => node.standing === standing);
  }

  get activeCount(): number {
    return this.#counts.active;
  }

  /** Active or failed, at that address. */
  at(address: Ipv4Address, port: number): readonly KnownNode[] {
    return this.#present.get(place(address, port)) ?? [];
  }

  add(name: string, address: Ipv4Address, port: number): KnownNode {
    const node: KnownNode = { name, address, port, time: 0, standing: "active", goneNs: undefined };
    this.#nodes.set(name, node);
    this.#counts.active++;
    this.#settle(node);
    return node;
  }

  /** A node is found at another address. */
  move(node: KnownNode, address: Ipv4Address, port: number): void {
    if (node.address === address && node.port === port) return;
    this.#unsettle(node);
    node.address = address;
    node.port = port;
    if (node.standing !== "left") this.#settle(node);
  }

  /** Whether that was a change. The time of the first departure counts: a failed node that is later said to have left is no fresher. */
  change(node: KnownNode, standing: Standing, nowNs: Nanoseconds): boolean {
    if (node.standing === standing) return false;
    this.#counts[node.standing]--;
    this.#counts[standing]++;
    if (node.standing === "left") this.#settle(node);
    else if (standing === "left") this.#unsettle(node);
    node.standing = standing;
    node.goneNs = standing === "active" ? undefined : (node.goneNs ?? nowNs);
    return true;
  }

  /** Forgets those gone since before `limitNs`. */
  reap(limitNs: Nanoseconds): void {
    for (const [name, node] of this.#nodes) {
      if (node.goneNs === undefined || node.goneNs > limitNs) continue;
      this.#nodes.delete(name);
      this.#counts[node.standing]--;
      this.#unsettle(node);
    }
  }

  #settle(node: KnownNode): void {
    const key = place(node.address, node.port);
    const others = this.#present.get(key);
    if (others === undefined) this.#present.set(key, [node]);
    else others.push(node);
  }

  #unsettle(node: KnownNode): void {
    const key = place(node.address, node.port);
    const others = (this.#present.get(key) ?? []).filter((other) => other !== node);
    if (others.length === 0) this.#present.delete(key);
    else this.#present.set(key, others);
  }
}

function place(address: Ipv4Address, port: number): number {
  return address * 0x1_0000 + port;
}
