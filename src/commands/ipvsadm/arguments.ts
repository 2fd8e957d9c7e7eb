/**
 * The command line of ipvsadm 1.31: a command first, then its options, joined or apart, as popt(3) reads them; and its table of which option a
 * command needs, allows or refuses. Messages and statuses are its own.
 */

import type { ForwardingMethod } from "../../linux/ipvs/real-server.ts";
import { RuleError } from "../../linux/netfilter/extension.ts";
import { parsePort } from "../../linux/netfilter/names.ts";
import { type Ipv4Address, parseIpv4 } from "../../wire/address.ts";
import { CommandError } from "../command-error.ts";

const FAILURE = 2;
export const USAGE_STATUS = 255;
const LONGEST_TIMEOUT_SECONDS = 31 * 86_400;
const DEFAULT_PERSISTENT_SECONDS = 360;
const TCP = 6;
const UDP = 17;
const INT_MAX = 0x7fff_ffff;

export type CommandName =
  | "add-service"
  | "edit-service"
  | "delete-service"
  | "flush"
  | "list"
  | "add-server"
  | "delete-server"
  | "edit-server"
  | "set"
  | "restore"
  | "save"
  | "zero"
  | "help"
  | "version";

const COMMANDS: ReadonlyMap<string, CommandName> = new Map<string, CommandName>([
  ["A", "add-service"],
  ["add-service", "add-service"],
  ["E", "edit-service"],
  ["edit-service", "edit-service"],
  ["D", "delete-service"],
  ["delete-service", "delete-service"],
  ["C", "flush"],
  ["clear", "flush"],
  ["L", "list"],
  ["l", "list"],
  ["list", "list"],
  ["Z", "zero"],
  ["zero", "zero"],
  ["a", "add-server"],
  ["add-server", "add-server"],
  ["e", "edit-server"],
  ["edit-server", "edit-server"],
  ["d", "delete-server"],
  ["delete-server", "delete-server"],
  ["set", "set"],
  ["h", "help"],
  ["help", "help"],
  ["v", "version"],
  ["version", "version"],
  ["R", "restore"],
  ["restore", "restore"],
  ["S", "save"],
  ["save", "save"],
]);

/** Options by their names in messages; `-t`, `-u` and `-f` are one. In the order in which they are checked. */
const OPTIONS = [
  "numeric",
  "connection",
  "service-address",
  "scheduler",
  "persistent",
  "netmask",
  "real-server",
  "forwarding-method",
  "weight",
  "u-threshold",
  "l-threshold",
  "timeout",
  "daemon",
  "stats",
  "rate",
  "thresholds",
  "persistent-conn",
  "nosort",
  "exact",
  "ops",
] as const;
export type OptionName = (typeof OPTIONS)[number];

/** For each command a letter an option: + needed, x refused, 1 one of several, blank free. */
const ALLOWED: Partial<Record<CommandName, string>> = {
  //              n c svc s p M r fwd w x y to dm st rt th pc ns ex ops
  "add-service": "xx+   xxxxxxxxxxxxx ",
  "edit-service": "xx+   xxxxxxxxxxxxx ",
  "delete-service": "xx+xxxxxxxxxxxxxxxxx",
  flush: "xxxxxxxxxxxxxxxxxxxx",
  list: " 11xxxxxxxx11      x",
  "add-server": "xx+xxx+    xxxxxxxxx",
  "delete-server": "xx+xxx+xxxxxxxxxxxxx",
  "edit-server": "xx+xxx+    xxxxxxxxx",
  set: "xxxxxxxxxxxxxxxxxxxx",
  restore: "xxxxxxxxxxxxxxxxxxxx",
  save: " xxxxxxxxxxxxxxxxxxx",
  zero: "xx xxxxxxxxxxxxxxxxx",
};

const LETTERS: ReadonlyMap<string, string> = new Map([
  ["t", "tcp-service"],
  ["u", "udp-service"],
  ["f", "fwmark-service"],
  ["s", "scheduler"],
  ["p", "persistent"],
  ["M", "netmask"],
  ["r", "real-server"],
  ["m", "masquerading"],
  ["i", "ipip"],
  ["g", "gatewaying"],
  ["w", "weight"],
  ["x", "u-threshold"],
  ["y", "l-threshold"],
  ["n", "numeric"],
  ["c", "connection"],
  ["X", "exact"],
  ["o", "ops"],
]);
const WITH_VALUE = [
  "tcp-service",
  "udp-service",
  "fwmark-service",
  "scheduler",
  "netmask",
  "real-server",
  "weight",
  "u-threshold",
  "l-threshold",
];
const WITHOUT_VALUE = [
  "masquerading",
  "ipip",
  "gatewaying",
  "numeric",
  "connection",
  "timeout",
  "daemon",
  "stats",
  "rate",
  "thresholds",
  "persistent-conn",
  "nosort",
  "sort",
  "exact",
  "ops",
];

