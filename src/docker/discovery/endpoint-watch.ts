/**
 * What others' entries of `endpoint_table` do to a node's services, libnetwork handleEpTableEvent. An entry that says what the one before said changes
 * nothing: a binding is not taken away to be put back.
 */
import type { TableChange } from "../../gossip/table-store.ts";
import { areEquivalent, type EndpointRecord, parse } from "./endpoint-record.ts";
import { readOnce } from "./read-once.ts";

const read = readOnce(parse);

/** Who hears of the changes: `ServiceTable`. */
export interface EndpointListener {
  add(networkId: string, endpointId: string, record: EndpointRecord): void;
  disable(networkId: string, endpointId: string, record: EndpointRecord): void;
  remove(networkId: string, endpointId: string, record: EndpointRecord): void;
}

export class EndpointWatch {
  readonly #listener: EndpointListener;
  /** What was said last, by network and endpoint. */
  readonly #known = new Map<string, Map<string, EndpointRecord>>();
  /** Entries that were no records. */
  malformed = 0;

  constructor(listener: EndpointListener) {
    this.#listener = listener;
  }

  changed(change: TableChange): void {
    const { network, key } = change;
    const before = this.#known.get(network)?.get(key);
    if (change.operation === "delete") {
      this.#known.get(network)?.delete(key);
      if (before !== undefined) this.#gone(network, key, before);
      return;
    }
    const record = read(change.value);
    if (record === undefined) {
      this.malformed++;
      return;
    }
    this.#remember(network, key, record);
    if (before === undefined) {
      if (!record.isDisabled) this.#listener.add(network, key, record);
    } else if (!areEquivalent(before, record)) {
      this.#gone(network, key, before);
      if (!record.isDisabled) this.#listener.add(network, key, record);
    } else if (!before.isDisabled && record.isDisabled) this.#listener.disable(network, key, record);
    else if (before.isDisabled && !record.isDisabled) this.#listener.add(network, key, record);
  }

  /** The node has left the network. */
  forget(network: string): void {
    this.#known.delete(network);
  }

  /** A plain container that was disabled has no names left to take. */
  #gone(network: string, key: string, record: EndpointRecord): void {
    if (record.serviceId !== "" || !record.isDisabled) this.#listener.remove(network, key, record);
  }

  #remember(network: string, key: string, record: EndpointRecord): void {
    let records = this.#known.get(network);
    if (records === undefined) {
      records = new Map();
      this.#known.set(network, records);
    }
    records.set(key, record);
  }
}
