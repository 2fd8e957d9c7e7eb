/** dig's command line (BIND 9.18 dighost.c, dig.c): servers, names, types, classes in any order, and options that begin with a plus sign. */
import { type Ipv4Address, parseIpv4 } from "../../wire/address.ts";
import * as dns from "../../wire/dns.ts";
import { parseType, reverseName } from "../../wire/dns-text.ts";
import { CommandError } from "../command-error.ts";
import { parseClass } from "./record-text.ts";

/** What is printed of an answer. */
export interface DigSections {
  command: boolean;
  comments: boolean;
  question: boolean;
  answer: boolean;
  authority: boolean;
  additional: boolean;
  statistics: boolean;
}

export interface Lookup {
  name: string;
  type: number;
  class: number;
}

export interface DigOptions {
  readonly arguments: readonly string[];
  readonly lookups: readonly Lookup[];
  readonly server: string | undefined;
  readonly port: number;
  readonly source: { readonly address: Ipv4Address; readonly port: number } | undefined;
  readonly sections: DigSections;
  readonly short: boolean;
  readonly tcp: boolean | undefined;
  readonly timeoutS: number;
  readonly tries: number;
  readonly recursion: boolean;
  readonly authenticData: boolean;
  readonly checkingDisabled: boolean;
  readonly cookie: boolean;
  /** Undefined: no EDNS. */
  readonly udpBytes: number | undefined;
  readonly ignoreTruncation: boolean;
  readonly search: boolean;
}

export const DIG_VERSION = "DiG 9.18.49";
const USAGE = `Usage:  dig [@global-server] [domain] [q-type] [q-class] {q-opt}
            {global-d-opt} host [@local-server] {local-d-opt}
            [ host [@local-server] {local-d-opt} [...]]

Use "dig -h" (or "dig -h | more") for complete list of options`;
const DEFAULT_UDP_BYTES = 1_232;

export function parseDig(argv: readonly string[]): DigOptions {
  const sections: DigSections = {
    command: true,
    comments: true,
    question: true,
    answer: true,
    authority: true,
    additional: true,
    statistics: true,
  };
  const lookups: Lookup[] = [];
  const switches = new Map<string, boolean>();
  let server: string | undefined;
  let port = dns.UDP_PORT;
  let source: DigOptions["source"];
  let timeoutS = 5;
  let tries = 3;
  let udpBytes: number | undefined = DEFAULT_UDP_BYTES;
  let type: number | undefined;
  let number: number | undefined;

  /** A type or class belongs to the name before it, or else to the one that follows. */
  const settle = (given: { type?: number; class?: number }) => {
    const last = lookups[lookups.length - 1];
    if (last === undefined) {
      type = given.type ?? type;
      number = given.class ?? number;
    } else {
      last.type = given.type ?? last.type;
      last.class = given.class ?? last.class;
    }
  };
  const add = (name: string, ownType?: number) =>
    lookups.push({ name, type: ownType ?? type ?? dns.TYPE_A, class: number ?? dns.CLASS_INTERNET });

  for (let at = 0; at < argv.length; at++) {
    const word = argv[at]!;
    if (word.startsWith("@")) server = word.slice(1);
    else if (word.startsWith("+")) {
      const { key, on, value } = readSwitch(word);
      const count = value === undefined ? Number.NaN : Number(value);
      if (key === "all") for (const section of Object.keys(sections) as (keyof DigSections)[]) sections[section] = on;
      else if (key in SECTION_OF) sections[SECTION_OF[key]!] = on;
      else if (key === "time") timeoutS = Math.max(number10(word, count), 1);
      else if (key === "tries") tries = Math.max(number10(word, count), 1);
      else if (key === "retry") tries = number10(word, count) + 1;
      else if (key === "bufsize") udpBytes = on ? (value === undefined ? DEFAULT_UDP_BYTES : count) : undefined;
      else if (key === "edns") udpBytes = on ? (udpBytes ?? DEFAULT_UDP_BYTES) : undefined;
      else switches.set(key, on);
    } else if (word.startsWith("-") && word.length > 1) {
      const letter = word[1]!;
      if (letter === "4" || letter === "6" || letter === "r" || letter === "u") continue;
      if (letter === "h") throw new CommandError(0, USAGE);
      if (letter === "v") throw new CommandError(0, DIG_VERSION);
      const value = word.length > 2 ? word.slice(2) : argv[++at];
      if (value === undefined || !"bcpqtx".includes(letter)) throw invalid(word);
      if (letter === "p") port = Number(value);
      else if (letter === "b") source = readSource(value);
      else if (letter === "c")
        settle({ class: parseClass(value) ?? fail(`;; Warning, ignoring invalid class ${value}`) });
      else if (letter === "t") settle({ type: parseType(value) ?? fail(`;; Warning, ignoring invalid type ${value}`) });
      else if (letter === "q") add(value);
      else add(readReverse(value), dns.TYPE_PTR);
      if (!(port > 0 && port <= 0xffff)) throw new CommandError(1, `dig: ${value} is not a valid port number`);
    } else {
      const asType = parseType(word);
      const asClass = parseClass(word);
      if (asType !== undefined) settle({ type: asType });
      else if (asClass !== undefined) settle({ class: asClass });
      else add(word);
    }
  }
  if (lookups.length === 0) add(".", type ?? dns.TYPE_NS);
  const short = switches.get("short") ?? false;
  return {
    arguments: argv,
    lookups,
    server,
    port,
    source,
    sections: short ? { ...sections, command: false } : sections,
    short,
    tcp: switches.get("tcp"),
    timeoutS,
    tries,
    recursion: switches.get("recurse") ?? true,
    authenticData: switches.get("adflag") ?? true,
    checkingDisabled: switches.get("cdflag") ?? false,
    cookie: switches.get("cookie") ?? true,
    udpBytes,
    ignoreTruncation: switches.get("ignore") ?? false,
    search: switches.get("search") ?? false,
  };
}

