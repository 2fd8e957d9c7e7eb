/**
 * Ends a run in which a frame goes round and round: Ethernet has no time to live, so a loop of bridges without spanning tree keeps a
 * broadcast for ever, and multiplies it with every further loop. Linux would spin at full speed; a simulation stops and says where.
 *
 * A packet that one bridge relays more than `limit` times is in a loop: routing, NAT and tunnels bring an honest one past the same bridge a few
 * times at most. The counts lie in a table of fixed size; a collision forgets the older count, which a loop soon makes up for.
 */
import type { Nanoseconds } from "../sim/time.ts";

/** What the run reports. */
export interface StormReport {
  readonly packetId: number;
  readonly atNs: Nanoseconds;
  /** How often the bridge that noticed had relayed it. */
  readonly relays: number;
  /** Places of the bridges that the frame went through meanwhile, in the order in which they were met. */
  readonly bridges: readonly string[];
  /** The frame's bytes from its Ethernet header on. */
  readonly frame: Uint8Array;
}

/** What stops the run: `Simulation.stop`. */
export interface Stoppable {
  readonly nowNs: Nanoseconds;
  stop(): void;
}

const ROWS = 4_096;
export const DEFAULT_STORM_LIMIT = 256;
/** A storm of many copies must not fill the memory before a count comes together: half the limit is looked at by name. */
const SUSPECT_SHARE = 0.5;

export class StormGuard {
  readonly #simulation: Stoppable;
  readonly #limit: number;
  readonly #suspectAt: number;
  readonly #packet = new Int32Array(ROWS);
  readonly #bridge = new Int32Array(ROWS);
  readonly #count = new Int32Array(ROWS);
  #bridges = 0;
  #suspect = 0;
  readonly #suspectBridges: string[] = [];

  /** Set once, when a storm has been found; the run is being stopped. */
  report: StormReport | undefined = undefined;

  constructor(simulation: Stoppable, limit = DEFAULT_STORM_LIMIT) {
    this.#simulation = simulation;
    this.#limit = limit;
    this.#suspectAt = Math.ceil(limit * SUSPECT_SHARE);
  }

  /** A number for a bridge under this guard. */
  enlist(): number {
    return ++this.#bridges;
  }

  /** Bridge `number` is about to relay the packet; false: it must not, the run is over. */
  allows(
    packetId: number,
    number: number,
    place: { readonly place: string },
    bytes: Uint8Array,
    at: number,
    end: number,
  ): boolean {
    if (this.report !== undefined) return false;
    const row = (Math.imul(packetId, 0x9e37_79b1) >>> 20) ^ (number & (ROWS - 1));
    if (this.#packet[row] !== packetId || this.#bridge[row] !== number) {
      this.#packet[row] = packetId;
      this.#bridge[row] = number;
      this.#count[row] = 1;
      return true;
    }
    const count = this.#count[row]! + 1;
    this.#count[row] = count;
    if (count < this.#suspectAt) return true;
    this.#note(packetId, place.place);
    if (count <= this.#limit) return true;
    this.report = {
      packetId,
      atNs: this.#simulation.nowNs,
      relays: count,
      bridges: [...this.#suspectBridges],
      frame: bytes.slice(at, end),
    };
    this.#simulation.stop();
    return false;
  }

  #note(packetId: number, place: string): void {
    if (this.#suspect !== packetId) {
      this.#suspect = packetId;
      this.#suspectBridges.length = 0;
    }
    if (!this.#suspectBridges.includes(place)) this.#suspectBridges.push(place);
  }
}

/** The report in words: one line to say what happened, and what to do. */
export function formatStorm(report: StormReport): string {
  return (
    `a frame loops: packet ${report.packetId} passed ${report.bridges.join(", ")} more than ${report.relays - 1} times; ` +
    "the bridges form a ring: remove a link, or switch spanning tree on (ip link set br0 type bridge stp_state 1)"
  );
}
