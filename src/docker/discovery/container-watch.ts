/**
 * A node's own containers in networks of the swarm: the others are told of their endpoints as they come and go, and of a task's service when it runs and, if that
 * is checked, is well. A plain container has its names at once.
 */
import type { Container } from "../container/container.ts";
import type { Endpoint } from "../endpoint.ts";
import type { NodeOverlay } from "../overlay/node-overlay.ts";
import type { EndpointAnnouncer } from "./endpoint-announcer.ts";

export interface ContainerWatchSettings {
  readonly announcer: EndpointAnnouncer;
  /** The swarm's networks that are on this node. */
  readonly networks: ReadonlyMap<string, NodeOverlay>;
  /** A task's endpoint has joined: what its own namespace needs beside the interface. */
  readonly prepare: (endpoint: Endpoint, network: NodeOverlay) => void;
}

export class ContainerWatch {
  readonly #settings: ContainerWatchSettings;
  readonly #told = new Map<Container, readonly Endpoint[]>();

  constructor(settings: ContainerWatchSettings) {
    this.#settings = settings;
  }

  /** Anything about it has changed. */
  changed(container: Container): void {
    const { announcer, networks } = this.#settings;
    const now = container.endpoints.filter(({ network }) => networks.has(network.id));
    const before = this.#told.get(container) ?? [];
    for (const endpoint of before) if (!now.includes(endpoint)) announcer.left(endpoint.id);
    for (const endpoint of now) if (!before.includes(endpoint)) this.#joined(endpoint);
    if (now.length > 0) this.#told.set(container, now);
    else this.#told.delete(container);
    const isReady = container.running && (container.health === "none" || container.health === "healthy");
    if (isReady) for (const endpoint of now) announcer.activate(endpoint);
  }

  /** A task will be stopped. */
  deactivate(container: Container): void {
    for (const { id } of this.#told.get(container) ?? []) this.#settings.announcer.deactivate(id);
  }

  /** The node is no part of the swarm any more: containers that are still there lose its networks. */
  end(): void {
    for (const [container, endpoints] of [...this.#told])
      for (const endpoint of endpoints) if (endpoint.sandbox !== undefined) container.sandbox?.leave(endpoint);
    this.#told.clear();
  }

  #joined(endpoint: Endpoint): void {
    const { announcer, networks, prepare } = this.#settings;
    const network = networks.get(endpoint.network.id);
    if (network === undefined) return;
    announcer.joined(endpoint, network.recordOf(endpoint));
    if (endpoint.service === undefined) announcer.activate(endpoint);
    else prepare(endpoint, network);
  }
}
