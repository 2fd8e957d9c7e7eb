/** The names of all the swarm's networks on one node (libnetwork's svcRecords): filled from the cluster's tables while a network is here. */
import type { Network } from "../network.ts";
import { ServiceRecords } from "./service-records.ts";

export class NameDirectory {
  readonly #records = new Map<string, ServiceRecords>();

  /** A network's names; made when nobody has asked before. */
  of(network: Pick<Network, "id" | "name">): ServiceRecords {
    let records = this.#records.get(network.id);
    if (records === undefined) {
      records = new ServiceRecords(network.name);
      this.#records.set(network.id, records);
    }
    return records;
  }

  find(networkId: string): ServiceRecords | undefined {
    return this.#records.get(networkId);
  }

  /** The network is gone from this node. */
  forget(networkId: string): void {
    this.#records.delete(networkId);
  }
}
