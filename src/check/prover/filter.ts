/** What a namespace's rules would do to a packet, read from its tables: nothing is counted, no connection is made. */
import type { NetworkNamespace } from "../../linux/namespace.ts";
import type { NetDevice } from "../../linux/net-device.ts";
import { findNetfilter } from "../../linux/netfilter/attach.ts";
import type { Chain, Rule } from "../../linux/netfilter/chain.ts";
import { type AddressTest, type DeviceTest, deviceMatches, type Match } from "../../linux/netfilter/rule-parts.ts";
import type { Ipv4Address } from "../../wire/address.ts";

/** A packet as rules see it. */
export interface Probe {
  readonly source: Ipv4Address;
  readonly destination: Ipv4Address;
  readonly protocol: number;
  /** Of an ICMP message; the destination port of a datagram. */
  readonly icmpType: number;
  readonly destinationPort: number;
  /** As conntrack would call it. */
  readonly state: "NEW" | "ESTABLISHED";
}

export type Point = "prerouting" | "input" | "forward" | "output" | "postrouting";
/** `rewrite`: a rule translates addresses; `unknown`: a match that tables alone do not answer. */
export type Judgement =
  | { readonly kind: "accept" | "drop" }
  | { readonly kind: "unknown"; readonly what: string }
  | { readonly kind: "rewrite"; readonly target: string; readonly options: string };

type Outcome = Judgement | undefined;

/** Of the filter and mangle tables; accept where there is no firewall. */
export function judge(
  namespace: NetworkNamespace,
  point: Point,
  probe: Probe,
  ingress: NetDevice | undefined,
  egress: NetDevice | undefined,
): Judgement {
  const netfilter = findNetfilter(namespace);
  for (const name of ["raw", "mangle", "filter", "security"] as const) {
    const chain = netfilter?.findTable(name)?.[point];
    if (chain === undefined) continue;
    const found = walk(chain, probe, ingress, egress) ?? policyOf(chain);
    if (found.kind !== "accept") return found;
  }
  return { kind: "accept" };
}

/** Of the nat table: what it would rewrite in a connection's first packet. */
export function translate(
  namespace: NetworkNamespace,
  point: "prerouting" | "output" | "postrouting" | "input",
  probe: Probe,
  ingress: NetDevice | undefined,
  egress: NetDevice | undefined,
): Judgement {
  const chain = findNetfilter(namespace)?.findTable("nat")?.[point];
  return (chain === undefined ? undefined : walk(chain, probe, ingress, egress)) ?? { kind: "accept" };
}

function policyOf(chain: Chain): Judgement {
  return { kind: chain.policy === "ACCEPT" ? "accept" : "drop" };
}

function walk(chain: Chain, probe: Probe, ingress: NetDevice | undefined, egress: NetDevice | undefined): Outcome {
  for (const rule of chain.rules) {
    const fits = matches(rule, probe, ingress, egress);
    if (fits === false) continue;
    if (fits !== true) return { kind: "unknown", what: fits };
    if (rule.jump !== undefined) {
      const found = walk(rule.jump, probe, ingress, egress);
      if (found !== undefined || rule.goto) return found;
      continue;
    }
    switch (rule.target?.name) {
      case "ACCEPT":
        return { kind: "accept" };
      case "DROP":
      case "REJECT":
        return { kind: "drop" };
      case "RETURN":
        return undefined;
      case "MASQUERADE":
      case "SNAT":
      case "DNAT":
      case "REDIRECT":
      case "NETMAP":
        return { kind: "rewrite", target: rule.target.name, options: rule.target.save() };
      default: // counts, marks, logs: the packet goes on
    }
  }
  return undefined;
}

/** True or false; or the match that tables alone do not answer. */
function matches(
  { parts }: Rule,
  probe: Probe,
  ingress: NetDevice | undefined,
  egress: NetDevice | undefined,
): boolean | string {
  if (!fitsAddress(parts.source, probe.source) || !fitsAddress(parts.destination, probe.destination)) return false;
  if (parts.protocol !== 0 && (parts.protocol === probe.protocol) === parts.protocolInverted) return false;
  if (!fitsDevice(parts.ingress, ingress) || !fitsDevice(parts.egress, egress)) return false;
  if (parts.fragment === "later") return false;
  for (const match of parts.matches) {
    const fits = extension(match, probe);
    if (fits !== true) return fits;
  }
  return true;
}

function extension(match: Match, probe: Probe): boolean | string {
  const words = match.save();
  switch (match.name) {
    case "comment":
      return true;
    case "conntrack":
    case "state": {
      const [, not, states] = /^(! )?--(?:ct)?state ([A-Z,]+)$/.exec(words) ?? [];
      if (states === undefined) return `-m ${match.name} ${words}`;
      return states.split(",").includes(probe.state) === (not === undefined);
    }
    case "icmp": {
      const [, not, type] = /^(! )?--icmp-type (\w+)$/.exec(words) ?? [];
      if (type === undefined) return `-m icmp ${words}`;
      return (type === "any" || Number(type) === probe.icmpType) === (not === undefined);
    }
    case "tcp":
    case "udp": {
      const [, not, from, to] = /^(! )?--dport (\d+)(?::(\d+))?$/.exec(words) ?? [];
      if (from === undefined) return `-m ${match.name} ${words}`;
      const inside = probe.destinationPort >= Number(from) && probe.destinationPort <= Number(to ?? from);
      return inside === (not === undefined);
    }
    default:
      return `-m ${match.name} ${words}`;
  }
}

function fitsAddress(test: AddressTest | undefined, address: number): boolean {
  if (test === undefined) return true;
  return ((address & test.mask) === (test.address & test.mask)) !== test.inverted;
}

function fitsDevice(test: DeviceTest | undefined, device: NetDevice | undefined): boolean {
  return test === undefined || deviceMatches(test, device);
}
