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
import { MacRows, NO_ROW, ROW_TIMES, ROW_WORDS, SERIAL, TARGET, UPDATED, USED } from "./mac-rows.ts";

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

/** An entry as it was when it was asked for. */
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

// A row's target: a number of `#ports`, and the flags above it.
const PORT_BITS = 16;
const PORT = (1 << PORT_BITS) - 1;
const LOCAL = 1 << PORT_BITS;
const FIXED = 2 << PORT_BITS;
const BY_USER = 4 << PORT_BITS;
const STICKY = 8 << PORT_BITS;
const EXTERNAL = 16 << PORT_BITS;
const AGELESS = FIXED | EXTERNAL;

export class FilteringDatabase {
  /** Dynamic entries older than this are gone; 0: nothing is learnt. */
  ageingNs: Nanoseconds;
  /** Keyed by the address and, above its 16 high bits, the VLAN. */
  readonly #rows = new MacRows();
  /** By port number; 0 is the bridge's own device. */
  readonly #ports: (BridgePort | undefined)[] = [undefined];
  /** Frames' methods ask it themselves: a time as an argument is a box on the heap where V8 does not inline the call. */
  readonly #clock: { readonly nowNs: Nanoseconds };
  #born = 0;
  #sweepAt = FIRST_SWEEP;

  constructor(ageingNs: Nanoseconds, clock: { readonly nowNs: Nanoseconds }) {
    this.ageingNs = ageingNs;
    this.#clock = clock;
  }

  /** Entries held, expired ones that nobody has looked at since included. */
  get size(): number {
    return this.#rows.size;
  }

  /** The live entry of an address (its halves as frames carry them), or undefined. An expired one is removed on sight. */
  find(high: number, low: number, vlan: number, nowNs: Nanoseconds): FdbEntry | undefined {
    const row = this.#live(high, low, vlan, nowNs);
    return row === NO_ROW ? undefined : this.#entry(row);
  }

  /** The row of the live entry that leads a frame, which notes the use, or `NO_ROW`. Good until the next call of another method but `isLocal` and `port`. */
  lookup(high: number, low: number, vlan: number): number {
    const row = this.#current(high, low, vlan);
    if (row !== NO_ROW) this.#rows.times[row * ROW_TIMES + USED] = this.#clock.nowNs;
    return row;
  }

