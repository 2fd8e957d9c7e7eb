/**
 * The word `tracepath` (iputils 20221126): UDP with rising TTLs and DF set, each datagram as long as the path is known to take; what ICMP
 * says about them tells the hops, the path's MTU and how long the way back is.
 */
import { errorText } from "../linux/errno.ts";
import type { Process, Program, Wait, Wake } from "../linux/process.ts";
import { type SocketError, UdpSocket } from "../linux/udp-socket.ts";
import { MICROSECOND, type Nanoseconds, SECOND } from "../sim/time.ts";
import { formatIpv4, type Ipv4Address, parseIpv4 } from "../wire/address.ts";
import { CommandError } from "./command-error.ts";
import { lookUp } from "./host.ts";
import { nameOf } from "./host-names.ts";
import { OptionReader } from "./option-reader.ts";
import type { CommandContext, Word } from "./word.ts";

const USAGE = `
Usage
  tracepath [options] <destination>

Options:
  -4             use IPv4
  -6             use IPv6
  -b             print both name and ip
  -l <length>    use packet <length>
  -m <hops>      use maximum <hops>
  -n             no dns name resolution
  -p <port>      use destination <port>
  -V             print version and exit
  <destination>  dns name or ip address

For more details see tracepath(8).`;

const BASE_PORT = 44_444;
const DEFAULT_HOPS = 30;
const HEADERS_BYTES = 28;
const LONGEST_BYTES = 65_535;
const TIME_EXCEEDED = 11;
const TRIES_A_HOP = 3;
const TRIES_A_SIZE = 10;
const WAIT_NS = SECOND;
const NAME_COLUMN = 52;
const PMTU_COLUMN = 38;

interface TracepathOptions {
  target: string;
  numeric: boolean;
  both: boolean;
  packetBytes: number;
  maximumHops: number;
  port: number;
}

export const TRACEPATH: Word = {
  name: "tracepath",
  *run(process, context, argv) {
    try {
      const options = readOptions(argv);
      const target = yield* lookUp(process, context.host, options.target, parseIpv4);
      if (target === undefined) throw new CommandError(1, `tracepath: ${options.target}: Name or service not known`);
      return yield* new Tracepath(process, context, options, target).run();
    } catch (error) {
      if (!(error instanceof CommandError)) throw error;
      (error.status === 0 ? process.stdout : process.stderr).write(`${error.message}\n`);
      return error.status;
    }
  },
};

function readOptions(argv: readonly string[]): TracepathOptions {
  const options: TracepathOptions = {
    target: "",
    numeric: false,
    both: false,
    packetBytes: LONGEST_BYTES,
    maximumHops: DEFAULT_HOPS,
    port: BASE_PORT,
  };
  const reader = new OptionReader("tracepath", argv, "46nbh?l:m:p:V", USAGE, 255);
  for (const { letter, value } of reader.options()) {
    switch (letter) {
      case "4":
        break;
      case "n":
        options.numeric = true;
        break;
      case "b":
        options.both = true;
        break;
      case "l":
        options.packetBytes = integer(value, HEADERS_BYTES, 0x7fff_ffff);
        break;
      case "m":
        options.maximumHops = integer(value, 0, 255);
        break;
      case "p":
        options.port = integer(value, 0, 0xffff);
        break;
      case "V":
        throw new CommandError(0, "tracepath from iputils 20221126");
      default:
        throw new CommandError(255, USAGE);
    }
  }
  if (reader.operands.length !== 1) throw new CommandError(255, USAGE);
  const [name = "", port, ...rest] = reader.operands[0]!.split("/");
  if (rest.length > 0) throw new CommandError(255, USAGE);
  options.target = name;
  if (port !== undefined) options.port = integer(port, 0, 0xffff);
  return options;
}

function integer(text: string, low: number, high: number): number {
  if (!/^[-+]?\d+$/.test(text)) throw new CommandError(1, `tracepath: invalid argument: '${text}'`);
  const value = Number(text);
  if (value < low || value > high)
    throw new CommandError(1, `tracepath: invalid argument: '${text}': out of range: ${low} <= value <= ${high}`);
  return value;
}

