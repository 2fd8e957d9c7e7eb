/**
 * Multicast snooping of a bridge, RFC 4541 as net/bridge/br_multicast.c does it for IPv4: who has joined which group is learnt from IGMP
 * reports that pass by; once a querier is heard of, a group's frames go to its members and to multicast routers alone. Without a
 * querier, the usual case, the memberships are known but every port gets everything, as groups 224.0.0.x always do.
 */
import type { Clock } from "../sim/simulation.ts";
import { type Nanoseconds, SECOND } from "../sim/time.ts";
import { type Ipv4Address, isMulticastIpv4 } from "../wire/address.ts";
import * as ethernet from "../wire/ethernet.ts";
import * as igmp from "../wire/igmp.ts";
import * as ipv4 from "../wire/ipv4.ts";
import type { BridgePort } from "./bridge-port.ts";
import type { FrameId, FrameStore } from "./frame-store.ts";

/** The bridge's settings and their defaults, as `ip -d link show` calls them. */
const MEMBERSHIP_INTERVAL_NS = 260 * SECOND;
const QUERIER_INTERVAL_NS = 255 * SECOND;
/** mcast_last_member_count times mcast_last_member_interval: how long a group that somebody left is kept for others. */
const LAST_MEMBER_NS = 2 * SECOND;
const DEFAULT_RESPONSE_NS = 10 * SECOND;
const RESPONSE_UNIT_NS = SECOND / 10;
const NEVER = Number.POSITIVE_INFINITY;

/** Every host that is a multicast snooper joins it: RFC 4286 §5. */
export const ALL_SNOOPERS = 0xe000_006a as Ipv4Address;

/** What is to become of a group frame. */
export type Verdict =
  /** To every port that floods multicast. */
  | "flood"
  /** To the members of `members` and to the ports with routers behind. */
  | "members"
  /** To nobody: a malformed IGMP message. */
  | "malformed";

/** Who has joined a group: until when for each port; `host` is the bridge's own device. */
export interface MulticastGroup {
  readonly group: Ipv4Address;
  readonly vlan: number;
  readonly ports: ReadonlyMap<BridgePort, Nanoseconds>;
  readonly hostUntilNs: Nanoseconds | undefined;
}

interface Group extends MulticastGroup {
  readonly ports: Map<BridgePort, Nanoseconds>;
  hostUntilNs: Nanoseconds | undefined;
}

export class MulticastSnooping {
  readonly #clock: Clock;
  readonly #frames: FrameStore;
  enabled = true;
  readonly #groups = new Map<number, Group>();
  readonly #routers = new Map<BridgePort, Nanoseconds>();
  #querierUntilNs: Nanoseconds = 0;
  #querierTrustedNs: Nanoseconds = 0; // members have had time to answer
  #querier: Ipv4Address | undefined;

  /** After the verdict "members": the group, or undefined when nobody has joined it. */
  members: MulticastGroup | undefined = undefined;

  constructor(clock: Clock, frames: FrameStore) {
    this.#clock = clock;
    this.#frames = frames;
  }

