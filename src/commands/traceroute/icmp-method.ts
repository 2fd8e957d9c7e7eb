/** Tracing with ICMP echo requests (mod-icmp.c): one identifier, sequence numbers that count upwards. */
import { type Errno, errorText } from "../../linux/errno.ts";
import type { NetworkNamespace } from "../../linux/namespace.ts";
import type { NetDevice } from "../../linux/net-device.ts";
import type { WaitQueue } from "../../linux/process.ts";
import { RawSocket } from "../../linux/raw-socket.ts";
import type { Ipv4Address } from "../../wire/address.ts";
import * as icmp from "../../wire/icmp.ts";
import { CommandError } from "../command-error.ts";
import type { TracerouteOptions } from "./options.ts";
import { concludeByAnswer, concludeByError, type Method, type Probe } from "./probe.ts";

export class IcmpMethod implements Method {
  readonly #namespace: NetworkNamespace;
  readonly #options: TracerouteOptions;
  readonly #target: Ipv4Address;
  readonly #source: Ipv4Address | undefined;
  readonly #device: NetDevice | undefined;
  readonly #data: Uint8Array;
  readonly #socket: RawSocket;
  readonly #waiting = new Map<number, Probe>();
  #sequence: number;

  constructor(
    namespace: NetworkNamespace,
    options: TracerouteOptions,
    target: Ipv4Address,
    source: Ipv4Address | undefined,
    device: NetDevice | undefined,
    data: Uint8Array,
  ) {
    this.#namespace = namespace;
    this.#options = options;
    this.#target = target;
    this.#source = source;
    this.#device = device;
    this.#data = data;
    this.#socket = new RawSocket(namespace);
    this.#sequence = options.port ?? 1;
  }

  send(probe: Probe): void {
    const sequence = this.#sequence & 0xffff;
    this.#sequence++;
    probe.sentNs = this.#namespace.clock.nowNs;
    this.#waiting.set(sequence, probe);
    const sent = this.#socket.send(this.#target, sequence, this.#data, {
      timeToLive: probe.timeToLive,
      typeOfService: this.#options.typeOfService,
      dontFragment: this.#options.dontFragment ? "do" : "dont",
      source: this.#source,
      device: this.#device,
      mark: this.#options.mark,
    });
    if (typeof sent === "string" && !QUIET.has(sent))
      throw new CommandError(1, `\n${sent === "EADDRNOTAVAIL" ? "bind" : "connect"}: ${errorText(sent)}`);
  }

  collect(): void {
    for (let event = this.#socket.receive(); event !== undefined; event = this.#socket.receive()) {
      const probe = this.#waiting.get(event.sequence);
      if (probe === undefined || (event.kind === "error" && event.type === icmp.TYPE_REDIRECT)) continue;
      this.#waiting.delete(event.sequence);
      if (event.kind === "reply") concludeByAnswer(probe, event.source, event.receivedNs);
      else concludeByError(probe, event.source, event.type, event.code, event.info, event.receivedNs);
    }
  }

  queues(): readonly WaitQueue[] {
    return [this.#socket.readable];
  }

  expire(probe: Probe): void {
    for (const [sequence, waiting] of this.#waiting) if (waiting === probe) this.#waiting.delete(sequence);
  }

  close(): void {
    this.#socket.close();
  }
}

/** Errors of sending that the error queue would tell again: the probe stays without an answer. */
const QUIET: ReadonlySet<Errno> = new Set(["EMSGSIZE", "EHOSTUNREACH"]);
