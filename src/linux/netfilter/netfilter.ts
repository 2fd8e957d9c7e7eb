/**
 * The firewall of one namespace: which tables, connection tracking, translation and load balancer see a packet at each of IPv4's five
 * hooks, in the order of their priorities (include/uapi/linux/netfilter_ipv4.h):
 *
 *     defragmentation -400, raw -300, conntrack -200, mangle -150, destination NAT -100, IPVS (out) -99, -98, filter 0, security 50,
 *     IPVS (in) 98, 99, source NAT 100, conntrack's confirmation last
 *
 * Connections are tracked only while something asks for it: a rule, the nat table, or `requireConntrack`.
 */
import * as ipv4 from "../../wire/ipv4.ts";
import type { DropReason } from "../drop-reason.ts";
import { FRAME_FLAG_BRIDGED } from "../frame-flags.ts";
import { type FrameId, NO_FRAME } from "../frame-store.ts";
import type { HookPoint, PacketHooks } from "../hooks.ts";
import type { DeviceChange, DeviceListener, NetDevice } from "../net-device.ts";
import type { Chain } from "./chain.ts";
import * as info from "./conntrack/connection-info.ts";
import { type ConnectionTable, MASQUERADED } from "./conntrack/connection-table.ts";
import { Conntrack } from "./conntrack/conntrack.ts";
import type { NetfilterHost } from "./host.ts";
import type { IpsecView } from "./ipsec-view.ts";
import type { IpvsHooks } from "./ipvs-hooks.ts";
import { KernelLog } from "./kernel-log.ts";
import { Nat } from "./nat.ts";
import type { Manipulation, NatRange } from "./nat-range.ts";
import { Packet, type PacketServices } from "./packet.ts";
import { TABLE_POINTS, Table, type TableName } from "./table.ts";
import { ACCEPT, DROP, type Verdict } from "./verdict.ts";

export class Netfilter implements PacketHooks, PacketServices, DeviceListener {
  readonly host: NetfilterHost;
  readonly conntrack: Conntrack;
  readonly connections: ConnectionTable;
  readonly log = new KernelLog();
  /** The load balancer, when there is one. */
  ipvs: IpvsHooks | undefined = undefined;
  ipsec: IpsecView | undefined = undefined;
  readonly #nat: Nat;
  readonly #tables = new Map<TableName, Table>();
  readonly #packets: Packet[] = [];
  #depth = 0;
  /** Rules have changed: what the hooks ask of them is to be found out again. */
  #stale = false;
  #required = 0;
  #tracking = false;
  readonly #watched = new Set<NetDevice>();

  // Tables that exist, for the hot path.
  #raw: Table | undefined = undefined;
  #mangle: Table | undefined = undefined;
  #natTable: Table | undefined = undefined;
  #filter: Table | undefined = undefined;
  #security: Table | undefined = undefined;

  constructor(host: NetfilterHost) {
    this.host = host;
    this.conntrack = new Conntrack(host);
    this.connections = this.conntrack.table;
    this.#nat = new Nat(host, this.conntrack);
  }

  /** The tables that exist, in the order in which iptables-save writes them. */
  get tables(): readonly Table[] {
    return [...TABLE_POINTS.keys()].flatMap((name) => this.#tables.get(name) ?? []);
  }

  findTable(name: TableName): Table | undefined {
    return this.#tables.get(name);
  }

  /** The table, made on first use. */
  table(name: TableName): Table {
    let table = this.#tables.get(name);
    if (table === undefined) {
      table = new Table(name, () => {
        this.#stale = true;
      });
      this.#tables.set(name, table);
      this.#stale = true;
    }
    return table;
  }

  /** The table is gone, as if nobody had ever used it. */
  forgetTable(name: TableName): void {
    this.#tables.delete(name);
    this.#stale = true;
  }

  /** A rule set to be changed in private: its tables are copies, and no packet passes it. */
  draft(): Netfilter {
    const draft = new Netfilter(this.host);
    for (const table of this.#tables.values())
      draft.#tables.set(
        table.name,
        table.copy(() => {}),
      );
    return draft;
  }

  /** Takes a table over from a draft. */
  adopt(draft: Netfilter, name: TableName): void {
    const table = draft.#tables.get(name);
    if (table === undefined) return;
    this.#tables.set(
      name,
      table.copy(() => {
        this.#stale = true;
      }),
    );
    this.#stale = true;
  }

