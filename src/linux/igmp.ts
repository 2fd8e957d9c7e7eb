/**
 * The host's side of IGMP, RFC 3376, as Linux does it (net/ipv4/igmp.c): memberships by device, reports when they change and when a router asks.
 * Speaks version 3 until it has heard an older querier.
 */
import { MILLISECOND, type Nanoseconds, SECOND } from "../sim/time.ts";
import { Timer } from "../sim/timer.ts";
import type { Ipv4Address } from "../wire/address.ts";
import * as igmp from "../wire/igmp.ts";
import * as ipv4 from "../wire/ipv4.ts";
import type { Errno } from "./errno.ts";
import type { FrameId } from "./frame-store.ts";
import type { Ipv4 } from "./ipv4.ts";
import type { Groups, Ipv4Core, ProtocolHandler } from "./ipv4-core.ts";
import { JIFFY_NS, jiffiesAt, wheelDelayNs } from "./jiffies.ts";
import type { DeviceChange, NetDevice } from "./net-device.ts";

const ALL_HOSTS = 0xe000_0001 as Ipv4Address;
const ALL_ROUTERS = 0xe000_0002 as Ipv4Address;
const ALL_IGMPV3_ROUTERS = 0xe000_0016 as Ipv4Address;
const ROUTER_ALERT = Uint8Array.of(148, 4, 0, 0);
const TOS_INTERNETWORK_CONTROL = 0xc0;
/** How long an older querier is remembered: robustness x query interval + response interval. */
const OLDER_QUERIER_NS: Nanoseconds = 260 * SECOND;
const REPORT_INTERVAL_MS = 1_000;
const FIRST_REPORT_TICKS = 2;

interface Membership {
  readonly group: Ipv4Address;
  holders: number;
  /** State changes still to be reported. */
  changes: number;
  /** Asked for by a query for this group alone. */
  asked: boolean;
}

/** One device's memberships and timers. */
class Interface {
  readonly device: NetDevice;
  /** The newest first, as Linux keeps and reports them. */
  memberships: Membership[] = [];
  /** Groups left whose leaving is still to be reported. */
  left: { group: Ipv4Address; changes: number }[] = [];
  changeRounds = 0;
  readonly changeTimer: Timer;
  readonly answerTimer: Timer;
  answersAll = false;
  olderVersion: 1 | 2 | undefined = undefined;
  olderUntilNs: Nanoseconds = 0;

  constructor(device: NetDevice, timers: { change: Timer; answer: Timer }) {
    this.device = device;
    this.changeTimer = timers.change;
    this.answerTimer = timers.answer;
  }
}

export class Igmp implements Groups, ProtocolHandler {
  readonly #core: Ipv4Core;
  readonly #ipv4: Ipv4;
  #interfaces: Map<number, Interface> | undefined = undefined;

  constructor(core: Ipv4Core, ip: Ipv4) {
    this.#core = core;
    this.#ipv4 = ip;
    core.groups = this;
    ip.registerProtocol(ipv4.PROTOCOL_IGMP, this);
  }

  isMember(device: NetDevice, group: Ipv4Address): boolean {
    if (group === ALL_HOSTS) return true;
    const entry = this.#interfaces?.get(device.index);
    return entry?.memberships.some((membership) => membership.group === group) === true;
  }

  /** The groups of a device with how many have joined each, as `ip maddress` lists them. */
  memberships(device: NetDevice): { group: Ipv4Address; holders: number }[] {
    const own = this.#interfaces?.get(device.index)?.memberships ?? [];
    const listed = own.map(({ group, holders }) => ({ group, holders }));
    return device.up ? [...listed, { group: ALL_HOSTS, holders: 1 }] : listed;
  }

  /** Joins once more; the first join is reported. */
  join(device: NetDevice, group: Ipv4Address): Errno | undefined {
    if (group >>> 28 !== 0xe) return "EINVAL";
    if (group === ALL_HOSTS) return undefined;
    const entry = this.#interface(device);
    const membership = entry.memberships.find((other) => other.group === group);
    if (membership !== undefined) {
      membership.holders++;
      return undefined;
    }
    const joined: Membership = { group, holders: 1, changes: 0, asked: false };
    entry.memberships.unshift(joined);
    entry.left = entry.left.filter((other) => other.group !== group);
    if (device.up) this.#joined(entry, joined);
    return undefined;
  }

