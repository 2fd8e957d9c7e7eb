/**
 * Ends a run in which a frame goes round and round: Ethernet has no time to live, so a loop of bridges without spanning tree keeps a
 * broadcast for ever, and multiplies it with every further loop. Linux would spin at full speed; a simulation stops and says where.
 *
 * A packet that one bridge relays more than `limit` times with the same addresses is in a loop. An honest one comes past a few times at most:
 * a tunnel's copies for its many remotes share the packet's number, but each has another outer address, and a loop of routers ends by its time
 * to live, after 255. The counts lie in a table of fixed size; a collision forgets the older count, which a loop soon makes up for.
 */
import type { Nanoseconds } from "../sim/time.ts";
import { getU32 } from "../wire/bytes.ts";

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
/** What tells copies of one packet apart, from the frame's start: the destination MAC address's last 32 bits, the IPv4 destination. */
const DESTINATION_LOW = 2;
const IPV4_DESTINATION = 30;
export const DEFAULT_STORM_LIMIT = 256;
/** A storm of many copies must not fill the memory before a count comes together: half the limit is looked at by name. */
const SUSPECT_SHARE = 0.5;

export class StormGuard {
  readonly #simulation: Stoppable;
  readonly #limit: number;
  readonly #suspectAt: number;
  readonly #packet = new Int32Array(ROWS);
  readonly #fingerprint = new Int32Array(ROWS);
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
    let fingerprint = Math.imul(getU32(bytes, at + DESTINATION_LOW) ^ number, 0x85eb_ca6b);
    if (end - at >= IPV4_DESTINATION + 4) fingerprint ^= Math.imul(getU32(bytes, at + IPV4_DESTINATION), 0xc2b2_ae35);
    const row = (Math.imul(packetId ^ fingerprint, 0x9e37_79b1) >>> 16) & (ROWS - 1);
    if (this.#packet[row] !== packetId || this.#fingerprint[row] !== fingerprint) {
      this.#packet[row] = packetId;
      this.#fingerprint[row] = fingerprint;
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
