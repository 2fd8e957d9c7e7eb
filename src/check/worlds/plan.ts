/**
 * A random world as a plan: small enough to be drawn, printed and made smaller piece by piece. Members are numbered from 0; numbers that nothing has are
 * wrapped around, so that a piece can be taken away without rewriting the rest.
 */

/** `swarm` and `learning` are overlay networks, with tables written by a control plane and with flooding; `bridge` is one bridge on each node. */
export type NetworkKind = "swarm" | "learning" | "bridge";

export interface NetworkPlan {
  readonly kind: NetworkKind;
  /** Networks with equal numbers have equal addresses. */
  readonly subnet: number;
  /** Containers send packets as long as the underlay's own, so that the tunnel's do not fit; else 50 bytes less. */
  readonly tooLong?: boolean;
}

export interface ContainerPlan {
  readonly node: number;
  readonly networks: readonly number[];
}

/** What a node's administrator adds. */
export type ExtraPlan =
  /** The container's HTTP server and echo on the node's own ports (DNAT), and its way out (MASQUERADE). For containers of bridges. */
  | { readonly kind: "publish"; readonly container: number }
  /** The node's port in front of all its containers of a bridge network, in turn (IPVS). */
  | { readonly kind: "balance"; readonly node: number; readonly network: number }
  /** The container takes nothing from the other's addresses. */
  | { readonly kind: "deny"; readonly container: number; readonly from: number };

/** A container asks another, at the address that it has in the network. */
export interface ContainerTraffic {
  readonly kind: "ping" | "echo" | "http";
  readonly atMs: number;
  readonly from: number;
  readonly to: number;
  readonly network: number;
  readonly sizeBytes: number;
}

export interface NodeTraffic {
  readonly kind: "node-ping";
  readonly atMs: number;
  readonly from: number;
  readonly to: number;
  readonly sizeBytes: number;
}

/** A node asks for what an extra offers at another node. */
export interface PortTraffic {
  readonly kind: "published" | "balanced";
  readonly atMs: number;
  readonly from: number;
  readonly extra: number;
}

/** Two containers of a network exchange their MAC addresses and say so: what was learnt of them is wrong from now on. */
export interface ExchangeTraffic {
  readonly kind: "exchange";
  readonly atMs: number;
  readonly from: number;
  readonly to: number;
  readonly network: number;
}

export type TrafficPlan = ContainerTraffic | ExchangeTraffic | NodeTraffic | PortTraffic;

export interface FaultPlan {
  readonly kind: "loss" | "delay" | "duplicate" | "reorder" | "corrupt" | "down" | "partition" | "rate";
  readonly atMs: number;
  readonly forMs: number;
  /** Whose link; the node that is cut off. */
  readonly node: number;
  /** In hundredths of the kind's largest. */
  readonly amount: number;
}

export interface WorldPlan {
  readonly seed: string;
  readonly nodes: number;
  readonly networks: readonly NetworkPlan[];
  readonly containers: readonly ContainerPlan[];
  readonly extras: readonly ExtraPlan[];
  readonly traffic: readonly TrafficPlan[];
  readonly faults: readonly FaultPlan[];
}

/** Machines and containers: what a reader of the world has to keep in mind. */
export function hostCount({ nodes, containers }: WorldPlan): number {
  return nodes + containers.length;
}

/** Traffic and faults. */
export function eventCount({ traffic, faults }: WorldPlan): number {
  return traffic.length + faults.length;
}
