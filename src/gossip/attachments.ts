/** Which node has which networks, as networkdb's `networks` and `networkNodes`: by Lamport time, a left one kept for a while. */
import type { NetworkEntry } from "./networkdb-messages.ts";

export interface Attachment {
  time: number;
  isLeaving: boolean;
  reapSeconds: number;
}

export class Attachments {
  readonly #byNode = new Map<string, Map<string, Attachment>>();
  /** Present nodes only, in the order of their coming. */
  readonly #nodes = new Map<string, Set<string>>();

  get(node: string, network: string): Attachment | undefined {
    return this.#byNode.get(node)?.get(network);
  }

  has(node: string, network: string): boolean {
    return this.#nodes.get(network)?.has(node) ?? false;
  }

  nodesOf(network: string): string[] {
    return [...(this.#nodes.get(network) ?? [])];
  }

  /** Networks that the node has and is not leaving. */
  networksOf(node: string): string[] {
    const attachments = this.#byNode.get(node) ?? new Map<string, Attachment>();
    return [...attachments].filter(([, attachment]) => !attachment.isLeaving).map(([network]) => network);
  }

  common(one: string, other: string): string[] {
    return this.networksOf(one).filter((network) => this.get(other, network)?.isLeaving === false);
  }

  join(node: string, network: string, time: number): void {
    let networks = this.#byNode.get(node);
    if (networks === undefined) {
      networks = new Map();
      this.#byNode.set(node, networks);
    }
    networks.set(network, { time, isLeaving: false, reapSeconds: 0 });
    let nodes = this.#nodes.get(network);
    if (nodes === undefined) {
      nodes = new Set();
      this.#nodes.set(network, nodes);
    }
    nodes.add(node);
  }

  leave(node: string, network: string, time: number, keptSeconds: number): void {
    const attachment = this.get(node, network);
    if (attachment === undefined) return;
    attachment.time = time;
    attachment.isLeaving = true;
    attachment.reapSeconds = keptSeconds;
    this.#nodes.get(network)?.delete(node);
  }

  /** The node itself went. */
  forget(node: string): void {
    for (const network of this.#byNode.get(node)?.keys() ?? []) this.#nodes.get(network)?.delete(node);
    this.#byNode.delete(node);
  }

  reap(seconds: number): void {
    for (const networks of this.#byNode.values()) {
      for (const [network, attachment] of networks) {
        if (!attachment.isLeaving) continue;
        if (attachment.reapSeconds > 0) attachment.reapSeconds = Math.max(0, attachment.reapSeconds - seconds);
        else networks.delete(network);
      }
    }
  }

  /** For push-pulls. */
  list(): NetworkEntry[] {
    return [...this.#byNode].flatMap(([node, networks]) =>
      [...networks].map(([network, { time, isLeaving }]) => ({ network, time, node, isLeaving })),
    );
  }
}
