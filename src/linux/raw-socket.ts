/**
 * The socket of ping: sends ICMP echo requests under an identifier of its own, and hears their replies and the errors about them, as Linux's ping
 * sockets (net/ipv4/ping.c) and raw sockets with an error queue let it.
 */
import { MILLISECOND } from "../sim/time.ts";
import type { Ipv4Address } from "../wire/address.ts";
import * as icmp from "../wire/icmp.ts";
import * as ipv4 from "../wire/ipv4.ts";
import type { Errno } from "./errno.ts";
import type { FrameId } from "./frame-store.ts";
import type { EchoListener } from "./icmp.ts";
import { checkOptions, stampOptions } from "./ipv4-options.ts";
import type { NetworkNamespace } from "./namespace.ts";
import type { NetDevice } from "./net-device.ts";
import type { Path } from "./path.ts";
import { WaitQueue } from "./process.ts";

export interface EchoReply {
  readonly kind: "reply";
  readonly source: Ipv4Address;
  readonly destination: Ipv4Address;
  readonly sequence: number;
  readonly timeToLive: number;
  readonly typeOfService: number;
  /** What follows the 8 bytes of ICMP header. */
  readonly data: Uint8Array;
  readonly receivedNs: number;
  /** IPv4 options as received. */
  readonly options: Uint8Array;
}

export interface EchoError {
  readonly kind: "error";
  /** Who says so. */
  readonly source: Ipv4Address;
  readonly type: number;
  readonly code: number;
  /** Next-hop MTU of "fragmentation needed"; the better gateway of a redirect (type 5, which is no failure). */
  readonly info: number;
  /** Of the request that it is about. */
  readonly sequence: number;
  readonly destination: Ipv4Address;
  readonly receivedNs: number;
}

export type EchoEvent = EchoReply | EchoError;

export interface EchoOptions {
  readonly timeToLive?: number | undefined;
  readonly typeOfService?: number | undefined;
  /** `do`: DF, and EMSGSIZE when it does not fit; `want`: DF while it fits; `dont`: no DF. */
  readonly dontFragment?: "do" | "want" | "dont" | undefined;
  readonly source?: Ipv4Address | undefined;
  readonly device?: NetDevice | undefined;
  readonly broadcast?: boolean | undefined;
  readonly mark?: number | undefined;
  /** The neighbour has shown that it lives (MSG_CONFIRM). */
  readonly confirm?: boolean | undefined;
  /** IPv4 options to send, a multiple of 4 bytes. */
  readonly options?: Uint8Array | undefined;
}

const NO_OPTIONS = new Uint8Array(0);
const MAXIMUM_EVENTS = 256;
const DAY_MS = 86_400_000;

export class RawSocket implements EchoListener {
  readonly identifier: number;
  readonly readable = new WaitQueue();
  readonly #namespace: NetworkNamespace;
  readonly #events: EchoEvent[] = [];
  #identification: number;
  #path: Path | undefined = undefined;
  #closed = false;

  constructor(namespace: NetworkNamespace) {
    this.#namespace = namespace;
    const random = namespace.socketRandom;
    let identifier = random.below(0x1_0000);
    while (!namespace.icmp.listen(identifier, this)) identifier = (identifier + 1) & 0xffff;
    this.identifier = identifier;
    this.#identification = random.below(0x1_0000);
  }

  /** Events lost because nobody read. */
  overflow = 0;

