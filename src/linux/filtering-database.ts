/**
 * The filtering database of a bridge, IEEE 802.1D-2004 §7.9, as the kernel's bridge keeps it (net/bridge/br_fdb.c): which port leads
 * to a MAC address in a VLAN. Entries are learnt (dynamic, they age), set by hand, or local: the MAC address of a port or of the
 * bridge itself, which leads to the host.
 *
 * Ageing is checked whenever an entry is looked at; the kernel's collector runs at exactly the time of the oldest entry, so nobody can
 * tell the difference.
 */
import type { Nanoseconds } from "../sim/time.ts";
import type { MacAddress } from "../wire/address.ts";
import { joinHalves } from "../wire/ethernet.ts";
import type { BridgePort } from "./bridge-port.ts";
import { MacTable } from "./mac-table.ts";

/** How an entry came to be and how long it stays; as `bridge fdb` shows it. */
export interface FdbFlags {
  /** Leads to the host (BR_FDB_LOCAL): `permanent`. */
  readonly local: boolean;
  /** Does not age (BR_FDB_STATIC): `static`; true for local ones. */
  readonly fixed: boolean;
  /** Set by hand (BR_FDB_ADDED_BY_USER). */
  readonly byUser: boolean;
  /** Never moves to another port by learning. */
  readonly sticky: boolean;
  /** Learnt by a control plane outside of the kernel (`extern_learn`): does not age. */
  readonly external: boolean;
}

export interface FdbEntry extends FdbFlags {
  readonly address: MacAddress;
  /** 0 unless the bridge filters by VLAN. */
  readonly vlan: number;
  /** Undefined: the bridge's own device. */
  readonly port: BridgePort | undefined;
  /** When a frame with this source last came in, or when the entry was set. */
  readonly updatedNs: Nanoseconds;
  /** When it last led a frame. */
  readonly usedNs: Nanoseconds;
}

const LEARNT: FdbFlags = { local: false, fixed: false, byUser: false, sticky: false, external: false };

/** Expired entries that nobody looks at are swept out when the table has grown to this, and to each double of what was left. */
const FIRST_SWEEP = 256;

/** One entry. Only this file changes it. */
class Entry implements FdbEntry {
  readonly high: number;
  readonly low: number;
  readonly vlan: number;
  port: BridgePort | undefined;
  local: boolean;
  fixed: boolean;
  byUser: boolean;
  sticky: boolean;
  external: boolean;
  updatedNs: Nanoseconds;
  usedNs: Nanoseconds;
  /** Still in the table. */
  held = true;
  /** Place in the order of creation, for lists. */
  readonly born: number;

  constructor(
    key: { high: number; low: number; vlan: number; born: number },
    port: BridgePort | undefined,
    flags: FdbFlags,
    nowNs: Nanoseconds,
  ) {
    this.high = key.high;
    this.low = key.low;
    this.vlan = key.vlan;
    this.born = key.born;
    this.port = port;
    this.local = flags.local;
    this.fixed = flags.fixed;
    this.byUser = flags.byUser;
    this.sticky = flags.sticky;
    this.external = flags.external;
    this.updatedNs = nowNs;
    this.usedNs = nowNs;
  }

  get address(): MacAddress {
    return joinHalves(this.high, this.low);
  }
}

export class FilteringDatabase {
  /** Dynamic entries older than this are gone; 0: nothing is learnt. */
  ageingNs: Nanoseconds;
  /** Keyed by the address and, above its 16 high bits, the VLAN. */
  readonly #table = new MacTable<Entry>();
  /** By port number: behind most ports is one host, whose entry is found without a search (81 ns a relay become 71). */
  readonly #lastLearnt: (Entry | undefined)[] = [];
  /** The same for destinations: which entry led the last frame of a port. */
  readonly #lastLed: (Entry | undefined)[] = [];
  #born = 0;
  #sweepAt = FIRST_SWEEP;

  constructor(ageingNs: Nanoseconds) {
    this.ageingNs = ageingNs;
  }

  /** Entries held, expired ones that nobody has looked at since included. */
  get size(): number {
    return this.#table.size;
  }

  /** The live entry of an address (its halves as frames carry them), or undefined. An expired one is removed on sight. */
  find(high: number, low: number, vlan: number, nowNs: Nanoseconds): FdbEntry | undefined {
    return this.#live(high, low, vlan, nowNs);
  }

  /** As `find`, for an entry that is to lead a frame. */
  lookup(high: number, low: number, vlan: number, nowNs: Nanoseconds): FdbEntry | undefined {
    const entry = this.#live(high, low, vlan, nowNs);
    if (entry !== undefined) entry.usedNs = nowNs;
    return entry;
  }

