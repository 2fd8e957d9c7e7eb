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

  get(name: string): KnownNode | undefined {
    return this.#nodes.get(name);
  }

  isActive(name: string): boolean {
    return this.#nodes.get(name)?.standing === "active";
  }

  with(standing: Standing): KnownNode[] {
    return [...this.#nodes.values()].filter((node) => node.standing === standing);
  }

  get activeCount(): number {
    return this.with("active").length;
  }

  add(name: string, address: Ipv4Address, port: number): KnownNode {
    const node: KnownNode = { name, address, port, time: 0, standing: "active", goneNs: undefined };
    this.#nodes.set(name, node);
    return node;
  }

  /** Whether that was a change. The time of the first departure counts: a failed node that is later said to have left is no fresher. */
  change(node: KnownNode, standing: Standing, nowNs: Nanoseconds): boolean {
    if (node.standing === standing) return false;
    node.standing = standing;
    node.goneNs = standing === "active" ? undefined : (node.goneNs ?? nowNs);
    return true;
  }

  /** Forgets those gone since before `limitNs`. */
  reap(limitNs: Nanoseconds): void {
    for (const [name, node] of this.#nodes)
      if (node.goneNs !== undefined && node.goneNs <= limitNs) this.#nodes.delete(name);
  }
}
