/** The options of `tcpdump` (4.99.3); what is left of the line is the filter. */
import { CommandError } from "../command-error.ts";
import { OptionReader } from "../option-reader.ts";

export interface TcpdumpOptions {
  device: string | undefined;
  count: number | undefined;
  /** -e */
  linkHeader: boolean;
  verbose: number;
  quiet: boolean;
  /** How often -t was given: none, epoch, since the last, date, since the first. */
  timeStyle: number;
  nanoseconds: boolean;
  /** -x and -X: the packet in hexadecimal, with letters; twice: with its link-level header. */
  hexadecimal: number;
  letters: number;
  number: boolean;
  direction: "in" | "out" | "inout";
  promiscuous: boolean;
  list: boolean;
  onlyCount: boolean;
  filter: string;
}

const VERSION = "tcpdump version 4.99.3\nlibpcap version 1.10.3 (with TPACKET_V3)";
const USAGE = `${VERSION}
Usage: tcpdump [-AbdDefhHIJKlLnNOpqStuUvxX#] [ -B size ] [ -c count ] [--count]
		[ -C file_size ] [ -E algo:secret ] [ -F file ] [ -G seconds ]
		[ -i interface ] [ --immediate-mode ] [ -j tstamptype ]
		[ -M secret ] [ --number ] [ --print ] [ -Q in|out|inout ]
		[ -r file ] [ -s snaplen ] [ -T type ] [ --version ]
		[ -V file ] [ -w file ] [ -W filecount ] [ -y datalinktype ]
		[ --time-stamp-precision precision ] [ --micro ] [ --nano ]
		[ -z postrotate-command ] [ -Z user ] [ expression ]`;

/** Long names, as the letters that they stand for; those of one dash and a value keep it. */
const LONG: ReadonlyMap<string, string> = new Map([
  ["--interface", "-i"],
  ["--direction", "-Q"],
  ["--number", "-#"],
  ["--snapshot-length", "-s"],
  ["--buffer-size", "-B"],
  ["--list-interfaces", "-D"],
  ["--no-promiscuous-mode", "-p"],
  ["--absolute-tcp-sequence-numbers", "-S"],
  ["--packet-buffered", "-U"],
  ["--help", "-h"],
]);
const IGNORED_LONG: ReadonlySet<string> = new Set(["--immediate-mode", "--print", "--micro"]);

export function readTcpdumpOptions(argv: readonly string[]): TcpdumpOptions {
  const options: TcpdumpOptions = {
    device: undefined,
    count: undefined,
    linkHeader: false,
    verbose: 0,
    quiet: false,
    timeStyle: 0,
    nanoseconds: false,
    hexadecimal: 0,
    letters: 0,
    number: false,
    direction: "inout",
    promiscuous: true,
    list: false,
    onlyCount: false,
    filter: "",
  };
  const letters: string[] = [];
  for (const [index, argument] of argv.entries()) {
    const [name = "", ...values] = argument.startsWith("--") ? argument.split("=") : [argument];
    if (name === "--version") throw new CommandError(0, VERSION);
    if (name === "--nano") options.nanoseconds = true;
    else if (name === "--count") options.onlyCount = true;
    else if (LONG.has(name)) {
      const value = values.length > 0 ? values : [];
      if ((name === "--direction" || name === "--interface") && value.length === 0 && index === argv.length - 1)
        throw new CommandError(1, `tcpdump: option '${name}' requires an argument\n${USAGE}`);
      letters.push(LONG.get(name)!, ...value);
    } else if (name.startsWith("--") && name !== "--" && !IGNORED_LONG.has(name))
      throw new CommandError(1, `tcpdump: unrecognized option '${name}'\n${USAGE}`);
    else if (!IGNORED_LONG.has(name)) letters.push(argument);
  }
  const known = "B:c:DefhHi:KlLnNOpqQ:r:s:StT:uUvw:xXy:Z:#Abj:";
  const reader = new OptionReader("tcpdump", letters, known, USAGE, 1);
  for (const { letter, value } of reader.options()) apply(options, letter, value);
  options.filter = reader.operands.join(" ");
  return options;
}

function apply(options: TcpdumpOptions, letter: string, value: string): void {
  switch (letter) {
    case "c":
      options.count = /^\d+$/.test(value) ? Number(value) : 0;
      if (options.count <= 0) throw new CommandError(1, `tcpdump: invalid packet count ${value}`);
      break;
    case "D":
      options.list = true;
      break;
    case "e":
      options.linkHeader = true;
      break;
    case "h":
      throw new CommandError(0, USAGE);
    case "i":
      options.device = value;
      break;
    case "p":
      options.promiscuous = false;
      break;
    case "q":
      options.quiet = true;
      break;
    case "Q":
      if (value !== "in" && value !== "out" && value !== "inout")
        throw new CommandError(1, `tcpdump: unknown capture direction \`${value}'`);
      options.direction = value;
      break;
    case "r":
      throw new CommandError(1, `tcpdump: ${value}: No such file or directory`);
    case "t":
      options.timeStyle++;
      break;
    case "v":
      options.verbose++;
      break;
    case "w":
      throw new CommandError(1, `tcpdump: ${value}: Read-only file system`);
    case "x":
      options.hexadecimal++;
      break;
    case "X":
      options.letters++;
      break;
    case "#":
      options.number = true;
      break;
    default:
      break; // names are never looked up; buffers and snapshots are as long as the frames
  }
}
