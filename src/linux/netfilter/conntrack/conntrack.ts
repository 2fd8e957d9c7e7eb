/**
 * Connection tracking (net/netfilter/nf_conntrack_core.c): says of every packet which connection it belongs to and which part it
 * plays in it. A new connection counts once its first packet has passed all chains (`confirm`).
 */
import { finish, pseudoSum, sum } from "../../../wire/checksum.ts";
import * as icmp from "../../../wire/icmp.ts";
import * as ipv4 from "../../../wire/ipv4.ts";
import * as udp from "../../../wire/udp.ts";
import type { NetfilterHost } from "../host.ts";
import type { Packet } from "../packet.ts";
import * as info from "./connection-info.ts";
import {
  ASSURED,
  CONFIRMED,
  ConnectionTable,
  DYING,
  EXPECTED,
  PROTOCOL_WORDS,
  SEEN_REPLY,
} from "./connection-table.ts";
import { type ConntrackSettings, readSettings } from "./settings.ts";
import * as tcpTracking from "./tcp-tracking.ts";
import { invertTuple, isRequestType, makeTuple, readTuple, type Tuple } from "./tuple.ts";

/** A UDP flow that lives longer than this gets the longer timeout. */
const UDP_STREAM_AFTER_NS = 2_000_000_000;

/** Of a packet that conntrack refuses to let pass. */
export type ConntrackDrop = "conntrack-full" | undefined;

export class Conntrack {
  readonly table = new ConnectionTable();
  readonly #host: NetfilterHost;
  #settings: ConntrackSettings | undefined = undefined;
  readonly #tuple = makeTuple();
  readonly #reply = makeTuple();
  /** Packets that fitted no connection, and connections that could not be inserted: /proc/net/stat/nf_conntrack. */
  invalid = 0;
  insertFailed = 0;

  constructor(host: NetfilterHost) {
    this.#host = host;
  }

  /** A sysctl has changed. */
  forgetSettings(): void {
    this.#settings = undefined;
  }

  get settings(): ConntrackSettings {
    this.#settings ??= readSettings((key) => this.#host.sysctl(key));
    return this.#settings;
  }

  /** First look at a packet, at PREROUTING and OUTPUT. Says why the packet may not pass. */
  track(packet: Packet): ConntrackDrop {
    const frames = packet.frames;
    if (frames.connection[packet.frame] !== 0) return undefined; // it came over the loopback, or is not to be tracked
    const nowNs = this.#host.clock.nowNs;
    const tuple = this.#tuple;
    const isIcmp = packet.protocol === ipv4.PROTOCOL_ICMP;
    if (!this.#plausible(packet) || !readTuple(packet.bytes, packet.at, packet.end, tuple)) {
      this.invalid++;
      return undefined;
    }
    if (isIcmp && icmp.isError(icmp.type(packet.bytes, packet.transportAt))) {
      this.#trackError(packet);
      return undefined;
    }
    const table = this.table;
    for (;;) {
      let handle = table.find(tuple.source, tuple.destination, tuple.ports, tuple.protocol, nowNs);
      if (handle < 0) {
        const row = this.#begin(packet, tuple, nowNs);
        if (row === "conntrack-full") return row;
        if (row === undefined) {
          this.invalid++;
          return undefined;
        }
        handle = row * 2;
      }
      const row = handle >> 1;
      const direction: 0 | 1 = (handle & 1) === 1 ? 1 : 0;
      const status = table.status(row);
      let part: number = info.NEW;
      if (direction === 1) part = info.ESTABLISHED + info.IS_REPLY;
      else if ((status & SEEN_REPLY) !== 0) part = info.ESTABLISHED;
      else if ((status & EXPECTED) !== 0) part = info.RELATED;
      const answer = this.#follow(packet, row, direction, part);
      if (answer === "reopen") {
        table.delete(row, nowNs);
        continue;
      }
      if (answer === "invalid") {
        this.invalid++;
        return undefined;
      }
      packet.own();
      frames.connection[packet.frame] = info.pack(row, part);
      if (direction === 1) table.addStatus(row, SEEN_REPLY);
      if (answer === "delete") table.delete(row, nowNs);
      return undefined;
    }
  }