/** What a command line asks for. */
export interface Request {
  command: CommandName;
  readonly options: Set<OptionName>;
  service: { mark: number; protocol: number; address: Ipv4Address; port: number };
  scheduler: string;
  persistentSeconds: number | undefined;
  clientMask: number;
  onePacket: boolean;
  server: {
    address: Ipv4Address;
    port: number;
    method: ForwardingMethod;
    weight: number;
    upperThreshold: number;
    lowerThreshold: number;
  };
  timeouts: readonly number[];
}

/** `argv` is not empty. Throws what ipvsadm says, with its status. */
export function parseArguments(argv: readonly string[]): Request {
  return new Reader(argv).read();
}

class Reader {
  readonly #argv: readonly string[];
  #at = 0;
  /** Letters of the word at hand that are still to be read. */
  #joined = "";
  readonly #operands: string[] = [];
  readonly #request: Request = {
    command: "list",
    options: new Set(),
    service: { mark: 0, protocol: 0, address: 0 as Ipv4Address, port: 0 },
    scheduler: "",
    persistentSeconds: undefined,
    clientMask: 0xffff_ffff,
    onePacket: false,
    server: {
      address: 0 as Ipv4Address,
      port: 0,
      method: "route",
      weight: 1,
      upperThreshold: 0,
      lowerThreshold: 0,
    },
    timeouts: [],
  };

  constructor(argv: readonly string[]) {
    this.#argv = argv;
  }

  read(): Request {
    const first = this.#next();
    const command = first === undefined ? undefined : COMMANDS.get(first.name);
    if (command === undefined) throw tryHelp();
    this.#request.command = command;
    if (command === "help" || command === "version") return this.#request;
    for (let option = this.#next(); option !== undefined; option = this.#next()) this.#option(option);
    if (command === "set") {
      if (this.#operands.length < 3) throw new CommandError(FAILURE, "--set option requires 3 timeout values");
      this.#request.timeouts = this.#operands.splice(0, 3).map((text) => timeoutOf(text, 0));
    }
    const [extra] = this.#operands;
    if (extra !== undefined) throw new CommandError(FAILURE, `unexpected argument ${extra}`);
    this.#check();
    return this.#request;
  }

  /** The next option: its long name (or a command's letter), how it was written, and its value when one is attached. */
  #next(): { name: string; written: string; attached: string | undefined } | undefined {
    while (this.#joined === "") {
      const word = this.#argv[this.#at];
      if (word === undefined) return undefined;
      this.#at++;
      if (word.startsWith("--") && word.length > 2) {
        const [name = "", ...value] = word.slice(2).split("=");
        return { name, written: word, attached: value.length > 0 ? value.join("=") : undefined };
      }
      if (word.startsWith("-") && word.length > 1) this.#joined = word.slice(1);
      else this.#operands.push(word);
    }
    const letter = this.#joined[0]!;
    this.#joined = this.#joined.slice(1);
    return { name: LETTERS.get(letter) ?? letter, written: `-${letter}`, attached: undefined };
  }

  #value(option: { written: string; attached: string | undefined }): string {
    if (option.attached !== undefined) return option.attached;
    if (this.#joined !== "") {
      const value = this.#joined.replace(/^=/, "");
      this.#joined = "";
      return value;
    }
    const value = this.#argv[this.#at++];
    if (value === undefined) throw new CommandError(USAGE_STATUS, `${option.written}: missing argument`);
    return value;
  }

  #option(option: { name: string; written: string; attached: string | undefined }): void {
    const { name } = option;
    const request = this.#request;
    if (COMMANDS.has(name)) throw new CommandError(FAILURE, `invalid option \`${option.written}'`);
    if (name === "persistent") {
      this.#given("persistent");
      request.persistentSeconds = this.#persistence(option.attached);
      return;
    }
    if (!WITH_VALUE.includes(name) && !WITHOUT_VALUE.includes(name))
      throw new CommandError(USAGE_STATUS, `${option.written}: unknown option`);
    const value = WITH_VALUE.includes(name) ? this.#value(option) : "";
    switch (name) {
      case "tcp-service":
      case "udp-service":
        this.#given("service-address");
        this.#service(value, name === "tcp-service" ? TCP : UDP);
        break;
      case "fwmark-service":
        this.#given("service-address");
        request.service.mark = markOf(value);
        request.service.protocol = TCP;
        break;
      case "scheduler":
        this.#given("scheduler");
        request.scheduler = value;
        break;
      case "netmask": {
        this.#given("netmask");
        const mask = parseIpv4(value);
        if (mask === undefined) throw new CommandError(FAILURE, "illegal virtual server persistent mask specified");
        request.clientMask = mask;
        break;
      }
      case "real-server": {
        this.#given("real-server");
        const server = endpointOf(value);
        if (server === undefined) throw new CommandError(FAILURE, "illegal real server address[:port] specified");
        request.server.address = server.address;
        request.server.port = server.port ?? request.service.port;
        break;
      }
      case "masquerading":
      case "gatewaying":
      case "ipip":
        this.#given("forwarding-method");
        request.server.method = name === "masquerading" ? "masquerade" : name === "ipip" ? "tunnel" : "route";
        break;
      case "weight":
        this.#given("weight");
        request.server.weight = numberOf(value, "illegal weight specified");
        break;
      case "u-threshold":
        this.#given("u-threshold");
        request.server.upperThreshold = numberOf(value, "illegal u_threshold specified");
        break;
      case "l-threshold":
        this.#given("l-threshold");
        request.server.lowerThreshold = numberOf(value, "illegal l_threshold specified");
        break;
      case "sort": // what is done anyway
        break;
      default:
        this.#given(name as OptionName);
        if (name === "ops") request.onePacket = true;
    }
  }

  /** `-p [seconds]`: a word that is no option is the value. */
  #persistence(attached: string | undefined): number {
    const next = this.#argv[this.#at];
    const free = this.#joined === "" && next !== undefined && !next.startsWith("-");
    if (attached === undefined && this.#joined === "" && !free) return DEFAULT_PERSISTENT_SECONDS;
    return timeoutOf(this.#value({ written: "-p", attached }), 1);
  }

  #service(text: string, protocol: number): void {
    const endpoint = endpointOf(text);
    if (endpoint === undefined) throw new CommandError(FAILURE, "illegal virtual server address[:port] specified");
    const { service } = this.#request;
    service.protocol = protocol;
    service.address = endpoint.address;
    service.port = endpoint.port ?? 0;
  }

  #given(option: OptionName): void {
    const { options } = this.#request;
    if (options.has(option)) throw new CommandError(FAILURE, `multiple '${option}' options specified`);
    options.add(option);
  }

  #check(): void {
    const { command, options } = this.#request;
    const allowed = ALLOWED[command]!;
    let earlier: OptionName | undefined;
    for (const [index, option] of OPTIONS.entries()) {
      const rule = allowed[index];
      if (!options.has(option)) {
        if (rule === "+")
          throw new CommandError(FAILURE, `You need to supply the '${option}' option for the '${command}' command`);
        continue;
      }
      if (rule === "x") throw new CommandError(FAILURE, `Illegal '${option}' option with the '${command}' command`);
      if (rule !== "1") continue;
      if (earlier !== undefined)
        throw new CommandError(
          FAILURE,
          `The option '${option}' conflicts with the '${earlier}' option in the '${command}' command`,
        );
      earlier = option;
    }
  }
}

