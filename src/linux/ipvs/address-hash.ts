/** `sh` and `dh`: a client (or a virtual address) always gets the same server, by a table of 256 buckets (ip_vs_sh.c, ip_vs_dh.c). */
import type { RealServer } from "./real-server.ts";

const BUCKETS = 256;
/** Knuth's multiplier, 2^32 by the golden ratio. */
const MULTIPLIER = 2_654_435_761;

export class AddressHash {
  readonly #by: "client" | "virtual";
  #buckets: readonly RealServer[] = [];

  constructor(by: "client" | "virtual") {
    this.#by = by;
  }

  choose(_servers: readonly RealServer[], clientAddress: number, virtualAddress: number): RealServer | undefined {
    const address = this.#by === "client" ? clientAddress : virtualAddress;
    const server = this.#buckets[Math.imul(address, MULTIPLIER) & (BUCKETS - 1)];
    return server?.eligible === true ? server : undefined;
  }

  /** Buckets go round the servers, to each as many in a row as its weight; `dh` knows no weights. */
  changed(servers: readonly RealServer[]): void {
    const buckets: RealServer[] = [];
    for (let index = 0; servers.length > 0 && buckets.length < BUCKETS; index++) {
      const server = servers[index % servers.length]!;
      const share = this.#by === "client" ? Math.max(1, server.weight) : 1;
      for (let count = 0; count < share && buckets.length < BUCKETS; count++) buckets.push(server);
    }
    this.#buckets = buckets;
  }
}
