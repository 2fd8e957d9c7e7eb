/** Tracing with UDP: a socket for each probe, and ports that count upwards (mod-udp.c), or one port for all (-U). */
import { errorText } from "../../linux/errno.ts";
import type { NetworkNamespace } from "../../linux/namespace.ts";
import type { NetDevice } from "../../linux/net-device.ts";
import type { WaitQueue } from "../../linux/process.ts";
import { UdpSocket } from "../../linux/udp-socket.ts";
import { IPV4_ANY, type Ipv4Address } from "../../wire/address.ts";
import { CommandError } from "../command-error.ts";
import type { TracerouteOptions } from "./options.ts";
import { concludeByAnswer, concludeByError, type Method, type Probe } from "./probe.ts";

const FIRST_PORT = 33_434;
const DNS_PORT = 53;

export class UdpMethod implements Method {
  readonly #namespace: NetworkNamespace;
  readonly #options: TracerouteOptions;
  readonly #target: Ipv4Address;
  readonly #source: Ipv4Address;
  readonly #device: NetDevice | undefined;
  readonly #payload: Uint8Array;
  readonly #sockets = new Map<Probe, UdpSocket>();
  #port: number;

  constructor(
    namespace: NetworkNamespace,
    options: TracerouteOptions,
    target: Ipv4Address,
    source: Ipv4Address | undefined,
    device: NetDevice | undefined,
    payload: Uint8Array,
  ) {
    this.#namespace = namespace;
    this.#options = options;
    this.#target = target;
    this.#source = source ?? IPV4_ANY;
    this.#device = device;
    this.#payload = payload;
    this.#port = options.port ?? (options.method === "udp" ? DNS_PORT : FIRST_PORT);
  }

  send(probe: Probe): void {
    const options = this.#options;
    const socket = new UdpSocket(this.#namespace);
    this.#sockets.set(probe, socket);
    socket.reuseAddress = true;
    socket.device = this.#device;
    socket.mark = options.mark ?? 0;
    socket.tos = options.typeOfService;
    socket.ttl = probe.timeToLive;
    socket.dontFragment = options.dontFragment ? "do" : "dont";
    socket.receiveErrors = true;
    const bound = socket.bind(this.#source, options.sourcePort ?? 0);
    if (bound !== undefined) throw new CommandError(1, `\nbind: ${errorText(bound)}`);
    const problem = socket.connect(this.#target, this.#port);
    if (problem !== undefined) throw new CommandError(1, `\nconnect: ${errorText(problem)}`);
    probe.sentNs = this.#namespace.clock.nowNs;
    socket.sendTo(this.#payload); // what is refused here shows as a probe without an answer
    if (options.method !== "udp") this.#port = (this.#port + 1) & 0xffff;
  }

  collect(): void {
    for (const [probe, socket] of this.#sockets) {
      const error = socket.nextError();
      const datagram = error === undefined ? socket.receive() : undefined;
      if (error !== undefined)
        concludeByError(probe, error.offender, error.type, error.code, error.info, error.receivedNs);
      else if (typeof datagram === "object") concludeByAnswer(probe, datagram.source, datagram.receivedNs);
      else continue;
      this.expire(probe);
    }
  }

  queues(): readonly WaitQueue[] {
    return [...this.#sockets.values()].map((socket) => socket.readable);
  }

  expire(probe: Probe): void {
    this.#sockets.get(probe)?.close();
    this.#sockets.delete(probe);
  }

  close(): void {
    for (const socket of this.#sockets.values()) socket.close();
    this.#sockets.clear();
  }
}
