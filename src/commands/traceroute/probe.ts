/** The probes of `traceroute`: one packet with a time to live, and what came back for it. */
import { type Errno, errorText } from "../../linux/errno.ts";
import type { NetworkNamespace } from "../../linux/namespace.ts";
import type { NetDevice } from "../../linux/net-device.ts";
import type { WaitQueue } from "../../linux/process.ts";
import { RawSocket } from "../../linux/raw-socket.ts";
import { UdpSocket } from "../../linux/udp-socket.ts";
import type { Nanoseconds } from "../../sim/time.ts";
import type { Ipv4Address } from "../../wire/address.ts";
import { CommandError } from "../command-error.ts";
import type { TracerouteOptions } from "./traceroute-options.ts";

export interface Probe {
  readonly ttl: number;
  readonly sentNs: Nanoseconds;
  receivedNs: Nanoseconds | undefined;
  /** Who answered; undefined with `receivedNs` set: the packet could not even be sent. */
  answerer: Ipv4Address | undefined;
  /** `!H`, `!N`, `!F-1400` … */
  mark: string;
  /** The journey ends here. */
  final: boolean;
  done: boolean;
}

/** A way of probing. */
export interface Prober {
  readonly queues: readonly WaitQueue[];
  send(ttl: number, nowNs: Nanoseconds): Probe;
  /** Takes what has come for any probe. */
  receive(): void;
  /** The probe is no longer waited for. */
  expire(probe: Probe): void;
  close(): void;
}

export interface Route {
  readonly namespace: NetworkNamespace;
  readonly target: Ipv4Address;
  readonly source: Ipv4Address | undefined;
  readonly device: NetDevice | undefined;
  readonly options: TracerouteOptions;
}

const UDP_HEADERS = 28;
const FIRST_PORT = 33_434;
const DNS_PORT = 53;

function newProbe(ttl: number, sentNs: Nanoseconds): Probe {
  return { ttl, sentNs, receivedNs: undefined, answerer: undefined, mark: "", final: false, done: false };
}

/** An ICMP error about a probe: parse_icmp_res(). */
export function takeError(
  probe: Probe,
  offender: Ipv4Address,
  type: number,
  code: number,
  info: number,
  atNs: Nanoseconds,
): void {
  probe.receivedNs = atNs;
  probe.answerer = offender;
  probe.done = true;
  if (type === 11) {
    if (code !== 0) probe.mark = `!<${type}-${code}>`;
    return;
  }
  probe.final = true;
  if (type !== 3) probe.mark = `!<${type}-${code}>`;
  else probe.mark = unreachableMark(code, info);
}

function unreachableMark(code: number, info: number): string {
  switch (code) {
    case 0:
    case 6:
    case 8:
      return "!N";
    case 1:
    case 7:
      return "!H";
    case 2:
      return "!P";
    case 3:
      return "";
    case 4:
      return `!F-${info}`;
    case 5:
      return "!S";
    case 9:
    case 10:
    case 13:
      return "!X";
    case 14:
      return "!V";
    case 15:
      return "!C";
    default:
      return `!<${code}>`;
  }
}

/** A packet that the own host would not send. */
function takeRefusal(probe: Probe, errno: Errno, mtu: number): void {
  probe.receivedNs = probe.sentNs;
  probe.done = true;
  probe.final = true;
  probe.mark = errno === "EMSGSIZE" ? `!F-${mtu}` : errno === "EHOSTUNREACH" ? "!H" : errno === "EACCES" ? "!X" : "!N";
}

/** UDP to ports where nobody listens: the default method, and `-U`. */
export class UdpProber implements Prober {
  readonly #route: Route;
  readonly #payload: Uint8Array;
  readonly #open = new Map<Probe, UdpSocket>();
  #port: number;

  constructor(route: Route) {
    const { options } = route;
    this.#route = route;
    this.#port = options.port ?? (options.method === "udp" ? DNS_PORT : FIRST_PORT);
    const length = Math.max(0, options.packetBytes - UDP_HEADERS);
    this.#payload = Uint8Array.from({ length }, (_, index) => 0x40 + (index & 0x3f));
  }

