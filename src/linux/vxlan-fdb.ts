/**
 * The forwarding database of a VXLAN device (drivers/net/vxlan/vxlan_core.c): which VTEPs a destination MAC address leads to. The all-zero
 * address is the default entry; it and group addresses may have several remotes (head-end replication). Learnt entries follow the
 * outer source at once and age by received frames alone; what an administrator set as permanent or static is not learnt over.
 *
 * Ageing is checked whenever an entry is looked at: nobody can tell that from the kernel's timer.
 */
import type { Clock } from "../sim/simulation.ts";
import type { Nanoseconds } from "../sim/time.ts";
import { IPV4_ANY, type Ipv4Address, isGroup, type MacAddress, type Vni } from "../wire/address.ts";
import { joinHalves } from "../wire/ethernet.ts";
import type { Errno } from "./errno.ts";
import { MacRows, NO_ROW, ROW_TIMES, ROW_WORDS, SERIAL, TARGET, UPDATED, USED } from "./mac-rows.ts";
import type { NetDevice } from "./net-device.ts";
import { isSame, type VxlanRemote, type VxlanRemoteKey, VxlanRemotes } from "./vxlan-remotes.ts";

/** `permanent` and `static` (NUD_NOARP) stay; `reachable` is learnt or added as `dynamic`, and ages. */
export type VxlanFdbState = "permanent" | "static" | "reachable";

/** An entry as it was when it was asked for. */
export interface VxlanFdbEntry {
  readonly mac: MacAddress;
  /** At least one; the first one configured is sent to last. */
  readonly remotes: readonly VxlanRemote[];
  readonly state: VxlanFdbState;
  /** Set by a control plane (`extern_learn`): does not age. */
  readonly externallyLearnt: boolean;
  /** Last change, or last frame received from this MAC address. */
  readonly updatedNs: Nanoseconds;
  /** Last frame sent to this MAC address. */
  readonly usedNs: Nanoseconds;
}

/** What `bridge fdb add|append|replace … dev vxlan0` says. */
export interface VxlanFdbRequest {
  readonly mac: MacAddress;
  readonly address: Ipv4Address;
  readonly port?: number | undefined;
  readonly vni?: Vni | undefined;
  readonly device?: NetDevice | undefined;
  /** `permanent` unless given. */
  readonly state?: VxlanFdbState | undefined;
  readonly externallyLearnt?: boolean | undefined;
}

/** Why a request is refused, with the words of the kernel's extended acknowledgement where it has some. */
export interface VxlanFdbProblem {
  readonly errno: Errno;
  readonly message: string | undefined;
}

/** A learnt source: taken, or refused for an entry that may not move. */
export type Learnt = "learnt" | "fixed";

// A row's target: the number of a list of remotes, and the flags above it.
const LIST_BITS = 24;
const LIST = (1 << LIST_BITS) - 1;
const PERMANENT = 1 << LIST_BITS;
const STATIC = 2 << LIST_BITS;
const EXTERNALLY_LEARNT = 4 << LIST_BITS;
const ADDED_BY_USER = 8 << LIST_BITS;
const STAYS = PERMANENT | STATIC;

export class VxlanFdb {
  readonly #clock: Clock;
  readonly #defaultPort: number;
  readonly #defaultVni: Vni;
  readonly #ageingNs: Nanoseconds;
  readonly #maximum: number;
  readonly #rows = new MacRows();
  readonly #remotes = new VxlanRemotes();
  #serial = 0;

  constructor(options: { clock: Clock; port: number; vni: Vni; ageingNs: Nanoseconds; maximumAddresses: number }) {
    this.#clock = options.clock;
    this.#defaultPort = options.port;
    this.#defaultVni = options.vni;
    this.#ageingNs = options.ageingNs;
    this.#maximum = options.maximumAddresses;
  }