  /** The packet has passed all chains: its connection is from now on known. False: another one took the same tuple meanwhile. */
  confirm(packet: Packet): boolean {
    const packed = packet.frames.connection[packet.frame]!;
    const row = info.connectionOf(packed);
    if (row === 0 || (this.table.status(row) & (CONFIRMED | DYING)) !== 0) return true;
    if (info.directionOf(packed) !== 0) return true;
    if (this.table.confirm(row, this.#host.clock.nowNs)) return true;
    this.insertFailed++;
    return false;
  }

  /** Would the answer to `tuple` clash with that of another connection? What address translation asks before it chooses. */
  answerTaken(tuple: Tuple): boolean {
    const reply = this.#reply;
    reply.source = tuple.source;
    reply.destination = tuple.destination;
    reply.ports = tuple.ports;
    reply.protocol = tuple.protocol;
    if (!invertTuple(reply)) return false;
    const nowNs = this.#host.clock.nowNs;
    return this.table.find(reply.source, reply.destination, reply.ports, reply.protocol, nowNs) >= 0;
  }

  /** The answers of a connection that is not yet confirmed will come as `reply` says (nf_conntrack_alter_reply): NAT, load balancer. */
  alterReply(row: number, reply: Tuple): void {
    if ((this.table.status(row) & CONFIRMED) === 0) this.table.setTuple(row * 2 + 1, reply);
  }

  /** Checksums and lengths of what arrives; nothing of a broken packet is believed. */
  #plausible(packet: Packet): boolean {
    const { bytes, transportAt, end } = packet;
    const verify = packet.point === "prerouting" && packet.frames.checksumKnown[packet.frame] === 0;
    switch (packet.protocol) {
      case ipv4.PROTOCOL_TCP:
        if (!tcpTracking.plausible(packet)) return false;
        return !verify || this.#transportSum(packet, end) === 0;
      case ipv4.PROTOCOL_UDP:
        if (udp.check(bytes, transportAt, end) !== undefined) return false;
        if (!verify || udp.checksum(bytes, transportAt) === 0) return true;
        return this.#transportSum(packet, transportAt + udp.length(bytes, transportAt)) === 0;
      case ipv4.PROTOCOL_ICMP:
        if (icmp.check(bytes, transportAt, end) !== undefined) return false;
        if (verify && finish(sum(packet.frames, transportAt, end)) !== 0) return false;
        return icmp.type(bytes, transportAt) <= 18;
      default:
        return true;
    }
  }

  #transportSum(packet: Packet, end: number): number {
    const { source, destination, protocol, transportAt } = packet;
    const pseudo = pseudoSum(source, destination, protocol, end - transportAt);
    return finish(pseudo + sum(packet.frames, transportAt, end));
  }

