/**
 * The names of all networks of one node (libnetwork's svcRecords). Those of an overlay come from the cluster's tables; those of a network of this node
 * alone from its endpoints, which join and leave here.
 */
import type { Endpoint } from "../endpoint.ts";
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

  /** An endpoint has joined a network of this node alone: its name and aliases stand for its address, which goes back to the name. */
  addEndpoint({ id, name, aliases, address, network }: Endpoint): void {
    if (!network.resolvesNames || address.length === 0) return;
    const records = this.of(network);
    for (const each of [name, ...aliases]) records.add(each, address.address, id);
    records.addReverse(address.address, name);
  }

  /** It leaves. */
  removeEndpoint({ id, name, aliases, address, network }: Endpoint): void {
    const records = this.#records.get(network.id);
    if (records === undefined) return;
    for (const each of [name, ...aliases]) records.remove(each, address.address, id);
    records.removeReverse(address.address, name);
  }
}