  /** Does the row lead to the host? */
  isLocal(row: number): boolean {
    return (this.#rows.words[row * ROW_WORDS + TARGET]! & LOCAL) !== 0;
  }

  /** Where the row leads; undefined: to the bridge's own device. */
  port(row: number): BridgePort | undefined {
    return this.#ports[this.#rows.words[row * ROW_WORDS + TARGET]! & PORT];
  }

  /**
   * A frame with this source came in by `port`: br_fdb_update. An entry elsewhere moves at once, one set by hand too, unless it is
   * sticky. A local one stays, and the answer is false: somebody uses an address of ours.
   */
  learn(high: number, low: number, vlan: number, port: BridgePort): boolean {
    if (this.ageingNs === 0) return true;
    const row = this.#current(high, low, vlan);
    if (row === NO_ROW) {
      this.#insert(high, low, vlan, port, LEARNT, this.#clock.nowNs);
      return true;
    }
    const words = this.#rows.words;
    const at = row * ROW_WORDS + TARGET;
    const target = words[at]!;
    if ((target & LOCAL) !== 0) return false;
    this.#rows.times[row * ROW_TIMES + UPDATED] = this.#clock.nowNs;
    if ((target & PORT) !== port.number && (target & STICKY) === 0)
      words[at] = this.#number(port) | (target & ~PORT & ~EXTERNAL);
    return true;
  }

  /** Makes an entry, or changes the one that is there. */
  set(address: MacAddress, vlan: number, port: BridgePort | undefined, flags: FdbFlags, nowNs: Nanoseconds): void {
    const [high, low] = halves(address);
    const row = this.#live(high, low, vlan, nowNs);
    if (row === NO_ROW) this.#insert(high, low, vlan, port, flags, nowNs);
    else this.#put(row, port, flags, nowNs);
  }

  get(address: MacAddress, vlan: number, nowNs: Nanoseconds): FdbEntry | undefined {
    const [high, low] = halves(address);
    return this.find(high, low, vlan, nowNs);
  }

  delete(entry: FdbEntry): void {
    const [high, low] = halves(entry.address);
    const row = this.#rows.find(high | (entry.vlan << 16), low);
    if (row !== NO_ROW) this.#rows.remove(row);
  }

  /** Live entries, the newest first: the order of the kernel's list. */
  list(nowNs: Nanoseconds): FdbEntry[] {
    this.#sweep(nowNs);
    const { words } = this.#rows;
    const born = (row: number): number => words[row * ROW_WORDS + SERIAL]!;
    const rows = this.#rows.rows().sort((a, b) => born(b) - born(a));
    return rows.map((row) => this.#entry(row));
  }

  /** The live row now, as frames see it. */
  #current(high: number, low: number, vlan: number): number {
    const row = this.#rows.find(high | (vlan << 16), low);
    if (row === NO_ROW) return NO_ROW;
    const at = row * ROW_TIMES + UPDATED;
    if (this.#rows.times[at]! + this.ageingNs > this.#clock.nowNs) return row;
    return this.#live(high, low, vlan, this.#clock.nowNs);
  }

  #live(high: number, low: number, vlan: number, nowNs: Nanoseconds): number {
    const row = this.#rows.find(high | (vlan << 16), low);
    if (row === NO_ROW || !this.#expired(row, nowNs)) return row;
    this.#rows.remove(row);
    return NO_ROW;
  }

  #expired(row: number, nowNs: Nanoseconds): boolean {
    const rows = this.#rows;
    if (rows.times[row * ROW_TIMES + UPDATED]! + this.ageingNs > nowNs) return false;
    return (rows.words[row * ROW_WORDS + TARGET]! & AGELESS) === 0;
  }

  #insert(
    high: number,
    low: number,
    vlan: number,
    port: BridgePort | undefined,
    flags: FdbFlags,
    nowNs: Nanoseconds,
  ): void {
    if (this.#rows.size >= this.#sweepAt) {
      this.#sweep(nowNs);
      this.#sweepAt = Math.max(FIRST_SWEEP, this.#rows.size * 2);
    }
    const row = this.#rows.insert(high | (vlan << 16), low);
    this.#rows.words[row * ROW_WORDS + SERIAL] = this.#born++;
    this.#put(row, port, flags, nowNs);
  }

  #put(row: number, port: BridgePort | undefined, flags: FdbFlags, nowNs: Nanoseconds): void {
    const { words, times } = this.#rows;
    words[row * ROW_WORDS + TARGET] = this.#number(port) | bitsOf(flags);
    times[row * ROW_TIMES + UPDATED] = nowNs;
    times[row * ROW_TIMES + USED] = nowNs;
  }

  /** The port's number, which leads to the port from now on: its last owner's entries went with it. */
  #number(port: BridgePort | undefined): number {
    if (port === undefined) return 0;
    this.#ports[port.number] = port;
    return port.number;
  }

  #entry(row: number): FdbEntry {
    const { words, times } = this.#rows;
    const high = this.#rows.high(row);
    const target = words[row * ROW_WORDS + TARGET]!;
    return {
      address: joinHalves(high & 0xffff, this.#rows.low(row)),
      vlan: high >>> 16,
      port: this.#ports[target & PORT],
      local: (target & LOCAL) !== 0,
      fixed: (target & FIXED) !== 0,
      byUser: (target & BY_USER) !== 0,
      sticky: (target & STICKY) !== 0,
      external: (target & EXTERNAL) !== 0,
      updatedNs: times[row * ROW_TIMES + UPDATED]!,
      usedNs: times[row * ROW_TIMES + USED]!,
    };
  }

  #sweep(nowNs: Nanoseconds): void {
    this.#rows.removeWhere((row) => this.#expired(row, nowNs));
  }
}

function bitsOf(flags: FdbFlags): number {
  return (
    (flags.local ? LOCAL : 0) |
    (flags.fixed ? FIXED : 0) |
    (flags.byUser ? BY_USER : 0) |
    (flags.sticky ? STICKY : 0) |
    (flags.external ? EXTERNAL : 0)
  );
}

function halves(address: MacAddress): [number, number] {
  return [Math.floor(address / 0x1_0000_0000), (address % 0x1_0000_0000) | 0];
}
