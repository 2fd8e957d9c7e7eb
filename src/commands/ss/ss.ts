/** The word `ss` (iproute2 6.1): TCP and UDP sockets of a namespace, in its columns. Which process has a socket is not told. */
import type { NetworkNamespace } from "../../linux/namespace.ts";
import type { TcpInformation } from "../../linux/tcp/tcp-socket.ts";
import { formatIpv4, type Ipv4Address } from "../../wire/address.ts";
import { CommandError } from "../command-error.ts";
import { nameOf } from "../host-names.ts";
import { OptionReader } from "../option-reader.ts";
import { serviceName } from "../services.ts";
import { type CommandContext, instantWord, type Outcome, success } from "../word.ts";
import { ALL_STATES, DEFAULT_STATES, LISTENING_STATES, readSocketFilter, type SocketFilter } from "./socket-filter.ts";
import { type ListedSocket, tcpSockets, udpSockets } from "./socket-list.ts";

const USAGE = `Usage: ss [ OPTIONS ]
       ss [ OPTIONS ] [ FILTER ]
   -h, --help          this message
   -V, --version       output version information
   -n, --numeric       don't resolve service names
   -r, --resolve       resolve host names
   -a, --all           display all sockets
   -l, --listening     display listening sockets
   -i, --info          show internal TCP information
   -s, --summary       show socket usage summary
   -4, --ipv4          display only IP version 4 sockets
   -t, --tcp           display only TCP sockets
   -u, --udp           display only UDP sockets
   -H, --no-header     Suppress header line
   -O, --oneline       socket's data printed on a single line`;

interface SsOptions {
  numeric: boolean;
  resolve: boolean;
  all: boolean;
  listening: boolean;
  information: boolean;
  summary: boolean;
  tcp: boolean;
  udp: boolean;
  /** Another family was asked for, of which there are none here. */
  others: boolean;
  header: boolean;
  oneline: boolean;
  filter: SocketFilter;
}

const LONG: ReadonlyMap<string, string> = new Map([
  ["--help", "-h"],
  ["--version", "-V"],
  ["--numeric", "-n"],
  ["--resolve", "-r"],
  ["--all", "-a"],
  ["--listening", "-l"],
  ["--options", "-o"],
  ["--extended", "-e"],
  ["--memory", "-m"],
  ["--processes", "-p"],
  ["--info", "-i"],
  ["--summary", "-s"],
  ["--ipv4", "-4"],
  ["--ipv6", "-6"],
  ["--tcp", "-t"],
  ["--udp", "-u"],
  ["--raw", "-w"],
  ["--unix", "-x"],
  ["--packet", "-0"],
  ["--no-header", "-H"],
  ["--oneline", "-O"],
]);

export const SS = instantWord("ss", (argv, context) => {
  try {
    return run(argv, context);
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    if (error.status === 0) return success(`${error.message}\n`);
    return { status: error.status, stdout: "", stderr: `${error.message}\n` };
  }
});

function run(argv: readonly string[], context: CommandContext): Outcome {
  const options = readOptions(argv);
  const { namespace } = context;
  if (options.summary) return success(summaryText(namespace));
  const both = options.tcp === options.udp && !options.others;
  const states = statesOf(options);
  const shown: ListedSocket[] = [];
  if (options.udp || both) shown.push(...udpSockets(namespace));
  if (options.tcp || both) shown.push(...tcpSockets(namespace));
  const sockets = shown.filter((socket) => states.has(socket.state) && options.filter.matches(socket));
  return success(table(context, options, sockets, options.tcp !== options.udp, states.size === 1));
}

