/**
 * Tracing with TCP SYNs (mod-tcp.c): half-open, each from a port of its own, made by hand and answered by nobody here, so that the kernel resets
 * what the target opens.
 */
import { errorText } from "../../linux/errno.ts";
import type { FrameId } from "../../linux/frame-store.ts";
import type { RawListener } from "../../linux/ipv4.ts";
import type { NetworkNamespace } from "../../linux/namespace.ts";
import type { NetDevice } from "../../linux/net-device.ts";
import { WaitQueue } from "../../linux/process.ts";
import type { Random } from "../../sim/random.ts";
import type { Ipv4Address } from "../../wire/address.ts";
import * as icmp from "../../wire/icmp.ts";
import * as ipv4 from "../../wire/ipv4.ts";
import * as tcp from "../../wire/tcp.ts";
import { emitOptions, optionsBytes, type TcpOption } from "../../wire/tcp-options.ts";
import { CommandError } from "../command-error.ts";
import type { TracerouteOptions } from "./options.ts";
import { concludeByAnswer, concludeByError, type Method, type Probe } from "./probe.ts";

const HTTP_PORT = 80;
const WINDOW = 5_840;
const FIRST_PORT = 32_768;
const LAST_PORT = 60_999;

export class TcpMethod implements Method {
  readonly #namespace: NetworkNamespace;
  readonly #options: TracerouteOptions;
  readonly #random: Random;
  readonly #target: Ipv4Address;
  readonly #source: Ipv4Address | undefined;
  readonly #device: NetDevice | undefined;
  readonly #port: number;
  readonly #readable = new WaitQueue();
  readonly #waiting = new Map<number, Probe>();
  readonly #answers: RawListener = { packet: (frame) => this.#answer(frame) };
  readonly #errors: RawListener = { packet: (frame) => this.#error(frame) };

  constructor(
    namespace: NetworkNamespace,
    random: Random,
    options: TracerouteOptions,
    target: Ipv4Address,
    source: Ipv4Address | undefined,
    device: NetDevice | undefined,
  ) {
    this.#namespace = namespace;
    this.#random = random;
    this.#options = options;
    this.#target = target;
    this.#source = source;
    this.#device = device;
    this.#port = options.port ?? HTTP_PORT;
    namespace.ipv4.addRawListener(ipv4.PROTOCOL_TCP, this.#answers);
    namespace.ipv4.addRawListener(ipv4.PROTOCOL_ICMP, this.#errors);
  }

  send(probe: Probe): void {
    const { frames, ipv4: ip, clock, routes } = this.#namespace;
    if (this.#source !== undefined && routes.addressType(this.#source) !== "local")
      throw new CommandError(1, `\nbind: ${errorText("EADDRNOTAVAIL")}`);
    const path = ip.resolve({
      destination: this.#target,
      ...(this.#source === undefined ? {} : { source: this.#source }),
      mark: this.#options.mark ?? 0,
      device: this.#device,
    });
    if (typeof path === "string") throw new CommandError(1, `\nconnect: ${errorText(path)}`);
    const source = this.#source ?? path.source;
    const sourcePort = this.#options.sourcePort ?? this.#freePort();
    const options: TcpOption[] = [
      { kind: "maximum-segment-size", sizeBytes: path.mtu() - ipv4.HEADER_BYTES - tcp.HEADER_BYTES },
      { kind: "sack-permitted" },
      { kind: "timestamps", value: this.#random.u32(), echoReply: 0 },
      { kind: "no-operation" },
      { kind: "window-scale", shift: 2 },
    ];
    const headerBytes = tcp.HEADER_BYTES + optionsBytes(options);
    const length = ipv4.HEADER_BYTES + headerBytes;
    const frame = frames.make(length);
    const at = frames.start(frame);
    const header = at + ipv4.HEADER_BYTES;
    tcp.write(frames.bytes, header, sourcePort, this.#port, this.#random.u32(), 0, headerBytes, tcp.SYN, WINDOW);
    emitOptions(options, frames.bytes, header + tcp.HEADER_BYTES);
    tcp.finishChecksum(frames, header, at + length, source, this.#target);
    ipv4.write(
      frames.bytes,
      at,
      length,
      ip.nextIdentification(source, this.#target, ipv4.PROTOCOL_TCP),
      this.#options.dontFragment ? ipv4.DONT_FRAGMENT : 0,
      probe.timeToLive,
      ipv4.PROTOCOL_TCP,
      source,
      this.#target,
      this.#options.typeOfService,
    );
    frames.checksumKnown[frame] = 1;
    frames.mark[frame] = this.#options.mark ?? 0;
    probe.sentNs = clock.nowNs;
    this.#waiting.set(sourcePort, probe);
    ip.output(frame, path);
  }

  collect(): void {} // packets are taken as they come

  queues(): readonly WaitQueue[] {
    return [this.#readable];
  }

  expire(probe: Probe): void {
    for (const [port, waiting] of this.#waiting) if (waiting === probe) this.#waiting.delete(port);
  }

  close(): void {
    this.#namespace.ipv4.removeRawListener(ipv4.PROTOCOL_TCP, this.#answers);
    this.#namespace.ipv4.removeRawListener(ipv4.PROTOCOL_ICMP, this.#errors);
  }

  #freePort(): number {
    let port = this.#random.between(FIRST_PORT, LAST_PORT);
    while (this.#waiting.has(port)) port = port === LAST_PORT ? FIRST_PORT : port + 1;
    return port;
  }

  #answer(frame: FrameId): void {
    const { frames, clock } = this.#namespace;
    const { bytes } = frames;
    const at = frames.start(frame);
    const header = at + ipv4.headerBytes(bytes, at);
    if (ipv4.source(bytes, at) !== this.#target || tcp.check(bytes, header, frames.end(frame)) !== undefined) return;
    if (tcp.sourcePort(bytes, header) !== this.#port) return;
    const probe = this.#take(tcp.destinationPort(bytes, header));
    if (probe === undefined) return;
    concludeByAnswer(probe, this.#target, clock.nowNs);
    this.#readable.wake();
  }

  #error(frame: FrameId): void {
    const { frames, clock } = this.#namespace;
    const { bytes } = frames;
    const at = frames.start(frame);
    const end = frames.end(frame);
    const message = at + ipv4.headerBytes(bytes, at);
    if (icmp.check(bytes, message, end) !== undefined || !icmp.isError(icmp.type(bytes, message))) return;
    const quoted = message + icmp.HEADER_BYTES;
    if (ipv4.checkHeader(bytes, quoted, end) !== undefined) return;
    if (ipv4.protocol(bytes, quoted) !== ipv4.PROTOCOL_TCP || ipv4.destination(bytes, quoted) !== this.#target) return;
    const header = quoted + ipv4.headerBytes(bytes, quoted);
    if (end - header < 8 || icmp.type(bytes, message) === icmp.TYPE_REDIRECT) return;
    const probe = this.#take(tcp.sourcePort(bytes, header));
    if (probe === undefined) return;
    const info = icmp.mtu(bytes, message);
    concludeByError(
      probe,
      ipv4.source(bytes, at),
      icmp.type(bytes, message),
      icmp.code(bytes, message),
      info,
      clock.nowNs,
    );
    this.#readable.wake();
  }

  #take(port: number): Probe | undefined {
    const probe = this.#waiting.get(port);
    this.#waiting.delete(port);
    return probe;
  }
}
