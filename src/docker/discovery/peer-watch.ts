/** What others' entries of `overlay_peer_table` say of the endpoints of a node's overlay networks: told with what was said before. */
import type { TableChange } from "../../gossip/table-store.ts";
import type { PeerRecord } from "../overlay/peers.ts";
import { parse } from "./peer-record.ts";
import { readOnce } from "./read-once.ts";

const read = readOnce(parse);

/** `PeerTable` of a network. */
export interface PeerListener {
  notify(endpointId: string, previous: PeerRecord | undefined, current: PeerRecord | undefined): void;
}

export class PeerWatch {
  readonly #listener: (networkId: string) => PeerListener | undefined;
  /** What was said last, by network and endpoint. */
  readonly #known = new Map<string, Map<string, PeerRecord>>();
  /** Entries that were no records. */
  malformed = 0;

  constructor(listener: (networkId: string) => PeerListener | undefined) {
    this.#listener = listener;
  }

  changed({ network, key, operation, value }: TableChange): void {
    let known = this.#known.get(network);
    if (known === undefined) {
      known = new Map();
      this.#known.set(network, known);
    }
    const previous = known.get(key);
    const current = operation === "delete" ? undefined : read(value);
    if (current === undefined && operation !== "delete") {
      this.malformed++;
      return;
    }
    if (current === undefined) known.delete(key);
    else known.set(key, current);
    this.#listener(network)?.notify(key, previous, current);
  }

  /** The node has left the network. */
  forget(network: string): void {
    this.#known.delete(network);
  }
}
