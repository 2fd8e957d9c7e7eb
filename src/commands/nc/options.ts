/** The options of `nc` (netcat-openbsd 1.219 as Debian has it). */
import type { Nanoseconds } from "../../sim/time.ts";
import { SECOND } from "../../sim/time.ts";
import { CommandError } from "../command-error.ts";
import { OptionReader } from "../option-reader.ts";
import { servicePort } from "../services.ts";

export interface NcOptions {
  listen: boolean;
  keepListening: boolean;
  udp: boolean;
  scan: boolean;
  verbose: boolean;
  numeric: boolean;
  withoutInput: boolean;
  shutdownAtEnd: boolean;
  /** -q: how long after the end of the input the word lives on. */
  quitNs: Nanoseconds | undefined;
  timeoutNs: Nanoseconds | undefined;
  /** -i: how long it waits before it looks at its input and the network again, each time. */
  intervalNs: Nanoseconds | undefined;
  sourcePort: number | undefined;
  source: string | undefined;
  timeToLive: number | undefined;
  typeOfService: number;
  host: string | undefined;
  ports: readonly number[];
}

const USAGE = `usage: nc [-46CDdFhklNnrStUuvZz] [-I length] [-i interval] [-M ttl]
	  [-m minttl] [-O length] [-P proxy_username] [-p source_port]
	  [-q seconds] [-s sourceaddr] [-T keyword] [-V rtable] [-W recvlimit]
	  [-w timeout] [-X proxy_protocol] [-x proxy_address[:port]]
	  [destination] [port]`;

const MAXIMUM_PORT = 65_535;

export function readNcOptions(argv: readonly string[]): NcOptions {
  const options: NcOptions = {
    listen: false,
    keepListening: false,
    udp: false,
    scan: false,
    verbose: false,
    numeric: false,
    withoutInput: false,
    shutdownAtEnd: false,
    quitNs: undefined,
    timeoutNs: undefined,
    intervalNs: undefined,
    sourcePort: undefined,
    source: undefined,
    timeToLive: undefined,
    typeOfService: 0,
    host: undefined,
    ports: [],
  };
  const reader = new OptionReader("nc", argv, "4CDdhi:klM:Nnp:q:rs:T:uvw:z", USAGE, 1);
  let sourcePort: string | undefined;
  for (const { letter, value } of reader.options()) {
    switch (letter) {
      case "d":
        options.withoutInput = true;
        break;
      case "h":
        throw new CommandError(0, USAGE);
      case "i":
        options.intervalNs = bounded(value, "interval", 0, 2_147_483) * SECOND;
        break;
      case "k":
        options.keepListening = true;
        break;
      case "l":
        options.listen = true;
        break;
      case "M":
        options.timeToLive = bounded(value, "ttl", 0, 255);
        break;
      case "N":
        options.shutdownAtEnd = true;
        break;
      case "n":
        options.numeric = true;
        break;
      case "p":
        sourcePort = value;
        break;
      case "q":
        options.quitNs = value.startsWith("-") ? undefined : bounded(value, "quit timer", 0, 2_147_483) * SECOND;
        break;
      case "s":
        options.source = value;
        break;
      case "T":
        options.typeOfService = typeOfService(value);
        break;
      case "u":
        options.udp = true;
        break;
      case "v":
        options.verbose = true;
        break;
      case "w":
        options.timeoutNs = bounded(value, "timeout", 0, 2_147_483) * SECOND;
        break;
      case "z":
        options.scan = true;
        break;
      default:
        break; // -4, -C, -D, -r: nothing that the network sees here
    }
  }
  const transport = options.udp ? "udp" : "tcp";
  const [first, second, ...more] = reader.operands;
  if (sourcePort !== undefined) options.sourcePort = portNumber(sourcePort, transport);
  if (options.listen && first !== undefined && second === undefined) {
    options.ports = [portNumber(first, transport)];
  } else if (first !== undefined && second !== undefined && more.length === 0) {
    options.host = first;
    options.ports = portRange(second, transport);
  } else if (options.listen && first === undefined && options.sourcePort !== undefined) {
    options.ports = [options.sourcePort];
    options.sourcePort = undefined;
  } else if (first !== undefined || options.listen) {
    if (more.length > 0) throw new CommandError(1, USAGE);
    throw refusal("missing port number");
  } else {
    throw new CommandError(1, USAGE);
  }
  if (options.listen && options.scan) throw refusal("cannot use -z and -l");
  if (!options.listen && options.keepListening) throw refusal("must use -l with -k");
  return options;
}

function portRange(text: string, transport: "tcp" | "udp"): number[] {
  const match = /^(\d+)-(\d+)$/.exec(text);
  if (match === null) return [portNumber(text, transport)];
  const [low, high] = [portNumber(match[1]!, transport), portNumber(match[2]!, transport)].sort((a, b) => a - b);
  return Array.from({ length: high! - low! + 1 }, (_, index) => low! + index);
}

function portNumber(text: string, transport: "tcp" | "udp"): number {
  if (!/^\d+$/.test(text)) {
    const known = servicePort(text, transport);
    if (known === undefined) throw refusal(`port number invalid: ${text}`);
    return known;
  }
  const port = Number(text);
  if (port > MAXIMUM_PORT) throw refusal(`port number too large: ${text}`);
  return port;
}

function bounded(text: string, name: string, low: number, high: number): number {
  if (!/^\d+$/.test(text)) throw refusal(`${name} invalid: ${text}`);
  const value = Number(text);
  if (value < low) throw refusal(`${name} too small: ${text}`);
  if (value > high) throw refusal(`${name} too large: ${text}`);
  return value;
}

function typeOfService(text: string): number {
  const value = /^(0x[0-9a-fA-F]+|\d+)$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= 0 && value <= 255)) throw refusal(`illegal tos value ${text}`);
  return value;
}

export function refusal(text: string): CommandError {
  return new CommandError(1, `nc: ${text}`);
}