  /** The newest first, as `bridge fdb show` prints them. */
  list(): readonly VxlanFdbEntry[] {
    this.#removeAged();
    const { words } = this.#rows;
    const serial = (row: number): number => words[row * ROW_WORDS + SERIAL]!;
    const rows = this.#rows.rows().sort((a, b) => serial(b) - serial(a));
    return rows.map((row) => this.#entry(row));
  }

  /** Where frames for a MAC address, given by its halves, go; without the default entry. Notes the use. */
  lookup(high: number, low: number): readonly VxlanRemote[] | undefined {
    const row = this.#current(high, low);
    if (row === NO_ROW) return undefined;
    this.#rows.times[row * ROW_TIMES + USED] = this.#clock.nowNs;
    return this.#remotes.at(this.#rows.words[row * ROW_WORDS + TARGET]! & LIST);
  }

  /** The all-zero entry. */
  lookupDefault(): readonly VxlanRemote[] | undefined {
    return this.lookup(0, 0);
  }

  /** A frame from this address (no group address, not zero) came from the VTEP `source`, 32 bits of either sign: vxlan_snoop. */
  learn(high: number, low: number, source: number): Learnt {
    const row = this.#current(high, low);
    if (row === NO_ROW) {
      this.#create(high, low, this.#key({ address: (source >>> 0) as Ipv4Address }), 0);
      return "learnt";
    }
    this.#rows.times[row * ROW_TIMES + UPDATED] = this.#clock.nowNs;
    const target = this.#rows.words[row * ROW_WORDS + TARGET]!;
    const first = this.#remotes.at(target & LIST)[0]!;
    if ((first.address | 0) === (source | 0) && first.device === undefined) return "learnt";
    if ((target & STAYS) !== 0) return "fixed";
    this.#lead(row, { address: (source >>> 0) as Ipv4Address, port: first.port, vni: first.vni, device: undefined });
    return "learnt";
  }

  /** `bridge fdb add`: refused when there is an entry. */
  add(request: VxlanFdbRequest): VxlanFdbProblem | undefined {
    if (this.#rowOf(request.mac) !== NO_ROW) return { errno: "EEXIST", message: undefined };
    return this.#createBy(request);
  }

  /** `bridge fdb append`: one more remote for a group or the default; an existing unicast entry keeps its remote. */
  append(request: VxlanFdbRequest): VxlanFdbProblem | undefined {
    const row = this.#rowOf(request.mac);
    if (row === NO_ROW) return this.#createBy(request);
    this.#change(row, request);
    if (takesSeveral(request.mac)) this.#point(row, this.#remotes.extend(this.#listOf(row), this.#key(request)));
    return undefined;
  }

  /** `bridge fdb replace`: the entry's first remote changes; only for unicast addresses. */
  replace(request: VxlanFdbRequest): VxlanFdbProblem | undefined {
    const row = this.#rowOf(request.mac);
    if (row === NO_ROW) {
      if (takesSeveral(request.mac)) return { errno: "EOPNOTSUPP", message: undefined };
      return this.#createBy(request);
    }
    this.#change(row, request);
    if (takesSeveral(request.mac)) return { errno: "EOPNOTSUPP", message: "Cannot replace non-unicast fdb entries" };
    this.#lead(row, this.#key(request));
    return undefined;
  }

  /**
   * `bridge fdb del`: with a destination, that remote alone while others remain; without, the whole entry. A destination that the entry
   * does not have is no error (and changes nothing), as the kernel has it.
   */
  delete(
    request: Omit<VxlanFdbRequest, "address"> & { address?: Ipv4Address | undefined },
  ): VxlanFdbProblem | undefined {
    const row = this.#rowOf(request.mac);
    if (row === NO_ROW) return { errno: "ENOENT", message: undefined };
    if (request.address === undefined || request.address === IPV4_ANY) {
      this.#remove(row);
      return undefined;
    }
    const key = this.#key({ ...request, address: request.address });
    const remotes = this.#remotes.at(this.#listOf(row));
    if (!remotes.some((remote) => isSame(remote, key))) return undefined;
    if (remotes.length > 1) this.#point(row, this.#remotes.reduce(this.#listOf(row), key));
    else this.#remove(row);
    return undefined;
  }

  /** What the device's going down does: learnt entries go, permanent and static ones stay. */
  flushLearnt(): void {
    this.#removeWhere((row) => (this.#flags(row) & STAYS) === 0);
  }

  /** `bridge fdb flush dev vxlan0`; with `keepPermanent` only what could age. */
  flush(keepPermanent = false): void {
    this.#removeWhere((row) => !keepPermanent || (this.#flags(row) & PERMANENT) === 0);
  }

  #createBy(request: VxlanFdbRequest): VxlanFdbProblem | undefined {
    const made = this.#create(highOf(request.mac), lowOf(request.mac), this.#key(request), flagsOf(request));
    return made ? undefined : { errno: "ENOSPC", message: undefined };
  }

  #create(high: number, low: number, remote: VxlanRemoteKey, flags: number): boolean {
    if (this.#maximum > 0 && this.#rows.size >= this.#maximum) {
      this.#removeAged();
      if (this.#rows.size >= this.#maximum) return false;
    }
    const nowNs = this.#clock.nowNs;
    const row = this.#rows.insert(high, low);
    const { words, times } = this.#rows;
    words[row * ROW_WORDS + TARGET] = this.#remotes.take(remote) | flags;
    words[row * ROW_WORDS + SERIAL] = this.#serial++;
    times[row * ROW_TIMES + UPDATED] = nowNs;
    times[row * ROW_TIMES + USED] = nowNs;
    return true;
  }

  /** A control plane's request does not take over what a user has added. */
  #change(row: number, request: VxlanFdbRequest): void {
    const flags = this.#flags(row);
    if (request.externallyLearnt === true && (flags & ADDED_BY_USER) !== 0 && (flags & EXTERNALLY_LEARNT) === 0) return;
    this.#rows.words[row * ROW_WORDS + TARGET] = this.#listOf(row) | flagsOf(request);
    this.#rows.times[row * ROW_TIMES + UPDATED] = this.#clock.nowNs;
  }