function readOptions(argv: readonly string[]): SsOptions {
  const options: SsOptions = {
    numeric: false,
    resolve: false,
    all: false,
    listening: false,
    information: false,
    summary: false,
    tcp: false,
    udp: false,
    others: false,
    header: true,
    oneline: false,
    filter: { states: undefined, matches: () => true },
  };
  const letters = argv.map((argument) => {
    if (!argument.startsWith("--") || argument === "--") return argument;
    const letter = LONG.get(argument);
    if (letter === undefined) throw new CommandError(255, `ss: unrecognized option '${argument}'\n${USAGE}`);
    return letter;
  });
  const reader = new OptionReader("ss", letters, "hVnralompeisbE460tudwxSHO", USAGE, 255);
  for (const { letter } of reader.options()) {
    switch (letter) {
      case "h":
        throw new CommandError(0, USAGE);
      case "V":
        throw new CommandError(0, "ss utility, iproute2-6.1.0");
      case "n":
        options.numeric = true;
        break;
      case "r":
        options.resolve = true;
        break;
      case "a":
        options.all = true;
        break;
      case "l":
        options.listening = true;
        break;
      case "i":
        options.information = true;
        break;
      case "s":
        options.summary = true;
        break;
      case "t":
        options.tcp = true;
        break;
      case "u":
        options.udp = true;
        break;
      case "6":
      case "0":
      case "d":
      case "w":
      case "x":
      case "S":
        options.others = true;
        break;
      case "H":
        options.header = false;
        break;
      case "O":
        options.oneline = true;
        break;
      default:
        break; // -e, -m, -o, -p, -4: nothing more is known
    }
  }
  options.filter = readSocketFilter(reader.operands);
  return options;
}

function statesOf(options: SsOptions): ReadonlySet<string> {
  if (options.filter.states !== undefined) return options.filter.states;
  if (options.all) return ALL_STATES;
  return options.listening ? LISTENING_STATES : DEFAULT_STATES;
}

interface Column {
  readonly header: string;
  readonly right: boolean;
  /** Between it and the column before. */
  readonly gap: string;
}

/** As wide as ss prints numbers at least. */
const NUMBER_WIDTH = 6;

function table(
  context: CommandContext,
  options: SsOptions,
  sockets: readonly ListedSocket[],
  oneTransport: boolean,
  oneState: boolean,
): string {
  const columns: Column[] = [
    { header: "Recv-Q", right: false, gap: " " },
    { header: "Send-Q", right: false, gap: " " },
    { header: "Local Address:", right: true, gap: " " },
    { header: "Port", right: false, gap: "" },
    { header: "Peer Address:", right: true, gap: " " },
    { header: "Port", right: false, gap: "" },
    { header: "Process", right: false, gap: "" },
  ];
  if (!oneState) columns.unshift({ header: "State", right: false, gap: " " });
  if (!oneTransport) columns.unshift({ header: "Netid", right: false, gap: " " });
  const rows = sockets.map((socket) => {
    const cells = [
      String(socket.receiveQueue).padEnd(NUMBER_WIDTH),
      String(socket.sendQueue).padEnd(NUMBER_WIDTH),
      `${hostText(context, options, socket.localAddress)}${socket.deviceName === undefined ? "" : `%${socket.deviceName}`}:`,
      portText(options, socket.localPort, socket.transport),
      `${hostText(context, options, socket.remoteAddress)}:`,
      portText(options, socket.remotePort, socket.transport),
      "",
    ];
    if (!oneState) cells.unshift(socket.state);
    if (!oneTransport) cells.unshift(socket.transport);
    return cells;
  });
  const widths = columns.map((column, index) =>
    Math.max(options.header ? column.header.length : 0, ...rows.map((cells) => cells[index]!.length)),
  );
  const line = (cells: readonly string[]) =>
    columns
      .map((column, index) => {
        const cell = cells[index]!;
        const padded = column.right ? cell.padStart(widths[index]!) : cell.padEnd(widths[index]!);
        return (index === 0 ? "" : column.gap) + padded;
      })
      .join("");
  let text = options.header ? `${line(columns.map((column) => column.header))}\n` : "";
  for (const [index, cells] of rows.entries()) {
    const { information } = sockets[index]!;
    if (!options.information || information === undefined) {
      text += `${line(cells)}\n`;
      continue;
    }
    const start = line(cells).trimEnd();
    text += `${start}${options.oneline ? "" : "\n\t"} ${informationText(information)}\n`;
  }
  return text;
}

function hostText(context: CommandContext, options: SsOptions, address: Ipv4Address): string {
  const name = options.resolve && address !== 0 ? nameOf(context.host, address) : undefined;
  return name ?? formatIpv4(address);
}

