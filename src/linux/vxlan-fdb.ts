/**
 * The forwarding database of a VXLAN device (drivers/net/vxlan/vxlan_core.c): which VTEPs a destination MAC address leads to. The all-zero
 * address is the default entry; it and group addresses may have several remotes (head-end replication). Learnt entries follow the
 * outer source at once and age by received frames alone; what an administrator set as permanent or static is not learnt over.
 *
 * Ageing is checked whenever an entry is looked at: nobody can tell that from the kernel's timer.
 */
import { assert } from "../sim/assert.ts";
import type { Clock } from "../sim/simulation.ts";
import type { Nanoseconds } from "../sim/time.ts";
import { IPV4_ANY, type Ipv4Address, isGroup, type MacAddress, type Vni } from "../wire/address.ts";
import type { Errno } from "./errno.ts";
import { MacTable } from "./mac-table.ts";
import type { NetDevice } from "./net-device.ts";
import type { LinkOutput, Path } from "./path.ts";

/** `permanent` and `static` (NUD_NOARP) stay; `reachable` is learnt or added as `dynamic`, and ages. */
export type VxlanFdbState = "permanent" | "static" | "reachable";

/** One destination of an entry, and the way to it as routing last told. */
export interface VxlanRemote {
  readonly address: Ipv4Address;
  readonly port: number;
  readonly vni: Vni;
  /** `via`: the underlay device to leave by. */
  readonly device: NetDevice | undefined;
  /** Kept until the routing tables' generation moves on. */
  path: Path | undefined;
  /** While it is `FrameStore.shortcutEpoch`, outer packets of at most `readyBytes` go from `readySource` straight to `readyLink`. */
  readyEpoch: number;
  readyBytes: number;
  readySource: Ipv4Address;
  readyLink: LinkOutput | undefined;
}

export interface VxlanFdbEntry {
  readonly mac: MacAddress;
  /** At least one; the first one configured is sent to last. */
  readonly remotes: VxlanRemote[];
  state: VxlanFdbState;
  /** Set by a control plane (`extern_learn`): does not age. */
  externallyLearnt: boolean;
  addedByUser: boolean;
  /** Last change, or last frame received from this MAC address. */
  updatedNs: Nanoseconds;
  /** Last frame sent to this MAC address. */
  usedNs: Nanoseconds;
  readonly serial: number;
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

export class VxlanFdb {
  readonly #clock: Clock;
  readonly #defaultPort: number;
  readonly #defaultVni: Vni;
  readonly #ageingNs: Nanoseconds;
  readonly #maximum: number;
  readonly #table = new MacTable<VxlanFdbEntry>();
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
    return this.#table.values().sort((a, b) => b.serial - a.serial);
  }

  /** Where frames for a MAC address, given by its halves, go; without the default entry. Notes the use. */
  lookup(high: number, low: number): VxlanFdbEntry | undefined {
    const entry = this.#current(high, low);
    if (entry !== undefined) entry.usedNs = this.#clock.nowNs;
    return entry;
  }

  /** The all-zero entry. */
  lookupDefault(): VxlanFdbEntry | undefined {
    return this.lookup(0, 0);
  }

  /** A frame from `mac` (no group address, not zero) came from the VTEP `source`: vxlan_snoop. */
  learn(high: number, low: number, source: Ipv4Address): Learnt {
    const entry = this.#current(high, low);
    if (entry === undefined) {
      this.#create(mac(high, low), this.#remote({ address: source }), "reachable", false, false);
      return "learnt";
    }
    entry.updatedNs = this.#clock.nowNs;
    const first = entry.remotes[0]!;
    if (first.address === source && first.device === undefined) return "learnt";
    if (entry.state !== "reachable") return "fixed";
    entry.remotes[0] = { ...first, address: source, device: undefined, path: undefined, readyEpoch: -1 };
    return "learnt";
  }

  /** `bridge fdb add`: refused when there is an entry. */
  add(request: VxlanFdbRequest): VxlanFdbProblem | undefined {
    const entry = this.#entryOf(request.mac);
    if (entry !== undefined) return { errno: "EEXIST", message: undefined };
    return this.#createBy(request);
  }

  /** `bridge fdb append`: one more remote for a group or the default; an existing unicast entry keeps its remote. */
  append(request: VxlanFdbRequest): VxlanFdbProblem | undefined {
    const entry = this.#entryOf(request.mac);
    if (entry === undefined) return this.#createBy(request);
    this.#change(entry, request);
    if (!takesSeveral(request.mac)) return undefined;
    const remote = this.#remote(request);
    if (!entry.remotes.some((other) => same(other, remote))) entry.remotes.push(remote);
    return undefined;
  }

  /** `bridge fdb replace`: the entry's first remote changes; only for unicast addresses. */
  replace(request: VxlanFdbRequest): VxlanFdbProblem | undefined {
    const entry = this.#entryOf(request.mac);
    if (entry === undefined) {
      if (takesSeveral(request.mac)) return { errno: "EOPNOTSUPP", message: undefined };
      return this.#createBy(request);
    }
    this.#change(entry, request);
    if (takesSeveral(request.mac)) return { errno: "EOPNOTSUPP", message: "Cannot replace non-unicast fdb entries" };
    const remote = this.#remote(request);
    if (!entry.remotes.some((other) => same(other, remote))) entry.remotes[0] = remote;
    return undefined;
  }

