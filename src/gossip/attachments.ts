/** Which node has which networks, as networkdb's `networks` and `networkNodes`: by Lamport time, a left one kept for a while. */
import type { NetworkEntry } from "./networkdb-messages.ts";

export interface Attachment {
  time: number;
  isLeaving: boolean;
  reapSeconds: number;
}

export class Attachments {
  /** By network, as there are few of them, then by node, of which there may be many. */
  readonly #byNetwork = new Map<string, Map<string, Attachment>>();
  /** Present nodes only, in the order of their coming. */
  readonly #nodes = new Map<string, Set<string>>();

  get(node: string, network: string): Attachment | undefined {
    return this.#byNetwork.get(network)?.get(node);
  }

  has(node: string, network: string): boolean {
    return this.#nodes.get(network)?.has(node) ?? false;
  }

  nodesOf(network: string): string[] {
    return [...(this.#nodes.get(network) ?? [])];
  }

  countOf(network: string): number {
    return this.#nodes.get(network)?.size ?? 0;
  }

  /** Networks that the node has and is not leaving. */
  networksOf(node: string): string[] {
    return [...this.#byNetwork.keys()].filter((network) => this.get(node, network)?.isLeaving === false);
  }

  common(one: string, other: string): string[] {
    return this.networksOf(one).filter((network) => this.get(other, network)?.isLeaving === false);
  }

  join(node: string, network: string, time: number): void {
    let attachments = this.#byNetwork.get(network);
    if (attachments === undefined) {
      attachments = new Map();
      this.#byNetwork.set(network, attachments);
    }
    attachments.set(node, { time, isLeaving: false, reapSeconds: 0 });
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
    for (const [network, attachments] of this.#byNetwork) {
      attachments.delete(node);
      this.#nodes.get(network)?.delete(node);
    }
  }

  reap(seconds: number): void {
    for (const [network, attachments] of this.#byNetwork) {
      if (attachments.size === this.countOf(network)) continue; // nobody is leaving
      for (const [node, attachment] of attachments) {
        if (!attachment.isLeaving) continue;
        if (attachment.reapSeconds > 0) attachment.reapSeconds = Math.max(0, attachment.reapSeconds - seconds);
        else attachments.delete(node);
      }
    }
  }

  /** For push-pulls: a node's networks together. */
  list(): NetworkEntry[] {
    const byNode = new Map<string, NetworkEntry[]>();
    for (const [network, attachments] of this.#byNetwork) {
      for (const [node, { time, isLeaving }] of attachments) {
        let entries = byNode.get(node);
        if (entries === undefined) {
          entries = [];
          byNode.set(node, entries);
        }
        entries.push({ network, time, node, isLeaving });
      }
    }
    return [...byNode.values()].flat();
  }
}
