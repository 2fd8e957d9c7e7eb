/** iptables-restore(8): whole tables from text. A table is taken over at its COMMIT, or not at all. */
import { execute, type IptablesOutcome } from "./iptables.ts";
import { badArgument, hint, IptablesError, refusal, VERSION } from "./iptables-error.ts";
import type { Netfilter } from "./netfilter.ts";
import { splitWords } from "./quoting.ts";
import { TABLE_POINTS, type TableName } from "./table.ts";

export interface RestoreOptions {
  /** `--noflush`: what the text does not name stays. */
  readonly noFlush: boolean;
  /** `--counters`: take over the counters in brackets. */
  readonly counters: boolean;
  /** `--test`: understand all, change nothing. */
  readonly test: boolean;
}

const PROGRAM = "iptables-restore";

export function restore(netfilter: Netfilter, text: string, options: RestoreOptions): IptablesOutcome {
  const lines = text.split("\n");
  const draft = netfilter.draft();
  let number = 0;
  let table: TableName | undefined;
  try {
    for (const line of lines) {
      number++;
      if (line === "" || line.startsWith("#") || line.trim() === "") continue;
      if (line.startsWith("*")) {
        table = openTable(draft, line.slice(1).trim(), number, options);
      } else if (line.trim() === "COMMIT" && table !== undefined) {
        if (!options.test) netfilter.adopt(draft, table);
        table = undefined;
      } else if (table === undefined) {
        throw new IptablesError(1, `${PROGRAM}: line ${number} failed\n`);
      } else if (line.startsWith(":")) {
        declareChain(draft, table, line, number, options.counters);
      } else {
        addRule(draft, table, line, options.counters);
      }
    }
    if (table !== undefined) throw new IptablesError(1, `${PROGRAM}: COMMIT expected at line ${lines.length}\n`);
    return { status: 0, stdout: "", stderr: "" };
  } catch (problem) {
    if (!(problem instanceof IptablesError)) throw problem;
    // nf_tables looks for the chains that rules jump to when all is handed over.
    const late = /: Chain '.*' does not exist\n/.test(problem.message) ? lines.indexOf("COMMIT", number) + 1 : 0;
    return { status: problem.status, stdout: "", stderr: atLine(problem, late === 0 ? number : late) };
  }
}

function openTable(draft: Netfilter, name: string, number: number, options: RestoreOptions): TableName {
  if (!TABLE_POINTS.has(name as TableName))
    throw new IptablesError(
      2,
      `${PROGRAM} ${VERSION}: ${PROGRAM}: line ${number} table name '${name}' invalid\n${hint(PROGRAM)}`,
    );
  if (!options.noFlush) draft.forgetTable(name as TableName);
  draft.table(name as TableName);
  return name as TableName;
}

/** `:CHAIN POLICY [packets:bytes]`; a user's chain that is named is emptied. */
function declareChain(draft: Netfilter, name: TableName, line: string, number: number, counters: boolean): void {
  const [chainName, policy, counts] = line.slice(1).trim().split(/\s+/);
  const table = draft.table(name);
  if (chainName === undefined || chainName === "" || policy === undefined)
    throw new IptablesError(1, `${PROGRAM}: line ${number} policy invalid\n`);
  const chain = table.chain(chainName);
  if (chain?.point === undefined) {
    if (chain === undefined) table.addChain(chainName);
    else table.flush(chain);
    return;
  }
  const given = /^\[(\d+):(\d+)\]$/.exec(counts ?? "");
  if (counters && given !== null) {
    chain.policyPackets = Number(given[1]);
    chain.policyBytes = Number(given[2]);
  }
  if (policy === "ACCEPT" || policy === "DROP") table.setPolicy(chain, policy);
  else if (policy !== "-") throw refusal(PROGRAM, "policy");
}

function addRule(draft: Netfilter, table: TableName, line: string, counters: boolean): void {
  const given = /^\[(\d+):(\d+)\]\s*/.exec(line);
  const rest = given === null ? line : line.slice(given[0].length);
  const words = splitWords(rest);
  if (words === undefined) throw new IptablesError(2, `${PROGRAM} ${VERSION}: Unterminated quote\n${hint(PROGRAM)}`);
  if (words[0] !== undefined && !words[0].startsWith("-")) throw badArgument(PROGRAM, words[0]);
  const count = given !== null && counters ? ["-c", given[1]!, given[2]!] : [];
  execute(draft, ["-t", table, ...words, ...count], PROGRAM);
}

/** Where in the text it happened. */
function atLine(problem: IptablesError, number: number): string {
  const { message, status } = problem;
  if (status === 2) return message.replace(/\n(?=Try `)/, `\nError occurred at line: ${number}\n`);
  const kernel = /^iptables-restore: (No chain|Bad |Chain |File |Index )/.exec(message);
  if (kernel !== null) return `${PROGRAM}: line ${number} failed: ${message.slice(PROGRAM.length + 2)}`;
  return message;
}
