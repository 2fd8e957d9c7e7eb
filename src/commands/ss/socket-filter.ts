/** What may stand behind the options of `ss`: `state established`, `sport = :80`, `dst 10.0.0.0/8`, joined by `and`. */
import { contains, parsePrefix } from "../../wire/address.ts";
import { CommandError } from "../command-error.ts";
import { servicePort } from "../services.ts";
import type { ListedSocket } from "./socket-list.ts";

export interface SocketFilter {
  /** Undefined: nobody asked. */
  readonly states: ReadonlySet<string> | undefined;
  readonly matches: (socket: ListedSocket) => boolean;
}

const CONNECTED = ["ESTAB", "SYN-SENT", "FIN-WAIT-1", "FIN-WAIT-2", "CLOSE-WAIT", "LAST-ACK", "CLOSING"] as const;

const STATE_WORDS: ReadonlyMap<string, readonly string[]> = new Map<string, readonly string[]>([
  ["established", ["ESTAB"]],
  ["estab", ["ESTAB"]],
  ["syn-sent", ["SYN-SENT"]],
  ["syn-recv", ["SYN-RECV"]],
  ["fin-wait-1", ["FIN-WAIT-1"]],
  ["fin-wait-2", ["FIN-WAIT-2"]],
  ["time-wait", ["TIME-WAIT"]],
  ["closed", ["UNCONN"]],
  ["unconnected", ["UNCONN"]],
  ["close-wait", ["CLOSE-WAIT"]],
  ["last-ack", ["LAST-ACK"]],
  ["listening", ["LISTEN"]],
  ["listen", ["LISTEN"]],
  ["closing", ["CLOSING"]],
  ["all", [...CONNECTED, "SYN-RECV", "TIME-WAIT", "UNCONN", "LISTEN"]],
  ["connected", [...CONNECTED, "SYN-RECV", "TIME-WAIT"]],
  ["synchronized", [...CONNECTED.filter((state) => state !== "SYN-SENT"), "TIME-WAIT"]],
  ["bucket", ["SYN-RECV", "TIME-WAIT"]],
  ["big", [...CONNECTED, "UNCONN", "LISTEN"]],
]);

export const DEFAULT_STATES: ReadonlySet<string> = new Set(CONNECTED);
export const LISTENING_STATES: ReadonlySet<string> = new Set(["LISTEN", "UNCONN"]);
export const ALL_STATES: ReadonlySet<string> = new Set(STATE_WORDS.get("all"));

export function readSocketFilter(words: readonly string[]): SocketFilter {
  const tests: ((socket: ListedSocket) => boolean)[] = [];
  let states: Set<string> | undefined;
  let at = 0;
  while (words[at] === "state" || words[at] === "exclude") {
    const word = words[at + 1] ?? "";
    const known = STATE_WORDS.get(word.toLowerCase());
    if (known === undefined) throw new CommandError(255, `ss: wrong state name: ${word}`);
    if (words[at] === "state") states = new Set([...(states ?? []), ...known]);
    else {
      states ??= new Set(ALL_STATES);
      for (const state of known) states.delete(state);
    }
    at += 2;
  }
  const rest = words
    .slice(at)
    .join(" ")
    .replaceAll(/([()]|[!<>=]=|[<>=])/g, " $1 ")
    .trim();
  const tokens = rest === "" ? [] : rest.split(/\s+/);
  for (let index = 0; index < tokens.length; ) {
    const token = tokens[index]!;
    if (token === "and" || token === "&&" || token === "(" || token === ")") {
      index++;
      continue;
    }
    const near = token === "sport" || token === "src";
    if (!near && token !== "dport" && token !== "dst") throw noPrefix(token);
    const operator = OPERATORS.get(tokens[index + 1] ?? "");
    const value = tokens[index + (operator === undefined ? 1 : 2)];
    if (value === undefined) throw noPrefix(token);
    tests.push(hostTest(near, operator ?? "=", value));
    index += operator === undefined ? 2 : 3;
  }
  return { states, matches: (socket) => tests.every((test) => test(socket)) };
}

type Operator = "=" | "!=" | "<=" | ">=" | "<" | ">";
const OPERATORS: ReadonlyMap<string, Operator> = new Map<string, Operator>([
  ["=", "="],
  ["==", "="],
  ["eq", "="],
  ["!=", "!="],
  ["ne", "!="],
  ["neq", "!="],
  ["<=", "<="],
  ["le", "<="],
  ["leq", "<="],
  [">=", ">="],
  ["ge", ">="],
  ["geq", ">="],
  ["<", "<"],
  ["lt", "<"],
  [">", ">"],
  ["gt", ">"],
]);

/** `10.0.0.0/8`, `10.0.0.1:80`, `:http`, `*:80`. */
function hostTest(near: boolean, operator: Operator, text: string): (socket: ListedSocket) => boolean {
  const colon = text.lastIndexOf(":");
  const host = colon < 0 ? text : text.slice(0, colon);
  const service = colon < 0 ? "" : text.slice(colon + 1);
  const prefix = host === "" || host === "*" ? undefined : parsePrefix(host.includes("/") ? host : `${host}/32`);
  if (prefix === undefined && host !== "" && host !== "*") throw noPrefix(host);
  const port = service === "" || service === "*" ? undefined : portOf(service);
  return (socket) => {
    const address = near ? socket.localAddress : socket.remoteAddress;
    const own = near ? socket.localPort : socket.remotePort;
    if (prefix !== undefined && contains(prefix, address) !== (operator !== "!=" || port !== undefined)) return false;
    return port === undefined || compare(own, operator, port);
  };
}

function compare(a: number, operator: Operator, b: number): boolean {
  switch (operator) {
    case "=":
      return a === b;
    case "!=":
      return a !== b;
    case "<=":
      return a <= b;
    case ">=":
      return a >= b;
    case "<":
      return a < b;
    case ">":
      return a > b;
  }
}

function portOf(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : (servicePort(text, "tcp") ?? servicePort(text, "udp"));
  if (port === undefined) throw new CommandError(1, `Error: "${text}" does not look like a port.\n${UNPARSED}`);
  return port;
}

const UNPARSED = "Cannot parse dst/src address.";

function noPrefix(text: string): CommandError {
  return new CommandError(1, `Error: an inet prefix is expected rather than "${text}".\n${UNPARSED}`);
}
