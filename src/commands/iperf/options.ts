/** The options of `iperf` (2.1.8). */
import { type Nanoseconds, SECOND } from "../../sim/time.ts";
import { CommandError } from "../command-error.ts";
import { OptionReader } from "../option-reader.ts";

export type Unit = "a" | "k" | "m" | "g" | "K" | "M" | "G";

export interface IperfOptions {
  server: boolean;
  /** Whom to connect to, as it was typed. */
  host: string | undefined;
  udp: boolean;
  port: number;
  timeNs: Nanoseconds;
  /** -n: so many bytes, in place of a time. */
  amountBytes: number | undefined;
  intervalNs: Nanoseconds | undefined;
  rateBitsPerSecond: number | undefined;
  /** Of a write or datagram. */
  lengthBytes: number | undefined;
  windowBytes: number | undefined;
  streams: number;
  unit: Unit;
}

const USAGE = "Usage: iperf [-s|-c host] [options]\nTry `iperf --help' for more information.";
const LONG: ReadonlyMap<string, string> = new Map([
  ["--server", "-s"],
  ["--client", "-c"],
  ["--udp", "-u"],
  ["--port", "-p"],
  ["--time", "-t"],
  ["--num", "-n"],
  ["--interval", "-i"],
  ["--bandwidth", "-b"],
  ["--len", "-l"],
  ["--window", "-w"],
  ["--parallel", "-P"],
  ["--format", "-f"],
  ["--help", "-h"],
  ["--version", "-v"],
]);
const UNITS: ReadonlyMap<string, number> = new Map([
  ["", 1],
  ["k", 1e3],
  ["m", 1e6],
  ["g", 1e9],
  ["K", 1_024],
  ["M", 1_024 ** 2],
  ["G", 1_024 ** 3],
]);
const MAXIMUM_STREAMS = 1_000;

export function readIperfOptions(argv: readonly string[]): IperfOptions {
  const options: IperfOptions = {
    server: false,
    host: undefined,
    udp: false,
    port: 5_001,
    timeNs: 10 * SECOND,
    amountBytes: undefined,
    intervalNs: undefined,
    rateBitsPerSecond: undefined,
    lengthBytes: undefined,
    windowBytes: undefined,
    streams: 1,
    unit: "a",
  };
  const letters = argv.flatMap((argument) => {
    if (!argument.startsWith("--")) return [argument];
    const [name = "", ...value] = argument.split("=");
    const letter = LONG.get(name);
    if (letter === undefined) throw new CommandError(0, USAGE);
    return value.length === 0 ? [letter] : [letter, value.join("=")];
  });
  const reader = new OptionReader("iperf", letters, "sc:up:t:n:i:b:l:w:P:f:ehvNz", USAGE, 0);
  for (const { letter, value } of reader.options()) apply(options, letter, value);
  if (options.server === (options.host !== undefined)) throw new CommandError(0, USAGE);
  return options;
}

function apply(options: IperfOptions, letter: string, value: string): void {
  switch (letter) {
    case "s":
      options.server = true;
      break;
    case "c":
      options.host = value;
      break;
    case "u":
      options.udp = true;
      break;
    case "p":
      options.port = whole(value, 1, 65_535, "port");
      break;
    case "t":
      options.timeNs = seconds(value);
      break;
    case "n":
      options.amountBytes = scaled(value);
      break;
    case "i":
      options.intervalNs = seconds(value);
      break;
    case "b":
      options.rateBitsPerSecond = scaled(value.replace(/(bit|bits)?(\/s|ps)?$/, ""));
      break;
    case "l":
      options.lengthBytes = scaled(value);
      break;
    case "w":
      options.windowBytes = scaled(value);
      break;
    case "P":
      options.streams = whole(value, 1, MAXIMUM_STREAMS, "number of streams");
      break;
    case "f":
      if (!/^[akmgKMG]$/.test(value)) throw new CommandError(1, `iperf: invalid format: ${value}`);
      options.unit = value as Unit;
      break;
    case "v":
      throw new CommandError(0, "iperf version 2.1.8 (12 August 2022) pthreads");
    case "e":
    case "N":
      break;
    default:
      throw new CommandError(0, USAGE);
  }
}

function whole(text: string, low: number, high: number, name: string): number {
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= low && value <= high))
    throw new CommandError(1, `iperf: ${name} ${text}: ${low} to ${high} was expected`);
  return value;
}

function seconds(text: string): Nanoseconds {
  const value = /^(\d+\.?\d*|\.\d+)$/.test(text) ? Number(text) : 0;
  if (value <= 0) throw new CommandError(1, `iperf: time ${text}: seconds above 0 were expected`);
  return Math.round(value * SECOND);
}

function scaled(text: string): number {
  const match = /^(\d+\.?\d*|\.\d+)([kmgKMG]?)$/.exec(text);
  const value = match === null ? 0 : Math.floor(Number(match[1]) * UNITS.get(match[2]!)!);
  if (value < 1 || value > Number.MAX_SAFE_INTEGER)
    throw new CommandError(1, `iperf: ${text}: a number above 0, with k, m, g, K, M or G, was expected`);
  return value;
}
