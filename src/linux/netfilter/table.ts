/**
 * A table: its built-in chains, users' chains, and the edits that iptables(8) makes, each refused whole when the kernel would
 * refuse it (loops, targets at the wrong hook, chains in use: net/netfilter/nf_tables_api.c).
 */
import type { Errno } from "../errno.ts";
import type { HookPoint } from "../hooks.ts";
import { Chain, Rule } from "./chain.ts";

export type TableName = "filter" | "nat" | "mangle" | "raw" | "security";

/** In the order in which iptables-save writes the tables; chains in that of their hooks. */
export const TABLE_POINTS: ReadonlyMap<TableName, readonly HookPoint[]> = new Map([
  ["mangle", ["prerouting", "input", "forward", "output", "postrouting"]],
  ["security", ["input", "forward", "output"]],
  ["raw", ["prerouting", "output"]],
  ["filter", ["input", "forward", "output"]],
  ["nat", ["prerouting", "input", "output", "postrouting"]],
]);

/** How deep jumps may nest (NFT_JUMP_STACK_SIZE). */
const MAXIMUM_JUMPS = 16;
const VISITING = -1;

export class Table {
  readonly name: TableName;
  readonly #chains = new Map<string, Chain>();
  readonly #changed: () => void;
  /** Built-in chains, for the hot path. */
  readonly prerouting: Chain | undefined;
  readonly input: Chain | undefined;
  readonly forward: Chain | undefined;
  readonly output: Chain | undefined;
  readonly postrouting: Chain | undefined;

  /** `changed` is called after every edit. */
  constructor(name: TableName, changed: () => void) {
    this.name = name;
    this.#changed = changed;
    for (const point of TABLE_POINTS.get(name) ?? []) {
      const chain = new Chain(point.toUpperCase(), point);
      this.#chains.set(chain.name, chain);
    }
    this.prerouting = this.#chains.get("PREROUTING");
    this.input = this.#chains.get("INPUT");
    this.forward = this.#chains.get("FORWARD");
    this.output = this.#chains.get("OUTPUT");
    this.postrouting = this.#chains.get("POSTROUTING");
  }

  chain(name: string): Chain | undefined {
    return this.#chains.get(name);
  }

  /** Built-in ones in the order of their hooks, then users' ones by name. */
  get chains(): readonly Chain[] {
    const builtIn = [...this.#chains.values()].filter((chain) => chain.point !== undefined);
    const users = [...this.#chains.values()].filter((chain) => chain.point === undefined);
    users.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
    return [...builtIn, ...users];
  }

  /** How many rules jump to the chain. */
  references(chain: Chain): number {
    let count = 0;
    for (const other of this.#chains.values()) for (const rule of other.rules) if (rule.jump === chain) count++;
    return count;
  }

  addChain(name: string): Errno | undefined {
    if (this.#chains.has(name)) return "EEXIST";
    this.#chains.set(name, new Chain(name, undefined));
    this.#changed();
    return undefined;
  }

  /** EBUSY while rules jump to it or it has rules. */
  removeChain(chain: Chain): Errno | undefined {
    if (chain.point !== undefined) return "EINVAL";
    if (chain.rules.length > 0 || this.references(chain) > 0) return "EBUSY";
    this.#chains.delete(chain.name);
    this.#changed();
    return undefined;
  }

  renameChain(chain: Chain, name: string): Errno | undefined {
    if (this.#chains.has(name)) return "EEXIST";
    this.#chains.delete(chain.name);
    chain.name = name;
    this.#chains.set(name, chain);
    this.#changed();
    return undefined;
  }

  /** Puts a rule before the one at `index` (0 to the number of rules). EMLINK: a loop or too many jumps; EINVAL: not at this hook. */
  insert(chain: Chain, index: number, rule: Rule): Errno | undefined {
    chain.rules.splice(index, 0, rule);
    const problem = this.#check(rule);
    if (problem !== undefined) chain.rules.splice(index, 1);
    else this.#changed();
    return problem;
  }

  replace(chain: Chain, index: number, rule: Rule): Errno | undefined {
    const [old] = chain.rules.splice(index, 1, rule);
    const problem = this.#check(rule);
    if (problem !== undefined && old !== undefined) chain.rules.splice(index, 1, old);
    else this.#changed();
    return problem;
  }

  remove(chain: Chain, index: number): void {
    chain.rules.splice(index, 1);
    this.#changed();
  }

  flush(chain: Chain): void {
    chain.rules.length = 0;
    this.#changed();
  }

  setPolicy(chain: Chain, policy: "ACCEPT" | "DROP"): void {
    chain.policy = policy;
    this.#changed();
  }

  /** The same chains and rules in a table of their own; rules keep their counters, and matches that count go on counting. */
  copy(changed: () => void): Table {
    const copy = new Table(this.name, changed);
    const twins = new Map<Chain, Chain>();
    for (const chain of this.#chains.values()) {
      if (chain.point === undefined) copy.#chains.set(chain.name, new Chain(chain.name, undefined));
      const twin = copy.#chains.get(chain.name);
      if (twin === undefined) continue;
      twin.policy = chain.policy;
      twin.policyPackets = chain.policyPackets;
      twin.policyBytes = chain.policyBytes;
      twins.set(chain, twin);
    }
    for (const [chain, twin] of twins)
      for (const rule of chain.rules) {
        const jump = rule.jump === undefined ? undefined : twins.get(rule.jump);
        const clone = new Rule({ ...rule.parts, jump });
        clone.packets = rule.packets;
        clone.bytes = rule.bytes;
        twin.rules.push(clone);
      }
    return copy;
  }

  /** What the kernel asks before a new rule set takes effect. Only a new jump or a target bound to hooks can make it wrong. */
  #check(added: Rule): Errno | undefined {
    if (added.target?.table !== undefined && added.target.table !== this.name) return "EINVAL";
    const bound = added.target?.points !== undefined || added.matches.some((match) => match.points !== undefined);
    if (added.jump === undefined && !bound) return undefined;
    for (const chain of this.#chains.values()) {
      if (chain.point === undefined) continue;
      const found = checkReachable(chain, chain.point, new Map());
      if (typeof found === "string") return found;
    }
    return undefined;
  }
}

/** Walks the chains that a built-in one reaches, each once; says how deep its jumps nest, or what the kernel refuses. */
function checkReachable(chain: Chain, point: HookPoint, depths: Map<Chain, number>): number | Errno {
  const known = depths.get(chain);
  if (known !== undefined) return known === VISITING ? "EMLINK" : known;
  depths.set(chain, VISITING);
  let depth = 0;
  for (const rule of chain.rules) {
    if (rule.target?.points !== undefined && !rule.target.points.includes(point)) return "EINVAL";
    for (const match of rule.matches) if (match.points !== undefined && !match.points.includes(point)) return "EINVAL";
    if (rule.jump === undefined) continue;
    const below = checkReachable(rule.jump, point, depths);
    if (typeof below === "string") return below;
    depth = Math.max(depth, below + 1);
  }
  depths.set(chain, depth);
  return depth < MAXIMUM_JUMPS ? depth : "EMLINK";
}
