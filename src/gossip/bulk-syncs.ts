/** The course of networkdb's bulk syncs, cluster.go: with one node after the other, each awaited for up to 30 s, or until one works. */
import type { Nanoseconds } from "../sim/time.ts";
import type { Agenda } from "./agenda.ts";

/** Sends this node's entries of `networks` to `node`; `ended` says whether it could be sent. */
export type SendBulk = (node: string, networks: readonly string[], ended: (isSent: boolean) => void) => void;

export class BulkSyncs {
  readonly #agenda: Agenda;
  readonly #timeoutNs: Nanoseconds;
  readonly #send: SendBulk;
  readonly #commonNetworks: (node: string) => string[];
  /** Who waits for which node's answer. */
  readonly #waiting = new Map<string, Set<() => void>>();

  constructor(agenda: Agenda, timeoutNs: Nanoseconds, send: SendBulk, commonNetworks: (node: string) => string[]) {
    this.#agenda = agenda;
    this.#timeoutNs = timeoutNs;
    this.#send = send;
    this.#commonNetworks = commonNetworks;
  }

  /** With every node in turn; `done` when the last one has answered or has not. */
  withAll(nodes: readonly string[], done: () => void): void {
    const next = (index: number): void => {
      const node = nodes[index];
      if (node === undefined) done();
      else this.#withOne(node, () => next(index + 1));
    };
    next(0);
  }

  /** With the first of `nodes` that answers; `done` learns which networks that covered. */
  withFirst(nodes: readonly string[], done: (networks: readonly string[]) => void): void {
    const next = (index: number): void => {
      const node = nodes[index];
      if (node === undefined) done([]);
      else this.#withOne(node, (networks) => (networks === undefined ? next(index + 1) : done(networks)));
    };
    next(0);
  }

  /** `node` answered. */
  answered(node: string): void {
    const waiting = this.#waiting.get(node);
    this.#waiting.delete(node);
    for (const finish of waiting ?? []) finish();
  }

  #withOne(node: string, done: (networks: readonly string[] | undefined) => void): void {
    const networks = this.#commonNetworks(node);
    let waiting = this.#waiting.get(node);
    if (waiting === undefined) {
      waiting = new Set();
      this.#waiting.set(node, waiting);
    }
    const finish = (): void => end(networks);
    const end = (result: readonly string[] | undefined): void => {
      this.#agenda.cancel(timer);
      if (this.#waiting.get(node)?.delete(finish) === true || result !== undefined) done(result);
    };
    const timer = this.#agenda.after(this.#timeoutNs, () => end(undefined));
    waiting.add(finish);
    this.#send(node, networks, (isSent) => {
      if (!isSent) end(undefined);
    });
  }
}
