/**
 * A namespace's sysctls: read and written as text by their keys, and as typed values by the code that they steer. Only what was set is
 * stored; a container that sets nothing shares the defaults. What `conf.all` and `conf.<device>` mean together follows
 * include/linux/inetdevice.h (IN_DEV_MAXCONF, ORCONF, ANDCONF).
 */
import type { Errno } from "./errno.ts";
import {
  ALL_DEFAULTS,
  DEVICE_KEYS,
  NEIGHBOUR_KEYS,
  NEIGHBOUR_TABLE_KEYS,
  SCALAR_KEYS,
  type SysctlKey,
} from "./sysctl-keys.ts";

/** What holds for one device, `all` and its own value combined. */
export interface DeviceSettings {
  readonly forwarding: boolean;
  /** 0 off, 1 strict, 2 loose (RFC 3704). */
  readonly rpFilter: number;
  readonly acceptLocal: boolean;
  readonly acceptRedirects: boolean;
  readonly sendRedirects: boolean;
  readonly sharedMedia: boolean;
  readonly acceptSourceRoute: boolean;
  readonly routeLocalnet: boolean;
  readonly arpAccept: number;
  readonly arpAnnounce: number;
  readonly arpFilter: boolean;
  readonly arpIgnore: number;
  readonly arpNotify: boolean;
  readonly proxyArp: boolean;
  readonly dropGratuitousArp: boolean;
  readonly promoteSecondaries: boolean;
  readonly disablePolicy: boolean;
  readonly forceIgmpVersion: number;
}

export interface NeighbourSettings {
  readonly baseReachableMs: number;
  readonly retransMs: number;
  readonly delayFirstProbeMs: number;
  readonly gcStaleMs: number;
  readonly lockMs: number;
  readonly unicastSolicit: number;
  readonly multicastSolicit: number;
  readonly multicastResolicit: number;
  readonly applicationSolicit: number;
  readonly queueLength: number;
}

const CONF = "net.ipv4.conf.";
const NEIGH = "net.ipv4.neigh.";
/** Seconds and milliseconds of one value, as two keys. */
const NEIGHBOUR_ALIASES: ReadonlyMap<string, readonly [key: string, factor: number]> = new Map([
  ["base_reachable_time", ["base_reachable_time_ms", 1_000]],
  ["retrans_time", ["retrans_time_ms", 10]],
]);

/** Told after any value has changed. */
export interface SysctlListener {
  sysctlChanged(key: string): void;
}

export class Sysctl {
  /** What was set, by key; device keys too. */
  #values: Map<string, readonly number[]> | undefined = undefined;
  #deviceNames: readonly string[] = NO_NAMES;
  /** Devices with values of their own beside `lo`; all others share what the defaults give. */
  #special: readonly string[] = NO_NAMES;
  /** Worked out of the values, by device name; undefined: none asked for since they last changed. */
  #deviceSettings: Map<string, DeviceSettings> | undefined = undefined;
  #neighbourSettings: Map<string, NeighbourSettings> | undefined = undefined;
  readonly listeners: SysctlListener[];

  // Read on the way of packets: kept beside the values.
  defaultTtl = 64;
  localPortLow = 32_768;
  localPortHigh = 60_999;
  echoIgnoreAll = false;
  echoIgnoreBroadcasts = true;
  icmpRateLimitMs = 1_000;
  icmpRateMask = 6_168;
  icmpMessagesPerSecond = 1_000;
  icmpMessagesBurst = 50;
  /** br_netfilter shows bridged IPv4 packets to iptables. */
  bridgeCallsIptables = false;

  constructor(listeners: SysctlListener[] = []) {
    this.listeners = listeners;
  }

  addDevice(name: string): void {
    this.#deviceNames = without(this.#deviceNames, name).concat(name);
  }

