/**
 * `traceroute -T`: SYN segments with a time to live, each from a port of its own. What comes back is seen as a packet socket sees it: an answer of
 * the target's TCP, or an ICMP error on the way. The own kernel knows of no such connection and resets it, as behind the real one.
 */
import { errorText } from "../../linux/errno.ts";
import { PacketSocket } from "../../linux/packet-socket.ts";
import type { WaitQueue } from "../../linux/process.ts";
import type { Nanoseconds } from "../../sim/time.ts";
import type { Ipv4Address } from "../../wire/address.ts";
import { getU32 } from "../../wire/bytes.ts";
import * as ethernet from "../../wire/ethernet.ts";
import * as icmp from "../../wire/icmp.ts";
import * as ipv4 from "../../wire/ipv4.ts";
import * as tcp from "../../wire/tcp.ts";
import { CommandError } from "../command-error.ts";
import { type Probe, type Prober, type Route, takeError } from "./probe.ts";

const HTTP_PORT = 80;
const WINDOW = 5_840;
const FIRST_PORT = 32_768;
const PORTS = 28_232;

export class TcpProber implements Prober {
  readonly #route: Route;
  readonly #socket: PacketSocket;
  readonly #source: Ipv4Address;
  readonly #port: number;
  readonly #open = new Map<number, Probe>(); // by source port
  #nextPort: number;

  constructor(route: Route) {
    const { namespace, target, source, device, options } = route;
    const path = namespace.ipv4.resolve({ destination: target, device, ...(source === undefined ? {} : { source }) });
    if (typeof path === "string") throw new CommandError(1, `connect: ${errorText(path)}`);
    this.#route = route;
    this.#source = source ?? path.source;
    this.#port = options.port ?? HTTP_PORT;
    this.#nextPort = options.sourcePort ?? FIRST_PORT + namespace.socketRandom.below(PORTS);
    this.#socket = new PacketSocket(namespace, path.device, ethernet.ETHERTYPE_IPV4);
  }

  get queues(): readonly WaitQueue[] {
    return [this.#socket.readable];
  }

  send(ttl: number, nowNs: Nanoseconds): Probe {
    const { namespace, target, device, options } = this.#route;
    const path = namespace.ipv4.resolve({ destination: target, device, source: this.#source });
    if (typeof path === "string") throw new CommandError(1, `connect: ${errorText(path)}`);
    const probe: Probe = {
      ttl,
      sentNs: nowNs,
      receivedNs: undefined,
      answerer: undefined,
      mark: "",
      final: false,
      done: false,
    };
    const port = this.#nextPort;
    if (options.sourcePort === undefined) this.#nextPort++;
    this.#open.set(port, probe);
    const { frames } = namespace;
    const header: tcp.Tcp = {
      sourcePort: port,
      destinationPort: this.#port,
      sequence: namespace.socketRandom.u32(),
      acknowledgement: 0,
      flags: tcp.SYN,
      window: WINDOW,
      urgentPointer: 0,
      options: [{ kind: "maximum-segment-size", sizeBytes: Math.max(536, path.mtu() - 40) }],
    };
    const length = ipv4.HEADER_BYTES + tcp.headerBytes(header);
    const frame = frames.make(length);
    const at = frames.start(frame);
    const flags = options.dontFragment ? ipv4.DONT_FRAGMENT : 0;
    ipv4.write(frames.bytes, at, length, 0, flags, ttl, 6, this.#source, target, options.typeOfService);
    tcp.emit(header, frames.bytes, at + ipv4.HEADER_BYTES);
    tcp.finishChecksum(frames, at + ipv4.HEADER_BYTES, at + length, this.#source, target);
    frames.checksumKnown[frame] = 1;
    frames.mark[frame] = options.mark ?? 0;
    namespace.ipv4.output(frame, path);
    return probe;
  }

  receive(): void {
    for (let frame = this.#socket.receive(); frame !== undefined; frame = this.#socket.receive()) {
      const { bytes, receivedNs } = frame;
      const at = ethernet.HEADER_BYTES;
      if (ipv4.check(bytes, at, bytes.length) !== undefined || ipv4.isFragment(bytes, at)) continue;
      if (ipv4.destination(bytes, at) !== this.#source) continue;
      const body = at + ipv4.headerBytes(bytes, at);
      const end = at + ipv4.totalLength(bytes, at);
      if (ipv4.protocol(bytes, at) === 6) this.#segment(bytes, at, body, end, receivedNs);
      else if (ipv4.protocol(bytes, at) === 1) this.#error(bytes, at, body, end, receivedNs);
    }
  }

  /** SYN,ACK or RST from the target: the journey's end either way. */
  #segment(bytes: Uint8Array, at: number, body: number, end: number, receivedNs: Nanoseconds): void {
    if (tcp.check(bytes, body, end) !== undefined || tcp.sourcePort(bytes, body) !== this.#port) return;
    if (ipv4.source(bytes, at) !== this.#route.target) return;
    const probe = this.#open.get(tcp.destinationPort(bytes, body));
    if (probe === undefined || probe.done) return;
    probe.receivedNs = receivedNs;
    probe.answerer = ipv4.source(bytes, at);
    probe.final = true;
    probe.done = true;
  }

  #error(bytes: Uint8Array, at: number, body: number, end: number, receivedNs: Nanoseconds): void {
    if (icmp.check(bytes, body, end) !== undefined || !icmp.isError(icmp.type(bytes, body))) return;
    const quoted = body + icmp.HEADER_BYTES;
    if (ipv4.checkHeader(bytes, quoted, end) !== undefined || ipv4.protocol(bytes, quoted) !== 6) return;
    const segment = quoted + ipv4.headerBytes(bytes, quoted);
    if (segment + 8 > end || ipv4.destination(bytes, quoted) !== this.#route.target) return;
    const probe = this.#open.get(getU32(bytes, segment) >>> 16);
    if (probe === undefined || probe.done) return;
    const mtu = icmp.mtu(bytes, body);
    takeError(probe, ipv4.source(bytes, at), icmp.type(bytes, body), icmp.code(bytes, body), mtu, receivedNs);
  }

  expire(probe: Probe): void {
    probe.done = true;
  }

  close(): void {
    this.#socket.close();
  }
}