/** What one datagram came to. */
type Verdict = "reached" | "unreachable" | "hop" | "shorter" | "refused" | "silence" | "interrupted";

class Tracepath {
  readonly #process: Process;
  readonly #context: CommandContext;
  readonly #options: TracepathOptions;
  readonly #target: Ipv4Address;
  readonly #socket: UdpSocket;
  readonly #sentNs = new Map<number, { hop: number; atNs: Nanoseconds }>();
  #mtu: number;
  #port: number;
  #hop = 0;
  #hopsTo: number | undefined = undefined;
  #hopsFrom: number | undefined = undefined;

  constructor(process: Process, context: CommandContext, options: TracepathOptions, target: Ipv4Address) {
    this.#process = process;
    this.#context = context;
    this.#options = options;
    this.#target = target;
    this.#mtu = options.packetBytes;
    this.#port = options.port;
    this.#socket = new UdpSocket(context.namespace);
    process.atExit(() => this.#socket.close());
  }

  *run(): Program {
    const socket = this.#socket;
    socket.dontFragment = "do";
    socket.receiveErrors = true;
    for (let hop = 1; hop <= this.#options.maximumHops; hop++) {
      this.#hop = hop;
      socket.ttl = hop;
      const verdict = yield* this.#tryHop();
      if (verdict === "interrupted") return 130;
      if (verdict === "silence") this.#print(`${this.#head()}no reply\n`);
      if (verdict === "reached" || verdict === "unreachable" || verdict === "refused") return this.#resume();
    }
    this.#print(`     Too many hops: pmtu ${this.#mtu}\n`);
    return this.#resume();
  }

  /** Up to three datagrams of a hop; one that was too long counts for itself. */
  *#tryHop(): Generator<Wait, Verdict, Wake> {
    let tries = 0;
    let sizes = 0;
    while (tries < TRIES_A_HOP) {
      const verdict = yield* this.#probe();
      if (verdict === "shorter") {
        sizes++;
        if (sizes >= TRIES_A_SIZE) return "silence";
        tries = 0;
        continue;
      }
      if (verdict !== "silence") return verdict;
      tries++;
    }
    return "silence";
  }

