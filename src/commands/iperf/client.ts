/**
 * `iperf -c`: one stream, TCP or UDP. A program on a real machine writes no faster than its processor lets it; here no faster than 10 Gbit/s, where
 * nothing else is slower.
 */
import { errorText } from "../../linux/errno.ts";
import type { NetworkNamespace } from "../../linux/namespace.ts";
import { type Process, type Program, sleep, type Wait, type Wake } from "../../linux/process.ts";
import { connect } from "../../linux/tcp/blocking.ts";
import { TcpSocket } from "../../linux/tcp/tcp-socket.ts";
import { UdpSocket } from "../../linux/udp-socket.ts";
import { MILLISECOND, type Nanoseconds, SECOND } from "../../sim/time.ts";
import { formatIpv4, type Ipv4Address } from "../../wire/address.ts";
import { readReport, type ServerReport, writeHeader } from "./datagram.ts";
import type { IperfOptions } from "./options.ts";
import { connectedText, HEADING, idText, intervalText, lossText, tcpDetails, UDP_HEADING } from "./report.ts";

type Call<Answer> = Generator<Wait, Answer, Wake>;

const TCP_WRITE_BYTES = 131_072;
export const UDP_WRITE_BYTES = 1_470;
export const DEFAULT_UDP_BITS_PER_SECOND = 1_048_576;
const PROCESSOR_BITS_PER_SECOND = 10_000_000_000;
const READ_BYTES = 4_096;
const ACK_WAIT_NS = 250 * MILLISECOND;
const ACK_TRIES = 10;
const INTERRUPTED = 130;

/** What the streams of one run share. */
export interface ClientRun {
  readonly namespace: NetworkNamespace;
  readonly options: IperfOptions;
  readonly address: Ipv4Address;
  headingPrinted: boolean;
  totalBytes: number;
  longestNs: Nanoseconds;
  finished: number;
}

export class ClientStream {
  readonly #process: Process;
  readonly #run: ClientRun;
  readonly #id: number;
  #startNs: Nanoseconds = 0;
  #bytes = 0;
  #intervalFromNs: Nanoseconds = 0;
  #intervalBytes = 0;

  constructor(process: Process, run: ClientRun, id: number) {
    this.#process = process;
    this.#run = run;
    this.#id = id;
  }

  *run(): Program {
    return yield* this.#run.options.udp ? this.#udp() : this.#tcp();
  }