function portText(options: SsOptions, port: number, transport: "tcp" | "udp"): string {
  if (port === 0) return "*";
  return (options.numeric ? undefined : serviceName(port, transport)) ?? String(port);
}

/** tcp_stats_print() */
function informationText(tcp: TcpInformation): string {
  const milliseconds = (us: number) => String(Number((us / 1_000).toPrecision(6)));
  const parts = [
    tcp.congestionControl,
    `wscale:${tcp.windowScales[0]},${tcp.windowScales[1]}`,
    `rto:${Number(tcp.rtoMs.toPrecision(6))}`,
  ];
  if (tcp.rttUs > 0) parts.push(`rtt:${milliseconds(tcp.rttUs)}/${milliseconds(tcp.rttVariationUs)}`);
  parts.push(`mss:${tcp.mss}`);
  if (tcp.pathMtu > 0) parts.push(`pmtu:${tcp.pathMtu}`);
  if (tcp.receiveMss > 0) parts.push(`rcvmss:${tcp.receiveMss}`);
  if (tcp.advertisedMss > 0) parts.push(`advmss:${tcp.advertisedMss}`);
  parts.push(`cwnd:${tcp.cwnd}`);
  if (tcp.ssthresh !== undefined) parts.push(`ssthresh:${tcp.ssthresh}`);
  const counted: readonly (readonly [string, number])[] = [
    ["bytes_sent", tcp.bytesSent],
    ["bytes_retrans", tcp.bytesRetransmitted],
    ["bytes_acked", tcp.bytesAcknowledged],
    ["bytes_received", tcp.bytesReceived],
    ["segs_out", tcp.segmentsOut],
    ["segs_in", tcp.segmentsIn],
    ["data_segs_out", tcp.dataSegmentsOut],
    ["data_segs_in", tcp.dataSegmentsIn],
  ];
  for (const [name, count] of counted) if (count > 0) parts.push(`${name}:${count}`);
  if (tcp.rttUs > 0) parts.push(`send ${Math.floor((tcp.mss * tcp.cwnd * 8 * 1_000_000) / tcp.rttUs)}bps`);
  if (tcp.delivered > 0) parts.push(`delivered:${tcp.delivered}`);
  if (tcp.unacknowledged > 0) parts.push(`unacked:${tcp.unacknowledged}`);
  if (tcp.retransmitting > 0 || tcp.retransmitted > 0) parts.push(`retrans:${tcp.retransmitting}/${tcp.retransmitted}`);
  if (tcp.lost > 0) parts.push(`lost:${tcp.lost}`);
  if (tcp.sacked > 0) parts.push(`sacked:${tcp.sacked}`);
  if (tcp.receiveThreshold > 0) parts.push(`rcv_ssthresh:${tcp.receiveThreshold}`);
  if (tcp.minimumRttUs > 0) parts.push(`minrtt:${milliseconds(tcp.minimumRttUs)}`);
  if (tcp.sendWindow > 0) parts.push(`snd_wnd:${tcp.sendWindow}`);
  return parts.join(" ");
}

/** -s */
function summaryText(namespace: NetworkNamespace): string {
  const tcp = tcpSockets(namespace);
  const udp = udpSockets(namespace).length;
  const count = (...states: readonly string[]) => tcp.filter((socket) => states.includes(socket.state)).length;
  const waiting = count("TIME-WAIT");
  const live = tcp.length - waiting;
  const established = count("ESTAB", "CLOSE-WAIT");
  const row = (name: string, total: number) =>
    `${name}\t  ${String(total).padEnd(9)} ${String(total).padEnd(9)} ${"0".padEnd(9)}\n`;
  return (
    `Total: ${live + udp}\n` +
    `TCP:   ${tcp.length} (estab ${established}, closed ${waiting}, orphaned 0, timewait ${waiting})\n\n` +
    `Transport Total     IP        IPv6\n` +
    row("RAW", 0) +
    row("UDP", udp) +
    row("TCP", live) +
    row("INET", live + udp) +
    row("FRAG", 0) +
    "\n"
  );
}
