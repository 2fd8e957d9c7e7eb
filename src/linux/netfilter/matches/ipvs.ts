/** `-m ipvs`: what the load balancer did with the packet (xt_ipvs). */
import { formatPrefix, maskOf, parsePrefix } from "../../../wire/address.ts";
import { FRAME_FLAG_IPVS } from "../../frame-flags.ts";
import { invertible, invertibleFlag, type MatchExtension, option, RuleError } from "../extension.ts";
import type { IpvsConnectionView } from "../ipvs-hooks.ts";
import { parsePort, parseProtocol } from "../names.ts";
import type { Packet } from "../packet.ts";
import type { Match } from "../rule-parts.ts";

interface Test {
  readonly option: string;
  readonly value: string;
  readonly inverted: boolean;
  holds(view: IpvsConnectionView): boolean;
}

class IpvsMatch implements Match {
  readonly name = "ipvs";
  readonly #property: { readonly inverted: boolean } | undefined;
  readonly #tests: readonly Test[];

  constructor(property: { readonly inverted: boolean } | undefined, tests: readonly Test[]) {
    this.#property = property;
    this.#tests = tests;
  }

  matches(packet: Packet): boolean {
    const handled = (packet.frames.flags[packet.frame]! & FRAME_FLAG_IPVS) !== 0;
    if (this.#property !== undefined && handled === this.#property.inverted) return false;
    if (this.#tests.length === 0) return true;
    const view = handled ? packet.services.ipvs?.connectionOf(packet.frame) : undefined;
    return view !== undefined && this.#tests.every((test) => test.holds(view) !== test.inverted);
  }
  save(): string {
    return this.#words().join(" ");
  }
  list(): string {
    return this.#words()
      .map((word) => word.replace(/--/, ""))
      .join(" ");
  }
  #words(): string[] {
    const words = this.#property === undefined ? [] : [`${this.#property.inverted ? "! " : ""}--ipvs`];
    for (const test of this.#tests) words.push(`${test.inverted ? "! " : ""}--${test.option} ${test.value}`);
    return words;
  }
}

export const IPVS_MATCH: MatchExtension = {
  name: "ipvs",
  options: [
    invertibleFlag("ipvs"),
    invertible("vproto"),
    invertible("vaddr"),
    invertible("vport"),
    option("vdir"),
    invertible("vmethod"),
  ],
  build(uses) {
    const tests: Test[] = [];
    for (const use of uses.all) {
      const text = use.values[0] ?? "";
      const add = (value: string, holds: (view: IpvsConnectionView) => boolean) =>
        tests.push({ option: use.name, value, inverted: use.inverted, holds });
      if (use.name === "vproto") {
        const protocol = parseProtocol(text);
        add(String(protocol), (view) => view.protocol === protocol);
      } else if (use.name === "vaddr") {
        const prefix = parsePrefix(text);
        if (prefix === undefined) throw new RuleError(`host/network \`${text}' not found`);
        const mask = maskOf(prefix.length);
        add(formatPrefix(prefix), (view) => ((view.virtualAddress ^ prefix.address) & mask) === 0);
      } else if (use.name === "vport") {
        const port = parsePort(text);
        add(String(port), (view) => view.virtualPort === port);
      } else if (use.name === "vdir") {
        const direction = text.toUpperCase();
        if (direction !== "ORIGINAL" && direction !== "REPLY")
          throw new RuleError(`ipvs: Bad value for "--vdir" option: "${text}"`);
        add(direction, (view) => view.direction === direction);
      } else if (use.name === "vmethod") {
        const method = text.toUpperCase();
        if (method !== "GATE" && method !== "IPIP" && method !== "MASQ")
          throw new RuleError(`ipvs: Bad value for "--vmethod" option: "${text}"`);
        add(method, (view) => view.method === method);
      }
    }
    if (uses.all.length === 0) throw new RuleError("IPVS: At least one option is required");
    return new IpvsMatch(uses.find("ipvs"), tests);
  },
};