  /** Sends an echo request with `data` behind its header; the number of bytes sent, or why not. */
  send(destination: Ipv4Address, sequence: number, data: Uint8Array, options: EchoOptions = {}): number | Errno {
    const { frames, ipv4: ip, sysctl, routes } = this.#namespace;
    if (this.#closed) return "EBADF";
    const { source, device, mark } = options;
    if (source !== undefined && routes.addressType(source) !== "local") return "EADDRNOTAVAIL";
    const path = this.#route(destination, source, device, mark);
    if (typeof path === "string") return path;
    if (path.kind === "broadcast" && options.broadcast !== true) return "EACCES";
    const extra = options.options ?? NO_OPTIONS;
    const headerBytes = ipv4.HEADER_BYTES + extra.length;
    const length = headerBytes + icmp.HEADER_BYTES + data.length;
    if (length > 0xffff) return "EMSGSIZE";
    const mode = options.dontFragment ?? "want";
    const fits = length <= path.mtu();
    if (!fits && mode === "do") return "EMSGSIZE";
    const frame = frames.make(length);
    const at = frames.start(frame);
    const message = at + headerBytes;
    icmp.write(frames.bytes, message, icmp.TYPE_ECHO_REQUEST, 0, this.identifier * 0x1_0000 + (sequence & 0xffff));
    frames.bytes.set(data, message + icmp.HEADER_BYTES);
    icmp.finishChecksum(frames, message, at + length);
    frames.checksumKnown[frame] = 1;
    frames.mark[frame] = mark ?? 0;
    this.#identification = (this.#identification + 1) & 0xffff;
    ipv4.emit(
      {
        typeOfService: options.typeOfService ?? 0,
        totalLength: length,
        identification: this.#identification,
        dontFragment: mode !== "dont" && fits,
        moreFragments: false,
        fragmentOffsetBytes: 0,
        timeToLive: options.timeToLive ?? (path.kind === "multicast" ? 1 : sysctl.defaultTtl),
        protocol: ipv4.PROTOCOL_ICMP,
        source: source ?? path.source,
        destination,
        options: extra,
      },
      frames.bytes,
      at,
    );
    if (extra.length > 0) {
      if (checkOptions(frames.bytes, at) !== undefined) {
        frames.drop(frame, "ipv4-options-invalid", this.#namespace);
        return "EINVAL";
      }
      const host = { isLocal: (address: Ipv4Address) => routes.addressType(address) === "local" };
      const timeMs = Math.floor(this.#namespace.clock.nowNs / MILLISECOND) % DAY_MS;
      stampOptions(frames.bytes, at, source ?? path.source, host, timeMs);
    }
    if (options.confirm === true) path.link.confirm();
    ip.output(frame, path);
    return data.length + icmp.HEADER_BYTES;
  }

  /** The next reply or error; undefined: nothing yet. */
  receive(): EchoEvent | undefined {
    return this.#events.shift();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#namespace.icmp.unlisten(this.identifier);
  }

  reply(frame: FrameId, at: number): void {
    const { frames, clock } = this.#namespace;
    const bytes = frames.bytes;
    const start = frames.start(frame);
    this.#push({
      kind: "reply",
      source: ipv4.source(bytes, start),
      destination: ipv4.destination(bytes, start),
      sequence: icmp.sequence(bytes, at),
      timeToLive: ipv4.timeToLive(bytes, start),
      typeOfService: ipv4.typeOfService(bytes, start),
      data: bytes.slice(at + icmp.HEADER_BYTES, frames.end(frame)),
      receivedNs: clock.nowNs,
      options: bytes.slice(start + ipv4.HEADER_BYTES, at),
    });
  }

  error(frame: FrameId, at: number, _end: number, type: number, code: number, info: number): void {
    const { frames, clock } = this.#namespace;
    const bytes = frames.bytes;
    this.#push({
      kind: "error",
      source: ipv4.source(bytes, frames.start(frame)),
      type,
      code,
      info,
      sequence: icmp.sequence(bytes, at + ipv4.headerBytes(bytes, at)),
      destination: ipv4.destination(bytes, at),
      receivedNs: clock.nowNs,
    });
  }

  #push(event: EchoEvent): void {
    if (this.#events.length >= MAXIMUM_EVENTS) this.overflow++;
    else this.#events.push(event);
    this.readable.wake();
  }

  #route(
    destination: Ipv4Address,
    source: Ipv4Address | undefined,
    device: NetDevice | undefined,
    mark: number | undefined,
  ): Path | Errno {
    const { ipv4: ip } = this.#namespace;
    const kept = this.#path;
    if (
      kept !== undefined &&
      kept.destination === destination &&
      kept.generation === ip.generation &&
      device === undefined &&
      source === undefined &&
      mark === undefined
    )
      return kept;
    const path = ip.resolve({
      destination,
      ...(source === undefined ? {} : { source }),
      ...(mark === undefined ? {} : { mark }),
      device,
    });
    if (typeof path !== "string") this.#path = device === undefined && source === undefined ? path : undefined;
    return path;
  }
}
