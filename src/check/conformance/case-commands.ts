/**
 * What a case asks to be built, as command lines: the words `ip`, `bridge`, `sysctl`, `tc` and `iptables` in the order in which the recorded
 * network was built, since order decides interface numbers, a bridge's ports and the forwarding database.
 */
import type { CaseDescription, CaseHost, CaseInterface, CaseVxlan } from "./case.ts";

export interface CaseCommand {
  /** Where it runs; undefined for the machine, which sees every namespace by its name. */
  readonly host: string | undefined;
  readonly line: string;
}

/** The lines that build the network, in order. */
export function setupCommands(description: CaseDescription): CaseCommand[] {
  const builder = new Builder(description);
  return builder.build();
}

class Builder {
  readonly #description: CaseDescription;
  readonly #commands: CaseCommand[] = [];
  readonly #made = new Set<string>();

  constructor(description: CaseDescription) {
    this.#description = description;
  }

  build(): CaseCommand[] {
    const { hosts, sysctl_all } = this.#description;
    for (const host of hosts) {
      this.#machine(`ip netns add ${host.name}`);
      for (const [key, value] of Object.entries(sysctl_all ?? {})) this.#sysctl(host.name, key, value);
      this.#machine(`ip -n ${host.name} link set lo up`);
    }
    this.#interfaces();
    for (const host of hosts) this.#configuration(host);
    // A firewall or a policy may keep later commands' traffic away, so these come last.
    for (const host of hosts) {
      for (const line of host.fdb?.map(fdbLine) ?? []) this.#inside(host.name, line);
      for (const { ip, mac, dev, nud } of host.neigh ?? [])
        this.#machine(`ip -n ${host.name} neigh replace ${ip} lladdr ${mac} dev ${dev} nud ${nud ?? "permanent"}`);
      for (const line of host.xfrm_state ?? []) this.#inside(host.name, withWord("ip xfrm state add", line));
      for (const line of host.xfrm_policy ?? []) this.#inside(host.name, withWord("ip xfrm policy add", line));
    }
    return this.#commands;
  }

  /** Interfaces in each host's order; a veth pair as soon as it is the turn of both its ends. */
  #interfaces(): void {
    const waiting = new Map(this.#description.hosts.map((host) => [host.name, [...host.interfaces]]));
    for (;;) {
      const before = this.#made.size;
      for (const host of this.#description.hosts) {
        const queue = waiting.get(host.name)!;
        while (queue.length > 0 && this.#make(host.name, queue[0]!, waiting)) queue.shift();
      }
      if (this.#made.size === before) break;
    }
    for (const [host, queue] of waiting) for (const left of queue) this.#make(host, left, undefined);
  }

  /** True when the interface stands; `waiting` undefined: make it whatever the order. */
  #make(
    host: string,
    made: CaseInterface,
    waiting: ReadonlyMap<string, readonly CaseInterface[]> | undefined,
  ): boolean {
    const key = `${host}/${made.name}`;
    if (this.#made.has(key)) return true;
    const address = made.mac === undefined || made.mac === null ? "" : ` address ${made.mac}`;
    const mtu = made.mtu === undefined ? "" : ` mtu ${made.mtu}`;
    switch (made.type) {
      case "veth": {
        const [peerHost = "", peerName = ""] = (made.peer ?? "").split("/");
        const peer = this.#find(peerHost, peerName);
        if (peer === undefined) break;
        if (waiting !== undefined && waiting.get(peerHost)?.[0] !== peer) return false;
        const first = this.#description.links?.find(([a, b]) => a === key || b === key)?.[0];
        const [nearHost, near, farHost, far] =
          first === `${peerHost}/${peerName}` ? [peerHost, peer, host, made] : [host, made, peerHost, peer];
        this.#machine(
          `ip link add name ${near.name}${mtu} address ${near.mac} netns ${nearHost}` +
            ` type veth peer name ${far.name} mtu ${far.mtu ?? 1500} address ${far.mac} netns ${farHost}`,
        );
        this.#made.add(key);
        this.#made.add(`${peerHost}/${peerName}`);
        for (const [at, end] of [
          [nearHost, near],
          [farHost, far],
        ] as const) {
          this.#addresses(at, end);
          this.#enslave(at, end);
        }
        this.#shape(nearHost, near);
        this.#shape(farHost, far);
        this.#raise(nearHost, near);
        this.#raise(farHost, far);
        return true;
      }
      case "vxlan": {
        const options = made.vxlan!;
        const where = options.underlay_host ?? host;
        this.#machine(`ip -n ${where} link add name ${made.name}${address} type vxlan ${vxlanOptions(options)}`);
        if (where !== host) this.#machine(`ip -n ${where} link set ${made.name} netns ${host}`);
        if (made.mtu !== undefined) this.#machine(`ip -n ${host} link set ${made.name} mtu ${made.mtu}`);
        break;
      }
      case "bridge":
        this.#machine(`ip -n ${host} link add name ${made.name}${address}${mtu} type bridge${bridgeOptions(made)}`);
        break;
      case "vlan":
        this.#machine(`ip -n ${host} link add link ${made.link} name ${made.name}${address} type vlan id ${made.id}`);
        break;
      default:
        this.#machine(`ip -n ${host} link add name ${made.name}${address}${mtu} type ${made.type}`);
    }
    this.#made.add(key);
    this.#addresses(host, made);
    this.#enslave(host, made);
    this.#shape(host, made);
    this.#raise(host, made);
    return true;
  }

  #find(host: string, name: string): CaseInterface | undefined {
    const found = this.#description.hosts.find((candidate) => candidate.name === host);
    return found?.interfaces.find((candidate) => candidate.name === name);
  }

