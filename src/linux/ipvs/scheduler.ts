/**
 * Who gets the next connection: the schedulers of net/netfilter/ipvs/ip_vs_{rr,wrr,lc,wlc,sed,nq,fo,sh,dh}.c. A scheduler belongs to one service and
 * sees its servers in the kernel's order, the one added last in front.
 */

import { AddressHash } from "./address-hash.ts";
import { LeastConnections, type Overhead } from "./least-connections.ts";
import type { RealServer } from "./real-server.ts";
import { RoundRobin } from "./round-robin.ts";
import { WeightedRoundRobin } from "./weighted-round-robin.ts";

export interface Scheduler {
  /** undefined: nobody can take it. Addresses are the client's and the virtual one. */
  choose(servers: readonly RealServer[], clientAddress: number, virtualAddress: number): RealServer | undefined;
  /** The list or a weight has changed; `removed` stood at `index` before. */
  changed(servers: readonly RealServer[], removed: RealServer | undefined, index: number): void;
}

export const SCHEDULER_NAMES = ["rr", "wrr", "lc", "wlc", "sed", "nq", "fo", "sh", "dh"] as const;
export type SchedulerName = (typeof SCHEDULER_NAMES)[number];

export function parseSchedulerName(name: string): SchedulerName | undefined {
  return SCHEDULER_NAMES.find((known) => known === name);
}

export function makeScheduler(name: SchedulerName): Scheduler {
  switch (name) {
    case "rr":
      return new RoundRobin();
    case "wrr":
      return new WeightedRoundRobin();
    case "lc":
      return new LeastConnections(connections, false);
    case "wlc":
      return new LeastConnections(connections, true);
    case "sed":
      return new LeastConnections(expectedDelay, true);
    case "nq":
      return new LeastConnections(expectedDelay, true, true);
    case "fo":
      return new Failover();
    case "sh":
      return new AddressHash("client");
    case "dh":
      return new AddressHash("virtual");
  }
}

/** An active connection costs as much as 256 that are over but for their timer. */
const connections: Overhead = (server) => server.activeConnections * 256 + server.inactiveConnections;
/** What it would be with one more. */
const expectedDelay: Overhead = (server) => server.activeConnections + 1;

/** All to the one of the highest weight, while it can. */
class Failover implements Scheduler {
  choose(servers: readonly RealServer[]): RealServer | undefined {
    let best: RealServer | undefined;
    for (const server of servers)
      if (server.eligible && (best === undefined || server.weight > best.weight)) best = server;
    return best;
  }

  changed(): void {
    // It remembers nothing.
  }
}
