/**
 * The word `ping` (iputils 20221126): echo requests through a socket of the emulated kernel, paced and waited for as the real one does, which sends on a
 * clock of its own and ends early when everything has been answered.
 */
import { type Errno, errorText } from "../../linux/errno.ts";
import type { NetworkNamespace } from "../../linux/namespace.ts";
import type { NetDevice } from "../../linux/net-device.ts";
import type { Process, Program } from "../../linux/process.ts";
import { type EchoEvent, type EchoReply, RawSocket } from "../../linux/raw-socket.ts";
import { MILLISECOND, type Nanoseconds, SECOND } from "../../sim/time.ts";
import { formatIpv4, type Ipv4Address, parseIpv4 } from "../../wire/address.ts";
import { CommandError } from "../command-error.ts";
import { lookUp } from "../host.ts";
import type { CommandContext, Word } from "../word.ts";
import { type PingOptions, readPingOptions } from "./ping-options.ts";
import { errorWords, PingStatistics, roundTripText } from "./ping-text.ts";

/** A time stamp in front of the data, when there is room. */
const TIMESTAMP_BYTES = 16;
const MICROSECOND = 1_000;
/** Flooding sends at least a hundred a second. */
const FLOOD_NS = 10 * MILLISECOND;

export const PING: Word = {
  name: "ping",
  *run(process, context, argv) {
    try {
      const options = readPingOptions(argv);
      const address = yield* lookUp(process, context.host, options.target, parseIpv4);
      if (address === undefined) throw new CommandError(2, `ping: ${options.target}: Name or service not known`);
      return yield* new Ping(process, context, options, address).run();
    } catch (error) {
      if (!(error instanceof CommandError)) throw error;
      (error.status === 0 ? process.stdout : process.stderr).write(`${error.message}\n`);
      return error.status;
    }
  },
};

class Ping {
  readonly #process: Process;
  readonly #context: CommandContext;
  readonly #namespace: NetworkNamespace;
  readonly #options: PingOptions;
  readonly #target: Ipv4Address;
  readonly #statistics = new PingStatistics();
  readonly #sentNs = new Map<number, Nanoseconds>();
  readonly #answered = new Set<number>();
  #device: NetDevice | undefined = undefined;
  #source: Ipv4Address | undefined = undefined;
  #ownAddress: Ipv4Address;
  #confirm = false;
  #startNs: Nanoseconds;
  /** When the last request was sent. */
  #lastNs: Nanoseconds;

  constructor(process: Process, context: CommandContext, options: PingOptions, target: Ipv4Address) {
    this.#process = process;
    this.#context = context;
    this.#namespace = context.namespace;
    this.#options = options;
    this.#target = target;
    this.#ownAddress = target;
    this.#startNs = process.clock.nowNs;
    this.#lastNs = this.#startNs;
  }

