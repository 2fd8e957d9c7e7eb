/**
 * The rule specification of iptables(8): addresses, devices, protocol, matches with their options, a target with its own. Several source or
 * destination addresses make several rules.
 */
import { type Ipv4Address, maskOf, parseIpv4 } from "../../wire/address.ts";
import type { Chain, RuleParts } from "./chain.ts";
import {
  type MatchExtension,
  type OptionSpec,
  type OptionUse,
  RuleError,
  type TargetExtension,
  Uses,
} from "./extension.ts";
import { MATCH_EXTENSIONS, MATCH_OF_PROTOCOL } from "./match-extensions.ts";
import { parseProtocol } from "./names.ts";
import type { AddressTest, DeviceTest } from "./rule-parts.ts";
import { TARGET_EXTENSIONS } from "./target-extensions.ts";

/** An extension loaded by `-m`, `-p` or `-j`, and what was said to it. */
interface Loaded<T> {
  readonly extension: T;
  readonly uses: OptionUse[];
}

const MAXIMUM_DEVICE_NAME = 15;

/** Collects one rule, option by option; `finish` makes it. */
export class RuleParser {
  #sources: readonly AddressTest[] | undefined = undefined;
  #destinations: readonly AddressTest[] | undefined = undefined;
  #ingress: DeviceTest | undefined = undefined;
  #egress: DeviceTest | undefined = undefined;
  #protocol = 0;
  #protocolInverted = false;
  #fragment: "any" | "later" | "not-later" = "any";
  readonly #matches: Loaded<MatchExtension>[] = [];
  #target: Loaded<TargetExtension> | undefined = undefined;
  #jumpName: string | undefined = undefined;
  #goto = false;
  readonly #given = new Set<string>();

  /** Letters of the options given, for commands that take no rule. */
  get given(): ReadonlySet<string> {
    return this.#given;
  }

  /** Of a target extension; undefined for a jump or no target. */
  get targetName(): string | undefined {
    return this.#target?.extension.name;
  }

  get hasIngress(): boolean {
    return this.#ingress !== undefined;
  }

  get hasEgress(): boolean {
    return this.#egress !== undefined;
  }