  /** Leaves once; the last leaving is reported. */
  leave(device: NetDevice, group: Ipv4Address): Errno | undefined {
    if (group === ALL_HOSTS) return undefined;
    const entry = this.#interfaces?.get(device.index);
    const membership = entry?.memberships.find((other) => other.group === group);
    if (entry === undefined || membership === undefined) return "EADDRNOTAVAIL";
    membership.holders--;
    if (membership.holders > 0) return undefined;
    entry.memberships = entry.memberships.filter((other) => other !== membership);
    if (device.up) this.#left(entry, group);
    return undefined;
  }

  deviceChanged(device: NetDevice, change: DeviceChange): void {
    const entry = this.#interfaces?.get(device.index);
    if (entry === undefined) return;
    if (change === "up") for (const membership of entry.memberships) this.#joined(entry, membership);
    if (change !== "down" && change !== "removed") return;
    entry.changeTimer.stop();
    entry.answerTimer.stop();
    entry.left = [];
    if (change === "removed") this.#interfaces?.delete(device.index);
  }

  receive(frame: FrameId, device: NetDevice): void {
    const { frames } = this.#core;
    const at = frames.start(frame);
    const message = igmp.parse(frames.bytes, at + ipv4.headerBytes(frames.bytes, at), frames.end(frame));
    if (typeof message === "string" && message !== "igmp-unknown-type") {
      frames.drop(frame, "igmp-malformed", device);
      return;
    }
    if (typeof message !== "string") {
      if (message.kind === "query") this.#heardOlder(device, message.group, message.responseCode);
      else if (message.kind === "query-v3") this.#heardQuery(device, message.group, message.responseCode);
    }
    frames.consume(frame);
  }

  #joined(entry: Interface, membership: Membership): void {
    if (!this.#reports(membership.group)) return;
    const rounds = this.#core.sysctl.number("net.ipv4.igmp_qrv");
    membership.changes = rounds;
    if (this.#older(entry) !== undefined) {
      membership.asked = true;
      this.#arm(entry.answerTimer, FIRST_REPORT_TICKS);
      return;
    }
    entry.changeRounds = rounds;
    this.#arm(entry.changeTimer, FIRST_REPORT_TICKS);
  }

  #left(entry: Interface, group: Ipv4Address): void {
    if (!this.#reports(group)) return;
    const older = this.#older(entry);
    if (older === 1) return;
    if (older === 2) {
      this.#send(entry.device, ALL_ROUTERS, { kind: "leave", group });
      return;
    }
    const rounds = this.#core.sysctl.number("net.ipv4.igmp_qrv");
    entry.left.unshift({ group, changes: rounds });
    entry.changeRounds = rounds;
    this.#arm(entry.changeTimer, FIRST_REPORT_TICKS);
  }