  /** Are connections tracked in this namespace? */
  get tracking(): boolean {
    if (this.#stale) this.#refresh();
    return this.#tracking;
  }

  /** Connections are tracked until `releaseConntrack`, whatever the rules say (IPVS with `vs.conntrack`). */
  requireConntrack(): void {
    this.#required++;
    this.#stale = true;
  }

  releaseConntrack(): void {
    this.#required--;
    this.#stale = true;
  }

  run(point: HookPoint, frame: FrameId, ingress: NetDevice | undefined, egress: NetDevice | undefined): FrameId {
    return this.runBridged(point, frame, ingress, egress, undefined, undefined);
  }

  /** The same for a packet that a bridge carries: the devices are the bridge, and these its ports. */
  runBridged(
    point: HookPoint,
    frame: FrameId,
    ingress: NetDevice | undefined,
    egress: NetDevice | undefined,
    physicalIngress: NetDevice | undefined,
    physicalEgress: NetDevice | undefined,
  ): FrameId {
    if (this.#stale) this.#refresh();
    const depth = this.#depth++;
    if (depth === this.#packets.length) this.#packets.push(new Packet(this));
    const packet = this.#packets[depth]!;
    packet.load(point, frame, ingress, egress);
    packet.physicalIngress = physicalIngress;
    packet.physicalEgress = physicalEgress;
    const next = this.#runPoint(point, packet);
    this.#depth = depth;
    return next;
  }

  /** What DNAT, SNAT and their kin ask for; see Nat.bind. */
  bind(packet: Packet, manipulation: Manipulation, range: NatRange): Verdict {
    const row = info.connectionOf(packet.connection);
    if (row === 0) return ACCEPT;
    if (packet.egress !== undefined && (this.connections.status(row) & MASQUERADED) !== 0) this.#watch(packet.egress);
    return this.#nat.bind(packet, row, manipulation, range);
  }

  deviceChanged(device: NetDevice, change: DeviceChange): void {
    if (change === "down" || change === "removed" || change === "ipv4")
      this.#nat.deviceChanged(device, change === "ipv4");
  }

  #runPoint(point: HookPoint, packet: Packet): FrameId {
    switch (point) {
      case "prerouting":
        return this.#prerouting(packet);
      case "input":
        return this.#input(packet);
      case "forward":
        return this.#forward(packet);
      case "output":
        return this.#output(packet);
      case "postrouting":
        return this.#postrouting(packet);
    }
  }

  #prerouting(packet: Packet): FrameId {
    const { frames } = packet;
    const flags = frames.flags[packet.frame]!;
    if ((flags & FRAME_FLAG_BRIDGED) !== 0 && packet.physicalIngress === undefined) {
      frames.flags[packet.frame] = flags & ~FRAME_FLAG_BRIDGED;
      return packet.frame;
    }
    // A connection's number means something in one namespace only; the loopback does not leave it.
    if (frames.connection[packet.frame] !== 0 && packet.ingress?.kind !== "loopback") {
      packet.own();
      frames.connection[packet.frame] = 0;
    }
    if (!this.#beginTracking(packet, this.#raw?.prerouting)) return NO_FRAME;
    if (!this.#passes(this.#mangle?.prerouting, packet)) return NO_FRAME;
    if (!this.#translates(packet, "destination")) return NO_FRAME;
    return packet.frame;
  }

  #input(packet: Packet): FrameId {
    if (!this.#passes(this.#mangle?.input, packet)) return NO_FRAME;
    if (!this.#passes(this.#filter?.input, packet)) return NO_FRAME;
    if (!this.#passes(this.#security?.input, packet)) return NO_FRAME;
    if (this.ipvs !== undefined && !this.#goesOn(packet, this.ipvs.input(packet.frame, packet.ingress)))
      return NO_FRAME;
    return this.#leave(packet);
  }

  #forward(packet: Packet): FrameId {
    if (!this.#passes(this.#mangle?.forward, packet)) return NO_FRAME;
    if (!this.#passes(this.#filter?.forward, packet)) return NO_FRAME;
    if (!this.#passes(this.#security?.forward, packet)) return NO_FRAME;
    if (this.ipvs !== undefined) {
      const next = this.ipvs.forward(packet.frame, packet.ingress, packet.egress);
      if (!this.#goesOn(packet, next)) return NO_FRAME;
    }
    return packet.frame;
  }

  #output(packet: Packet): FrameId {
    if (!this.#beginTracking(packet, this.#raw?.output)) return NO_FRAME;
    if (!this.#passes(this.#mangle?.output, packet)) return NO_FRAME;
    if (!this.#translates(packet, "destination")) return NO_FRAME;
    if (this.ipvs !== undefined && !this.#goesOn(packet, this.ipvs.output(packet.frame, packet.egress)))
      return NO_FRAME;
    if (!this.#passes(this.#filter?.output, packet)) return NO_FRAME;
    if (!this.#passes(this.#security?.output, packet)) return NO_FRAME;
    return packet.frame;
  }

  #postrouting(packet: Packet): FrameId {
    if (!this.#passes(this.#mangle?.postrouting, packet)) return NO_FRAME;
    return this.#leave(packet);
  }

  /** Defragmentation, the raw table, conntrack. False: the packet has ended, or waits for its other fragments. */
  #beginTracking(packet: Packet, raw: Chain | undefined): boolean {
    if (this.#tracking && ipv4.isFragment(packet.bytes, packet.at)) {
      const whole = this.host.reassemble(packet.frame, packet.point, packet.ingress ?? packet.egress);
      if (whole === NO_FRAME) return false;
      packet.replace(whole);
    }
    if (!this.#passes(raw, packet)) return false;
    if (!this.#tracking) return true;
    const problem = this.conntrack.track(packet);
    return problem === undefined || this.#drop(packet, problem);
  }

  /** Source translation, and the connection is known from now on. */
  #leave(packet: Packet): FrameId {
    if (!this.#tracking) return packet.frame;
    if (!this.#translates(packet, "source")) return NO_FRAME;
    if (this.conntrack.confirm(packet)) return packet.frame;
    this.#drop(packet, "conntrack-invalid");
    return NO_FRAME;
  }

  #passes(chain: Chain | undefined, packet: Packet): boolean {
    if (chain === undefined) return true;
    packet.dropReason = "netfilter-drop";
    return chain.decide(packet) !== DROP || this.#drop(packet, packet.dropReason);
  }

  #translates(packet: Packet, manipulation: Manipulation): boolean {
    // Without a nat table nobody is translated; the load balancer's connections follow what it altered.
    if (this.#natTable === undefined || !this.#tracking) return true;
    packet.dropReason = "netfilter-drop";
    const verdict = this.#nat.run(packet, manipulation, this.#natTable);
    return verdict !== DROP || this.#drop(packet, packet.dropReason);
  }

  #goesOn(packet: Packet, next: FrameId): boolean {
    if (next === NO_FRAME) return false;
    packet.replace(next);
    return true;
  }

  #drop(packet: Packet, reason: DropReason): false {
    packet.frames.drop(packet.frame, reason, packet.ingress ?? packet.egress ?? this.host);
    return false;
  }

  #watch(device: NetDevice): void {
    if (this.#watched.has(device)) return;
    this.#watched.add(device);
    device.listen(this);
  }

  #refresh(): void {
    this.#stale = false;
    this.#raw = this.#tables.get("raw");
    this.#mangle = this.#tables.get("mangle");
    this.#natTable = this.#tables.get("nat");
    this.#filter = this.#tables.get("filter");
    this.#security = this.#tables.get("security");
    this.#tracking = this.#natTable !== undefined || this.#required > 0 || this.tables.some(needsConntrack);
  }
}

function needsConntrack(table: Table): boolean {
  return table.chains.some((chain) =>
    chain.rules.some(
      (rule) => rule.target?.needsConntrack === true || rule.matches.some((match) => match.needsConntrack === true),
    ),
  );
}