  get queues(): readonly WaitQueue[] {
    return [...this.#open.values()].map((socket) => socket.readable);
  }

  send(ttl: number, nowNs: Nanoseconds): Probe {
    const { namespace, target, source, device, options } = this.#route;
    const probe = newProbe(ttl, nowNs);
    const socket = new UdpSocket(namespace);
    socket.ttl = ttl;
    socket.tos = options.typeOfService;
    socket.dontFragment = options.dontFragment ? "do" : "dont";
    socket.receiveErrors = true;
    if (device !== undefined) socket.device = device;
    if (options.mark !== undefined) socket.mark = options.mark;
    const bound = socket.bind(source ?? (0 as Ipv4Address), options.sourcePort ?? 0);
    if (bound !== undefined) throw new CommandError(1, `bind: ${errorText(bound)}`);
    const connected = socket.connect(target, this.#port);
    if (connected !== undefined) throw new CommandError(1, `connect: ${errorText(connected)}`);
    if (options.method === "default") this.#port++;
    this.#open.set(probe, socket);
    const sent = socket.sendTo(this.#payload);
    if (typeof sent === "string") {
      const path = namespace.ipv4.resolve({ destination: target, device });
      takeRefusal(probe, sent, typeof path === "string" ? 0 : path.mtu());
      this.expire(probe);
    }
    return probe;
  }

  receive(): void {
    for (const [probe, socket] of [...this.#open]) {
      const error = socket.nextError();
      if (error !== undefined) {
        takeError(probe, error.offender, error.type, error.code, error.info, error.receivedNs);
        this.expire(probe);
        continue;
      }
      const datagram = socket.receive();
      if (datagram === undefined || typeof datagram === "string") continue;
      probe.receivedNs = datagram.receivedNs;
      probe.answerer = datagram.source;
      probe.final = true;
      probe.done = true;
      this.expire(probe);
    }
  }

  expire(probe: Probe): void {
    this.#open.get(probe)?.close();
    this.#open.delete(probe);
    probe.done = true;
  }

  close(): void {
    for (const socket of this.#open.values()) socket.close();
    this.#open.clear();
  }
}

/** Echo requests: `-I`. */
export class IcmpProber implements Prober {
  readonly #route: Route;
  readonly #socket: RawSocket;
  readonly #payload: Uint8Array;
  readonly #open = new Map<number, Probe>();
  #sequence: number;

  constructor(route: Route) {
    this.#route = route;
    this.#socket = new RawSocket(route.namespace);
    this.#sequence = route.options.port ?? 1;
    const length = Math.max(0, route.options.packetBytes - UDP_HEADERS);
    this.#payload = Uint8Array.from({ length }, (_, index) => 0x40 + (index & 0x3f));
  }

  get queues(): readonly WaitQueue[] {
    return [this.#socket.readable];
  }

  send(ttl: number, nowNs: Nanoseconds): Probe {
    const { namespace, target, source, device, options } = this.#route;
    const probe = newProbe(ttl, nowNs);
    const sent = this.#socket.send(target, this.#sequence, this.#payload, {
      timeToLive: ttl,
      typeOfService: options.typeOfService,
      dontFragment: options.dontFragment ? "do" : "dont",
      source,
      device,
      mark: options.mark,
    });
    this.#open.set(this.#sequence & 0xffff, probe);
    this.#sequence++;
    if (typeof sent === "string") {
      if (sent === "ENETUNREACH") throw new CommandError(1, `connect: ${errorText(sent)}`);
      const path = namespace.ipv4.resolve({ destination: target, device });
      takeRefusal(probe, sent, typeof path === "string" ? 0 : path.mtu());
    }
    return probe;
  }

  receive(): void {
    for (let event = this.#socket.receive(); event !== undefined; event = this.#socket.receive()) {
      const probe = this.#open.get(event.sequence);
      if (probe === undefined || probe.done) continue;
      if (event.kind === "error") {
        takeError(probe, event.source, event.type, event.code, event.info, event.receivedNs);
        continue;
      }
      probe.receivedNs = event.receivedNs;
      probe.answerer = event.source;
      probe.final = true;
      probe.done = true;
    }
  }

  expire(probe: Probe): void {
    probe.done = true;
  }

  close(): void {
    this.#socket.close();
  }
}
