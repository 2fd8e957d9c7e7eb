/** The options of `ping` (iputils 20221126). */
import { CommandError } from "../command-error.ts";
import { OptionReader } from "../option-reader.ts";

export interface PingOptions {
  target: string;
  /** 0: no end. */
  count: number;
  intervalMs: number;
  intervalGiven: boolean;
  /** Behind the ICMP header. */
  sizeBytes: number;
  timeToLive: number | undefined;
  typeOfService: number;
  dontFragment: "do" | "want" | "dont" | undefined;
  /** How long to wait for the last replies. */
  lingerMs: number;
  deadlineMs: number | undefined;
  numeric: boolean;
  broadcast: boolean;
  /** -I: an address or a device. */
  from: string | undefined;
  quiet: boolean;
  flood: boolean;
  adaptive: boolean;
  audible: boolean;
  printTime: boolean;
  reportOutstanding: boolean;
  verbose: boolean;
  preload: number;
  mark: number | undefined;
  recordRoute: boolean;
}

const USAGE = `
Usage
  ping [options] <destination>

Options:
  <destination>      dns name or ip address
  -A                 use adaptive ping
  -b                 allow pinging broadcast
  -c <count>         stop after <count> replies
  -D                 print timestamps
  -f                 flood ping
  -h                 print help and exit
  -I <interface>     either interface name or address
  -i <interval>      seconds between sending each packet
  -l <preload>       send <preload> number of packages while waiting replies
  -m <mark>          tag the packets going out
  -M <pmtud opt>     define mtu discovery, can be one of <do|dont|want>
  -n                 no dns name resolution
  -O                 report outstanding replies
  -p <pattern>       contents of padding byte
  -q                 quiet output
  -Q <tclass>        use quality of service <tclass> bits
  -s <size>          use <size> as number of data bytes to be sent
  -t <ttl>           define time to live
  -v                 verbose output
  -w <deadline>      reply wait <deadline> in seconds
  -W <timeout>       time to wait for response
`;

export function readPingOptions(argv: readonly string[]): PingOptions {
  const options: PingOptions = {
    target: "",
    count: 0,
    intervalMs: 1_000,
    intervalGiven: false,
    sizeBytes: 56,
    timeToLive: undefined,
    typeOfService: 0,
    dontFragment: undefined,
    lingerMs: 10_000,
    deadlineMs: undefined,
    numeric: false,
    broadcast: false,
    from: undefined,
    quiet: false,
    flood: false,
    adaptive: false,
    audible: false,
    printTime: false,
    reportOutstanding: false,
    verbose: false,
    preload: 1,
    mark: undefined,
    recordRoute: false,
  };
  const reader = new OptionReader("ping", argv, "4bac:DfhI:i:l:Lm:M:nOp:qQ:rRs:S:t:T:UvVw:W:BAd", USAGE);
  for (const { letter, value } of reader.options()) {
    switch (letter) {
      case "c":
        options.count = integer("invalid argument", value, 1, Number.MAX_SAFE_INTEGER, "9223372036854775807");
        break;
      case "i": {
        const seconds = decimal("bad timing interval", value);
        if (seconds < 0 || seconds > 2_147_483) throw new CommandError(1, `ping: bad timing interval: ${value}`);
        options.intervalMs = Math.round(seconds * 1_000);
        options.intervalGiven = true;
        break;
      }
      case "s":
        options.sizeBytes = integer("invalid argument", value, 0, 65_507);
        break;
      case "t":
        options.timeToLive = integer("invalid argument", value, 0, 255);
        break;
      case "Q":
        options.typeOfService = typeOfService(value);
        break;
      case "M":
        if (value !== "do" && value !== "dont" && value !== "want")
          throw new CommandError(1, `ping: invalid -M argument: ${value}`);
        options.dontFragment = value;
        break;
      case "W":
        options.lingerMs = Math.round(decimal("bad linger time", value) * 1_000);
        if (options.lingerMs < 0) throw new CommandError(1, `ping: bad linger time: ${value}`);
        break;
      case "w":
        options.deadlineMs = integer("invalid argument", value, 0, 2_147_483) * 1_000;
        break;
      case "I":
        options.from = value;
        break;
      case "l":
        options.preload = integer("invalid argument", value, 1, 65_536);
        break;
      case "m":
        options.mark = integer("invalid argument", value, 0, 0x7fff_ffff);
        break;
      case "n":
        options.numeric = true;
        break;
      case "b":
        options.broadcast = true;
        break;
      case "q":
        options.quiet = true;
        break;
      case "f":
        options.flood = true;
        break;
      case "A":
        options.adaptive = true;
        break;
      case "D":
        options.printTime = true;
        break;
      case "O":
        options.reportOutstanding = true;
        break;
      case "v":
        options.verbose = true;
        break;
      case "R":
        options.recordRoute = true;
        break;
      case "V":
        throw new CommandError(0, "ping from iputils 20221126");
      case "h":
        throw new CommandError(2, USAGE);
      default:
        break; // audible, debug, latency, sticky source: nothing that the network sees
    }
  }
  const [target] = reader.operands;
  if (target === undefined) throw new CommandError(1, "ping: usage error: Destination address required");
  options.target = reader.operands.at(-1)!;
  if (options.flood && !options.intervalGiven) options.intervalMs = 0;
  return options;
}

function integer(problem: string, text: string, low: number, high: number, shownHigh = String(high)): number {
  const value = Number(text);
  if (!/^[-+]?(\d+|0x[0-9a-fA-F]+)$/.test(text)) throw new CommandError(1, `ping: ${problem}: '${text}'`);
  if (value < low || value > high)
    throw new CommandError(1, `ping: ${problem}: '${text}': out of range: ${low} <= value <= ${shownHigh}`);
  return value;
}

function decimal(problem: string, text: string): number {
  if (!/^[-+]?(\d+\.?\d*|\.\d+)$/.test(text)) throw new CommandError(1, `ping: ${problem}: ${text}`);
  return Number(text);
}

function typeOfService(text: string): number {
  const value = Number(text);
  if (!/^(\d+|0x[0-9a-fA-F]+)$/.test(text)) throw new CommandError(2, `ping: bad TOS value: ${text}`);
  if (value > 255) throw new CommandError(2, `ping: the decimal value of TOS bits must be in range 0-255: ${value}`);
  return value;
}
