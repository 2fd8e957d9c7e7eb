/**
 * The word `nc` (netcat-openbsd 1.219 as Debian has it): standard input to a TCP or UDP peer and back, and the same for who listens. Input ends
 * at once where nothing is piped in, as with `</dev/null`.
 */
import { errorText } from "../../linux/errno.ts";
import type { Process, Program, Wait, Wake } from "../../linux/process.ts";
import { sleep } from "../../linux/process.ts";
import { accept, connect } from "../../linux/tcp/blocking.ts";
import { TcpSocket } from "../../linux/tcp/tcp-socket.ts";
import { UdpSocket } from "../../linux/udp-socket.ts";
import { type Nanoseconds, SECOND } from "../../sim/time.ts";
import { formatIpv4, IPV4_ANY, type Ipv4Address, parseIpv4 } from "../../wire/address.ts";
import { CommandError } from "../command-error.ts";
import { lookUp } from "../host.ts";
import { nameOf } from "../host-names.ts";
import { serviceName } from "../services.ts";
import type { CommandContext, Word } from "../word.ts";
import { type NcOptions, readNcOptions, refusal } from "./options.ts";

type Call<Answer> = Generator<Wait, Answer, Wake>;

const INTERRUPTED = 130;
const BUFFER_BYTES = 16_384;
/** A scanned UDP port has so many seconds to refuse. */
const UDP_SCAN_SECONDS = 3;

export const NC: Word = {
  name: "nc",
  *run(process, context, argv) {
    try {
      return yield* new Netcat(process, context, readNcOptions(argv)).run();
    } catch (error) {
      if (!(error instanceof CommandError)) throw error;
      process.stderr.write(`${error.message}\n`);
      return error.status;
    }
  },
};

class Netcat {
  readonly #process: Process;
  readonly #context: CommandContext;
  readonly #options: NcOptions;
  readonly #decoder = new TextDecoder();
  #input: Uint8Array;

  constructor(process: Process, context: CommandContext, options: NcOptions) {
    this.#process = process;
    this.#context = context;
    this.#options = options;
    this.#input = options.withoutInput ? new Uint8Array(0) : new TextEncoder().encode(context.stdin);
  }

