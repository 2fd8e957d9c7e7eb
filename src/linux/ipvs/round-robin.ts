/** `rr`: one after the other (ip_vs_rr.c). */
import type { RealServer } from "./real-server.ts";

export class RoundRobin {
  /** Who got the last connection; undefined: the head of the list, before its first member. */
  #last: RealServer | undefined = undefined;

  choose(servers: readonly RealServer[]): RealServer | undefined {
    const start = this.#last === undefined ? -1 : servers.indexOf(this.#last);
    for (let step = 1; step <= servers.length; step++) {
      const server = servers[(start + step) % servers.length]!;
      if (!server.eligible) continue;
      this.#last = server;
      return server;
    }
    return undefined;
  }

  /** When the last one goes, its successor is still the next. */
  changed(servers: readonly RealServer[], removed: RealServer | undefined, index: number): void {
    if (removed !== undefined && removed === this.#last) this.#last = index > 0 ? servers[index - 1] : undefined;
  }
}