  /** `lookup` for a frame that came in by port `number`: most follow another with the same destination. */
  lookupFrom(number: number, high: number, low: number, vlan: number, nowNs: Nanoseconds): FdbEntry | undefined {
    const last = this.#lastLed[number];
    if (
      last !== undefined &&
      last.low === low &&
      last.high === high &&
      last.vlan === vlan &&
      last.held &&
      !this.#expired(last, nowNs)
    ) {
      last.usedNs = nowNs;
      return last;
    }
    const entry = this.#live(high, low, vlan, nowNs);
    if (entry !== undefined) {
      entry.usedNs = nowNs;
      this.#lastLed[number] = entry;
    }
    return entry;
  }

  /**
   * A frame with this source came in by `port`: br_fdb_update. An entry elsewhere moves at once, one set by hand too, unless it is
   * sticky. A local one stays, and the answer is false: somebody uses an address of ours.
   */
  learn(high: number, low: number, vlan: number, port: BridgePort, nowNs: Nanoseconds): boolean {
    if (this.ageingNs === 0) return true;
    const last = this.#lastLearnt[port.number];
    if (
      last !== undefined &&
      last.low === low &&
      last.high === high &&
      last.vlan === vlan &&
      last.port === port &&
      last.held &&
      !this.#expired(last, nowNs)
    ) {
      last.updatedNs = nowNs;
      return true;
    }
    return this.#learnBySearch(high, low, vlan, port, nowNs);
  }

  #learnBySearch(high: number, low: number, vlan: number, port: BridgePort, nowNs: Nanoseconds): boolean {
    const entry = this.#live(high, low, vlan, nowNs);
    if (entry === undefined) {
      this.#insert(high, low, vlan, port, LEARNT, nowNs);
      return true;
    }
    if (entry.local) return false;
    this.#lastLearnt[port.number] = entry;
    entry.updatedNs = nowNs;
    if (entry.port !== port && !entry.sticky) {
      entry.port = port;
      entry.external = false;
    }
    return true;
  }

  /** Makes an entry, or changes the one that is there. */
  set(address: MacAddress, vlan: number, port: BridgePort | undefined, flags: FdbFlags, nowNs: Nanoseconds): void {
    const [high, low] = halves(address);
    const entry = this.#live(high, low, vlan, nowNs);
    if (entry === undefined) {
      this.#insert(high, low, vlan, port, flags, nowNs);
      return;
    }
    entry.port = port;
    entry.local = flags.local;
    entry.fixed = flags.fixed;
    entry.byUser = flags.byUser;
    entry.sticky = flags.sticky;
    entry.external = flags.external;
    entry.updatedNs = nowNs;
    entry.usedNs = nowNs;
  }

  get(address: MacAddress, vlan: number, nowNs: Nanoseconds): FdbEntry | undefined {
    const [high, low] = halves(address);
    return this.#live(high, low, vlan, nowNs);
  }

  delete(entry: FdbEntry): void {
    const [high, low] = halves(entry.address);
    const held = this.#table.get(high | (entry.vlan << 16), low);
    if (held !== undefined) this.#remove(held);
  }

  /** Live entries, the newest first: the order of the kernel's list. */
  list(nowNs: Nanoseconds): FdbEntry[] {
    const live = this.#table.values().filter((entry) => !this.#expired(entry, nowNs));
    return live.sort((a, b) => b.born - a.born);
  }

  #live(high: number, low: number, vlan: number, nowNs: Nanoseconds): Entry | undefined {
    const entry = this.#table.get(high | (vlan << 16), low);
    if (entry === undefined || !this.#expired(entry, nowNs)) return entry;
    this.#remove(entry);
    return undefined;
  }

  #remove(entry: Entry): void {
    entry.held = false;
    this.#table.delete(entry.high | (entry.vlan << 16), entry.low);
  }

  #expired(entry: Entry, nowNs: Nanoseconds): boolean {
    return !entry.fixed && !entry.external && entry.updatedNs + this.ageingNs <= nowNs;
  }

  #insert(
    high: number,
    low: number,
    vlan: number,
    port: BridgePort | undefined,
    flags: FdbFlags,
    nowNs: Nanoseconds,
  ): void {
    if (this.#table.size >= this.#sweepAt) this.#sweep(nowNs);
    this.#table.set(high | (vlan << 16), low, new Entry({ high, low, vlan, born: this.#born++ }, port, flags, nowNs));
  }

  #sweep(nowNs: Nanoseconds): void {
    for (const entry of this.#table.values()) {
      if (this.#expired(entry, nowNs)) this.#remove(entry);
    }
    this.#sweepAt = Math.max(FIRST_SWEEP, this.#table.size * 2);
  }
}

function halves(address: MacAddress): [number, number] {
  return [Math.floor(address / 0x1_0000_0000), (address % 0x1_0000_0000) | 0];
}
