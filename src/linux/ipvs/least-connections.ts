/** `lc`, `wlc`, `sed`, `nq`: to the one that has the least to do, with or without regard to weights (ip_vs_lc.c, ip_vs_wlc.c, ip_vs_sed.c, ip_vs_nq.c). */
import type { RealServer } from "./real-server.ts";

/** What a server has to do. */
export type Overhead = (server: RealServer) => number;

export class LeastConnections {
  readonly #overhead: Overhead;
  readonly #weighted: boolean;
  readonly #idleFirst: boolean;

  constructor(overhead: Overhead, weighted: boolean, idleFirst = false) {
    this.#overhead = overhead;
    this.#weighted = weighted;
    this.#idleFirst = idleFirst;
  }

  choose(servers: readonly RealServer[]): RealServer | undefined {
    let least: RealServer | undefined;
    let leastOverhead = 0;
    for (const server of servers) {
      if (!server.eligible) continue;
      if (this.#idleFirst && server.activeConnections === 0) return server;
      const overhead = this.#overhead(server);
      // Weights are compared crosswise, so that nothing is rounded.
      const less =
        least === undefined ||
        (this.#weighted ? leastOverhead * server.weight > overhead * least.weight : overhead < leastOverhead);
      if (!less) continue;
      least = server;
      leastOverhead = overhead;
    }
    return least;
  }

  changed(): void {
    // It asks the servers themselves.
  }
}