  #addresses(host: string, made: CaseInterface): void {
    for (const address of made.ipv4 ?? []) this.#machine(`ip -n ${host} addr add ${address} dev ${made.name}`);
  }

  /** A port that a stimulus makes one later is none yet. */
  #enslave(host: string, made: CaseInterface): void {
    if (made.master === undefined) return;
    const later = `ip link set ${made.name} master ${made.master}`;
    const stimuli = this.#description.stimuli.filter((stimulus) => stimulus.from === host);
    if (stimuli.some((stimulus) => stimulus.cmd.includes(later))) return;
    this.#machine(`ip -n ${host} link set ${made.name} master ${made.master}`);
  }

  #shape(host: string, made: CaseInterface): void {
    const lines = this.#description.hosts.find((candidate) => candidate.name === host)?.tc ?? [];
    for (const line of lines)
      if (new RegExp(`\\bdev ${made.name}\\b`).test(line)) this.#inside(host, withWord("tc", line));
  }

  #raise(host: string, made: CaseInterface): void {
    if (made.up !== false) this.#machine(`ip -n ${host} link set ${made.name} up`);
  }

  #configuration(host: CaseHost): void {
    for (const [key, value] of Object.entries(host.sysctl ?? {})) this.#sysctl(host.name, key, value);
    for (const route of host.routes ?? []) {
      const line = /^(ip )?route /.test(route) ? route.replace(/^ip /, "") : `route add ${route}`;
      this.#machine(`ip -n ${host.name} ${line}`);
    }
    for (const line of host.iptables ?? []) this.#inside(host.name, withWord("iptables", line));
  }

  #sysctl(host: string, key: string, value: string | number): void {
    this.#inside(host, `sysctl -qw '${key}=${value}'`);
  }

  #machine(line: string): void {
    this.#commands.push({ host: undefined, line });
  }

  #inside(host: string, line: string): void {
    this.#commands.push({ host, line });
  }
}

/** Lines are written with or without the word in front. */
function withWord(word: string, line: string): string {
  return line.startsWith(`${word.split(" ")[0]} `) ? line : `${word} ${line}`;
}

function fdbLine(entry: NonNullable<CaseHost["fdb"]>[number]): string {
  const destination = entry.dst === undefined || entry.dst === null ? "" : ` dst ${entry.dst}`;
  const flags = entry.flags ?? "";
  // Without flags the entry is one of several remotes of the same address.
  const verb = flags === "" ? "append" : "add";
  return `bridge fdb ${verb} ${entry.mac} dev ${entry.dev}${destination}${flags === "" ? "" : ` ${flags}`}`;
}

function bridgeOptions(made: CaseInterface): string {
  let text = ` stp_state ${made.stp ?? 0}`;
  if (made.ageing_s !== undefined) text += ` ageing_time ${Math.round(made.ageing_s * 100)}`;
  if (made.mcast_snooping !== undefined) text += ` mcast_snooping ${made.mcast_snooping}`;
  if (made.vlan_filtering !== undefined) text += ` vlan_filtering ${made.vlan_filtering}`;
  if (made.priority !== undefined) text += ` priority ${made.priority}`;
  if (made.hello_time !== undefined) text += ` hello_time ${made.hello_time}`;
  if (made.forward_delay !== undefined) text += ` forward_delay ${made.forward_delay}`;
  if (made.max_age !== undefined) text += ` max_age ${made.max_age}`;
  return text;
}

function vxlanOptions(options: CaseVxlan): string {
  let text = `id ${options.id} dstport ${options.dstport}`;
  if (options.local !== undefined && options.local !== null) text += ` local ${options.local}`;
  if (options.remote !== undefined) text += ` remote ${options.remote}`;
  if (options.group !== undefined) text += ` group ${options.group}`;
  if (options.dev !== undefined) text += ` dev ${options.dev}`;
  if (options.ttl !== undefined) text += ` ttl ${options.ttl}`;
  if (options.tos !== undefined) text += ` tos ${options.tos}`;
  if (options.df !== undefined) text += ` df ${options.df}`;
  if (options.learning === false) text += " nolearning";
  if (options.proxy === true) text += " proxy";
  if (options.rsc === true) text += " rsc";
  if (options.l2miss === true) text += " l2miss";
  if (options.l3miss === true) text += " l3miss";
  if (options.noudpcsum === true) text += " noudpcsum";
  return text;
}
