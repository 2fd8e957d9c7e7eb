/**
 * iptables(8) 1.8.9 (nf_tables): one command on one table. All or nothing: a command that fails has changed nothing. Here, not among the words, because
 * whoever programs a firewall (an engine, a user) speaks this language.
 */
import { type Chain, Rule } from "./chain.ts";
import { RuleError } from "./extension.ts";
import { badArgument, IptablesError, kernelRefusal, refusal, usage, VERSION } from "./iptables-error.ts";
import type { Netfilter } from "./netfilter.ts";
import { type ArgumentKind, OptionScanner, type Token } from "./option-scanner.ts";
import { RuleParser } from "./rule-parser.ts";
import { listChain, saveRule } from "./rule-printer.ts";
import { TABLE_POINTS, Table, type TableName } from "./table.ts";
import { TARGET_EXTENSIONS } from "./target-extensions.ts";

export interface IptablesOutcome {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

const COMMANDS = "ADIRLSFZNXPEC";
/** Commands that take no rule, only a chain. */
const RULELESS = "LSFZNXPE";
const RULE_OPTIONS = "sdiopfjgm";
const MAXIMUM_CHAIN_NAME = 29;

/** Long names of short options. */
const LONG_OPTIONS: ReadonlyMap<string, string> = new Map([
  ["append", "A"],
  ["delete", "D"],
  ["check", "C"],
  ["insert", "I"],
  ["replace", "R"],
  ["list", "L"],
  ["list-rules", "S"],
  ["flush", "F"],
  ["zero", "Z"],
  ["new-chain", "N"],
  ["new", "N"],
  ["delete-chain", "X"],
  ["rename-chain", "E"],
  ["policy", "P"],
  ["source", "s"],
  ["src", "s"],
  ["destination", "d"],
  ["dst", "d"],
  ["protocol", "p"],
  ["in-interface", "i"],
  ["out-interface", "o"],
  ["jump", "j"],
  ["goto", "g"],
  ["match", "m"],
  ["table", "t"],
  ["fragments", "f"],
  ["fragment", "f"],
  ["numeric", "n"],
  ["verbose", "v"],
  ["exact", "x"],
  ["line-numbers", "0"],
  ["wait", "w"],
  ["wait-interval", "W"],
  ["set-counters", "c"],
  ["version", "V"],
  ["ipv4", "4"],
  ["modprobe", "M"],
]);

const ARGUMENTS: ReadonlyMap<string, ArgumentKind> = new Map([
  ...[..."ADIRNPECsdiopjgmtcMW"].map((letter) => [letter, "one"] as const),
  ...[..."LSFZXw"].map((letter) => [letter, "maybe"] as const),
  ...[..."nvxf04V"].map((letter) => [letter, "none"] as const),
]);

/** A command line, understood. */
interface Request {
  table: string;
  command: string | undefined;
  chain: string | undefined;
  /** Rule number, new name or policy. */
  operand: string | undefined;
  numeric: boolean;
  verbose: boolean;
  exact: boolean;
  lineNumbers: boolean;
  version: boolean;
  packets: number;
  bytes: number;
  readonly rule: RuleParser;
}

/** Runs one command, given by its arguments without the word `iptables`. */
export function iptables(netfilter: Netfilter, argv: readonly string[]): IptablesOutcome {
  try {
    return { status: 0, stdout: execute(netfilter, argv, "iptables"), stderr: "" };
  } catch (problem) {
    if (problem instanceof IptablesError) return { status: problem.status, stdout: "", stderr: problem.message };
    throw problem;
  }
}

/** The same as one of the lines of iptables-restore (`program`); answers what goes to standard output. Throws `IptablesError`. */
export function execute(netfilter: Netfilter, argv: readonly string[], program: string): string {
  try {
    const request = parse(argv, program);
    if (request.version) return `iptables ${VERSION}\n`;
    return perform(netfilter, request, program);
  } catch (problem) {
    if (problem instanceof RuleError) throw usage(program, problem.message);
    throw problem;
  }
}

function parse(argv: readonly string[], program: string): Request {
  const request: Request = {
    table: "filter",
    command: undefined,
    chain: undefined,
    operand: undefined,
    numeric: false,
    verbose: false,
    exact: false,
    lineNumbers: false,
    version: false,
    packets: 0,
    bytes: 0,
    rule: new RuleParser(),
  };
  const scanner = new OptionScanner(argv, (letter) => ARGUMENTS.get(letter));
  for (let token = scanner.next(); token !== undefined; token = scanner.next())
    parseToken(request, token, scanner, program);
  if (request.version) return request;
  if (request.command === undefined) throw new RuleError("no command specified");
  return checked(request, program);
}

function parseToken(request: Request, token: Token, scanner: OptionScanner, program: string): void {
  if (token.kind === "double-inversion") throw new RuleError("multiple consecutive ! not allowed");
  if (token.kind === "word") throw badArgument(program, token.text);
  let letter = token.kind === "short" ? token.letter : LONG_OPTIONS.get(token.name);
  if (token.kind === "long" && letter === undefined) {
    if (request.rule.extended(token.name, token.inverted, token.attached, () => scanner.take())) return;
    letter = abbreviated(token.name);
  }
  const kind = letter === undefined ? undefined : ARGUMENTS.get(letter);
  if (letter === undefined || kind === undefined)
    throw new RuleError(`unknown option "${token.kind === "long" ? `--${token.name}` : `-${token.letter}`}"`);
  let value = "";
  if (kind === "one") {
    const given = token.attached ?? scanner.take();
    if (given === undefined)
      throw new RuleError(`option "${token.kind === "long" ? `--${token.name}` : `-${letter}`}" requires an argument`);
    value = given;
  } else if (kind === "maybe") value = token.attached ?? scanner.takeWord() ?? "";
  if (COMMANDS.includes(letter)) parseCommand(request, letter, value, scanner);
  else if (RULE_OPTIONS.includes(letter)) request.rule.general(letter, value, token.inverted);
  else parseSetting(request, letter, value, scanner);
}

/** A beginning that only one option has. */
function abbreviated(name: string): string | undefined {
  const letters = new Set([...LONG_OPTIONS].filter(([long]) => long.startsWith(name)).map(([, letter]) => letter));
  return letters.size === 1 ? [...letters][0] : undefined;
}

function parseCommand(request: Request, letter: string, value: string, scanner: OptionScanner): void {
  // Listing and zeroing may be asked for in one go; the listing then comes first.
  if (request.command !== undefined) throw new RuleError(`Cannot use -${letter} with -${request.command}`);
  request.command = letter;
  request.chain = value === "" ? undefined : value;
  if ("DIRLSZ".includes(letter) && request.chain !== undefined) request.operand = scanner.takeWord();
  if (letter === "R" && request.operand === undefined) throw new RuleError("-R requires a rule number");
  if (letter === "P" || letter === "E") {
    request.operand = scanner.takeWord();
    if (request.operand === undefined)
      throw new RuleError(
        letter === "P" ? "-P requires a chain and a policy" : "-E requires old-chain-name and new-chain-name",
      );
  }
}

function parseSetting(request: Request, letter: string, value: string, scanner: OptionScanner): void {
  switch (letter) {
    case "t":
      request.table = value;
      return;
    case "n":
      request.numeric = true;
      return;
    case "v":
      request.verbose = true;
      return;
    case "x":
      request.exact = true;
      return;
    case "0":
      request.lineNumbers = true;
      return;
    case "V":
      request.version = true;
      return;
    case "c": {
      const bytes = scanner.takeWord();
      if (bytes === undefined || !/^\d+$/.test(value) || !/^\d+$/.test(bytes))
        throw new RuleError("-c requires packet and byte counter");
      request.packets = Number(value);
      request.bytes = Number(bytes);
      return;
    }
    default:
      return; // waiting for the lock: there is nobody to wait for
  }
}

/** What does not go together. */
function checked(request: Request, program: string): Request {
  const command = request.command ?? "";
  if (!TABLE_POINTS.has(request.table as TableName))
    throw new IptablesError(
      3,
      `${program} ${VERSION}: table '${request.table}' does not exist\nPerhaps iptables or your kernel needs to be upgraded.\n`,
    );
  if (RULELESS.includes(command)) {
    for (const letter of RULE_OPTIONS)
      if (request.rule.given.has(letter)) throw new RuleError(`Illegal option \`-${letter}' with this command`);
  }
  const { chain } = request;
  if (command === "N" || command === "E") checkChainName(command === "N" ? (chain ?? "") : (request.operand ?? ""));
  if ("AIDRC".includes(command)) {
    if ((chain === "INPUT" || chain === "PREROUTING") && request.rule.hasEgress)
      throw new RuleError(`Can't use -o with ${chain}\n`);
    if ((chain === "OUTPUT" || chain === "POSTROUTING") && request.rule.hasIngress)
      throw new RuleError(`Can't use -i with ${chain}\n`);
  }
  if ("DIRLS".includes(command) && request.operand !== undefined) ruleNumber(request.operand);
  return request;
}

function checkChainName(name: string): void {
  if (name.startsWith("-") || name.startsWith("!"))
    throw new RuleError(`chain name not allowed to start with \`${name[0]}'`);
  if (name.length >= MAXIMUM_CHAIN_NAME)
    throw new RuleError(`chain name \`${name}' too long (must be under ${MAXIMUM_CHAIN_NAME} chars)`);
  if (TARGET_EXTENSIONS.has(name)) throw new RuleError("chain name may not clash with target name");
  if (/\s/.test(name)) throw new RuleError(`Invalid chain name \`${name}'`);
}

/** Counted from 1. */
function ruleNumber(text: string): number {
  const number = /^\d{1,10}$/.test(text) ? Number(text) : 0;
  if (number === 0) throw new RuleError(`Invalid rule number \`${text}'`);
  return number;
}

function perform(netfilter: Netfilter, request: Request, program: string): string {
  const name = request.table as TableName;
  switch (request.command) {
    case "L":
      return list(netfilter, name, request, program);
    case "S":
      return listRules(netfilter, name, request, program);
    case "A":
    case "I":
    case "R":
      addRules(netfilter, name, request, program);
      return "";
    case "D":
    case "C":
      findRules(netfilter, name, request, program);
      return "";
    default:
      changeChains(netfilter, name, request, program);
      return "";
  }
}

function chainOf(table: Table | undefined, name: string | undefined, program: string): Chain {
  const chain = name === undefined ? undefined : table?.chain(name);
  if (chain === undefined) throw refusal(program, "chain");
  return chain;
}

/** The table as it is, or as an untouched one would be: looking at a table does not make it. */
function lookAt(netfilter: Netfilter, name: TableName): Table {
  return netfilter.findTable(name) ?? new Table(name, () => {});
}

function rulesOf(table: Table, request: Request): Rule[] {
  if (table.name === "nat" && request.rule.targetName === "DROP")
    throw new RuleError('\nThe "nat" table is not intended for filtering, the use of DROP is therefore inhibited.\n\n');
  return request.rule
    .finish((name) => table.chain(name))
    .map((parts) => {
      const rule = new Rule(parts);
      rule.packets = request.packets;
      rule.bytes = request.bytes;
      return rule;
    });
}

function addRules(netfilter: Netfilter, name: TableName, request: Request, program: string): void {
  const look = lookAt(netfilter, name);
  // Checked against the table as it is; it is made only when all is well.
  const rules = rulesOf(look, request);
  const known = chainOf(look, request.chain, program);
  const at = request.operand === undefined ? 0 : ruleNumber(request.operand) - 1;
  if (request.command === "I" && at > known.rules.length) throw refusal(program, "insertion");
  if (request.command === "R" && at >= known.rules.length) throw refusal(program, "chain");
  if (request.command === "R" && rules.length !== 1)
    throw new RuleError("Replacement rule does not specify a unique address");
  const existed = netfilter.findTable(name) !== undefined;
  const table = netfilter.table(name);
  const chain = existed ? known : chainOf(table, request.chain, program);
  const actions = { A: "RULE_APPEND", I: "RULE_INSERT", R: "RULE_REPLACE" } as const;
  const done: Rule[] = [];
  for (const rule of rules) {
    const problem =
      request.command === "R"
        ? table.replace(chain, at, rule)
        : table.insert(chain, request.command === "A" ? chain.rules.length : at + done.length, rule);
    if (problem !== undefined) {
      for (const added of done) table.remove(chain, chain.rules.indexOf(added));
      if (!existed) netfilter.forgetTable(name);
      throw kernelRefusal(program, actions[request.command as "A"], problem, `rule in chain ${chain.name}`);
    }
    done.push(rule);
  }
}

/** `-D` and `-C`: by number, or the first rule that reads the same. */
function findRules(netfilter: Netfilter, name: TableName, request: Request, program: string): void {
  const table = lookAt(netfilter, name);
  const chain = chainOf(table, request.chain, program);
  if (request.command === "D" && request.operand !== undefined) {
    const index = ruleNumber(request.operand) - 1;
    if (index >= chain.rules.length) throw refusal(program, netfilter.findTable(name) ? "deletion" : "chain");
    table.remove(chain, index);
    return;
  }
  const found: number[] = [];
  for (const wanted of rulesOf(table, request)) {
    const text = saveRule(chain, wanted);
    const index = chain.rules.findIndex((rule, at) => !found.includes(at) && saveRule(chain, rule) === text);
    if (index < 0) throw refusal(program, "rule");
    found.push(index);
  }
  if (request.command === "D") for (const index of found.sort((a, b) => b - a)) table.remove(chain, index);
}

function changeChains(netfilter: Netfilter, name: TableName, request: Request, program: string): void {
  const look = lookAt(netfilter, name);
  const chainName = request.chain ?? "";
  const all = request.chain === undefined;
  switch (request.command) {
    case "N":
      if (look.chain(chainName) !== undefined) throw refusal(program, "exists");
      netfilter.table(name).addChain(chainName);
      return;
    case "F":
      for (const chain of all ? look.chains : [chainOf(look, chainName, program)])
        if (chain.rules.length > 0) look.flush(chain);
      return;
    case "Z":
      for (const chain of all ? look.chains : [chainOf(look, chainName, program)])
        zero(chain, request.operand === undefined ? undefined : ruleNumber(request.operand), program);
      return;
    case "X":
      removeChains(look, request.chain, program);
      return;
    case "P": {
      const known = look.chain(chainName);
      if (known === undefined || known.point === undefined) throw refusal(program, "builtin");
      const policy = request.operand;
      if (policy !== "ACCEPT" && policy !== "DROP") throw refusal(program, "policy");
      const table = netfilter.table(name);
      table.setPolicy(chainOf(table, chainName, program), policy);
      return;
    }
    case "E": {
      const known = look.chain(chainName);
      if (known === undefined || known.point !== undefined) throw refusal(program, "chain");
      if (look.renameChain(known, request.operand ?? "") !== undefined) throw refusal(program, "file");
    }
  }
}

function zero(chain: Chain, number: number | undefined, program: string): void {
  if (number !== undefined && number > chain.rules.length) throw refusal(program, "chain");
  if (number === undefined) {
    chain.policyPackets = 0;
    chain.policyBytes = 0;
  }
  chain.rules.forEach((rule, index) => {
    if (number !== undefined && number !== index + 1) return;
    rule.packets = 0;
    rule.bytes = 0;
  });
}

function removeChains(table: Table, name: string | undefined, program: string): void {
  const chains =
    name === undefined ? table.chains.filter((chain) => chain.point === undefined) : [chainOf(table, name, program)];
  for (const chain of chains) {
    if (chain.point !== undefined) throw refusal(program, "chain");
    if (chain.rules.length > 0 || table.references(chain) > 0)
      throw kernelRefusal(program, "CHAIN_DEL", "EBUSY", `chain ${chain.name}`);
  }
  for (const chain of chains) table.removeChain(chain);
}

function shownChains(netfilter: Netfilter, name: TableName, request: Request, program: string) {
  const table = lookAt(netfilter, name);
  if (request.chain === undefined) return { table, chains: table.chains };
  const chain = table.chain(request.chain);
  if (chain === undefined)
    throw new IptablesError(
      1,
      `${program} ${VERSION}: chain \`${request.chain}' in table \`${name}' is incompatible, use 'nft' tool.\n`,
    );
  return { table, chains: [chain] };
}

function list(netfilter: Netfilter, name: TableName, request: Request, program: string): string {
  const { table, chains } = shownChains(netfilter, name, request, program);
  const only = request.operand === undefined ? undefined : ruleNumber(request.operand);
  return chains.map((chain) => listChain(table, chain, request, only)).join("\n");
}

function listRules(netfilter: Netfilter, name: TableName, request: Request, program: string): string {
  const { chains } = shownChains(netfilter, name, request, program);
  const only = request.operand === undefined ? undefined : ruleNumber(request.operand);
  let text = "";
  if (only === undefined) {
    for (const chain of chains) {
      const counters = request.verbose ? ` -c ${chain.policyPackets} ${chain.policyBytes}` : "";
      text += chain.point === undefined ? `-N ${chain.name}\n` : `-P ${chain.name} ${chain.policy}${counters}\n`;
    }
  }
  for (const chain of chains)
    chain.rules.forEach((rule, index) => {
      if (only === undefined || only === index + 1) text += `${saveRule(chain, rule, request.verbose)}\n`;
    });
  return text;
}