  *#tcp(): Program {
    const { namespace, options, address } = this.#run;
    const { clock, stdout, stderr } = this.#process;
    const socket = new TcpSocket(namespace);
    this.#process.atExit(() => socket.close());
    if (options.windowBytes !== undefined) socket.sendBufferBytes = options.windowBytes;
    const problem = yield* connect(this.#process, socket, address, options.port);
    if (problem === "EINTR") return INTERRUPTED;
    if (problem !== undefined) {
      stderr.write(`tcp connect failed: ${errorText(problem)}\n`);
      stdout.write(
        `[${idText(this.#id)}] local 0.0.0.0 port 0 connected with ${formatIpv4(address)} port ${options.port}\n`,
      );
      return 0;
    }
    stdout.write(connectedText(this.#id, socket, tcpDetails(socket)));
    this.#begin();
    const data = pattern(options.lengthBytes ?? TCP_WRITE_BYTES);
    const rate = Math.min(options.rateBitsPerSecond ?? PROCESSOR_BITS_PER_SECOND, PROCESSOR_BITS_PER_SECOND);
    let freeNs = clock.nowNs; // when the program may write again
    while (!this.#enough()) {
      let wake: Wake = "ready";
      if (clock.nowNs < freeNs) {
        wake = yield { queues: [], untilNs: this.#nextEventNs(freeNs) };
      } else {
        const left = options.amountBytes === undefined ? data.length : options.amountBytes - this.#bytes;
        const written = socket.write(left < data.length ? data.subarray(0, left) : data);
        if (typeof written === "number") {
          this.#count(written);
          freeNs = Math.max(freeNs, clock.nowNs - SECOND) + Math.ceil((written * 8 * SECOND) / rate);
        } else if (written === "EAGAIN") {
          wake = yield { queues: [socket.changed], untilNs: this.#nextEventNs(undefined) };
        } else {
          stderr.write(`write failed: ${errorText(written)}\n`);
          break;
        }
      }
      if (wake === "signal") break;
      this.#reportIntervals();
    }
    const interrupted = this.#process.pendingSignal !== undefined;
    socket.shutdown("write");
    while (!interrupted) {
      const answer = socket.read(READ_BYTES);
      if (answer === "end" || typeof answer === "string") break;
      if (answer === undefined && (yield { queues: [socket.changed] }) === "signal") break;
    }
    this.#finish();
    return interrupted ? INTERRUPTED : 0;
  }

  *#udp(): Program {
    const { namespace, options, address } = this.#run;
    const { clock, stdout, stderr } = this.#process;
    const socket = new UdpSocket(namespace);
    this.#process.atExit(() => socket.close());
    const problem = socket.connect(address, options.port);
    if (problem !== undefined) {
      stderr.write(`udp connect failed: ${errorText(problem)}\n`);
      return 0;
    }
    stdout.write(connectedText(this.#id, socket));
    this.#begin();
    const payload = pattern(options.lengthBytes ?? UDP_WRITE_BYTES);
    const rate = options.rateBitsPerSecond ?? DEFAULT_UDP_BITS_PER_SECOND;
    const gapNs = (payload.length * 8 * SECOND) / Math.min(rate, PROCESSOR_BITS_PER_SECOND);
    let sent = 0;
    while (!this.#enough()) {
      const dueNs = this.#startNs + Math.round(sent * gapNs);
      if (clock.nowNs < dueNs) {
        const wake = yield { queues: [], untilNs: this.#nextEventNs(dueNs) };
        if (wake === "signal") break;
        this.#reportIntervals();
        continue;
      }
      sent++;
      writeHeader(payload, sent, clock.nowNs);
      // A refusal that ICMP told takes the place of sending once; iperf goes on.
      if (typeof socket.sendTo(payload) === "number") this.#count(payload.length);
    }
    const endNs = clock.nowNs;
    this.#finish(endNs);
    stdout.write(`[${idText(this.#id)}] Sent ${sent + 1} datagrams\n`);
    if (this.#process.pendingSignal !== undefined) return INTERRUPTED;
    const report = yield* this.#askForReport(socket, payload, sent + 1);
    if (report === "interrupted") return INTERRUPTED;
    if (report === undefined) {
      stderr.write(`[${idText(this.#id)}] WARNING: did not receive ack of last datagram after ${ACK_TRIES} tries.\n`);
      return 0;
    }
    stdout.write(
      `[${idText(this.#id)}] Server Report:\n${UDP_HEADING}` +
        `${intervalText(idText(this.#id), 0, report.durationNs, report.bytes, options.unit)}` +
        `${lossText(report.jitterNs, report.lost, report.total)}\n`,
    );
    return 0;
  }

  /** The last datagram has a negative number, and is sent again until the server answers. */
  *#askForReport(
    socket: UdpSocket,
    payload: Uint8Array,
    number: number,
  ): Call<ServerReport | undefined | "interrupted"> {
    for (let attempt = 0; attempt < ACK_TRIES; attempt++) {
      writeHeader(payload, -number, this.#process.clock.nowNs);
      socket.sendTo(payload);
      const untilNs = this.#process.clock.nowNs + ACK_WAIT_NS;
      for (;;) {
        const answer = socket.receive();
        if (typeof answer === "string") {
          this.#process.stderr.write(`read failed: ${errorText(answer)}\n`);
          if (!(yield* sleep(this.#process, ACK_WAIT_NS))) return "interrupted";
          break;
        }
        const report = answer === undefined ? undefined : readReport(answer.bytes);
        if (report !== undefined) return report;
        if (answer !== undefined) continue;
        const wake = yield { queues: [socket.readable], untilNs };
        if (wake === "signal") return "interrupted";
        if (wake === "timeout") break;
      }
    }
    return undefined;
  }

  // ---- Time and amounts

  #begin(): void {
    this.#startNs = this.#process.clock.nowNs;
  }

  #count(bytes: number): void {
    this.#bytes += bytes;
    this.#intervalBytes += bytes;
  }

  #enough(): boolean {
    const { amountBytes, timeNs } = this.#run.options;
    if (this.#process.pendingSignal !== undefined) return true;
    if (amountBytes !== undefined) return this.#bytes >= amountBytes;
    return this.#process.clock.nowNs - this.#startNs >= timeNs;
  }

  /** Until when to wait: the end, the next report, or `otherNs`. */
  #nextEventNs(otherNs: Nanoseconds | undefined): Nanoseconds | undefined {
    const { amountBytes, timeNs, intervalNs } = this.#run.options;
    const times: Nanoseconds[] = [];
    if (otherNs !== undefined) times.push(otherNs);
    if (amountBytes === undefined) times.push(this.#startNs + timeNs);
    if (intervalNs !== undefined) times.push(this.#startNs + this.#intervalFromNs + intervalNs);
    return times.length === 0 ? undefined : Math.min(...times);
  }

  #reportIntervals(): void {
    const { intervalNs, unit } = this.#run.options;
    if (intervalNs === undefined) return;
    const elapsedNs = this.#process.clock.nowNs - this.#startNs;
    while (elapsedNs >= this.#intervalFromNs + intervalNs) {
      const toNs = this.#intervalFromNs + intervalNs;
      this.#print(intervalText(idText(this.#id), this.#intervalFromNs, toNs, this.#intervalBytes, unit));
      this.#intervalFromNs = toNs;
      this.#intervalBytes = 0;
    }
  }

  #finish(endNs = this.#process.clock.nowNs): void {
    const run = this.#run;
    const elapsedNs = endNs - this.#startNs;
    this.#print(intervalText(idText(this.#id), 0, elapsedNs, this.#bytes, run.options.unit));
    run.totalBytes += this.#bytes;
    run.longestNs = Math.max(run.longestNs, elapsedNs);
    run.finished++;
    if (run.options.streams > 1 && run.finished === run.options.streams)
      this.#print(intervalText("SUM", 0, run.longestNs, run.totalBytes, run.options.unit));
  }

  #print(line: string): void {
    if (!this.#run.headingPrinted) this.#process.stdout.write(HEADING);
    this.#run.headingPrinted = true;
    this.#process.stdout.write(`${line}\n`);
  }
}

/** `0123456789` again and again, as iperf fills its buffers. */
function pattern(lengthBytes: number): Uint8Array {
  return Uint8Array.from({ length: Math.max(lengthBytes, 16) }, (_, index) => 0x30 + (index % 10));
}
