/** The options of `traceroute` (2.1, Dmitry Butskoy): letters with values attached or behind, long names, operands in between. */
import { MILLISECOND, type Nanoseconds, SECOND } from "../../sim/time.ts";
import { CommandError } from "../command-error.ts";

export interface TracerouteOptions {
  method: "default" | "udp" | "icmp" | "tcp";
  target: string;
  /** Where the target stands on the command line, for the error text. */
  targetAt: number;
  /** Of the whole packet; undefined: the headers and 40 bytes at most. */
  packetBytes: number | undefined;
  firstHop: number;
  maximumHops: number;
  queries: number;
  simultaneous: number;
  waitNs: Nanoseconds;
  /** How often longer than an answer of the same hop, or of a later one, a probe is waited for; 0: until `waitNs`. */
  hereFactor: number;
  nearFactor: number;
  sendWaitNs: Nanoseconds;
  port: number | undefined;
  sourcePort: number | undefined;
  source: string | undefined;
  device: string | undefined;
  typeOfService: number;
  dontFragment: boolean;
  numeric: boolean;
  mark: number | undefined;
}

export const USAGE = `Usage:
  traceroute [ -46dFITnreAUDV ] [ -f first_ttl ] [ -g gate,... ] [ -i device ] [ -m max_ttl ] [ -N squeries ] [ -p port ] [ -t tos ] [ -l flow_label ] [ -w MAX,HERE,NEAR ] [ -q nqueries ] [ -s src_addr ] [ -z sendwait ] [ --fwmark=num ] host [ packetlen ]
`;

/** Each option's long name, and what its value is called; without the latter it takes none. */
const OPTIONS: ReadonlyMap<string, { readonly long: string; readonly value?: string }> = new Map([
  ["-4", { long: "" }],
  ["-d", { long: "--debug" }],
  ["-F", { long: "--dont-fragment" }],
  ["-f", { long: "--first", value: "first_ttl" }],
  ["-I", { long: "--icmp" }],
  ["-T", { long: "--tcp" }],
  ["-U", { long: "--udp" }],
  ["-i", { long: "--interface", value: "device" }],
  ["-m", { long: "--max-hops", value: "max_ttl" }],
  ["-N", { long: "--sim-queries", value: "squeries" }],
  ["-n", { long: "" }],
  ["-p", { long: "--port", value: "port" }],
  ["-t", { long: "--tos", value: "tos" }],
  ["-w", { long: "--wait", value: "MAX,HERE,NEAR" }],
  ["-q", { long: "--queries", value: "nqueries" }],
  ["-s", { long: "--source", value: "src_addr" }],
  ["-z", { long: "--sendwait", value: "sendwait" }],
  ["-V", { long: "--version" }],
  ["--sport", { long: "--sport", value: "num" }],
  ["--fwmark", { long: "--fwmark", value: "num" }],
  ["--help", { long: "--help" }],
]);

const MAXIMUM_HOPS = 255;
const MAXIMUM_QUERIES = 10;
const MAXIMUM_PACKET_BYTES = 65_000;

export function readTracerouteOptions(argv: readonly string[]): TracerouteOptions {
  const options: TracerouteOptions = {
    method: "default",
    target: "",
    targetAt: 0,
    packetBytes: undefined,
    firstHop: 1,
    maximumHops: 30,
    queries: 3,
    simultaneous: 16,
    waitNs: 5 * SECOND,
    hereFactor: 3,
    nearFactor: 10,
    sendWaitNs: 0,
    port: undefined,
    sourcePort: undefined,
    source: undefined,
    device: undefined,
    typeOfService: 0,
    dontFragment: false,
    numeric: false,
    mark: undefined,
  };
  if (argv.length === 0) throw new CommandError(0, USAGE);
  let operands = 0;
  for (let at = 0; at < argv.length; at++) {
    const argument = argv[at]!;
    if (!argument.startsWith("-") || argument === "-") {
      readOperand(options, argument, ++operands, at + 1);
    } else if (argument.startsWith("--")) {
      const equals = argument.indexOf("=");
      const long = equals < 0 ? argument : argument.slice(0, equals);
      const found = [...OPTIONS].find(([, option]) => option.long === long);
      if (found === undefined) throw bad(`Bad option \`${argument}' (argc ${at + 1})`);
      const [name, option] = found;
      if (option.value === undefined) apply(options, name, "", at + 1);
      else if (equals >= 0) apply(options, name, argument.slice(equals + 1), at + 1);
      else apply(options, name, valueBehind(argv, ++at, long, option.value), at + 1);
    } else {
      at = readLetters(options, argv, at);
    }
  }
  if (operands === 0) throw bad('Specify "host" missing argument.');
  check(options);
  return options;
}

