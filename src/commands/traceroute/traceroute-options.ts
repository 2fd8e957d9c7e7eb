/** The options of `traceroute` (Dmitry Butskoy's 2.1, the one that Debian has). */
import { CommandError } from "../command-error.ts";

export type TracerouteMethod = "default" | "udp" | "icmp" | "tcp";

export interface TracerouteOptions {
  method: TracerouteMethod;
  target: string;
  /** The whole IP packet. */
  packetBytes: number;
  firstTtl: number;
  maximumTtl: number;
  queries: number;
  simultaneous: number;
  /** Seconds: at most, times the answer of the same hop, times the answer of a farther one. */
  waitMaximum: number;
  waitHere: number;
  waitNear: number;
  sendWaitMs: number;
  numeric: boolean;
  dontFragment: boolean;
  port: number | undefined;
  sourcePort: number | undefined;
  source: string | undefined;
  device: string | undefined;
  typeOfService: number;
  mark: number | undefined;
}

const LONG: ReadonlyMap<string, string> = new Map([
  ["--dont-fragment", "F"],
  ["--first", "f"],
  ["--icmp", "I"],
  ["--tcp", "T"],
  ["--udp", "U"],
  ["--interface", "i"],
  ["--max-hops", "m"],
  ["--sim-queries", "N"],
  ["--port", "p"],
  ["--tos", "t"],
  ["--wait", "w"],
  ["--queries", "q"],
  ["--source", "s"],
  ["--sendwait", "z"],
  ["--sport", "S"],
  ["--fwmark", "k"],
]);

const WITH_VALUE = "fgimNptlwqsMOPzSk";
const WITHOUT_VALUE = "46dFITnreAUDV";

export function readTracerouteOptions(argv: readonly string[]): TracerouteOptions {
  const options: TracerouteOptions = {
    method: "default",
    target: "",
    packetBytes: 60,
    firstTtl: 1,
    maximumTtl: 30,
    queries: 3,
    simultaneous: 16,
    waitMaximum: 5,
    waitHere: 3,
    waitNear: 10,
    sendWaitMs: 0,
    numeric: false,
    dontFragment: false,
    port: undefined,
    sourcePort: undefined,
    source: undefined,
    device: undefined,
    typeOfService: 0,
    mark: undefined,
  };
  const operands: string[] = [];
  for (let at = 0; at < argv.length; at++) {
    const argument = argv[at]!;
    if (!argument.startsWith("-") || argument === "-") {
      operands.push(argument);
      continue;
    }
    if (argument.startsWith("--")) {
      const [name = "", attached] = argument.split("=");
      const letter = LONG.get(name);
      if (letter === undefined) throw badOption(argument, at);
      const value = WITH_VALUE.includes(letter) ? (attached ?? argv[++at]) : "";
      if (value === undefined) throw noValue(argument, at);
      setOption(options, letter, value, argument);
      continue;
    }
    for (let index = 1; index < argument.length; index++) {
      const letter = argument[index]!;
      if (WITHOUT_VALUE.includes(letter)) {
        setOption(options, letter, "", argument);
        continue;
      }
      if (!WITH_VALUE.includes(letter) || letter === "S" || letter === "k") throw badOption(`-${letter}`, at);
      const attached = argument.slice(index + 1);
      const value = attached === "" ? argv[++at] : attached;
      if (value === undefined) throw noValue(`-${letter}`, at);
      setOption(options, letter, value, `-${letter}`);
      break;
    }
  }
  const [target, packetLength] = operands;
  if (target === undefined) throw new CommandError(2, 'Specify "host" missing argument.');
  options.target = target;
  if (packetLength !== undefined) {
    if (!/^\d+$/.test(packetLength))
      throw new CommandError(
        2,
        `Cannot handle "packetlen" cmdline arg \`${packetLength}' on position 2 (argc ${argv.length})`,
      );
    options.packetBytes = Number(packetLength);
    if (options.packetBytes > 65_000) throw new CommandError(2, `too big packetlen ${options.packetBytes} specified`);
  }
  if (options.firstTtl < 1 || options.firstTtl > options.maximumTtl)
    throw new CommandError(2, "first hop out of range");
  return options;
}

function setOption(options: TracerouteOptions, letter: string, value: string, shown: string): void {
  const number = (): number => {
    if (!/^(\d+|0x[0-9a-fA-F]+)$/.test(value))
      throw new CommandError(2, `Cannot handle \`${shown}' option with arg \`${value}' (argc 1)`);
    return Number(value);
  };
  const decimal = (text: string): number => {
    if (!/^(\d+\.?\d*|\.\d+)$/.test(text))
      throw new CommandError(2, `Cannot handle \`${shown}' option with arg \`${value}' (argc 1)`);
    return Number(text);
  };
  switch (letter) {
    case "I":
      options.method = "icmp";
      break;
    case "T":
      options.method = "tcp";
      break;
    case "U":
      options.method = "udp";
      break;
    case "n":
      options.numeric = true;
      break;
    case "F":
      options.dontFragment = true;
      break;
    case "f":
      options.firstTtl = number();
      break;
    case "m":
      options.maximumTtl = number();
      if (options.maximumTtl > 255) throw new CommandError(2, "max hops cannot be more than 255");
      break;
    case "N":
      options.simultaneous = number();
      break;
    case "q":
      options.queries = number();
      if (options.queries < 1 || options.queries > 10) throw new CommandError(2, "no more than 10 probes per hop");
      break;
    case "p":
      options.port = number();
      break;
    case "S":
      options.sourcePort = number();
      options.simultaneous = 1;
      break;
    case "k":
      options.mark = number();
      break;
    case "s":
      options.source = value;
      break;
    case "i":
      options.device = value;
      break;
    case "t":
      options.typeOfService = number();
      if (options.typeOfService > 255) throw new CommandError(2, `bad tos ${value} specified`);
      break;
    case "z": {
      const wait = decimal(value);
      options.sendWaitMs = wait > 10 ? wait : wait * 1_000;
      break;
    }
    case "w": {
      const [maximum, here, near] = value.split(",");
      options.waitMaximum = decimal(maximum ?? "");
      if (here !== undefined) options.waitHere = decimal(here);
      if (near !== undefined) options.waitNear = decimal(near);
      break;
    }
    case "M":
      if (value === "icmp" || value === "tcp" || value === "udp" || value === "default") options.method = value;
      else throw new CommandError(2, `Unknown traceroute module ${value}`);
      break;
    case "V":
      throw new CommandError(
        0,
        "Modern traceroute for Linux, version 2.1.2\nCopyright (c) 2016  Dmitry Butskoy,   License: GPL v2 or any later",
      );
    default:
      break; // debugging, names of autonomous systems, extensions: nothing that is sent
  }
}

function badOption(text: string, at: number): CommandError {
  return new CommandError(2, `Bad option \`${text}' (argc ${at + 1})`);
}

function noValue(text: string, at: number): CommandError {
  return new CommandError(2, `Option \`${text}' (argc ${at + 1}) requires an argument: \`${text}'`);
}
