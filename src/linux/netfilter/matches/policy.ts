/** `-m policy`: has IPsec protected the packet, or will it (xt_policy)? One step of the policy can be described. */
import { formatIpv4, type Ipv4Address, parseIpv4 } from "../../../wire/address.ts";
import { FRAME_FLAG_SECURED } from "../../frame-flags.ts";
import { flag, invertible, type MatchExtension, option, parseInteger, RuleError } from "../extension.ts";
import type { IpsecStep } from "../ipsec-view.ts";
import { parseProtocol, protocolName } from "../names.ts";
import type { Packet } from "../packet.ts";
import type { Match } from "../rule-parts.ts";

interface StepTest {
  readonly option: string;
  readonly value: string;
  readonly numericValue: string;
  readonly inverted: boolean;
  holds(step: IpsecStep): boolean;
}

class PolicyMatch implements Match {
  readonly name = "policy";
  readonly #direction: "in" | "out";
  readonly #policy: "none" | "ipsec";
  readonly #strict: boolean;
  readonly #tests: readonly StepTest[];
  readonly points;

  constructor(direction: "in" | "out", policy: "none" | "ipsec", strict: boolean, tests: readonly StepTest[]) {
    this.#direction = direction;
    this.#policy = policy;
    this.#strict = strict;
    this.#tests = tests;
    this.points =
      direction === "in"
        ? (["prerouting", "input", "forward"] as const)
        : (["forward", "output", "postrouting"] as const);
  }

  matches(packet: Packet): boolean {
    const steps = this.#steps(packet);
    if (this.#policy === "none") return steps === undefined;
    if (steps === undefined) return false;
    if (this.#tests.length === 0) return true;
    const fits = (step: IpsecStep) => this.#tests.every((test) => test.holds(step) !== test.inverted);
    return this.#strict ? steps.length === 1 && steps.every(fits) : steps.some(fits);
  }

  /** undefined: in clear. */
  #steps(packet: Packet): readonly IpsecStep[] | undefined {
    const { ipsec } = packet.services;
    if (this.#direction === "in") {
      if ((packet.frames.flags[packet.frame]! & FRAME_FLAG_SECURED) === 0) return undefined;
      return ipsec?.inbound(packet.frame) ?? [];
    }
    const steps = ipsec?.outbound(packet.frame, packet.egress);
    return steps === undefined || steps.length === 0 ? undefined : steps;
  }

  save(): string {
    const parts = [`--dir ${this.#direction}`, `--pol ${this.#policy}`];
    if (this.#strict) parts.push("--strict");
    for (const test of this.#tests) parts.push(`${test.inverted ? "! " : ""}--${test.option} ${test.value}`);
    return parts.join(" ");
  }
  list(numeric: boolean): string {
    const parts = ["policy match dir", this.#direction, "pol", this.#policy];
    if (this.#strict) parts.push("strict");
    for (const test of this.#tests)
      parts.push(`${test.inverted ? "! " : ""}${test.option} ${numeric ? test.numericValue : test.value}`);
    return parts.join(" ");
  }
}

export const POLICY_MATCH: MatchExtension = {
  name: "policy",
  options: [
    option("dir"),
    option("pol"),
    flag("strict"),
    invertible("reqid"),
    invertible("spi"),
    invertible("proto"),
    invertible("mode"),
    invertible("tunnel-src"),
    invertible("tunnel-dst"),
  ],
  build(uses) {
    const direction = uses.value("dir");
    if (direction === undefined) throw new RuleError("policy match: neither --dir in nor --dir out specified");
    if (direction !== "in" && direction !== "out") throw new RuleError(`policy match: invalid dir "${direction}"`);
    const policy = uses.value("pol") ?? "ipsec";
    if (policy !== "none" && policy !== "ipsec") throw new RuleError(`policy match: invalid policy "${policy}"`);
    const tests: StepTest[] = [];
    for (const use of uses.all) {
      const text = use.values[0] ?? "";
      const add = (value: string, holds: (step: IpsecStep) => boolean, numericValue = value) =>
        tests.push({ option: use.name, value, numericValue, inverted: use.inverted, holds });
      if (use.name === "reqid" || use.name === "spi") {
        const field = use.name;
        const number = parseInteger(text);
        if (number === undefined) throw new RuleError(`policy: Bad value for "--${field}" option: "${text}"`);
        add(field === "spi" ? `0x${number.toString(16)}` : String(number), (step) => step[field] === number);
      } else if (use.name === "proto") {
        const protocol = parseProtocol(text);
        if (protocol !== 50 && protocol !== 51 && protocol !== 108)
          throw new RuleError("policy match: protocol must be ah/esp/ipcomp");
        add(protocolName(protocol), (step) => step.protocol === protocol, String(protocol));
      } else if (use.name === "mode") {
        if (text !== "transport" && text !== "tunnel") throw new RuleError(`policy match: invalid mode "${text}"`);
        add(text, (step) => step.mode === text);
      } else if (use.name === "tunnel-src" || use.name === "tunnel-dst") {
        const address = parseIpv4(text);
        if (address === undefined) throw new RuleError(`host/network \`${text}' not found`);
        const field = use.name === "tunnel-src" ? "tunnelSource" : "tunnelDestination";
        add(formatIpv4(address as Ipv4Address), (step) => step[field] === address);
      }
    }
    if (policy === "none" && (tests.length > 0 || uses.has("strict")))
      throw new RuleError("policy match: policy none but options given");
    return new PolicyMatch(direction, policy, uses.has("strict"), tests);
  },
};
