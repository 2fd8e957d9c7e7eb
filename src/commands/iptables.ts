/** The words `iptables`, `iptables-save` and `iptables-restore`: the language that linux/netfilter speaks, as programs. */
import { findNetfilter, netfilterOf } from "../linux/netfilter/attach.ts";
import { iptables } from "../linux/netfilter/iptables.ts";
import { restore } from "../linux/netfilter/iptables-restore.ts";
import { save } from "../linux/netfilter/iptables-save.ts";
import { TABLE_POINTS, type TableName } from "../linux/netfilter/table.ts";
import { formatDate } from "./wall-date.ts";
import { failure, instantWord, type Outcome, success, type Word } from "./word.ts";

const HELP: ReadonlySet<string> = new Set(["-h", "--help"]);

function runSave(
  argv: readonly string[],
  read: (options: { counters: boolean; table: string | undefined }) => string,
): Outcome {
  let counters = false;
  let table: string | undefined;
  for (let index = 0; index < argv.length; index++) {
    const word = argv[index]!;
    if (word === "-c" || word === "--counters") counters = true;
    else if (word === "-t" || word === "--table") table = argv[++index];
    else if (word.startsWith("--table=")) table = word.slice("--table=".length);
    else if (word.startsWith("-")) {
      const what = word.startsWith("--") ? `unrecognized option '${word}'` : `invalid option -- '${word.slice(1, 2)}'`;
      return failure(1, `iptables-save: ${what}\nLook at manual page \`iptables-save.8' for more information.`);
    } else return failure(1, `Unknown arguments found on commandline`);
  }
  if (table !== undefined && !TABLE_POINTS.has(table as TableName))
    return failure(1, `Table \`${table}' does not exist`);
  return success(read({ counters, table }));
}

function restoreOptions(argv: readonly string[]): { noFlush: boolean; counters: boolean; test: boolean } | Outcome {
  const options = { noFlush: false, counters: false, test: false };
  for (const word of argv) {
    if (word === "-n" || word === "--noflush") options.noFlush = true;
    else if (word === "-c" || word === "--counters") options.counters = true;
    else if (word === "-t" || word === "--test") options.test = true;
    else if (word !== "-w" && word !== "-v" && !word.startsWith("--wait") && !/^\d+$/.test(word)) {
      const what = word.startsWith("--") ? `unrecognized option '${word}'` : `invalid option -- '${word.slice(1, 2)}'`;
      return failure(1, `iptables-restore: ${what}\nTry \`iptables-restore -h' for more information.`);
    }
  }
  return options;
}

export const IPTABLES: Word = instantWord("iptables", (argv, { namespace }) => {
  if (argv.some((word) => HELP.has(word)))
    return success(
      "Usage: iptables -[ACD] chain rule-specification [options]\n       iptables -I chain [rulenum] rule-specification [options]\n       iptables -[LS] [chain [rulenum]] [options]\n       iptables -[FZ] [chain] [options]\n       iptables -[NX] chain\n       iptables -P chain target [options]\n",
    );
  return iptables(netfilterOf(namespace), argv);
});

export const IPTABLES_SAVE: Word = instantWord("iptables-save", (argv, { namespace }) =>
  runSave(argv, (options) => {
    const netfilter = findNetfilter(namespace);
    if (netfilter === undefined) return "";
    return save(netfilter, { ...options, date: formatDate(namespace.clock.nowNs) });
  }),
);

export const IPTABLES_RESTORE: Word = instantWord("iptables-restore", (argv, { namespace, stdin }) => {
  const options = restoreOptions(argv);
  return "status" in options ? options : restore(netfilterOf(namespace), stdin, options);
});