  *run(): Program {
    const { listen, udp } = this.#options;
    const source = yield* this.#resolve(this.#options.source, this.#options.sourcePort ?? 0);
    if (listen) {
      const address = (yield* this.#resolve(this.#options.host, this.#options.ports[0]!)) ?? source ?? IPV4_ANY;
      return yield* udp ? this.#listenUdp(address) : this.#listenTcp(address);
    }
    const { host = "", ports } = this.#options;
    const address = (yield* this.#resolve(host, ports[0]!))!;
    let status = 1;
    for (const port of ports) {
      const connected = yield* udp
        ? this.#connectUdp(host, address, port, source)
        : this.#connectTcp(host, address, port, source);
      if (connected === "interrupted") return INTERRUPTED;
      if (connected) status = 0;
    }
    return status;
  }

  *#resolve(name: string | undefined, port: number): Call<Ipv4Address | undefined> {
    if (name === undefined) return undefined;
    const address = this.#options.numeric
      ? parseIpv4(name)
      : yield* lookUp(this.#process, this.#context.host, name, parseIpv4);
    if (address === undefined) throw refusal(`getaddrinfo for host "${name}" port ${port}: Name or service not known`);
    return address;
  }

  // ---- TCP

  *#connectTcp(
    host: string,
    address: Ipv4Address,
    port: number,
    source: Ipv4Address | undefined,
  ): Call<boolean | "interrupted"> {
    const { timeoutNs, scan } = this.#options;
    const socket = this.#tcpSocket();
    if (source !== undefined || this.#options.sourcePort !== undefined) {
      const problem = socket.bind(source ?? IPV4_ANY, this.#options.sourcePort ?? 0);
      if (problem !== undefined) throw refusal(`bind failed: ${errorText(problem)}`);
    }
    const untilNs = timeoutNs === undefined ? undefined : this.#process.clock.nowNs + timeoutNs;
    const problem = yield* connect(this.#process, socket, address, port, untilNs);
    if (problem !== undefined) {
      socket.close();
      if (problem === "EINTR") return "interrupted";
      const outcome = problem === "EAGAIN" ? `timed out: ${errorText("EINPROGRESS")}` : `failed: ${errorText(problem)}`;
      this.#remark(`nc: connect to ${host} port ${port} (tcp) ${outcome}`);
      return false;
    }
    this.#tellConnected(host, address, port);
    const whole = scan || (yield* this.#exchange(socket));
    socket.close();
    return whole ? true : "interrupted";
  }

  *#listenTcp(address: Ipv4Address): Program {
    const port = this.#options.ports[0]!;
    const listener = this.#tcpSocket();
    listener.reuseAddress = true;
    const problem = listener.bind(address, port) ?? listener.listen(1);
    if (problem !== undefined) throw refusal(errorText(problem));
    this.#tellListening(address, listener.localPort);
    for (;;) {
      const socket = yield* accept(this.#process, listener);
      if (typeof socket === "string") return INTERRUPTED;
      this.#process.atExit(() => socket.close());
      if (!this.#options.keepListening) listener.close();
      this.#tellReceived(socket.remoteAddress, socket.remotePort);
      const whole = yield* this.#exchange(socket);
      socket.close();
      if (!whole) return INTERRUPTED;
      if (!this.#options.keepListening) return 0;
    }
  }

  #tcpSocket(): TcpSocket {
    const socket = new TcpSocket(this.#context.namespace);
    socket.options.timeToLive = this.#options.timeToLive;
    socket.options.typeOfService = this.#options.typeOfService;
    this.#process.atExit(() => socket.close());
    return socket;
  }

  /** readwrite(): input out, what comes to standard output, until both have ended. False: a signal came. */
  *#exchange(socket: TcpSocket): Call<boolean> {
    const { shutdownAtEnd, quitNs, timeoutNs, intervalNs } = this.#options;
    const { clock, stdout } = this.#process;
    let inputEnded = false;
    let quitAtNs: Nanoseconds | undefined;
    for (;;) {
      // The manual says "between lines"; the program sleeps before each look, at whatever amount of text.
      if (intervalNs !== undefined && !(yield* sleep(this.#process, intervalNs))) return false;
      let busy = false;
      if (this.#input.length > 0) {
        const written = socket.write(this.#input);
        if (typeof written === "number") {
          this.#input = this.#input.subarray(written);
          busy = true;
        } else if (written !== "EAGAIN") {
          return true;
        }
      }
      if (this.#input.length === 0 && !inputEnded) {
        inputEnded = true;
        if (shutdownAtEnd) socket.shutdown("write");
        if (quitNs !== undefined) quitAtNs = clock.nowNs + quitNs;
      }
      const bytes = socket.read(BUFFER_BYTES);
      if (bytes === "end" || typeof bytes === "string") return true;
      if (bytes !== undefined) {
        stdout.write(this.#decoder.decode(bytes, { stream: true }));
        busy = true;
      }
      if (busy) continue;
      const idleNs = timeoutNs === undefined ? undefined : clock.nowNs + timeoutNs;
      const untilNs = quitAtNs !== undefined && quitAtNs < (idleNs ?? Number.POSITIVE_INFINITY) ? quitAtNs : idleNs;
      const wake = yield { queues: [socket.changed], untilNs };
      if (wake === "signal") return false;
      if (wake === "timeout") return true;
    }
  }

  // ---- UDP

  *#connectUdp(
    host: string,
    address: Ipv4Address,
    port: number,
    source: Ipv4Address | undefined,
  ): Call<boolean | "interrupted"> {
    const socket = this.#udpSocket();
    if (source !== undefined || this.#options.sourcePort !== undefined) {
      const problem = socket.bind(source ?? IPV4_ANY, this.#options.sourcePort ?? 0);
      if (problem !== undefined) throw refusal(`bind failed: ${errorText(problem)}`);
    }
    const problem = socket.connect(address, port);
    if (problem !== undefined) {
      this.#remark(`nc: connect to ${host} port ${port} (udp) failed: ${errorText(problem)}`);
      return false;
    }
    if (this.#options.verbose || this.#options.scan) {
      const open = yield* this.#probeUdp(socket);
      if (open !== true) {
        socket.close();
        return open;
      }
      this.#tellConnected(host, address, port);
    }
    const whole = this.#options.scan || (yield* this.#exchangeUdp(socket));
    socket.close();
    return whole ? true : "interrupted";
  }

  /** udptest(): an X twice, then every second, for a refusal to show itself. */
  *#probeUdp(socket: UdpSocket): Call<boolean | "interrupted"> {
    const { timeoutNs } = this.#options;
    const test = Uint8Array.of(0x58);
    if (typeof socket.sendTo(test) === "string" || socket.sendTo(test) === "ECONNREFUSED") return false;
    const seconds = timeoutNs === undefined ? UDP_SCAN_SECONDS : Math.floor(timeoutNs / SECOND);
    for (let second = 0; second < seconds; second++) {
      if (!(yield* sleep(this.#process, SECOND))) return "interrupted";
      if (socket.sendTo(test) === "ECONNREFUSED") return false;
    }
    return true;
  }

  *#listenUdp(address: Ipv4Address): Program {
    const socket = this.#udpSocket();
    socket.reuseAddress = true;
    const problem = socket.bind(address, this.#options.ports[0]!);
    if (problem !== undefined) throw refusal(errorText(problem));
    this.#tellListening(address, socket.localPort);
    if (!this.#options.keepListening) {
      // The first who sends becomes the peer, and its datagram is the first of the conversation.
      for (;;) {
        const first = socket.receive();
        if (typeof first === "object") {
          socket.connect(first.source, first.sourcePort);
          this.#tellReceived(first.source, first.sourcePort);
          this.#show(first.bytes);
          break;
        }
        if ((yield { queues: [socket.readable] }) === "signal") return INTERRUPTED;
      }
    }
    return (yield* this.#exchangeUdp(socket)) ? 0 : INTERRUPTED;
  }

  #udpSocket(): UdpSocket {
    const socket = new UdpSocket(this.#context.namespace);
    socket.ttl = this.#options.timeToLive;
    socket.tos = this.#options.typeOfService;
    socket.broadcast = true;
    this.#process.atExit(() => socket.close());
    return socket;
  }

  /** A datagram for each 16 KiB of the input; then what comes, until nothing has come for -w, or for ever. */
  *#exchangeUdp(socket: UdpSocket): Call<boolean> {
    const { timeoutNs, quitNs } = this.#options;
    const { clock } = this.#process;
    while (this.#input.length > 0 && socket.connected) {
      if (typeof socket.sendTo(this.#input.subarray(0, BUFFER_BYTES)) === "string") return true;
      this.#input = this.#input.subarray(BUFFER_BYTES);
    }
    const quitAtNs = quitNs === undefined ? undefined : clock.nowNs + quitNs;
    for (;;) {
      const datagram = socket.receive();
      if (typeof datagram === "string") return true; // refused
      if (datagram !== undefined) {
        this.#show(datagram.bytes);
        continue;
      }
      const idleNs = timeoutNs === undefined ? undefined : clock.nowNs + timeoutNs;
      const wake = yield { queues: [socket.readable], untilNs: quitAtNs ?? idleNs };
      if (wake === "signal") return false;
      if (wake === "timeout") return true;
    }
  }

  #show(bytes: Uint8Array): void {
    this.#process.stdout.write(this.#decoder.decode(bytes, { stream: true }));
  }

  // ---- What -v tells

  #remark(text: string): void {
    if (this.#options.verbose) this.#process.stderr.write(`${text}\n`);
  }

  #tellConnected(host: string, address: Ipv4Address, port: number): void {
    const { numeric, udp } = this.#options;
    const transport = udp ? "udp" : "tcp";
    const digits = formatIpv4(address);
    const also = numeric || host === digits ? "" : ` (${digits})`;
    const service = (numeric ? undefined : serviceName(port, transport)) ?? "*";
    this.#remark(`Connection to ${host}${also} ${port} port [${transport}/${service}] succeeded!`);
  }

  #tellListening(address: Ipv4Address, port: number): void {
    this.#remark(`Listening on ${this.#name(address)} ${port}`);
  }

  #tellReceived(address: Ipv4Address, port: number): void {
    this.#remark(`Connection received on ${this.#name(address)} ${port}`);
  }

  #name(address: Ipv4Address): string {
    return (this.#options.numeric ? undefined : nameOf(this.#context.host, address)) ?? formatIpv4(address);
  }
}
