/**
 * What a node has to say of networks waits until it has met the cluster: a network that is joined before would find nobody to get its entries from, until the
 * next periodic sync. A real engine's agent joins first and blocks meanwhile; when it cannot, it goes on alone.
 */
import type { GossipAgent } from "../gossip-agent.ts";
import type { Announcements } from "./endpoint-announcer.ts";

export class JoinGate implements Announcements {
  readonly #agent: GossipAgent;
  #waiting: (() => void)[] | undefined = [];

  constructor(agent: GossipAgent) {
    this.#agent = agent;
  }

  get isOpen(): boolean {
    return this.#waiting === undefined;
  }

  /** What was said so far is told now, in its order. */
  open(): void {
    const waiting = this.#waiting ?? [];
    this.#waiting = undefined;
    for (const work of waiting) work();
  }

  joinNetwork(network: string): void {
    this.#run(() => this.#agent.joinNetwork(network));
  }
  leaveNetwork(network: string): void {
    this.#run(() => this.#agent.leaveNetwork(network));
  }
  createEntry(network: string, table: string, key: string, value: Uint8Array): void {
    this.#run(() => this.#agent.createEntry(network, table, key, value));
  }
  updateEntry(network: string, table: string, key: string, value: Uint8Array): void {
    this.#run(() => this.#agent.updateEntry(network, table, key, value));
  }
  deleteEntry(network: string, table: string, key: string): void {
    this.#run(() => this.#agent.deleteEntry(network, table, key));
  }

  #run(work: () => void): void {
    if (this.#waiting === undefined) work();
    else this.#waiting.push(work);
  }
}