  /** igmp_ifc_timer_expire: one report with every change, as many times as the robustness variable says. */
  #reportChanges(entry: Interface): void {
    const records: igmp.GroupRecord[] = [];
    for (const gone of entry.left) {
      records.push({ type: igmp.CHANGE_TO_INCLUDE, group: gone.group, sources: [] });
      gone.changes--;
    }
    entry.left = entry.left.filter((gone) => gone.changes > 0);
    for (const membership of entry.memberships) {
      if (membership.changes <= 0) continue;
      records.push({ type: igmp.CHANGE_TO_EXCLUDE, group: membership.group, sources: [] });
      membership.changes--;
    }
    if (records.length > 0) this.#send(entry.device, ALL_IGMPV3_ROUTERS, { kind: "report-v3", records });
    entry.changeRounds--;
    if (entry.changeRounds > 0)
      this.#arm(entry.changeTimer, this.#core.random.below(ticks(REPORT_INTERVAL_MS)) + FIRST_REPORT_TICKS);
  }

  /** The answer to a query, in the version of whoever asked. */
  #answer(entry: Interface): void {
    const asked = entry.memberships.filter(
      (membership) => (entry.answersAll || membership.asked) && this.#reports(membership.group),
    );
    entry.answersAll = false;
    for (const membership of asked) membership.asked = false;
    if (asked.length === 0) return;
    const older = this.#older(entry);
    if (older === undefined) {
      const records = asked.map(({ group }) => ({ type: igmp.MODE_IS_EXCLUDE, group, sources: [] }));
      this.#send(entry.device, ALL_IGMPV3_ROUTERS, { kind: "report-v3", records });
      return;
    }
    const kind = older === 1 ? "report-v1" : "report-v2";
    for (const { group } of asked) this.#send(entry.device, group, { kind, group });
  }

  #heardOlder(device: NetDevice, group: Ipv4Address, responseCode: number): void {
    const entry = this.#interface(device);
    entry.olderVersion = responseCode === 0 ? 1 : 2;
    entry.olderUntilNs = this.#core.clock.nowNs + OLDER_QUERIER_NS;
    entry.changeTimer.stop();
    this.#ask(entry, group, responseCode === 0 ? 100 : responseCode);
  }

  #heardQuery(device: NetDevice, group: Ipv4Address, responseCode: number): void {
    this.#ask(this.#interface(device), group, codeValue(responseCode));
  }

  /** Answers at random within `tenths` of a second. */
  #ask(entry: Interface, group: Ipv4Address, tenths: number): void {
    if (group === 0) entry.answersAll = true;
    for (const membership of entry.memberships) if (membership.group === group) membership.asked = true;
    const longest = Math.max(ticks(tenths * 100), 1);
    this.#arm(entry.answerTimer, this.#core.random.below(longest) + FIRST_REPORT_TICKS);
  }

  #send(device: NetDevice, destination: Ipv4Address, message: igmp.Igmp): void {
    const { frames } = this.#core;
    const path = this.#ipv4.resolve({ destination, device });
    if (typeof path === "string") return;
    const own = device.addresses.some((address) => address.address === path.source);
    const headerBytes = ipv4.HEADER_BYTES + ROUTER_ALERT.length;
    const length = headerBytes + igmp.messageBytes(message);
    const frame = frames.make(length);
    const at = frames.start(frame);
    ipv4.emit(
      {
        typeOfService: TOS_INTERNETWORK_CONTROL,
        totalLength: length,
        identification: 0,
        dontFragment: true,
        moreFragments: false,
        fragmentOffsetBytes: 0,
        timeToLive: 1,
        protocol: ipv4.PROTOCOL_IGMP,
        source: own ? path.source : (0 as Ipv4Address),
        destination,
        options: ROUTER_ALERT,
      },
      frames.bytes,
      at,
    );
    igmp.emit(message, frames.bytes, at + headerBytes);
    frames.checksumKnown[frame] = 1;
    this.#ipv4.output(frame, path);
  }

  #older(entry: Interface): 1 | 2 | undefined {
    return entry.olderUntilNs > this.#core.clock.nowNs ? entry.olderVersion : undefined;
  }

  /** 224.0.0.1 is never reported; 224.0.0.0/24 if the sysctl says so. */
  #reports(group: Ipv4Address): boolean {
    if (group >>> 8 !== 0xe0_0000) return true;
    return group !== ALL_HOSTS && this.#core.sysctl.number("net.ipv4.igmp_link_local_mcast_reports") !== 0;
  }

  #arm(timer: Timer, delayTicks: number): void {
    const { nowNs } = this.#core.clock;
    timer.stop();
    timer.set(wheelDelayNs(nowNs, jiffiesAt(nowNs) + delayTicks));
  }

  #interface(device: NetDevice): Interface {
    const known = this.#interfaces?.get(device.index);
    if (known !== undefined) return known;
    const { clock } = this.#core;
    const entry: Interface = new Interface(device, {
      change: new Timer(clock, () => this.#reportChanges(entry)),
      answer: new Timer(clock, () => this.#answer(entry)),
    });
    this.#interfaces ??= new Map();
    this.#interfaces.set(device.index, entry);
    return entry;
  }
}

function ticks(ms: number): number {
  return Math.floor((ms * MILLISECOND) / JIFFY_NS);
}

/** RFC 3376 §4.1.1: codes from 128 are a mantissa and an exponent. */
function codeValue(code: number): number {
  return code < 128 ? code : ((code & 15) | 16) << (((code >> 4) & 7) + 3);
}
