/**
 * The load balancer of the kernel (net/netfilter/ipvs/ip_vs_core.c): first packets for a virtual service are given to a real server, later ones follow, and the
 * servers' answers go back under the service's address. It stands among netfilter's hooks and lets everything else pass.
 */
import type { Clock } from "../../sim/simulation.ts";
import { SECOND } from "../../sim/time.ts";
import type { Ipv4Address } from "../../wire/address.ts";
import * as icmp from "../../wire/icmp.ts";
import * as ipv4 from "../../wire/ipv4.ts";
import * as tcp from "../../wire/tcp.ts";
import type { Errno } from "../errno.ts";
import { FRAME_FLAG_GROUP, FRAME_FLAG_IPVS } from "../frame-flags.ts";
import { type FrameId, NO_FRAME } from "../frame-store.ts";
import type { NetDevice } from "../net-device.ts";
import { makeTuple, type Tuple } from "../netfilter/conntrack/tuple.ts";
import type { IpvsConnectionView, IpvsHooks } from "../netfilter/ipvs-hooks.ts";
import { rewriteError, rewriteHeader } from "../netfilter/nat-rewrite.ts";
import type { Netfilter } from "../netfilter/netfilter.ts";
import type { SysctlListener } from "../sysctl.ts";
import type { IpvsConnection } from "./connection.ts";
import { IpvsConnectionTable } from "./connection-table.ts";
import { ConntrackLink } from "./conntrack-link.ts";
import { PacketReader } from "./packet-reader.ts";
import type { RealServerRequest } from "./real-server.ts";
import { FTP_PORT, schedule } from "./scheduling.ts";
import { ServiceTable } from "./service-table.ts";
import { type IpvsSettings, readSettings } from "./settings.ts";
import { IpvsStatistics } from "./statistics.ts";
import {
  CLOSE,
  type Direction,
  ESTABLISHED,
  FIN_WAIT,
  isActive,
  nextTcpState,
  TCP_TIMEOUTS,
  TIME_WAIT,
} from "./tcp-state.ts";
import { type TransmitHost, Transmitter } from "./transmit.ts";
import type { ServiceKey, ServiceOptions, VirtualService } from "./virtual-service.ts";

const UDP_TIMEOUT_SECONDS = 300;

/** What the load balancer needs of the namespace that it stands in. */
export interface IpvsHost extends TransmitHost {
  readonly clock: Clock;
  readonly sysctl: { number(key: string): number; readonly listeners: SysctlListener[] };
}

/** Seconds, as `ipvsadm --set` takes them. */
export interface Timeouts {
  readonly tcp: number;
  readonly tcpFin: number;
  readonly udp: number;
}

export class Ipvs implements IpvsHooks, SysctlListener {
  readonly services = new ServiceTable();
  readonly connections: IpvsConnectionTable;
  /** Of all services together. */
  readonly statistics = new IpvsStatistics();
  readonly #host: IpvsHost;
  readonly #netfilter: Netfilter;
  readonly #conntrack: ConntrackLink;
  readonly #transmitter: Transmitter;
  readonly #reader: PacketReader;
  #settings: IpvsSettings | undefined = undefined;
  readonly #tcpSeconds = [...TCP_TIMEOUTS];
  #udpSeconds = UDP_TIMEOUT_SECONDS;
  readonly #target: Tuple = makeTuple();