  #key(request: Omit<VxlanFdbRequest, "mac">): VxlanRemoteKey {
    return {
      address: request.address,
      port: request.port ?? this.#defaultPort,
      vni: request.vni ?? this.#defaultVni,
      device: request.device,
    };
  }

  /** The row's one remote becomes `key`. */
  #lead(row: number, key: VxlanRemoteKey): void {
    const before = this.#listOf(row);
    this.#point(row, this.#remotes.take(key));
    this.#remotes.release(before);
  }

  #point(row: number, list: number): void {
    this.#rows.words[row * ROW_WORDS + TARGET] = this.#flags(row) | list;
  }

  #listOf(row: number): number {
    return this.#rows.words[row * ROW_WORDS + TARGET]! & LIST;
  }

  #flags(row: number): number {
    return this.#rows.words[row * ROW_WORDS + TARGET]! & ~LIST;
  }

  #entry(row: number): VxlanFdbEntry {
    const flags = this.#flags(row);
    return {
      mac: joinHalves(this.#rows.high(row), this.#rows.low(row)),
      remotes: this.#remotes.at(this.#listOf(row)),
      state: (flags & PERMANENT) !== 0 ? "permanent" : (flags & STATIC) !== 0 ? "static" : "reachable",
      externallyLearnt: (flags & EXTERNALLY_LEARNT) !== 0,
      updatedNs: this.#rows.times[row * ROW_TIMES + UPDATED]!,
      usedNs: this.#rows.times[row * ROW_TIMES + USED]!,
    };
  }

  #rowOf(address: MacAddress): number {
    return this.#current(highOf(address), lowOf(address));
  }

  /** The row, unless its time is over. */
  #current(high: number, low: number): number {
    const row = this.#rows.find(high, low);
    if (row === NO_ROW || !this.#aged(row)) return row;
    this.#remove(row);
    return NO_ROW;
  }

  #aged(row: number): boolean {
    if (this.#clock.nowNs - this.#rows.times[row * ROW_TIMES + UPDATED]! < this.#ageingNs) return false;
    return this.#ageingNs !== 0 && (this.#flags(row) & (STAYS | EXTERNALLY_LEARNT)) === 0;
  }

  #removeAged(): void {
    this.#removeWhere((row) => this.#aged(row));
  }

  #removeWhere(which: (row: number) => boolean): void {
    this.#rows.removeWhere((row) => {
      const chosen = which(row);
      if (chosen) this.#remotes.release(this.#listOf(row));
      return chosen;
    });
  }

  #remove(row: number): void {
    this.#remotes.release(this.#listOf(row));
    this.#rows.remove(row);
  }
}

function flagsOf(request: VxlanFdbRequest): number {
  const { state } = request;
  const stays = state === "reachable" ? 0 : state === "static" ? STATIC : PERMANENT;
  return stays | (request.externallyLearnt === true ? EXTERNALLY_LEARNT : 0) | ADDED_BY_USER;
}

/** The default entry and groups are replicated to. */
function takesSeveral(address: MacAddress): boolean {
  return address === 0 || isGroup(address);
}

function highOf(address: MacAddress): number {
  return Math.floor(address / 0x1_0000_0000);
}

function lowOf(address: MacAddress): number {
  return (address % 0x1_0000_0000) | 0;
}