  /** Looks at a group frame that came in by `ingress`, or from the bridge's own device. */
  inspect(frame: FrameId, ingress: BridgePort | undefined, vlan: number): Verdict {
    if (!this.enabled) return "flood";
    const bytes = this.#frames.bytes;
    const start = this.#frames.start(frame);
    if (ethernet.etherType(bytes, start) !== ethernet.ETHERTYPE_IPV4) return "flood";
    const at = start + ethernet.HEADER_BYTES;
    if (ipv4.check(bytes, at, this.#frames.end(frame)) !== undefined) return "malformed";
    const destination = ipv4.destination(bytes, at);
    if (ipv4.protocol(bytes, at) === ipv4.PROTOCOL_IGMP) return this.#inspectIgmp(at, ingress, vlan);
    if (isLinkLocalGroup(destination) || !this.#querierKnown) return "flood";
    const group = this.#groups.get(keyOf(destination, vlan));
    this.members = group;
    return isMulticastIpv4(destination) ? "members" : "flood";
  }

  /** Does a frame for `members` leave by `port`? */
  wants(port: BridgePort): boolean {
    const nowNs = this.#clock.nowNs;
    if (port.multicastRouter === 2) return true;
    if (port.multicastRouter === 1 && (this.#routers.get(port) ?? 0) > nowNs) return true;
    return (this.members?.ports.get(port) ?? 0) > nowNs;
  }

  /** Does the bridge's own device want a frame for `members`? */
  get hostWants(): boolean {
    return (this.members?.hostUntilNs ?? 0) > this.#clock.nowNs;
  }

  /** `bridge mdb add`: a membership by hand does not end. `port` undefined: the bridge's own device. */
  add(group: Ipv4Address, vlan: number, port: BridgePort | undefined): void {
    this.#join(group, vlan, port, NEVER);
  }

  /** `bridge mdb del`; false when there was none. */
  delete(group: Ipv4Address, vlan: number, port: BridgePort | undefined): boolean {
    const entry = this.#groups.get(keyOf(group, vlan));
    if (entry === undefined) return false;
    if (port === undefined) {
      if (entry.hostUntilNs === undefined) return false;
      entry.hostUntilNs = undefined;
    } else if (!entry.ports.delete(port)) {
      return false;
    }
    this.#forgetEmpty(entry);
    return true;
  }

  /** Groups with their live memberships, in the order in which they were joined. */
  list(): MulticastGroup[] {
    const nowNs = this.#clock.nowNs;
    const live = [...this.#groups.values()].map((entry) => ({
      group: entry.group,
      vlan: entry.vlan,
      ports: new Map([...entry.ports].filter(([, untilNs]) => untilNs > nowNs)),
      hostUntilNs: (entry.hostUntilNs ?? 0) > nowNs ? entry.hostUntilNs : undefined,
    }));
    return live.filter((entry) => entry.ports.size > 0 || entry.hostUntilNs !== undefined);
  }

  /** Ports with a multicast router behind them, as `bridge mdb` shows. */
  routerPorts(): BridgePort[] {
    const nowNs = this.#clock.nowNs;
    return [...this.#routers].filter(([, untilNs]) => untilNs > nowNs).map(([port]) => port);
  }

  /** The port is disabled: what was learnt there goes; what was set by hand goes only with the port itself. */
  flush(port: BridgePort, gone: boolean): void {
    this.#routers.delete(port);
    for (const entry of [...this.#groups.values()]) {
      const untilNs = entry.ports.get(port);
      if (untilNs === undefined || (untilNs === NEVER && !gone)) continue;
      entry.ports.delete(port);
      this.#forgetEmpty(entry);
    }
  }

  get #querierKnown(): boolean {
    const nowNs = this.#clock.nowNs;
    return this.#querierUntilNs > nowNs && this.#querierTrustedNs < nowNs;
  }

  #inspectIgmp(at: number, ingress: BridgePort | undefined, vlan: number): Verdict {
    const bytes = this.#frames.bytes;
    const message = igmp.parse(bytes, at + ipv4.headerBytes(bytes, at), at + ipv4.totalLength(bytes, at));
    if (typeof message === "string") return message === "igmp-unknown-type" ? "flood" : "malformed";
    this.members = undefined;
    switch (message.kind) {
      case "report-v1":
      case "report-v2":
        this.#report(message.group, vlan, ingress);
        // Other members would hold back theirs: only routers hear it.
        return this.#querierKnown ? "members" : "flood";
      case "report-v3":
        for (const record of message.records) this.#record(record, vlan, ingress);
        return "flood";
      case "leave":
        this.#leave(message.group, vlan, ingress);
        return "flood";
      case "query":
      case "query-v3":
        this.#query(message, ipv4.source(bytes, at), ingress);
        return "flood";
    }
  }

  /** The bridge itself speaks version 2: sources are not told apart, and to include none of them is to leave. */
  #record(record: igmp.GroupRecord, vlan: number, ingress: BridgePort | undefined): void {
    if (record.type < igmp.MODE_IS_INCLUDE || record.type > igmp.BLOCK_OLD_SOURCES) return;
    const includes = record.type === igmp.CHANGE_TO_INCLUDE || record.type === igmp.MODE_IS_INCLUDE;
    if (includes && record.sources.length === 0) this.#leave(record.group, vlan, ingress);
    else this.#report(record.group, vlan, ingress);
  }

  #report(group: Ipv4Address, vlan: number, ingress: BridgePort | undefined): void {
    if (isLinkLocalGroup(group)) return;
    this.#join(group, vlan, ingress, this.#clock.nowNs + MEMBERSHIP_INTERVAL_NS);
  }

  #join(group: Ipv4Address, vlan: number, port: BridgePort | undefined, untilNs: Nanoseconds): void {
    const key = keyOf(group, vlan);
    let entry = this.#groups.get(key);
    if (entry === undefined) {
      entry = { group, vlan, ports: new Map(), hostUntilNs: undefined };
      this.#groups.set(key, entry);
    }
    if (port === undefined) entry.hostUntilNs = Math.max(entry.hostUntilNs ?? 0, untilNs);
    else entry.ports.set(port, Math.max(entry.ports.get(port) ?? 0, untilNs));
  }

