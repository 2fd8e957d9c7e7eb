/**
 * Chains of rules. A rule holds packets against addresses, devices, protocol and extension matches, and counts those that fit; the first
 * rule whose target decides ends the walk.
 */
import type { HookPoint } from "../hooks.ts";
import type { Packet } from "./packet.ts";
import { type AddressTest, type DeviceTest, deviceMatches, type Match, type Target } from "./rule-parts.ts";
import { ACCEPT, CONTINUE, DROP, RETURN, type Verdict } from "./verdict.ts";

export interface RuleParts {
  readonly source: AddressTest | undefined;
  readonly destination: AddressTest | undefined;
  readonly ingress: DeviceTest | undefined;
  readonly egress: DeviceTest | undefined;
  /** 0: any. */
  readonly protocol: number;
  readonly protocolInverted: boolean;
  /** `-f`: second and further fragments. */
  readonly fragment: "any" | "later" | "not-later";
  readonly matches: readonly Match[];
  readonly target: Target | undefined;
  /** A chain in place of a target. */
  readonly jump: Chain | undefined;
  /** `-g`: return goes to the caller's caller. */
  readonly goto: boolean;
}

const NO_TEST: AddressTest = { address: 0, mask: 0, inverted: false };

export class Rule {
  readonly parts: RuleParts;
  readonly matches: readonly Match[];
  readonly target: Target | undefined;
  readonly jump: Chain | undefined;
  readonly goto: boolean;
  packets = 0;
  bytes = 0;

  // The parts that every packet is held against, as plain fields.
  readonly #sourceAddress: number;
  readonly #sourceMask: number;
  readonly #sourceInverted: boolean;
  readonly #destinationAddress: number;
  readonly #destinationMask: number;
  readonly #destinationInverted: boolean;
  readonly #ingress: DeviceTest | undefined;
  readonly #egress: DeviceTest | undefined;
  readonly #protocol: number;
  readonly #protocolInverted: boolean;
  readonly #fragment: "any" | "later" | "not-later";

  constructor(parts: RuleParts) {
    this.parts = parts;
    this.matches = parts.matches;
    this.target = parts.target;
    this.jump = parts.jump;
    this.goto = parts.goto;
    const source = parts.source ?? NO_TEST;
    const destination = parts.destination ?? NO_TEST;
    this.#sourceMask = source.mask | 0;
    this.#sourceAddress = source.address & source.mask;
    this.#sourceInverted = source.inverted;
    this.#destinationMask = destination.mask | 0;
    this.#destinationAddress = destination.address & destination.mask;
    this.#destinationInverted = destination.inverted;
    this.#ingress = parts.ingress;
    this.#egress = parts.egress;
    this.#protocol = parts.protocol;
    this.#protocolInverted = parts.protocolInverted;
    this.#fragment = parts.fragment;
  }

  matchesPacket(packet: Packet): boolean {
    if (((packet.source & this.#sourceMask) === this.#sourceAddress) === this.#sourceInverted) return false;
    if (((packet.destination & this.#destinationMask) === this.#destinationAddress) === this.#destinationInverted)
      return false;
    if (this.#protocol !== 0 && (packet.protocol === this.#protocol) === this.#protocolInverted) return false;
    if (this.#ingress !== undefined && !deviceMatches(this.#ingress, packet.ingress)) return false;
    if (this.#egress !== undefined && !deviceMatches(this.#egress, packet.egress)) return false;
    if (this.#fragment !== "any" && packet.fragmentOffsetBytes > 0 !== (this.#fragment === "later")) return false;
    const matches = this.matches;
    for (let index = 0; index < matches.length; index++) if (!matches[index]!.matches(packet)) return false;
    return true;
  }
}

export class Chain {
  name: string;
  /** Where the kernel calls it; undefined for a user's chain. */
  readonly point: HookPoint | undefined;
  /** Of a built-in chain. */
  policy: "ACCEPT" | "DROP" = "ACCEPT";
  /** What iptables-restore said of the policy's counters; nf_tables itself counts nothing there. */
  policyPackets = 0;
  policyBytes = 0;
  readonly rules: Rule[] = [];

  constructor(name: string, point: HookPoint | undefined) {
    this.name = name;
    this.point = point;
  }

  /** ACCEPT or DROP for a built-in chain: its policy has the last word. */
  decide(packet: Packet): Verdict {
    const verdict = this.run(packet);
    if (verdict === ACCEPT || verdict === DROP) return verdict;
    if (this.policy === "ACCEPT") return ACCEPT;
    packet.dropReason = "netfilter-policy";
    return DROP;
  }

  /** CONTINUE when no rule decided. Chains are known to be without loops (see table.ts). */
  run(packet: Packet): Verdict {
    const rules = this.rules;
    for (let index = 0; index < rules.length; index++) {
      const rule = rules[index]!;
      if (!rule.matchesPacket(packet)) continue;
      rule.packets++;
      rule.bytes += packet.end - packet.at;
      if (rule.jump !== undefined) {
        const verdict = rule.jump.run(packet);
        if (rule.goto || verdict === ACCEPT || verdict === DROP) return verdict;
      } else if (rule.target !== undefined) {
        const verdict = rule.target.run(packet);
        if (verdict === RETURN) return CONTINUE;
        if (verdict !== CONTINUE) return verdict;
      }
    }
    return CONTINUE;
  }
}