/** `-nq1`: letters without values, the last one may have one; returns the place of the last argument used. */
function readLetters(options: TracerouteOptions, argv: readonly string[], at: number): number {
  const argument = argv[at]!;
  for (let index = 1; index < argument.length; index++) {
    const name = `-${argument[index]}`;
    const option = OPTIONS.get(name);
    if (option === undefined) throw bad(`Bad option \`${name}' (argc ${at + 1})`);
    if (option.value === undefined) {
      apply(options, name, "", at + 1);
      continue;
    }
    const attached = argument.slice(index + 1);
    if (attached !== "") {
      apply(options, name, attached, at + 1);
      return at;
    }
    apply(options, name, valueBehind(argv, at + 1, name, option.value), at + 2);
    return at + 1;
  }
  return at;
}

function valueBehind(argv: readonly string[], at: number, name: string, valueName: string): string {
  const value = argv[at];
  const example = name.startsWith("--") ? `${name}=${valueName}` : `${name} ${valueName}`;
  if (value === undefined) throw bad(`Option \`${name}' (argc ${at}) requires an argument: \`${example}'`);
  return value;
}

function readOperand(options: TracerouteOptions, text: string, position: number, at: number): void {
  if (position === 1) {
    options.target = text;
    options.targetAt = at;
  } else if (position === 2) {
    const size = number(text);
    if (size === undefined) throw bad(`Cannot handle "packetlen" cmdline arg \`${text}' on position 2 (argc ${at})`);
    options.packetBytes = size;
  } else {
    throw bad(`Extra arg \`${text}' (position ${position}, argc ${at})`);
  }
}

function apply(options: TracerouteOptions, name: string, value: string, at: number): void {
  const whole = (): number => {
    const parsed = number(value);
    if (parsed === undefined) throw bad(`Cannot handle \`${name}' option with arg \`${value}' (argc ${at})`);
    return parsed;
  };
  switch (name) {
    case "-F":
      options.dontFragment = true;
      break;
    case "-f":
      options.firstHop = whole();
      break;
    case "-I":
      options.method = "icmp";
      break;
    case "-T":
      options.method = "tcp";
      break;
    case "-U":
      options.method = "udp";
      break;
    case "-i":
      options.device = value;
      break;
    case "-m":
      options.maximumHops = whole();
      break;
    case "-N":
      options.simultaneous = whole();
      break;
    case "-n":
      options.numeric = true;
      break;
    case "-p":
      options.port = whole();
      break;
    case "-t":
      options.typeOfService = whole() & 0xff;
      break;
    case "-w":
      if (!readWait(options, value)) throw bad(`Cannot handle \`-w' option with arg \`${value}' (argc ${at})`);
      break;
    case "-q":
      options.queries = whole();
      break;
    case "-s":
      options.source = value;
      break;
    case "-z": {
      const seconds = decimal(value);
      if (seconds === undefined) throw bad(`Cannot handle \`-z' option with arg \`${value}' (argc ${at})`);
      options.sendWaitNs = Math.round(seconds * (seconds >= 10 ? MILLISECOND : SECOND));
      break;
    }
    case "--sport":
      options.sourcePort = whole();
      options.simultaneous = 1;
      break;
    case "--fwmark":
      options.mark = whole();
      break;
    case "-V":
      throw new CommandError(
        0,
        "Modern traceroute for Linux, version 2.1.2\nCopyright (c) 2016  Dmitry Butskoy,   License: GPL v2 or any later\n",
      );
    case "--help":
      throw new CommandError(0, USAGE);
    default:
      break; // -4, -d: nothing that the network sees
  }
}

/** `MAX,HERE,NEAR`; who names one names the others zero. */
function readWait(options: TracerouteOptions, text: string): boolean {
  const [longest, here, near, ...more] = text.split(",").map(decimal);
  if (longest === undefined || more.length > 0) return false;
  const rest = text.split(",").length;
  if ((rest > 1 && here === undefined) || (rest > 2 && near === undefined)) return false;
  options.waitNs = Math.round(longest * SECOND);
  options.hereFactor = here ?? 0;
  options.nearFactor = near ?? 0;
  return true;
}

function check(options: TracerouteOptions): void {
  if (options.firstHop < 1 || options.firstHop > options.maximumHops) throw bad("first hop out of range");
  if (options.maximumHops > MAXIMUM_HOPS) throw bad(`max hops cannot be more than ${MAXIMUM_HOPS}`);
  if (options.queries < 1 || options.queries > MAXIMUM_QUERIES)
    throw bad(`no more than ${MAXIMUM_QUERIES} probes per hop`);
  if (options.packetBytes !== undefined && options.packetBytes > MAXIMUM_PACKET_BYTES)
    throw bad(`too big packetlen ${options.packetBytes} specified`);
}

function number(text: string): number | undefined {
  return /^(0[xX][0-9a-fA-F]+|\d+)$/.test(text) ? Number(text) : undefined;
}

function decimal(text: string): number | undefined {
  return /^(\d+\.?\d*|\.\d+)$/.test(text) ? Number(text) : undefined;
}

function bad(message: string): CommandError {
  return new CommandError(2, message);
}
