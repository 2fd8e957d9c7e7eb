/**
 * What a node tells the others of its own containers' endpoints, libnetwork agent.go: where one is as soon as it has joined, its names and service when it is
 * ready for connections, and all of it back when it goes. The node's own services hear of it at once, without gossip.
 */
import type { Endpoint } from "../endpoint.ts";
import type { PeerRecord } from "../overlay/peers.ts";
import { ENDPOINT_TABLE, type EndpointRecord, emit as emitRecord } from "./endpoint-record.ts";
import type { EndpointListener } from "./endpoint-watch.ts";
import { emit as emitPeer, PEER_TABLE } from "./peer-record.ts";

/** Entries of a network's tables that are this node's own. */
export interface Announcements {
  createEntry(network: string, table: string, key: string, value: Uint8Array): void;
  updateEntry(network: string, table: string, key: string, value: Uint8Array): void;
  deleteEntry(network: string, table: string, key: string): void;
}

interface Announced {
  readonly networkId: string;
  /** What was said of its service; undefined: nothing yet. */
  record: EndpointRecord | undefined;
}

export class EndpointAnnouncer {
  readonly #gossip: Announcements;
  readonly #services: EndpointListener;
  readonly #announced = new Map<string, Announced>();

  constructor(gossip: Announcements, services: EndpointListener) {
    this.#gossip = gossip;
    this.#services = services;
  }

  /** It has an interface: others may send to it. */
  joined(endpoint: Endpoint, peer: PeerRecord): void {
    if (this.#announced.has(endpoint.id)) return;
    const networkId = endpoint.network.id;
    this.#announced.set(endpoint.id, { networkId, record: undefined });
    this.#gossip.createEntry(networkId, PEER_TABLE, endpoint.id, emitPeer(peer));
  }

  /** It is ready for connections. */
  activate(endpoint: Endpoint): void {
    const announced = this.#announced.get(endpoint.id);
    if (announced === undefined || announced.record !== undefined) return;
    const record = recordOf(endpoint);
    announced.record = record;
    this.#services.add(announced.networkId, endpoint.id, record);
    this.#gossip.createEntry(announced.networkId, ENDPOINT_TABLE, endpoint.id, emitRecord(record));
  }

  /** It will go: no new connections. The others hear of it first. */
  deactivate(endpointId: string): void {
    const announced = this.#announced.get(endpointId);
    const old = announced?.record;
    if (announced === undefined || old === undefined || old.isDisabled) return;
    const record = { ...old, isDisabled: true };
    announced.record = record;
    this.#gossip.updateEntry(announced.networkId, ENDPOINT_TABLE, endpointId, emitRecord(record));
    this.#services.disable(announced.networkId, endpointId, record);
  }

  /** It has gone. */
  left(endpointId: string): void {
    const announced = this.#announced.get(endpointId);
    if (announced === undefined) return;
    this.#announced.delete(endpointId);
    const { networkId, record } = announced;
    if (record !== undefined) {
      this.#gossip.deleteEntry(networkId, ENDPOINT_TABLE, endpointId);
      this.#services.remove(networkId, endpointId, record);
    }
    this.#gossip.deleteEntry(networkId, PEER_TABLE, endpointId);
  }
}

function recordOf({ name, network, address, service, aliases }: Endpoint): EndpointRecord {
  return {
    name,
    serviceName: service?.name ?? "",
    serviceId: service?.id ?? "",
    virtualAddress: service?.virtualAddress,
    address: address.address,
    ports: network.ingress ? (service?.ingressPorts.map((port) => ({ name: "", ...port })) ?? []) : [],
    aliases: service?.aliases ?? [],
    taskAliases: aliases,
    isDisabled: false,
  };
}
