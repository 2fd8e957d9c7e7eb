/** The word `conntrack` (conntrack-tools 1.4.7): lists, counts, deletes and flushes the connections of a namespace. */

import { findNetfilter } from "../linux/netfilter/attach.ts";
import { ASSURED, type ConnectionTable, SEEN_REPLY } from "../linux/netfilter/conntrack/connection-table.ts";
import { formatConnection, protocolOf } from "../linux/netfilter/conntrack/format.ts";
import { stateOf, TCP_STATES } from "../linux/netfilter/conntrack/tcp-tracking.ts";
import type { Nanoseconds } from "../sim/time.ts";
import { contains, type Ipv4Address, type Prefix, parsePrefix } from "../wire/address.ts";
import { instantWord, type Outcome, type Word } from "./word.ts";

const VERSION = "conntrack v1.4.7 (conntrack-tools)";

/** Does a connection, by its row, pass? */
type Filter = (table: ConnectionTable, row: number) => boolean;

interface Request {
  command: "L" | "D" | "F" | "C" | undefined;
  readonly filters: Filter[];
  protocol: number | undefined;
}

/** Options with an argument, and what they ask of a connection. */
const ADDRESS_OPTIONS: ReadonlyMap<string, (table: ConnectionTable, row: number) => number> = new Map([
  ["s", (table: ConnectionTable, row: number) => table.source(row * 2)],
  ["d", (table: ConnectionTable, row: number) => table.destination(row * 2)],
  ["r", (table: ConnectionTable, row: number) => table.source(row * 2 + 1)],
  ["q", (table: ConnectionTable, row: number) => table.destination(row * 2 + 1)],
]);
const PORT_OPTIONS: ReadonlyMap<string, (table: ConnectionTable, row: number) => number> = new Map([
  ["sport", (table: ConnectionTable, row: number) => table.ports(row * 2) >>> 16],
  ["dport", (table: ConnectionTable, row: number) => table.ports(row * 2) & 0xffff],
  ["reply-port-src", (table: ConnectionTable, row: number) => table.ports(row * 2 + 1) >>> 16],
  ["reply-port-dst", (table: ConnectionTable, row: number) => table.ports(row * 2 + 1) & 0xffff],
]);
const LONG: ReadonlyMap<string, string> = new Map([
  ["dump", "L"],
  ["delete", "D"],
  ["flush", "F"],
  ["count", "C"],
  ["src", "s"],
  ["orig-src", "s"],
  ["dst", "d"],
  ["orig-dst", "d"],
  ["reply-src", "r"],
  ["reply-dst", "q"],
  ["proto", "p"],
  ["protonum", "p"],
  ["mark", "m"],
  ["status", "u"],
  ["src-nat", "n"],
  ["dst-nat", "g"],
  ["any-nat", "j"],
  ["family", "f"],
  ["output", "o"],
  ["zone", "w"],
  ["orig-port-src", "sport"],
  ["orig-port-dst", "dport"],
]);

/** Wrong usage; status 2. */
function wrong(message: string): Outcome {
  const hint = "Try `conntrack -h' or 'conntrack --help' for more information.";
  return { status: 2, stdout: "", stderr: `${VERSION}: ${message}\n${hint}\n` };
}

function parse(argv: readonly string[]): Request | Outcome {
  const request: Request = { command: undefined, filters: [], protocol: undefined };
  for (let index = 0; index < argv.length; index++) {
    const word = argv[index]!;
    if (word === "conntrack") continue; // the table's name
    const long = word.startsWith("--") ? word.slice(2).split("=") : undefined;
    const name = long === undefined ? word.slice(1) : (LONG.get(long[0]!) ?? long[0]!);
    if (!word.startsWith("-")) return wrong(`unknown argument \`${word}'`);
    if (name === "L" || name === "D" || name === "F" || name === "C") {
      request.command = name;
      continue;
    }
    const next = argv[index + 1];
    const natOption = name === "n" || name === "g" || name === "j";
    // The address of a NAT option may be missing.
    const takes = long?.[1] === undefined && !(natOption && (next === undefined || next.startsWith("-")));
    const value = takes ? next : long?.[1];
    if (takes) index++;
    const problem = addFilter(request, name, value, word);
    if (problem !== undefined) return problem;
  }
  return request;
}