  removeDevice(name: string): void {
    this.#deviceNames = without(this.#deviceNames, name);
    this.#special = without(this.#special, name);
    for (const key of [...(this.#values?.keys() ?? [])])
      if (key.startsWith(`${CONF}${name}.`) || key.startsWith(`${NEIGH}${name}.`)) this.#values?.delete(key);
    this.#forgetSettings();
  }

  /** The values that were set go with the device. */
  renameDevice(from: string, to: string): void {
    this.#deviceNames = [...without(this.#deviceNames, from), to];
    if (this.#special.includes(from)) this.#special = [...without(this.#special, from), to];
    for (const prefix of [`${CONF}${from}.`, `${NEIGH}${from}.`])
      for (const [key, values] of [...(this.#values ?? [])]) {
        if (!key.startsWith(prefix)) continue;
        this.#values?.delete(key);
        this.#values?.set(prefix.slice(0, prefix.length - from.length - 1) + to + key.slice(prefix.length - 1), values);
      }
    this.#forgetSettings();
  }

  /** Every key that exists, sorted, as `sysctl -a` lists them. */
  keys(): string[] {
    const keys = [...SCALAR_KEYS.keys()];
    for (const device of ["all", "default", ...this.#deviceNames])
      for (const key of DEVICE_KEYS.keys()) keys.push(`${CONF}${escaped(device)}.${key}`);
    for (const device of ["default", ...this.#deviceNames])
      for (const key of NEIGHBOUR_KEYS.keys()) keys.push(`${NEIGH}${escaped(device)}.${key}`);
    for (const key of NEIGHBOUR_TABLE_KEYS.keys()) keys.push(`${NEIGH}default.${key}`);
    return keys.sort();
  }

  /** The value as `sysctl` prints it, several numbers with tabs between; undefined when there is no such key. */
  get(key: string): string | undefined {
    const found = this.#find(key);
    return found === undefined ? undefined : this.#read(found.key, found.definition).join("\t");
  }

  /** The first number of a key that is known to exist. */
  number(key: string): number {
    return this.numbers(key)[0] ?? 0;
  }

  /** All numbers of a key that is known to exist. */
  numbers(key: string): readonly number[] {
    const found = this.#find(key);
    return found === undefined ? [] : this.#read(found.key, found.definition);
  }

  /** ENOENT: no such key; EINVAL: not a value that it takes. Nothing has changed then. */
  set(key: string, text: string): Errno | undefined {
    const found = this.#find(key);
    if (found === undefined) return "ENOENT";
    const words = text.trim().split(/\s+/);
    const { definition } = found;
    const values = words.map(Number);
    if (words.length !== definition.values.length || words.some((word) => !/^-?(\d+|0x[0-9a-fA-F]+)$/.test(word)))
      return "EINVAL";
    if (values.some((value) => value < definition.minimum || value > definition.maximum)) return "EINVAL";
    if (found.key === "net.ipv4.ip_local_port_range" && values[0]! > values[1]!) return "EINVAL";
    this.#store(found.key, values);
    this.#forgetSettings();
    this.#refresh();
    for (const listener of this.listeners) listener.sysctlChanged(found.key);
    return undefined;
  }

  /** What holds for a device, by its name. */
  device(name: string): DeviceSettings {
    const special = this.#isSpecial(name);
    if (this.#values === undefined) return special ? UNTOUCHED_LOOPBACK : UNTOUCHED_DEVICE;
    const key = special ? name : "default";
    let settings = this.#deviceSettings?.get(key);
    if (settings === undefined) {
      settings = this.combined(key);
      this.#deviceSettings ??= new Map();
      this.#deviceSettings.set(key, settings);
    }
    return settings;
  }

  neighbour(name: string): NeighbourSettings {
    if (this.#values === undefined) return UNTOUCHED_NEIGHBOUR;
    const owner = this.#isSpecial(name) ? name : "default";
    let settings = this.#neighbourSettings?.get(owner);
    if (settings === undefined) {
      settings = this.neighbourDefaults(owner);
      this.#neighbourSettings ??= new Map();
      this.#neighbourSettings.set(owner, settings);
    }
    return settings;
  }

  /** Worked out afresh; `neighbour` keeps what it has. */
  neighbourDefaults(name = "default"): NeighbourSettings {
    const read = (key: string) => this.#neighbourValue(name, key);
    return {
      baseReachableMs: read("base_reachable_time_ms"),
      retransMs: read("retrans_time_ms"),
      delayFirstProbeMs: read("delay_first_probe_time") * 1_000,
      gcStaleMs: read("gc_stale_time") * 1_000,
      lockMs: read("locktime") * 10,
      unicastSolicit: read("ucast_solicit"),
      multicastSolicit: read("mcast_solicit"),
      multicastResolicit: read("mcast_resolicit"),
      applicationSolicit: read("app_solicit"),
      queueLength: read("unres_qlen"),
    };
  }

  /** Worked out afresh; `device` keeps what it has. */
  combined(name: string): DeviceSettings {
    const own = (key: string) => this.#deviceValue(name, key);
    const all = (key: string) => this.#deviceValue("all", key);
    const either = (key: string) => own(key) !== 0 || all(key) !== 0;
    const both = (key: string) => own(key) !== 0 && all(key) !== 0;
    const larger = (key: string) => Math.max(own(key), all(key));
    const forwarding = own("forwarding") !== 0;
    return {
      forwarding,
      rpFilter: larger("rp_filter"),
      acceptLocal: either("accept_local"),
      acceptRedirects: forwarding ? both("accept_redirects") : either("accept_redirects"),
      sendRedirects: either("send_redirects"),
      sharedMedia: either("shared_media"),
      acceptSourceRoute: both("accept_source_route"),
      routeLocalnet: either("route_localnet"),
      arpAccept: larger("arp_accept"),
      arpAnnounce: larger("arp_announce"),
      arpFilter: either("arp_filter"),
      arpIgnore: larger("arp_ignore"),
      arpNotify: larger("arp_notify") !== 0,
      proxyArp: either("proxy_arp"),
      dropGratuitousArp: either("drop_gratuitous_arp"),
      promoteSecondaries: either("promote_secondaries"),
      disablePolicy: own("disable_policy") !== 0,
      forceIgmpVersion: larger("force_igmp_version"),
    };
  }

  #deviceValue(name: string, last: string): number {
    return this.#read(`${CONF}${name}.${last}`, DEVICE_KEYS.get(last)!)[0]!;
  }

  #neighbourValue(name: string, last: string): number {
    return this.#read(`${NEIGH}${name}.${last}`, NEIGHBOUR_KEYS.get(last)!)[0]!;
  }

  #find(key: string): { key: string; definition: SysctlKey } | undefined {
    const scalar = SCALAR_KEYS.get(key);
    if (scalar !== undefined) return { key, definition: scalar };
    const ofDevice = key.startsWith(CONF);
    if (!ofDevice && !key.startsWith(NEIGH)) return undefined;
    const start = ofDevice ? CONF.length : NEIGH.length;
    const dot = key.lastIndexOf(".");
    if (dot < start) return undefined;
    const name = key.slice(start, dot).replaceAll("/", ".");
    const last = key.slice(dot + 1);
    const special = name === "default" || (ofDevice && name === "all");
    if (!special && !this.#deviceNames.includes(name)) return undefined;
    let definition = ofDevice ? DEVICE_KEYS.get(last) : NEIGHBOUR_KEYS.get(last);
    if (definition === undefined && !ofDevice && name === "default") definition = NEIGHBOUR_TABLE_KEYS.get(last);
    if (definition === undefined) return undefined;
    return { key: `${ofDevice ? CONF : NEIGH}${name}.${last}`, definition };
  }

  #read(key: string, definition: SysctlKey): readonly number[] {
    const set = this.#values?.get(key);
    if (set !== undefined) return set;
    const last = key.slice(key.lastIndexOf(".") + 1);
    if (key.startsWith(NEIGH)) {
      const alias = NEIGHBOUR_ALIASES.get(last);
      if (alias !== undefined)
        return [Math.floor(this.number(`${key.slice(0, key.lastIndexOf("."))}.${alias[0]}`) / alias[1])];
      return this.#values?.get(`${NEIGH}default.${last}`) ?? definition.values;
    }
    if (key.startsWith(`${CONF}all.`)) {
      const value = ALL_DEFAULTS.get(last);
      return value === undefined ? definition.values : [value];
    }
    // IPsec has no business on the loopback device, whatever the default says.
    if (key === `${CONF}lo.disable_xfrm` || key === `${CONF}lo.disable_policy`) return ON;
    if (key.startsWith(CONF)) return this.#values?.get(`${CONF}default.${last}`) ?? definition.values;
    return definition.values;
  }

  #store(key: string, values: readonly number[]): void {
    if (key.startsWith(NEIGH)) {
      const dot = key.lastIndexOf(".");
      const alias = NEIGHBOUR_ALIASES.get(key.slice(dot + 1));
      if (alias !== undefined) {
        this.#put(`${key.slice(0, dot)}.${alias[0]}`, [values[0]! * alias[1]]);
        return;
      }
    }
    this.#put(key, values);
    // inet_forward_change: the host becomes a router, or no longer is one, on every device.
    if (key === "net.ipv4.ip_forward" || key === `${CONF}all.forwarding`) {
      const on = values[0] === 0 ? 0 : 1;
      this.#valuesToSet().set("net.ipv4.ip_forward", [on]);
      this.#valuesToSet().set(`${CONF}all.accept_redirects`, [1 - on]);
      for (const name of ["all", "default", ...this.#deviceNames]) this.#put(`${CONF}${name}.forwarding`, [on]);
    }
  }

  #put(key: string, values: readonly number[]): void {
    this.#valuesToSet().set(key, values);
    const prefix = key.startsWith(CONF) ? CONF : key.startsWith(NEIGH) ? NEIGH : undefined;
    if (prefix === undefined) return;
    const name = key.slice(prefix.length, key.lastIndexOf("."));
    if (name !== "all" && name !== "default" && !this.#isSpecial(name)) this.#special = [...this.#special, name];
  }

  #valuesToSet(): Map<string, readonly number[]> {
    this.#values ??= new Map();
    return this.#values;
  }

  #isSpecial(name: string): boolean {
    return name === "lo" || this.#special.includes(name);
  }

  #forgetSettings(): void {
    this.#deviceSettings = undefined;
    this.#neighbourSettings = undefined;
  }

  #refresh(): void {
    this.defaultTtl = this.number("net.ipv4.ip_default_ttl");
    const ports = this.numbers("net.ipv4.ip_local_port_range");
    this.localPortLow = ports[0]!;
    this.localPortHigh = ports[1]!;
    this.echoIgnoreAll = this.number("net.ipv4.icmp_echo_ignore_all") !== 0;
    this.echoIgnoreBroadcasts = this.number("net.ipv4.icmp_echo_ignore_broadcasts") !== 0;
    this.icmpRateLimitMs = this.number("net.ipv4.icmp_ratelimit");
    this.icmpRateMask = this.number("net.ipv4.icmp_ratemask");
    this.icmpMessagesPerSecond = this.number("net.ipv4.icmp_msgs_per_sec");
    this.icmpMessagesBurst = this.number("net.ipv4.icmp_msgs_burst");
    this.bridgeCallsIptables = this.number("net.bridge.bridge-nf-call-iptables") !== 0;
  }
}

const ON: readonly number[] = [1];
const NO_NAMES: readonly string[] = [];

function without(names: readonly string[], name: string): readonly string[] {
  return names.includes(name) ? names.filter((other) => other !== name) : names;
}

/** What holds while nothing was set: shared by all namespaces. */
const UNTOUCHED = new Sysctl();
const UNTOUCHED_DEVICE: DeviceSettings = UNTOUCHED.combined("default");
const UNTOUCHED_LOOPBACK: DeviceSettings = UNTOUCHED.combined("lo");
const UNTOUCHED_NEIGHBOUR: NeighbourSettings = UNTOUCHED.neighbourDefaults();

/** Dots in a device's name are written as slashes in a key. */
function escaped(name: string): string {
  return name.replaceAll(".", "/");
}