  #begin(packet: Packet, tuple: Tuple, nowNs: number): number | "conntrack-full" | undefined {
    if (packet.protocol === ipv4.PROTOCOL_ICMP && !isRequestType((tuple.ports >>> 8) & 0xff)) return undefined;
    const reply = this.#reply;
    reply.source = tuple.source;
    reply.destination = tuple.destination;
    reply.ports = tuple.ports;
    reply.protocol = tuple.protocol;
    if (!invertTuple(reply)) return undefined;
    const settings = this.settings;
    if (settings.maximum !== 0 && this.table.count >= settings.maximum) {
      this.table.expire(nowNs);
      if (this.table.count >= settings.maximum && !this.table.deleteUnassured(nowNs)) return "conntrack-full";
    }
    const row = this.table.create(tuple, reply, nowNs);
    if (row === undefined) return "conntrack-full";
    if (packet.protocol === ipv4.PROTOCOL_TCP && !tcpTracking.begin(this.table, row, packet, settings.tcp)) {
      this.table.delete(row, nowNs);
      return undefined;
    }
    return row;
  }

  /** The protocol's own memory, and the timer. */
  #follow(packet: Packet, row: number, direction: 0 | 1, part: number): tcpTracking.TcpAnswer {
    const table = this.table;
    const settings = this.settings;
    const nowNs = this.#host.clock.nowNs;
    switch (packet.protocol) {
      case ipv4.PROTOCOL_TCP: {
        const answer = tcpTracking.follow(table, row, direction, packet, settings.tcp);
        if (answer === "accept" && settings.tcp.timeoutNs >= 0) table.setExpiry(row, nowNs + settings.tcp.timeoutNs);
        return answer;
      }
      case ipv4.PROTOCOL_UDP: {
        // A flow with answers is a stream once it is two seconds old; assured ones are known to be.
        if ((table.status(row) & ASSURED) !== 0) {
          table.setExpiry(row, nowNs + settings.udpStreamNs);
          return "accept";
        }
        const words = table.protocolState;
        const at = row * UDP_WORDS;
        if ((table.status(row) & SEEN_REPLY) === 0) {
          if (direction === 0 && part === info.NEW && table.expiresNs(row) === 0)
            putTime(words, at, nowNs + UDP_STREAM_AFTER_NS);
          table.setExpiry(row, nowNs + settings.udpNs);
        } else if (nowNs > getTime(words, at)) {
          table.setExpiry(row, nowNs + settings.udpStreamNs);
          table.addStatus(row, ASSURED);
        } else {
          table.setExpiry(row, nowNs + settings.udpNs);
        }
        return "accept";
      }
      case ipv4.PROTOCOL_ICMP:
        table.setExpiry(row, nowNs + settings.icmpNs);
        return "accept";
      default:
        table.setExpiry(row, nowNs + settings.genericNs);
        return "accept";
    }
  }

  /** An ICMP error belongs to the connection of the packet that it quotes, and goes the other way. */
  #trackError(packet: Packet): void {
    const quote = packet.transportAt + icmp.HEADER_BYTES;
    const tuple = this.#tuple;
    if (
      ipv4.checkHeader(packet.bytes, quote, packet.end) !== undefined ||
      !readTuple(packet.bytes, quote, packet.end, tuple) ||
      !invertTuple(tuple)
    ) {
      this.invalid++;
      return;
    }
    const nowNs = this.#host.clock.nowNs;
    let handle = this.table.find(tuple.source, tuple.destination, tuple.ports, tuple.protocol, nowNs);
    if (handle < 0 && packet.point === "output") handle = this.#findLoose(tuple);
    // The error must be for who sent the quoted packet.
    if (handle < 0 || this.table.destination(handle) !== packet.destination) {
      this.invalid++;
      return;
    }
    packet.own();
    const part = info.RELATED + ((handle & 1) === 1 ? info.IS_REPLY : 0);
    packet.frames.connection[packet.frame] = info.pack(handle >> 1, part);
  }

  /** Errors made here may be about a packet that has not passed all chains (nf_ct_attach). */
  #findLoose(tuple: Tuple): number {
    const table = this.table;
    for (const row of table.loose)
      for (let handle = row * 2; handle <= row * 2 + 1; handle++)
        if (
          (table.status(row) & DYING) === 0 &&
          table.source(handle) === tuple.source &&
          table.destination(handle) === tuple.destination &&
          table.ports(handle) === tuple.ports &&
          table.protocol(row) === tuple.protocol
        )
          return handle;
    return -1;
  }
}

/** UDP keeps one time in the two first words of a row's state. */
const UDP_WORDS = PROTOCOL_WORDS;
function putTime(words: Int32Array, at: number, timeNs: number): void {
  words[at] = Math.floor(timeNs / 0x1_0000_0000);
  words[at + 1] = (timeNs % 0x1_0000_0000) | 0;
}
function getTime(words: Int32Array, at: number): number {
  return words[at]! * 0x1_0000_0000 + (words[at + 1]! >>> 0);
}