function addFilter(request: Request, name: string, value: string | undefined, word: string): Outcome | undefined {
  const address = ADDRESS_OPTIONS.get(name);
  const port = PORT_OPTIONS.get(name);
  const { filters } = request;
  if (name === "n" || name === "g" || name === "j") {
    const prefix = value === undefined ? undefined : parsePrefix(value);
    if (value !== undefined && prefix === undefined) return wrong(`Invalid IP address \`${value}'`);
    filters.push(
      (table, row) =>
        (name !== "g" && sourceTranslated(table, row, prefix)) ||
        (name !== "n" && destinationTranslated(table, row, prefix)),
    );
    return undefined;
  }
  if (value === undefined && (address !== undefined || port !== undefined || "pmufow".includes(name)))
    return wrong(`option \`${word}' requires an argument`);
  const text = value ?? "";
  if (address !== undefined) {
    const prefix = parsePrefix(text);
    if (prefix === undefined) return wrong(`Invalid IP address \`${text}'`);
    filters.push((table, row) => contains(prefix, address(table, row) as Ipv4Address));
  } else if (port !== undefined) {
    const number = Number(text);
    if (!/^\d+$/.test(text) || number > 0xffff) return wrong(`Invalid port \`${text}'`);
    filters.push((table, row) => port(table, row) === number);
  } else if (name === "p") {
    const protocol = protocolOf(text) ?? (/^\d+$/.test(text) ? Number(text) : undefined);
    if (protocol === undefined) return wrong(`\`${text}' unsupported protocol`);
    request.protocol = protocol;
    filters.push((table, row) => table.protocol(row) === protocol);
  } else if (name === "m") {
    const [mark, mask] = text.split("/").map(Number);
    if (mark === undefined || Number.isNaN(mark) || Number.isNaN(mask ?? 0)) return wrong(`bad mark value \`${text}'`);
    filters.push((table, row) => ((table.mark[row]! ^ mark) & (mask ?? -1)) === 0);
  } else if (name === "u") {
    return addStatus(filters, text);
  } else if (name === "state" && request.protocol === 6) {
    const state = TCP_STATES.map(String).indexOf(text.toUpperCase());
    if (state < 0) return wrong(`unknown TCP state \`${text}'`);
    filters.push((table, row) => stateOf(table, row) === state);
  } else if (name !== "f" && name !== "o" && name !== "w") {
    return wrong(`unknown option \`${word}'`);
  }
  return undefined;
}

function addStatus(filters: Filter[], text: string): Outcome | undefined {
  for (const word of text.split(",")) {
    if (word === "ASSURED") filters.push((table, row) => (table.status(row) & ASSURED) !== 0);
    else if (word === "SEEN_REPLY") filters.push((table, row) => (table.status(row) & SEEN_REPLY) !== 0);
    else if (word === "UNREPLIED" || word === "UNSET")
      filters.push((table, row) => (table.status(row) & SEEN_REPLY) === 0);
    else if (word === "SRC_NAT") filters.push((table, row) => sourceTranslated(table, row, undefined));
    else if (word === "DST_NAT") filters.push((table, row) => destinationTranslated(table, row, undefined));
    else return wrong(`Bad status \`${word}'`);
  }
  return undefined;
}

/** The answer goes to another address than the first packet came from: `prefix`, when it is given. */
function sourceTranslated(table: ConnectionTable, row: number, prefix: Prefix | undefined): boolean {
  const answered = table.destination(row * 2 + 1);
  if (answered === table.source(row * 2) && table.ports(row * 2) >>> 16 === (table.ports(row * 2 + 1) & 0xffff))
    return false;
  return prefix === undefined || contains(prefix, answered as Ipv4Address);
}

function destinationTranslated(table: ConnectionTable, row: number, prefix: Prefix | undefined): boolean {
  const answering = table.source(row * 2 + 1);
  if (answering === table.destination(row * 2)) return false;
  return prefix === undefined || contains(prefix, answering as Ipv4Address);
}

function perform(request: Request, table: ConnectionTable | undefined, nowNs: Nanoseconds): Outcome {
  const rows = table === undefined ? [] : table.rows(nowNs);
  const chosen = table === undefined ? [] : rows.filter((row) => request.filters.every((filter) => filter(table, row)));
  if (request.command === "C") return { status: 0, stdout: `${rows.length}\n`, stderr: "" };
  if (request.command === "F") {
    for (const row of rows) table?.delete(row, nowNs);
    return { status: 0, stdout: "", stderr: `${VERSION}: connection tracking table has been emptied.\n` };
  }
  const stdout = table === undefined ? "" : chosen.map((row) => `${formatConnection(table, row, nowNs)}\n`).join("");
  const shown = `${VERSION}: ${chosen.length} flow entries have been`;
  if (request.command === "L") return { status: 0, stdout, stderr: `${shown} shown.\n` };
  for (const row of chosen) table?.delete(row, nowNs);
  return { status: chosen.length === 0 ? 1 : 0, stdout, stderr: `${shown} deleted.\n` };
}

export const CONNTRACK: Word = instantWord("conntrack", (argv, { namespace }) => {
  const request = parse(argv);
  if ("status" in request) return request;
  if (request.command === undefined)
    return {
      status: 0,
      stdout:
        "Command line interface for the connection tracking system. Version 1.4.7\nUsage: conntrack [commands] [options]\n",
      stderr: "",
    };
  return perform(request, findNetfilter(namespace)?.connections, namespace.clock.nowNs);
});