  /** Takes its place in the namespace's firewall. */
  constructor(host: IpvsHost, netfilter: Netfilter) {
    this.#host = host;
    this.#netfilter = netfilter;
    this.#conntrack = new ConntrackLink(host.frames, host.clock, netfilter);
    this.#transmitter = new Transmitter(host, this.#conntrack);
    this.#reader = new PacketReader(host.frames);
    this.connections = new IpvsConnectionTable(host.clock, (connection) => this.#ended(connection));
    host.sysctl.listeners.push(this);
    netfilter.ipvs = this;
  }

  // What ipvsadm and engines ask for

  addService(key: ServiceKey, options: ServiceOptions): Errno | undefined {
    const problem = this.services.add(key, options);
    this.#requireConntrack();
    return problem;
  }

  editService(key: ServiceKey, options: ServiceOptions): Errno | undefined {
    const service = this.services.find(key);
    service?.edit(options);
    return service === undefined ? "ESRCH" : undefined;
  }

  deleteService(key: ServiceKey): Errno | undefined {
    const service = this.services.find(key);
    if (service === undefined) return "ESRCH";
    this.services.remove(service);
    this.#requireConntrack();
    return undefined;
  }

  /** ESRCH: no such service; EEXIST: it has the server. */
  addServer(key: ServiceKey, request: RealServerRequest): Errno | undefined {
    const service = this.services.find(key);
    return service === undefined ? "ESRCH" : this.services.addServer(service, request);
  }

  /** ESRCH: no such service; ENOENT: it has no such server. */
  editServer(key: ServiceKey, request: RealServerRequest): Errno | undefined {
    const service = this.services.find(key);
    if (service === undefined) return "ESRCH";
    const server = service.find(request.address, request.port);
    if (server === undefined) return "ENOENT";
    service.change(server, request);
    return undefined;
  }

  deleteServer(key: ServiceKey, address: Ipv4Address, port: number): Errno | undefined {
    const service = this.services.find(key);
    if (service === undefined) return "ESRCH";
    const server = service.find(address, port);
    if (server === undefined) return "ENOENT";
    this.services.removeServer(service, server);
    return undefined;
  }

  flush(): void {
    for (const service of [...this.services.list]) this.services.remove(service);
    this.#requireConntrack();
  }

  get timeouts(): Timeouts {
    return { tcp: this.#tcpSeconds[ESTABLISHED]!, tcpFin: this.#tcpSeconds[FIN_WAIT]!, udp: this.#udpSeconds };
  }

  /** 0 leaves a timeout as it is. Connections take the new ones with their next packet. */
  setTimeouts(timeouts: Timeouts): void {
    if (timeouts.tcp !== 0) this.#tcpSeconds[ESTABLISHED] = timeouts.tcp;
    if (timeouts.tcpFin !== 0) this.#tcpSeconds[FIN_WAIT] = timeouts.tcpFin;
    if (timeouts.udp !== 0) this.#udpSeconds = timeouts.udp;
  }

  sysctlChanged(key: string): void {
    if (!key.startsWith("net.ipv4.vs.")) return;
    this.#settings = undefined;
    this.#requireConntrack();
  }

  // The hooks

  input(frame: FrameId, ingress: NetDevice | undefined): FrameId {
    if (this.#idle) return frame;
    const next = this.#reply(frame, ingress, "input");
    return next === NO_FRAME ? NO_FRAME : this.#request(next, ingress, false);
  }

  forward(frame: FrameId, ingress: NetDevice | undefined, _egress: NetDevice | undefined): FrameId {
    if (this.#idle) return frame;
    const { frames } = this.#host;
    let next = frame;
    if (ipv4.isFragment(frames.bytes, frames.start(next))) {
      next = this.#netfilter.host.reassemble(next, "forward", ingress);
      if (next === NO_FRAME) return NO_FRAME;
    }
    next = this.#errorForServer(next, ingress);
    return next === NO_FRAME ? NO_FRAME : this.#reply(next, ingress, "forward");
  }

  output(frame: FrameId, _egress: NetDevice | undefined): FrameId {
    if (this.#idle) return frame;
    const next = this.#reply(frame, undefined, "output");
    return next === NO_FRAME ? NO_FRAME : this.#request(next, undefined, true);
  }

  connectionOf(frame: FrameId): IpvsConnectionView | undefined {
    const tuple = this.#reader.tuple(frame);
    if (tuple === undefined) return undefined;
    const { source, destination, protocol } = tuple;
    const sourcePort = tuple.ports >>> 16;
    const destinationPort = tuple.ports & 0xffff;
    const original =
      this.connections.findByServer(protocol, destination, destinationPort, source, sourcePort) ??
      this.connections.findByClient(protocol, source, sourcePort, destination, destinationPort);
    const reply =
      original !== undefined
        ? undefined
        : (this.connections.findByServer(protocol, source, sourcePort, destination, destinationPort) ??
          this.connections.findByClient(protocol, destination, destinationPort, source, sourcePort));
    const connection = original ?? reply;
    if (connection === undefined) return undefined;
    return {
      protocol,
      virtualAddress: connection.virtualAddress,
      virtualPort: connection.virtualPort,
      method: METHOD_NAMES[connection.method],
      direction: original !== undefined ? "ORIGINAL" : "REPLY",
    };
  }

  // Requests: ip_vs_in

  #request(frame: FrameId, ingress: NetDevice | undefined, fromHere: boolean): FrameId {
    const { frames, clock } = this.#host;
    const flags = frames.flags[frame]!;
    if ((flags & FRAME_FLAG_IPVS) !== 0 || (!fromHere && (flags & FRAME_FLAG_GROUP) !== 0)) return frame;
    if (this.#reader.isIcmp(frame)) return this.#errorForServer(frame, ingress);
    const tuple = this.#reader.tuple(frame);
    if (tuple === undefined) return frame;
    const { protocol, source, destination } = tuple;
    const tcpFlags = this.#reader.tcpFlags(frame);
    if (tcpFlags < 0) return frame;
    const begins = protocol === ipv4.PROTOCOL_TCP && (tcpFlags & tcp.SYN) !== 0;
    let connection = this.connections.findByClient(
      protocol,
      source,
      tuple.ports >>> 16,
      destination,
      tuple.ports & 0xffff,
    );
    if (connection !== undefined && begins && this.#begunAnew(connection)) {
      if (!this.#release(frame, connection)) return this.#drop(frame, ingress);
      connection = undefined;
    }
    if (connection !== undefined && !connection.server.available) {
      // The server was taken out of the service while the connection lived.
      if (!this.#settingsNow.expireNodestConn) return this.#drop(frame, ingress);
      if (!this.#release(frame, connection)) return this.#drop(frame, ingress);
      connection = undefined;
    }
    if (connection === undefined) {
      const service = this.#serviceFor(frame, tuple, tcpFlags);
      if (service === undefined) return frame;
      connection = schedule(service, tuple, this.connections, this.#settingsNow, clock.nowNs);
      if (connection === undefined) return this.#nobody(frame, service, tuple, ingress);
      this.statistics.countConnection(clock.nowNs);
    }
    const bytes = frames.length(frame);
    const { server } = connection;
    server.statistics.countIn(bytes, clock.nowNs);
    server.service?.statistics.countIn(bytes, clock.nowNs);
    this.statistics.countIn(bytes, clock.nowNs);
    this.#follow(connection, "input", tcpFlags);
    this.connections.touch(connection);
    const next = this.#transmitter.send(frame, connection, ingress);
    if (connection.onePacket) this.connections.remove(connection);
    return next;
  }

  /** Is a SYN on a known connection the beginning of another one, which is to be scheduled anew? */
  #begunAnew(connection: IpvsConnection): boolean {
    const { expireNodestConn, connReuseMode } = this.#settingsNow;
    if (expireNodestConn && connection.server.weight === 0) return true;
    if (connReuseMode === 0 || connection.controller !== undefined) return false;
    if (connection.state === TIME_WAIT || connection.state === CLOSE) return true;
    return (connReuseMode & 2) !== 0 && connection.state === FIN_WAIT && connection.noOutput;
  }

  /** Ends a connection. False: the firewall knows it as it was, the packet has to be lost so that the next one begins anew. */
  #release(frame: FrameId, connection: IpvsConnection): boolean {
    const known = connection.tracked && this.#conntrack.knows(frame);
    if (!known) connection.tracked = false;
    this.connections.remove(connection);
    return !known;
  }

  #serviceFor(frame: FrameId, tuple: Tuple, tcpFlags: number): VirtualService | undefined {
    if (tuple.protocol === ipv4.PROTOCOL_TCP) {
      if ((tcpFlags & tcp.RST) !== 0) return undefined;
      if ((tcpFlags & tcp.SYN) === 0 && !this.#settingsNow.sloppyTcp) return undefined;
    }
    const mark = this.#host.frames.mark[frame]! >>> 0;
    return this.services.lookup(mark, tuple.protocol, tuple.destination as Ipv4Address, tuple.ports & 0xffff);
  }

  /** ip_vs_leave: there is a service, but nobody to serve. */
  #nobody(frame: FrameId, service: VirtualService, tuple: Tuple, ingress: NetDevice | undefined): FrameId {
    if (service.key.port === FTP_PORT && (tuple.ports & 0xffff) !== FTP_PORT) return frame;
    const device = ingress ?? this.#host.loopback;
    this.#host.icmp.sendError(frame, icmp.TYPE_UNREACHABLE, icmp.CODE_PORT_UNREACHABLE, 0, device);
    this.#host.frames.drop(frame, "ipvs-no-destination", device);
    return NO_FRAME;
  }

  // Answers: ip_vs_out

  #reply(frame: FrameId, ingress: NetDevice | undefined, hook: "input" | "forward" | "output"): FrameId {
    const { frames, clock } = this.#host;
    if ((frames.flags[frame]! & FRAME_FLAG_IPVS) !== 0) return frame;
    if (this.#reader.isIcmp(frame)) return this.#errorFromServer(frame);
    const tuple = this.#reader.tuple(frame);
    if (tuple === undefined) return frame;
    const { protocol, source, destination, ports } = tuple;
    const connection = this.connections.findByServer(protocol, source, ports >>> 16, destination, ports & 0xffff);
    if (connection === undefined) return this.#orphan(frame, tuple, ingress, hook);
    if (connection.method !== "masquerade") return frame;
    const tcpFlags = this.#reader.tcpFlags(frame);
    if (tcpFlags < 0) return frame;
    const next = frames.writable(frame);
    const target = this.#target;
    target.source = connection.virtualAddress;
    target.destination = connection.clientAddress;
    target.ports = (connection.virtualPort << 16) | connection.clientPort;
    target.protocol = protocol;
    rewriteHeader(frames, frames.start(next), frames.end(next), "source", target);
    const bytes = frames.length(next);
    const { server } = connection;
    server.statistics.countOut(bytes, clock.nowNs);
    server.service?.statistics.countOut(bytes, clock.nowNs);
    this.statistics.countOut(bytes, clock.nowNs);
    this.#follow(connection, "output", tcpFlags);
    frames.flags[next] = frames.flags[next]! | FRAME_FLAG_IPVS;
    this.#conntrack.follow(next, connection, false);
    this.connections.touch(connection);
    return next;
  }

  /** With nat_icmp_send a real server's packet that belongs to no connection is refused. */
  #orphan(frame: FrameId, tuple: Tuple, ingress: NetDevice | undefined, hook: "input" | "forward" | "output"): FrameId {
    if (!this.#settingsNow.natIcmpSend || hook === "output") return frame;
    const port = tuple.ports >>> 16;
    const known = this.services.list.some(
      (service) => service.key.mark === 0 && service.find(tuple.source as Ipv4Address, port)?.method === "masquerade",
    );
    if (!known || (tuple.protocol === ipv4.PROTOCOL_TCP && (this.#reader.tcpFlags(frame) & tcp.RST) !== 0))
      return frame;
    const device = ingress ?? this.#host.loopback;
    this.#host.icmp.sendError(frame, icmp.TYPE_UNREACHABLE, icmp.CODE_PORT_UNREACHABLE, 0, device);
    return this.#drop(frame, ingress);
  }

  // ICMP errors

  /** From a server, or a router on its side, about a request: the client shall know it as about the virtual service. */
  #errorFromServer(frame: FrameId): FrameId {
    const quoted = this.#reader.quotedTuple(frame);
    if (quoted === undefined) return frame;
    const { protocol, source, destination, ports } = quoted;
    const connection = this.connections.findByServer(protocol, destination, ports & 0xffff, source, ports >>> 16);
    if (connection === undefined || connection.method !== "masquerade") return frame;
    const { frames } = this.#host;
    const next = frames.writable(frame);
    const target = this.#target; // the request's own tuple
    target.source = connection.clientAddress;
    target.destination = connection.virtualAddress;
    target.ports = (connection.clientPort << 16) | connection.virtualPort;
    target.protocol = protocol;
    rewriteError(frames, frames.start(next), frames.end(next), "source", target);
    frames.flags[next] = frames.flags[next]! | FRAME_FLAG_IPVS;
    this.#conntrack.follow(next, connection, false);
    return next;
  }

  /** From a client, or a router on its side, about an answer: it goes to the server. */
  #errorForServer(frame: FrameId, ingress: NetDevice | undefined): FrameId {
    const { frames } = this.#host;
    if ((frames.flags[frame]! & FRAME_FLAG_IPVS) !== 0) return frame;
    const quoted = this.#reader.quotedTuple(frame);
    if (quoted === undefined) return frame;
    const { protocol, source, destination, ports } = quoted;
    const connection = this.connections.findByClient(protocol, destination, ports & 0xffff, source, ports >>> 16);
    return connection === undefined ? frame : this.#transmitter.sendError(frame, connection, ingress);
  }

  // Connections

  /** The protocol's state, the timeout, and whether the connection counts as active. */
  #follow(connection: IpvsConnection, side: "input" | "output", tcpFlags: number): void {
    if (connection.protocol !== ipv4.PROTOCOL_TCP) {
      connection.timeoutNs = this.#udpSeconds * SECOND;
      return;
    }
    if (side === "output") connection.noOutput = false;
    const direction: Direction = connection.noOutput ? "input-only" : side;
    const state = nextTcpState(connection.state, direction, tcpFlags);
    connection.state = state;
    connection.timeoutNs = this.#tcpSeconds[state]! * SECOND;
    const { server } = connection;
    if (isActive(state) === !connection.inactive) return;
    connection.inactive = !connection.inactive;
    server.activeConnections += connection.inactive ? -1 : 1;
    server.inactiveConnections += connection.inactive ? 1 : -1;
  }

  /** A connection has left the table. */
  #ended(connection: IpvsConnection): void {
    const { server, controller } = connection;
    if (connection.template) {
      server.persistentConnections--;
    } else {
      if (connection.inactive) server.inactiveConnections--;
      else server.activeConnections--;
      server.connectionGone();
      if (connection.tracked) this.#conntrack.forget(connection);
    }
    if (controller !== undefined && controller.controlled > 0) controller.controlled--;
    if (!server.available && server.connections + server.persistentConnections === 0) this.services.forget(server);
  }

  /** With vs.conntrack the firewall has to track connections as long as there are services. */
  #requireConntrack(): void {
    this.#conntrack.require(this.services.list.length > 0 && this.#settingsNow.conntrack);
  }

  get #idle(): boolean {
    return this.services.list.length === 0 && this.connections.count === 0;
  }

  get #settingsNow(): IpvsSettings {
    this.#settings ??= readSettings(this.#host.sysctl);
    return this.#settings;
  }

  #drop(frame: FrameId, ingress: NetDevice | undefined): FrameId {
    this.#host.frames.drop(frame, "ipvs-drop", ingress ?? this.#host);
    return NO_FRAME;
  }
}

const METHOD_NAMES = { masquerade: "MASQ", route: "GATE", tunnel: "IPIP" } as const;