export function tryHelp(): CommandError {
  return new CommandError(USAGE_STATUS, "Try `ipvsadm -h' or 'ipvsadm --help' for more information.");
}

/** `ADDRESS[:PORT]`; the port by number or name. */
function endpointOf(text: string): { address: Ipv4Address; port: number | undefined } | undefined {
  const colon = text.lastIndexOf(":");
  const address = parseIpv4(colon < 0 ? text : text.slice(0, colon));
  if (address === undefined) return undefined;
  if (colon < 0) return { address, port: undefined };
  const port = portOf(text.slice(colon + 1));
  return port === undefined ? undefined : { address, port };
}

function portOf(text: string): number | undefined {
  if (/^\d+$/.test(text)) return Number(text) <= 0xffff ? Number(text) : undefined;
  try {
    return parsePort(text);
  } catch (error) {
    if (error instanceof RuleError) return undefined;
    throw error;
  }
}

function markOf(text: string): number {
  const value = /^\d+$/.test(text) ? Number(text) : 0;
  if (value <= 0 || value > 0xffff_ffff) throw new CommandError(FAILURE, `invalid fwmark value \`${text}' specified`);
  return value;
}

function timeoutOf(text: string, minimum: number): number {
  const value = /^\d+$/.test(text) ? Number(text) : -1;
  if (value < minimum || value > LONGEST_TIMEOUT_SECONDS)
    throw new CommandError(FAILURE, `invalid timeout value \`${text}' specified`);
  return value;
}

function numberOf(text: string, message: string): number {
  const value = /^\d+$/.test(text) ? Number(text) : -1;
  if (value < 0 || value > INT_MAX) throw new CommandError(FAILURE, message);
  return value;
}