const SECTION_OF: Readonly<Record<string, keyof DigSections>> = {
  cmd: "command",
  comments: "comments",
  question: "question",
  answer: "answer",
  authority: "authority",
  additional: "additional",
  stats: "statistics",
};
const SWITCHES: readonly string[] = [
  ...Object.keys(SECTION_OF),
  "all",
  "time",
  "tries",
  "retry",
  "bufsize",
  "edns",
  "short",
  "tcp",
  "vc",
  "recurse",
  "adflag",
  "aaflag",
  "cdflag",
  "cookie",
  "ignore",
  "search",
  "ttlid",
  "crypto",
  "rrcomments",
];

/** `+noanswer`, `+time=2`; an unambiguous beginning is enough. */
function readSwitch(word: string): { key: string; on: boolean; value: string | undefined } {
  const equals = word.indexOf("=");
  const value = equals < 0 ? undefined : word.slice(equals + 1);
  let name = (equals < 0 ? word.slice(1) : word.slice(1, equals)).toLowerCase();
  let on = true;
  const find = (text: string) =>
    SWITCHES.includes(text) ? text : text.length > 1 ? SWITCHES.find((key) => key.startsWith(text)) : undefined;
  let key = find(name);
  if (key === undefined && name.startsWith("no")) {
    on = false;
    name = name.slice(2);
    key = find(name);
  }
  if (key === undefined) throw invalid(word);
  return { key: key === "vc" ? "tcp" : key, on, value };
}

function number10(word: string, value: number): number {
  if (!Number.isInteger(value) || value < 0) throw invalid(word);
  return value;
}

function readReverse(text: string): string {
  const address = parseIpv4(text);
  if (address === undefined) throw new CommandError(1, `dig: '${text}' is not an IP address`);
  return reverseName(address);
}

function readSource(text: string): DigOptions["source"] {
  const [host = "", port = "0"] = text.split("#");
  const address = parseIpv4(host);
  if (address === undefined) throw new CommandError(1, `dig: invalid address ${host}`);
  return { address, port: Number(port) };
}

function fail(message: string): never {
  throw new CommandError(1, message);
}

function invalid(word: string): CommandError {
  return new CommandError(1, `Invalid option: ${word}\n${USAGE}`);
}