  #leave(group: Ipv4Address, vlan: number, ingress: BridgePort | undefined): void {
    const entry = this.#groups.get(keyOf(group, vlan));
    if (entry === undefined) return;
    const nowNs = this.#clock.nowNs;
    if (ingress?.fastLeave === true && entry.ports.get(ingress) !== NEVER) {
      entry.ports.delete(ingress);
      this.#forgetEmpty(entry);
      return;
    }
    if (this.#querierUntilNs > nowNs) return; // the querier asks, and the answers tell
    const untilNs = nowNs + LAST_MEMBER_NS;
    const joined = ingress === undefined ? entry.hostUntilNs : entry.ports.get(ingress);
    if (joined === undefined || joined === NEVER || joined <= untilNs) return;
    if (ingress === undefined) entry.hostUntilNs = untilNs;
    else entry.ports.set(ingress, untilNs);
  }

  #query(
    message: Extract<igmp.Igmp, { kind: "query" | "query-v3" }>,
    source: Ipv4Address,
    ingress: BridgePort | undefined,
  ): void {
    if (message.group !== 0 || ingress === undefined) return;
    const nowNs = this.#clock.nowNs;
    const known = this.#querierUntilNs > nowNs;
    if (known && this.#querier !== undefined && source > this.#querier) return;
    if (!known) this.#querierTrustedNs = nowNs + responseNs(message);
    this.#querier = source;
    this.#querierUntilNs = nowNs + QUERIER_INTERVAL_NS;
    this.#routers.set(ingress, nowNs + QUERIER_INTERVAL_NS);
  }

  #forgetEmpty(entry: Group): void {
    if (entry.ports.size === 0 && entry.hostUntilNs === undefined) this.#groups.delete(keyOf(entry.group, entry.vlan));
  }
}

/** How long members may take to answer: RFC 3376 §4.1.1, codes from 128 on are floating point. */
function responseNs(message: Extract<igmp.Igmp, { kind: "query" | "query-v3" }>): Nanoseconds {
  const code = message.responseCode;
  if (code === 0) return DEFAULT_RESPONSE_NS;
  if (message.kind === "query" || code < 128) return code * RESPONSE_UNIT_NS;
  return ((code & 15) | 16) * 2 ** (((code >> 4) & 7) + 3) * RESPONSE_UNIT_NS;
}

/** 224.0.0.0/24: never restricted, RFC 4541 §2.1.2. */
function isLinkLocalGroup(group: Ipv4Address): boolean {
  return group >>> 8 === 0xe0_0000;
}

function keyOf(group: Ipv4Address, vlan: number): number {
  return group + vlan * 0x1_0000_0000;
}
