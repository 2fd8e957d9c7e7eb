/** The options of `curl` (7.88.1) that plain HTTP needs, and its words for others. */
import { SECOND } from "../../sim/time.ts";
import { CommandError } from "../command-error.ts";

export interface CurlOptions {
  readonly urls: string[];
  verbose: boolean;
  silent: boolean;
  showErrors: boolean;
  /** -i: the head before the body. */
  includeHead: boolean;
  /** -I: HEAD, and only the head is shown. */
  headOnly: boolean;
  failOnError: boolean;
  output: string | undefined;
  writeOut: string | undefined;
  method: string | undefined;
  readonly headers: string[];
  data: string | undefined;
  /** -G: the data goes into the URL. */
  dataInUrl: boolean;
  maximumTimeNs: number | undefined;
  connectTimeoutNs: number;
  userAgent: string;
  from: string | undefined;
  localPort: number;
  version: "1.0" | "1.1";
  /** --resolve HOST:PORT:ADDRESS */
  readonly resolve: string[];
}

/** What curl waits for a connection when nobody says how long. */
const CONNECT_TIMEOUT_NS = 300 * SECOND;

const LONG: ReadonlyMap<string, { readonly letter: string; readonly value: boolean }> = new Map([
  ["verbose", { letter: "v", value: false }],
  ["silent", { letter: "s", value: false }],
  ["show-error", { letter: "S", value: false }],
  ["include", { letter: "i", value: false }],
  ["head", { letter: "I", value: false }],
  ["fail", { letter: "f", value: false }],
  ["output", { letter: "o", value: true }],
  ["write-out", { letter: "w", value: true }],
  ["request", { letter: "X", value: true }],
  ["header", { letter: "H", value: true }],
  ["data", { letter: "d", value: true }],
  ["data-ascii", { letter: "d", value: true }],
  ["data-raw", { letter: "d", value: true }],
  ["data-binary", { letter: "d", value: true }],
  ["get", { letter: "G", value: false }],
  ["max-time", { letter: "m", value: true }],
  ["connect-timeout", { letter: "connect-timeout", value: true }],
  ["user-agent", { letter: "A", value: true }],
  ["interface", { letter: "interface", value: true }],
  ["local-port", { letter: "local-port", value: true }],
  ["http1.0", { letter: "0", value: false }],
  ["http1.1", { letter: "http1.1", value: false }],
  ["ipv4", { letter: "4", value: false }],
  ["insecure", { letter: "k", value: false }],
  ["no-buffer", { letter: "N", value: false }],
  ["no-progress-meter", { letter: "no-progress-meter", value: false }],
  ["resolve", { letter: "resolve", value: true }],
  ["url", { letter: "url", value: true }],
  ["version", { letter: "V", value: false }],
]);
const LETTERS = "vsSifI04kNGV";
const LETTERS_WITH_VALUE = "owXHdmA";

export function readCurlOptions(argv: readonly string[]): CurlOptions {
  const options: CurlOptions = {
    urls: [],
    verbose: false,
    silent: false,
    showErrors: false,
    includeHead: false,
    headOnly: false,
    failOnError: false,
    output: undefined,
    writeOut: undefined,
    method: undefined,
    headers: [],
    data: undefined,
    dataInUrl: false,
    maximumTimeNs: undefined,
    connectTimeoutNs: CONNECT_TIMEOUT_NS,
    userAgent: "curl/7.88.1",
    from: undefined,
    localPort: 0,
    version: "1.1",
    resolve: [],
  };
  let onlyUrls = false;
  for (let at = 0; at < argv.length; at++) {
    const argument = argv[at]!;
    if (onlyUrls || !argument.startsWith("-") || argument === "-") {
      options.urls.push(argument);
    } else if (argument === "--") {
      onlyUrls = true;
    } else if (argument.startsWith("--")) {
      const found = LONG.get(argument.slice(2));
      if (found === undefined) throw refusal(`option ${argument}: is unknown`);
      apply(options, found.letter, found.value ? valueBehind(argv, ++at, argument) : "", argument);
    } else {
      at = readLetters(options, argv, at);
    }
  }
  if (options.urls.length === 0) throw new CommandError(2, TRY);
  return options;
}

function readLetters(options: CurlOptions, argv: readonly string[], at: number): number {
  const argument = argv[at]!;
  for (let index = 1; index < argument.length; index++) {
    const letter = argument[index]!;
    if (LETTERS.includes(letter)) {
      apply(options, letter, "", argument);
    } else if (LETTERS_WITH_VALUE.includes(letter)) {
      const attached = argument.slice(index + 1);
      if (attached !== "") {
        apply(options, letter, attached, argument);
        return at;
      }
      apply(options, letter, valueBehind(argv, at + 1, argument), argument);
      return at + 1;
    } else {
      throw refusal(`option ${argument}: is unknown`);
    }
  }
  return at;
}

function valueBehind(argv: readonly string[], at: number, option: string): string {
  const value = argv[at];
  if (value === undefined) throw refusal(`option ${option}: requires parameter`);
  return value;
}

function apply(options: CurlOptions, letter: string, value: string, option: string): void {
  switch (letter) {
    case "v":
      options.verbose = true;
      break;
    case "s":
      options.silent = true;
      break;
    case "S":
      options.showErrors = true;
      break;
    case "i":
      options.includeHead = true;
      break;
    case "I":
      options.headOnly = true;
      break;
    case "f":
      options.failOnError = true;
      break;
    case "o":
      options.output = value;
      break;
    case "w":
      options.writeOut = value;
      break;
    case "X":
      options.method = value;
      break;
    case "H":
      options.headers.push(value);
      break;
    case "d":
      options.data = options.data === undefined ? value : `${options.data}&${value}`;
      break;
    case "G":
      options.dataInUrl = true;
      break;
    case "m":
      options.maximumTimeNs = seconds(value, option);
      break;
    case "connect-timeout":
      options.connectTimeoutNs = seconds(value, option);
      break;
    case "A":
      options.userAgent = value;
      break;
    case "interface":
      options.from = value;
      break;
    case "local-port": {
      const port = /^\d{1,5}$/.test(value) ? Number(value) : 0;
      if (port < 1 || port > 65_535) throw refusal(`option ${option}: expected a proper numerical parameter`);
      options.localPort = port;
      break;
    }
    case "0":
      options.version = "1.0";
      break;
    case "resolve":
      options.resolve.push(value);
      break;
    case "url":
      options.urls.push(value);
      break;
    case "V":
      throw new CommandError(0, "curl 7.88.1\nProtocols: http\n");
    default:
      break; // -4, -k, -N: nothing that plain HTTP over IPv4 shows
  }
}

function seconds(text: string, option: string): number {
  if (!/^(\d+\.?\d*|\.\d+)$/.test(text)) throw refusal(`option ${option}: expected a proper numerical parameter`);
  return Math.round(Number(text) * SECOND);
}

const TRY = "curl: try 'curl --help' or 'curl --manual' for more information";

function refusal(text: string): CommandError {
  return new CommandError(2, `curl: ${text}\n${TRY}`);
}