  /** One datagram and what comes of it. Where the first length did not fit, the answer is shown, and the hop asked again. */
  *#probe(): Generator<Wait, Verdict, Wake> {
    const { clock } = this.#process;
    const before = this.#mtu;
    const sent = this.#send();
    if (sent !== undefined) return sent;
    const untilNs = clock.nowNs + WAIT_NS;
    let verdict = this.#collect();
    while (verdict === undefined) {
      const wake = yield { queues: [this.#socket.readable], untilNs };
      if (wake === "signal") return "interrupted";
      verdict = this.#collect() ?? (wake === "timeout" ? "silence" : undefined);
    }
    return this.#mtu === before ? verdict : "shorter";
  }

  /** Sends one, as long as the path takes it from here; a verdict when that cannot be. */
  #send(): Verdict | undefined {
    for (let attempt = 0; attempt < TRIES_A_SIZE; attempt++) {
      const payload = new Uint8Array(Math.max(this.#mtu - HEADERS_BYTES, 0));
      const port = this.#port;
      this.#port = (this.#port + 1) & 0xffff;
      this.#sentNs.set(port, { hop: this.#hop, atNs: this.#process.clock.nowNs });
      const problem = this.#socket.sendTo(payload, this.#target, port);
      if (typeof problem === "number") return undefined;
      this.#sentNs.delete(port);
      if (problem === "EMSGSIZE" && this.#shorten()) continue;
      const verdict = this.#collect(); // a pending error takes the place of sending once
      if (verdict !== undefined) return verdict;
      if (problem === "EMSGSIZE") break;
    }
    this.#print(`${String(this.#hop).padStart(2)}:  send failed\n`);
    return "refused";
  }

  /** The kernel's error queue tells how much it takes; not of what is longer than any datagram. */
  #shorten(): boolean {
    if (this.#mtu > LONGEST_BYTES) return false;
    const path = this.#context.namespace.ipv4.resolve({ destination: this.#target });
    if (typeof path === "string" || path.mtu() >= this.#mtu) return false;
    this.#mtu = path.mtu();
    const label = `${String(this.#hop).padStart(2)}?: [LOCALHOST]`;
    this.#print(`${label.padEnd(PMTU_COLUMN)}pmtu ${this.#mtu}\n`);
    return true;
  }

  #collect(): Verdict | undefined {
    for (;;) {
      const error = this.#socket.nextError();
      if (error === undefined) break;
      const verdict = this.#judge(error);
      if (verdict !== undefined) {
        this.#socket.takeError();
        return verdict;
      }
    }
    const datagram = this.#socket.receive();
    if (datagram === undefined || typeof datagram === "string") return undefined;
    this.#print(`${this.#line(datagram.source, this.#sentNs.get(datagram.sourcePort), datagram.receivedNs)} reached\n`);
    this.#hopsTo = this.#hop;
    return "reached";
  }

  /** recverr() */
  #judge(error: SocketError): Verdict | undefined {
    const sent = this.#sentNs.get(error.destinationPort);
    this.#sentNs.delete(error.destinationPort);
    if (sent === undefined) return undefined;
    let line = this.#line(error.offender, sent, error.receivedNs);
    switch (error.errno) {
      case "EMSGSIZE": {
        this.#print(`${line} pmtu ${error.info}\n`);
        this.#mtu = error.info;
        return "shorter";
      }
      case "ECONNREFUSED":
        this.#print(`${line} reached\n`);
        this.#hopsTo = sent.hop;
        this.#hopsFrom = hopsBack(error.timeToLive);
        return "reached";
      case "EPROTO":
        this.#print(`${line} !P\n`);
        return "unreachable";
      case "EHOSTUNREACH":
        if (error.type === TIME_EXCEEDED && error.code === 0) {
          const back = hopsBack(error.timeToLive);
          if (back !== sent.hop) line += ` asymm ${String(back).padStart(2)}`;
          this.#print(`${line} \n`);
          return "hop";
        }
        this.#print(`${line} !H\n`);
        return "unreachable";
      case "ENETUNREACH":
        this.#print(`${line} !N\n`);
        return "unreachable";
      case "EACCES":
        this.#print(`${line} !A\n`);
        return "unreachable";
      default:
        this.#print(`${line} NET ERROR: ${errorText(error.errno)}\n`);
        return "unreachable";
    }
  }

  #resume(): number {
    let text = `     Resume: pmtu ${this.#mtu} `;
    if (this.#hopsTo !== undefined) text += `hops ${this.#hopsTo} `;
    if (this.#hopsFrom !== undefined) text += `back ${this.#hopsFrom} `;
    this.#print(`${text}\n`);
    return 0;
  }

  #head(): string {
    return `${String(this.#hop).padStart(2)}:  `;
  }

  /** ` 1:  10.0.1.2                                              0.054ms`: the name to column 52, then the time. */
  #line(from: Ipv4Address, sent: { hop: number; atNs: Nanoseconds } | undefined, receivedNs: Nanoseconds): string {
    const head = `${String(sent?.hop ?? this.#hop).padStart(2)}:  ${this.#name(from)}`;
    const timeUs = Math.floor((receivedNs - (sent?.atNs ?? receivedNs)) / MICROSECOND);
    const time = `${Math.floor(timeUs / 1_000)}.${String(timeUs % 1_000).padStart(3, "0")}ms`;
    return `${head.padEnd(NAME_COLUMN)}${time.padStart(13)}`;
  }

  #name(address: Ipv4Address): string {
    const digits = formatIpv4(address);
    const name = nameOf(this.#context.host, address) ?? "???";
    if (this.#options.both) return this.#options.numeric ? `${digits} (???)` : `${name} (${digits})`;
    return this.#options.numeric ? digits : name;
  }

  #print(text: string): void {
    this.#process.stdout.write(text);
  }
}

/** How many routers the answer has passed, and one: hosts start from 64, 128 or 255. */
function hopsBack(timeToLive: number): number {
  if (timeToLive <= 64) return 65 - timeToLive;
  return timeToLive <= 128 ? 129 - timeToLive : 256 - timeToLive;
}