  *run(): Program {
    const { clock, stdout } = this.#process;
    const options = this.#options;
    this.#chooseSource();
    this.#checkRoute();
    const socket = new RawSocket(this.#namespace);
    this.#process.atExit(() => socket.close());
    stdout.write(`${this.#heading()}\n`);
    const deadlineNs = options.deadlineMs === undefined ? undefined : clock.nowNs + options.deadlineMs * MILLISECOND;
    let nextNs = clock.nowNs;
    let exitNs: Nanoseconds | undefined; // nothing is sent any more; replies are awaited until then
    this.#startNs = clock.nowNs;
    for (;;) {
      if (this.#finished(deadlineNs)) break;
      while (exitNs === undefined && clock.nowNs >= nextNs) {
        if (options.count > 0 && this.#statistics.transmitted >= options.count && deadlineNs === undefined) {
          exitNs = clock.nowNs + this.#lingerNs();
          break;
        }
        this.#report();
        this.#send(socket);
        nextNs = clock.nowNs + this.#paceNs();
        if (this.#statistics.transmitted < options.preload) nextNs = clock.nowNs;
        if (options.count > 0 && this.#statistics.transmitted >= options.count && deadlineNs === undefined)
          exitNs = clock.nowNs + this.#lingerNs();
        this.#receive(socket);
        if (this.#finished(deadlineNs)) break;
      }
      if (this.#finished(deadlineNs)) break;
      if (exitNs !== undefined && clock.nowNs >= exitNs) break;
      if (deadlineNs !== undefined && clock.nowNs >= deadlineNs) break;
      let untilNs = exitNs ?? nextNs;
      if (deadlineNs !== undefined && deadlineNs < untilNs) untilNs = deadlineNs;
      const wake = yield { queues: [socket.readable], untilNs };
      const fresh = this.#receive(socket);
      if (wake === "signal") break;
      if (fresh && (options.flood || options.adaptive) && this.#statistics.inFlight < options.preload)
        nextNs = clock.nowNs;
      // A slow answer shows how long the last ones may take.
      if (fresh && exitNs !== undefined) exitNs = Math.max(exitNs, this.#lastSentNs() + this.#lingerNs());
    }
    const statistics = this.#statistics;
    const elapsedMs = Math.floor((this.#lastNs - this.#startNs) / MILLISECOND);
    const timed = options.sizeBytes >= TIMESTAMP_BYTES;
    stdout.write(statistics.text(options.target, elapsedMs, timed, options.flood || options.adaptive));
    const short = deadlineNs !== undefined && options.count > 0 && statistics.received < options.count;
    return statistics.received === 0 || short ? 1 : 0;
  }

  #finished(deadlineNs: Nanoseconds | undefined): boolean {
    const { received, errors } = this.#statistics;
    const { count } = this.#options;
    if (count > 0 && received + errors >= count) return true;
    return deadlineNs !== undefined && errors > 0 && count > 0;
  }

  /** -I: the interface to leave by, or the address to send from. */
  #chooseSource(): void {
    const { from } = this.#options;
    if (from === undefined) return;
    const address = parseIpv4(from);
    if (address !== undefined) {
      if (this.#namespace.routes.addressType(address) !== "local")
        throw new CommandError(2, "ping: bind: Cannot assign requested address");
      this.#source = address;
      return;
    }
    this.#device = this.#namespace.device(from);
    if (this.#device === undefined) throw new CommandError(2, `ping: SO_BINDTODEVICE ${from}: No such device`);
  }

  /** The real one connects a UDP socket to learn its own address, and complains as connect(2) does. */
  #checkRoute(): void {
    const path = this.#namespace.ipv4.resolve({
      destination: this.#target,
      ...(this.#source === undefined ? {} : { source: this.#source }),
      device: this.#device,
    });
    if (typeof path === "string") throw new CommandError(2, `ping: connect: ${errorText(path)}`);
    this.#ownAddress = this.#source ?? path.source;
    if (path.kind !== "broadcast") return;
    if (!this.#options.broadcast)
      throw new CommandError(
        2,
        "ping: Do you want to ping broadcast? Then -b. If not, check your local firewall rules",
      );
    this.#process.stderr.write("WARNING: pinging broadcast address\n");
  }

  #heading(): string {
    const { target, sizeBytes, from } = this.#options;
    let text = `PING ${target} (${formatIpv4(this.#target)}) `;
    if (from !== undefined) text += `from ${formatIpv4(this.#ownAddress)} ${this.#device?.name ?? ""}: `;
    return `${text}${sizeBytes}(${sizeBytes + 28}) bytes of data.`;
  }

  #paceNs(): Nanoseconds {
    const { intervalMs, flood, adaptive } = this.#options;
    if (flood && intervalMs === 0) return FLOOD_NS;
    if (adaptive && this.#statistics.received > 0)
      return Math.max(Math.min(this.#statistics.smoothedUs * MICROSECOND, intervalMs * MILLISECOND), 2 * MILLISECOND);
    return Math.max(intervalMs * MILLISECOND, MILLISECOND);
  }

  /** How long the last replies are waited for: twice the slowest so far, at least an interval; or -W when none has come. */
  #lingerNs(): Nanoseconds {
    const { intervalMs, lingerMs } = this.#options;
    if (this.#statistics.received === 0) return lingerMs * MILLISECOND;
    return Math.max(2 * this.#statistics.maximumUs * MICROSECOND, intervalMs * MILLISECOND);
  }

  #lastSentNs(): Nanoseconds {
    return this.#sentNs.get(this.#statistics.transmitted) ?? this.#startNs;
  }

  /** -O */
  #report(): void {
    const sequence = this.#statistics.transmitted;
    if (!this.#options.reportOutstanding || sequence === 0 || this.#answered.has(sequence & 0xffff)) return;
    this.#print(`no answer yet for icmp_seq=${sequence & 0xffff}`);
  }

  #send(socket: RawSocket): void {
    const { sizeBytes, timeToLive, typeOfService, dontFragment, broadcast, mark } = this.#options;
    const statistics = this.#statistics;
    const nowNs = this.#process.clock.nowNs;
    const sequence = statistics.transmitted + 1;
    const sent = socket.send(this.#target, sequence, this.#data(sizeBytes, nowNs), {
      timeToLive,
      typeOfService,
      dontFragment,
      source: this.#source,
      device: this.#device,
      broadcast,
      mark,
      confirm: this.#confirm,
    });
    this.#confirm = false;
    statistics.transmitted = sequence;
    this.#sentNs.set(sequence, nowNs);
    this.#lastNs = nowNs;
    if (typeof sent === "number") {
      if (!this.#options.quiet && this.#options.flood) this.#process.stdout.write(".");
      return;
    }
    this.#sendFailed(sent);
  }

  #sendFailed(errno: Errno): void {
    const { quiet, flood } = this.#options;
    if (errno === "EMSGSIZE") this.#statistics.errors++; // the error queue holds one about it
    if (quiet) return;
    if (flood) this.#process.stdout.write("E");
    else if (errno === "EMSGSIZE")
      this.#process.stderr.write(`ping: local error: message too long, mtu=${this.#mtu()}\n`);
    else this.#process.stderr.write(`ping: sendmsg: ${errorText(errno)}\n`);
  }

  #mtu(): number {
    const path = this.#namespace.ipv4.resolve({ destination: this.#target, device: this.#device });
    return typeof path === "string" ? 0 : path.mtu();
  }

  /** The time of sending (a struct timeval), then counting bytes. */
  #data(sizeBytes: number, nowNs: Nanoseconds): Uint8Array {
    const data = new Uint8Array(sizeBytes);
    for (let index = 0; index < sizeBytes; index++) data[index] = index;
    if (sizeBytes < TIMESTAMP_BYTES) return data;
    const view = new DataView(data.buffer);
    view.setUint32(0, Math.floor(nowNs / SECOND), true);
    view.setUint32(4, 0, true);
    view.setUint32(8, Math.floor((nowNs % SECOND) / MICROSECOND), true);
    view.setUint32(12, 0, true);
    return data;
  }

  /** Takes what has come; true when an answer was among it. */
  #receive(socket: RawSocket): boolean {
    let fresh = false;
    for (let event = socket.receive(); event !== undefined; event = socket.receive()) {
      this.#event(event);
      fresh = true;
    }
    return fresh;
  }

  #event(event: EchoEvent): void {
    if (event.kind === "reply") {
      this.#reply(event);
      return;
    }
    const redirect = event.type === 5 || event.type === 4;
    if (!redirect) {
      this.#statistics.acknowledge(event.sequence);
      this.#statistics.errors++;
    }
    if (this.#options.quiet) return;
    if (this.#options.flood) {
      this.#process.stdout.write(redirect ? "" : "\bE");
      return;
    }
    const words = errorWords(event.type, event.code, event.info);
    this.#print(`From ${this.#name(event.source)}${redirect ? ":" : ""} icmp_seq=${event.sequence} ${words}`);
  }

  #reply(reply: EchoReply): void {
    const { sizeBytes, quiet, flood } = this.#options;
    const statistics = this.#statistics;
    const { sequence } = reply;
    const again = this.#answered.has(sequence);
    // Sequence numbers come again after 65 536 requests: what was sent long ago is forgotten.
    const nth = statistics.transmitted - ((statistics.transmitted - sequence) & 0xffff);
    const sentNs = this.#sentNs.get(nth);
    statistics.acknowledge(sequence);
    if (again) statistics.repeats++;
    else {
      statistics.received++;
      this.#answered.add(sequence);
      this.#answered.delete((sequence + 0x8000) & 0xffff);
      this.#sentNs.delete(nth - 0x8000);
    }
    this.#confirm = true;
    const timed = sizeBytes >= TIMESTAMP_BYTES && sentNs !== undefined;
    const timeUs = timed ? Math.floor((reply.receivedNs - sentNs) / MICROSECOND) : 0;
    if (timed) statistics.roundTrip(timeUs);
    if (quiet) return;
    if (flood) {
      this.#process.stdout.write("\b \b");
      return;
    }
    const time = timed ? ` time=${roundTripText(timeUs)} ms` : "";
    this.#print(
      `${reply.data.length + 8} bytes from ${this.#name(reply.source)}: icmp_seq=${sequence} ttl=${reply.timeToLive}` +
        `${time}${again ? " (DUP!)" : ""}`,
    );
  }

  #print(line: string): void {
    let stamp = "";
    if (this.#options.printTime) {
      const nowUs = Math.floor(this.#process.clock.nowNs / MICROSECOND);
      stamp = `[${Math.floor(nowUs / 1_000_000)}.${String(nowUs % 1_000_000).padStart(6, "0")}] `;
    }
    this.#process.stdout.write(`${stamp}${line}\n`);
  }

  /** A number for a number; who asked for a name is told names. */
  #name(address: Ipv4Address): string {
    const digits = formatIpv4(address);
    if (this.#options.numeric || parseIpv4(this.#options.target) !== undefined) return digits;
    for (const [name, listed] of this.#context.host.hostsFile) if (listed === address) return `${name} (${digits})`;
    return address === this.#target ? `${this.#options.target} (${digits})` : `${digits} (${digits})`;
  }
}
