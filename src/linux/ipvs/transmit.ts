/**
 * A request on its way to the server that was chosen (net/netfilter/ipvs/ip_vs_xmit.c): translated, or as it is to the server's link address, or inside
 * another IPv4 header. The packet leaves as one of this host's own, by the output hook.
 */
import type { Ipv4Address } from "../../wire/address.ts";
import * as icmp from "../../wire/icmp.ts";
import * as ipv4 from "../../wire/ipv4.ts";
import type { DropReason } from "../drop-reason.ts";
import { FRAME_FLAG_IPVS } from "../frame-flags.ts";
import { type FrameId, type FrameStore, NO_FRAME, type Place } from "../frame-store.ts";
import type { Ipv4 } from "../ipv4.ts";
import type { NetDevice } from "../net-device.ts";
import { makeTuple, type Tuple } from "../netfilter/conntrack/tuple.ts";
import { rewriteError, rewriteHeader } from "../netfilter/nat-rewrite.ts";
import type { Path } from "../path.ts";
import type { IpvsConnection } from "./connection.ts";
import type { ConntrackLink } from "./conntrack-link.ts";

const PROTOCOL_IPIP = 4;

export interface TransmitHost extends Place {
  readonly frames: FrameStore;
  readonly ipv4: Ipv4;
  readonly loopback: NetDevice;
  readonly icmp: { sendError(frame: FrameId, type: number, code: number, info: number, device: NetDevice): void };
}

export class Transmitter {
  readonly #host: TransmitHost;
  readonly #conntrack: ConntrackLink;
  readonly #target: Tuple = makeTuple();

  constructor(host: TransmitHost, conntrack: ConntrackLink) {
    this.#host = host;
    this.#conntrack = conntrack;
  }

  /** Sends a request to its server. The answer is the frame, when the server is this host itself; else `NO_FRAME`. */
  send(frame: FrameId, connection: IpvsConnection, ingress: NetDevice | undefined): FrameId {
    const { frames } = this.#host;
    const path = this.#prepare(frame, connection, ingress);
    if (path === undefined) return NO_FRAME;
    const local = path.kind === "local";
    let next = frames.writable(frame);
    if (!local) ipv4.decrementTtl(frames.bytes, frames.start(next));
    if (connection.method === "masquerade") {
      const at = frames.start(next);
      rewriteHeader(frames, at, frames.end(next), "destination", serverTuple(connection, this.#target));
    } else if (connection.method === "tunnel" && !local) next = this.#encapsulate(next, connection, path);
    return this.#leave(next, connection, path);
  }

  /** An ICMP error about an answer of the server: it is told. */
  sendError(frame: FrameId, connection: IpvsConnection, ingress: NetDevice | undefined): FrameId {
    const { frames } = this.#host;
    const path = this.#prepare(frame, connection, ingress);
    if (path === undefined) return NO_FRAME;
    const next = frames.writable(frame);
    if (path.kind !== "local") ipv4.decrementTtl(frames.bytes, frames.start(next));
    if (connection.method === "masquerade") {
      const target = this.#target; // the answer's own tuple
      target.source = connection.server.address;
      target.destination = connection.clientAddress;
      target.ports = (connection.serverPort << 16) | connection.clientPort;
      target.protocol = connection.protocol;
      rewriteError(frames, frames.start(next), frames.end(next), "destination", target);
    }
    return this.#leave(next, connection, path);
  }

  /** The way to the server; undefined: there is none, or the packet may not go it, and it has ended. */
  #prepare(frame: FrameId, connection: IpvsConnection, ingress: NetDevice | undefined): Path | undefined {
    const { frames } = this.#host;
    const path = this.#host.ipv4.resolve({ destination: connection.server.address });
    if (typeof path === "string")
      return this.#refuse(frame, icmp.TYPE_UNREACHABLE, icmp.CODE_HOST_UNREACHABLE, 0, "ipv4-no-route", ingress);
    if (path.kind === "local") return path;
    const at = frames.start(frame);
    if (ipv4.timeToLive(frames.bytes, at) <= 1)
      return this.#refuse(frame, icmp.TYPE_TIME_EXCEEDED, icmp.CODE_TTL_EXCEEDED, 0, "ipv4-ttl-exceeded", ingress);
    const mtu = path.mtu() - (connection.method === "tunnel" ? ipv4.HEADER_BYTES : 0);
    if (ipv4.dontFragment(frames.bytes, at) && frames.length(frame) > mtu && frames.fragmentLimit[frame] === 0)
      return this.#refuse(
        frame,
        icmp.TYPE_UNREACHABLE,
        icmp.CODE_FRAGMENTATION_NEEDED,
        mtu,
        "ipv4-fragmentation-needed",
        ingress,
      );
    return path;
  }

  #leave(frame: FrameId, connection: IpvsConnection, path: Path): FrameId {
    const { frames } = this.#host;
    frames.flags[frame] = frames.flags[frame]! | FRAME_FLAG_IPVS;
    this.#conntrack.follow(frame, connection, true);
    if (path.kind === "local") return frame;
    this.#host.ipv4.output(frame, path);
    return NO_FRAME;
  }

  /** IP in IP, RFC 2003. */
  #encapsulate(frame: FrameId, connection: IpvsConnection, path: Path): FrameId {
    const { frames } = this.#host;
    const inner = frames.start(frame);
    const length = frames.length(frame) + ipv4.HEADER_BYTES;
    const typeOfService = ipv4.typeOfService(frames.bytes, inner);
    const timeToLive = ipv4.timeToLive(frames.bytes, inner);
    const dontFragment = ipv4.flagsAndOffset(frames.bytes, inner) & ipv4.DONT_FRAGMENT;
    frames.push(frame, ipv4.HEADER_BYTES);
    const server = connection.server.address;
    const identification = this.#host.ipv4.nextIdentification(path.source, server, PROTOCOL_IPIP);
    const at = frames.start(frame);
    ipv4.write(
      frames.bytes,
      at,
      length,
      identification,
      dontFragment,
      timeToLive,
      PROTOCOL_IPIP,
      path.source,
      server,
      typeOfService,
    );
    return frame;
  }

  #refuse(
    frame: FrameId,
    type: number,
    code: number,
    info: number,
    reason: DropReason,
    ingress: NetDevice | undefined,
  ): undefined {
    this.#host.icmp.sendError(frame, type, code, info, ingress ?? this.#host.loopback);
    this.#host.frames.drop(frame, reason, ingress ?? this.#host);
    return undefined;
  }
}

/** What a request's tuple is once it goes to the server. */
function serverTuple(connection: IpvsConnection, tuple: Tuple): Tuple {
  tuple.source = connection.clientAddress;
  tuple.destination = connection.server.address as Ipv4Address;
  tuple.ports = (connection.clientPort << 16) | connection.serverPort;
  tuple.protocol = connection.protocol;
  return tuple;
}