  /**
   * `bridge fdb del`: with a destination, that remote alone while others remain; without, the whole entry. A destination that the entry
   * does not have is no error (and changes nothing), as the kernel has it.
   */
  delete(
    request: Omit<VxlanFdbRequest, "address"> & { address?: Ipv4Address | undefined },
  ): VxlanFdbProblem | undefined {
    const entry = this.#entryOf(request.mac);
    if (entry === undefined) return { errno: "ENOENT", message: undefined };
    if (request.address === undefined || request.address === IPV4_ANY) {
      this.#remove(entry);
      return undefined;
    }
    const remote = this.#remote({ ...request, address: request.address });
    const index = entry.remotes.findIndex((other) => same(other, remote));
    if (index < 0) return undefined;
    if (entry.remotes.length > 1) entry.remotes.splice(index, 1);
    else this.#remove(entry);
    return undefined;
  }

  /** What the device's going down does: learnt entries go, permanent and static ones stay. */
  flushLearnt(): void {
    for (const entry of this.#table.values()) if (entry.state === "reachable") this.#remove(entry);
  }

  /** `bridge fdb flush dev vxlan0`; with `keepPermanent` only what could age. */
  flush(keepPermanent = false): void {
    for (const entry of this.#table.values()) if (!keepPermanent || entry.state !== "permanent") this.#remove(entry);
  }

  #createBy(request: VxlanFdbRequest): VxlanFdbProblem | undefined {
    const state = request.state ?? "permanent";
    const made = this.#create(request.mac, this.#remote(request), state, request.externallyLearnt ?? false, true);
    return made ? undefined : { errno: "ENOSPC", message: undefined };
  }

  #create(
    address: MacAddress,
    remote: VxlanRemote,
    state: VxlanFdbState,
    externallyLearnt: boolean,
    addedByUser: boolean,
  ): boolean {
    if (this.#maximum > 0 && this.#table.size >= this.#maximum) {
      this.#removeAged();
      if (this.#table.size >= this.#maximum) return false;
    }
    const nowNs = this.#clock.nowNs;
    this.#table.set(highOf(address), lowOf(address), {
      mac: address,
      remotes: [remote],
      state,
      externallyLearnt,
      addedByUser,
      updatedNs: nowNs,
      usedNs: nowNs,
      serial: this.#serial++,
    });
    return true;
  }

  /** A control plane's request does not take over what a user has added. */
  #change(entry: VxlanFdbEntry, request: VxlanFdbRequest): void {
    const externallyLearnt = request.externallyLearnt ?? false;
    if (externallyLearnt && entry.addedByUser && !entry.externallyLearnt) return;
    entry.state = request.state ?? "permanent";
    entry.externallyLearnt = externallyLearnt;
    entry.addedByUser = true;
    entry.updatedNs = this.#clock.nowNs;
  }

  #remote(request: Omit<VxlanFdbRequest, "mac">): VxlanRemote {
    return {
      address: request.address,
      port: request.port ?? this.#defaultPort,
      vni: request.vni ?? this.#defaultVni,
      device: request.device,
      path: undefined,
      readyEpoch: -1,
      readyBytes: 0,
      readySource: IPV4_ANY,
      readyLink: undefined,
    };
  }

  #entryOf(address: MacAddress): VxlanFdbEntry | undefined {
    return this.#current(highOf(address), lowOf(address));
  }

  /** The entry, unless its time is over. */
  #current(high: number, low: number): VxlanFdbEntry | undefined {
    const entry = this.#table.get(high, low);
    if (entry === undefined || !this.#aged(entry)) return entry;
    this.#remove(entry);
    return undefined;
  }

  #aged(entry: VxlanFdbEntry): boolean {
    if (entry.state !== "reachable" || entry.externallyLearnt || this.#ageingNs === 0) return false;
    return this.#clock.nowNs - entry.updatedNs >= this.#ageingNs;
  }

  #removeAged(): void {
    for (const entry of this.#table.values()) if (this.#aged(entry)) this.#remove(entry);
  }

  #remove(entry: VxlanFdbEntry): void {
    const removed = this.#table.delete(highOf(entry.mac), lowOf(entry.mac));
    assert(removed, "a VXLAN FDB entry removed twice");
  }
}

/** The default entry and groups are replicated to. */
function takesSeveral(address: MacAddress): boolean {
  return address === 0 || isGroup(address);
}

function same(a: VxlanRemote, b: VxlanRemote): boolean {
  return a.address === b.address && a.port === b.port && a.vni === b.vni && a.device === b.device;
}

function highOf(address: MacAddress): number {
  return Math.floor(address / 0x1_0000_0000);
}

function lowOf(address: MacAddress): number {
  return (address % 0x1_0000_0000) | 0;
}

function mac(high: number, low: number): MacAddress {
  return (high * 0x1_0000_0000 + (low >>> 0)) as MacAddress;
}