  /** One of `-s -d -i -o -p -f -j -g -m`. */
  general(letter: string, value: string, inverted: boolean): void {
    if (letter !== "m" && letter !== "g") {
      if (this.#given.has(letter)) throw new RuleError(`multiple -${letter} flags not allowed`);
    }
    this.#given.add(letter);
    switch (letter) {
      case "s":
        this.#sources = parseAddresses(value, inverted);
        return;
      case "d":
        this.#destinations = parseAddresses(value, inverted);
        return;
      case "i":
        this.#ingress = parseDevice(value, inverted);
        return;
      case "o":
        this.#egress = parseDevice(value, inverted);
        return;
      case "p":
        this.#protocol = parseProtocol(value);
        this.#protocolInverted = inverted;
        if (this.#protocol === 0 && inverted) throw new RuleError("rule would never match protocol");
        return;
      case "f":
        this.#fragment = inverted ? "not-later" : "later";
        return;
      case "m":
        this.#loadMatch(value);
        return;
      default:
        this.#goto = letter === "g";
        this.#jump(value);
    }
  }

  /** An option of an extension; `take` gives the words that follow it. False: nobody knows it. */
  extended(name: string, inverted: boolean, attached: string | undefined, take: () => string | undefined): boolean {
    const found = this.#find(name);
    if (found === undefined) return false;
    const { loaded, spec } = found;
    const values: string[] = [];
    for (let count = 0; count < spec.arguments; count++) {
      const value = count === 0 && attached !== undefined ? attached : take();
      if (value === undefined) throw new RuleError(`option "--${name}" requires an argument`);
      values.push(value);
    }
    const canonical = spec.names[0] ?? name;
    if (inverted && !spec.invertible)
      throw new RuleError(`${loaded.extension.name}: option "--${canonical}" cannot be inverted.\n`);
    const again = loaded.uses.some((use) => use.name === canonical);
    // The port matches of tcp and udp have words of their own for this.
    if (again && canonical !== "sport" && canonical !== "dport")
      throw new RuleError(`${loaded.extension.name}: option "--${canonical}" can only be used once.\n`);
    loaded.uses.push({ name: canonical, values, inverted });
    return true;
  }

  /** The rules; `findChain` knows the table's chains. */
  finish(findChain: (name: string) => Chain | undefined): RuleParts[] {
    const context = { protocol: this.#protocol, protocolInverted: this.#protocolInverted };
    const jump = this.#jumpName === undefined ? undefined : findChain(this.#jumpName);
    if (this.#jumpName !== undefined && jump === undefined)
      throw new RuleError(`Chain '${this.#jumpName}' does not exist`);
    const sources = this.#sources ?? [undefined];
    const destinations = this.#destinations ?? [undefined];
    return sources.flatMap((source) =>
      destinations.map((destination) => ({
        source,
        destination,
        ingress: this.#ingress,
        egress: this.#egress,
        protocol: this.#protocol,
        protocolInverted: this.#protocolInverted,
        fragment: this.#fragment,
        // Built anew for each rule: some matches count.
        matches: this.#matches.map(({ extension, uses }) => extension.build(new Uses(extension.name, uses), context)),
        target: this.#target?.extension.build(new Uses(this.#target.extension.name, this.#target.uses), context),
        jump,
        goto: this.#goto,
      })),
    );
  }

  #jump(name: string): void {
    const extension = this.#goto ? undefined : TARGET_EXTENSIONS.get(name);
    if (extension === undefined) this.#jumpName = name;
    else this.#target = { extension, uses: [] };
  }

  #loadMatch(name: string): void {
    const extension = MATCH_EXTENSIONS.get(name);
    if (extension === undefined) throw new RuleError(`Couldn't load match \`${name}':No such file or directory\n`);
    this.#matches.push({ extension, uses: [] });
  }

  /** The option among those of what is loaded; a protocol's own match loads itself when its option is used. */
  #find(name: string): { loaded: Loaded<MatchExtension | TargetExtension>; spec: OptionSpec } | undefined {
    const candidates: Loaded<MatchExtension | TargetExtension>[] = [...this.#matches].reverse();
    if (this.#target !== undefined) candidates.unshift(this.#target);
    for (const loaded of candidates) {
      const spec = findOption(loaded.extension.options, name);
      if (spec !== undefined) return { loaded, spec };
    }
    const implied = this.#protocolInverted ? undefined : MATCH_OF_PROTOCOL.get(this.#protocol);
    if (implied === undefined || this.#matches.some(({ extension }) => extension === implied)) return undefined;
    const spec = findOption(implied.options, name);
    if (spec === undefined) return undefined;
    const loaded: Loaded<MatchExtension> = { extension: implied, uses: [] };
    this.#matches.push(loaded);
    return { loaded, spec };
  }
}

/** By its name, or by a beginning that only one option has (getopt_long). */
function findOption(options: readonly OptionSpec[], name: string): OptionSpec | undefined {
  const exact = options.find((spec) => spec.names.includes(name));
  if (exact !== undefined) return exact;
  const close = options.filter((spec) => spec.names.some((other) => other.startsWith(name)));
  return close.length === 1 ? close[0] : undefined;
}

function parseAddresses(text: string, inverted: boolean): AddressTest[] {
  const words = text.split(",");
  if (inverted && words.length > 1)
    throw new RuleError("! not allowed with multiple source or destination IP addresses");
  return words.map((word) => parseAddress(word, inverted));
}

/** `a.b.c.d`, with `/length` or `/mask`; missing octets are zero; `localhost`. */
function parseAddress(text: string, inverted: boolean): AddressTest {
  const slash = text.indexOf("/");
  const host = slash < 0 ? text : text.slice(0, slash);
  const maskText = slash < 0 ? undefined : text.slice(slash + 1);
  let address = host === "localhost" ? 0x7f00_0001 : parseIpv4(host);
  if (address === undefined && /^\d{1,3}(\.\d{1,3}){0,2}\.?$/.test(host)) {
    const octets = host.replace(/\.$/, "").split(".");
    while (octets.length < 4) octets.push("0");
    address = parseIpv4(octets.join("."));
  }
  if (address === undefined) throw new RuleError(`host/network \`${host}' not found`);
  let mask = 0xffff_ffff;
  if (maskText !== undefined) {
    const dotted = parseIpv4(maskText);
    if (dotted !== undefined) mask = dotted;
    else if (/^\d{1,2}$/.test(maskText) && Number(maskText) <= 32) mask = maskOf(Number(maskText));
    else throw new RuleError(`invalid mask \`${maskText}' specified`);
  }
  return { address: ((address & mask) >>> 0) as Ipv4Address, mask: mask >>> 0, inverted };
}

function parseDevice(text: string, inverted: boolean): DeviceTest {
  if (text.length > MAXIMUM_DEVICE_NAME)
    throw new RuleError(`interface name \`${text}' must be shorter than IFNAMSIZ (${MAXIMUM_DEVICE_NAME})`);
  const prefix = text.endsWith("+");
  return { name: prefix ? text.slice(0, -1) : text, prefix, inverted };
}
