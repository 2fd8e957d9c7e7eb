/**
 * Address translation (net/netfilter/nf_nat_core.c). The first packet of a connection binds it: a range says what its tuple may become, a tuple
 * is chosen whose answer nobody else expects, and the expected reply is altered. From then on every packet is rewritten by what the two
 * tuples of its connection say, without asking the rules.
 */
import { assert } from "../../sim/assert.ts";
import * as icmp from "../../wire/icmp.ts";
import * as ipv4 from "../../wire/ipv4.ts";
import type { NetDevice } from "../net-device.ts";
import * as info from "./conntrack/connection-info.ts";
import {
  CONFIRMED,
  DESTINATION_NAT,
  DESTINATION_NAT_DONE,
  MASQUERADED,
  SOURCE_NAT,
  SOURCE_NAT_DONE,
} from "./conntrack/connection-table.ts";
import type { Conntrack } from "./conntrack/conntrack.ts";
import { hasPorts, invertTuple, makeTuple, type Tuple } from "./conntrack/tuple.ts";
import type { NetfilterHost } from "./host.ts";
import type { Manipulation, NatRange } from "./nat-range.ts";
import { rewriteError, rewriteHeader } from "./nat-rewrite.ts";
import type { Packet } from "./packet.ts";
import type { Table } from "./table.ts";
import { ACCEPT, DROP, type Verdict } from "./verdict.ts";

const ANY_RANGE: NatRange = {};
const NAT_DONE = SOURCE_NAT_DONE | DESTINATION_NAT_DONE;
/** How many ports are tried before the search gives up halving (nf_nat_l4proto_unique_tuple). */
const MAXIMUM_ATTEMPTS = 128;
const MINIMUM_ATTEMPTS = 16;

export class Nat {
  readonly #host: NetfilterHost;
  readonly #conntrack: Conntrack;
  readonly #current = makeTuple();
  readonly #wanted = makeTuple();
  readonly #target = makeTuple();

  constructor(host: NetfilterHost, conntrack: Conntrack) {
    this.#host = host;
    this.#conntrack = conntrack;
  }

  /** The nat hook: asks the rules for the first packet, rewrites every packet. */
  run(packet: Packet, manipulation: Manipulation, table: Table | undefined): Verdict {
    const packed = packet.frames.connection[packet.frame]!;
    const row = info.connectionOf(packed);
    if (row === 0) return ACCEPT; // not tracked: never translated
    const connections = this.#conntrack.table;
    const part = info.infoOf(packed);
    if (part === info.RELATED || part === info.RELATED + info.IS_REPLY) {
      if (packet.protocol === ipv4.PROTOCOL_ICMP && icmp.isError(packet.bytes[packet.transportAt]!))
        return this.#translateError(packet, packed, manipulation) ? ACCEPT : DROP;
    }
    if (part === info.NEW || part === info.RELATED) {
      const done = manipulation === "source" ? SOURCE_NAT_DONE : DESTINATION_NAT_DONE;
      if ((connections.status(row) & (done | CONFIRMED)) === 0) {
        const chain = table === undefined ? undefined : table[packet.point];
        if (chain !== undefined) {
          const verdict = chain.decide(packet);
          if (verdict === DROP) return DROP;
        }
        // No rule chose: keep the tuple, unless its answer would clash with another's.
        if ((connections.status(row) & done) === 0 && this.bind(packet, row, manipulation, ANY_RANGE) === DROP)
          return DROP;
      }
    }
    if (
      (connections.status(row) & MASQUERADED) !== 0 &&
      packet.point === "postrouting" &&
      info.directionOf(packed) === 0 &&
      connections.masqueradeDevice[row] !== packet.egress?.index
    ) {
      // Routed another way now: the address that was lent to the connection is another device's.
      connections.delete(row, this.#host.clock.nowNs);
      packet.dropReason = "netfilter-drop";
      return DROP;
    }
    const bit = this.#statusBit(manipulation, info.directionOf(packed));
    if ((connections.status(row) & bit) === 0) return ACCEPT;
    const target = this.#target;
    connections.getTuple(row * 2 + (1 - info.directionOf(packed)), target);
    invertTuple(target);
    packet.own();
    rewriteHeader(packet.frames, packet.at, packet.end, manipulation, target);
    packet.replace(packet.frame);
    return ACCEPT;
  }

  /** Decides what the connection's tuple becomes: what DNAT, SNAT and their kin do with a first packet. */
  bind(packet: Packet, row: number, manipulation: Manipulation, range: NatRange): Verdict {
    const connections = this.#conntrack.table;
    const done = manipulation === "source" ? SOURCE_NAT_DONE : DESTINATION_NAT_DONE;
    if ((connections.status(row) & (CONFIRMED | done)) !== 0) return ACCEPT; // too late
    const current = this.#current;
    connections.getTuple(row * 2 + 1, current);
    assert(invertTuple(current), "a tracked connection has an answer");
    const wanted = this.#wanted;
    wanted.source = current.source;
    wanted.destination = current.destination;
    wanted.ports = current.ports;
    wanted.protocol = current.protocol;
    this.#choose(wanted, manipulation, range);
    if (
      wanted.source !== current.source ||
      wanted.destination !== current.destination ||
      wanted.ports !== current.ports
    ) {
      if (this.#conntrack.answerTaken(wanted)) {
        packet.dropReason = "nat-no-port";
        return DROP;
      }
      invertTuple(wanted);
      this.#conntrack.alterReply(row, wanted);
      connections.addStatus(row, manipulation === "source" ? SOURCE_NAT : DESTINATION_NAT);
    }
    connections.addStatus(row, done);
    return ACCEPT;
  }

  /**
   * Forgets connections that borrowed an address of a device that went down; or, when its addresses changed (`addressesOnly`), those whose address
   * it has no longer (nf_nat_masquerade.c).
   */
  deviceChanged(device: NetDevice, addressesOnly: boolean): void {
    const connections = this.#conntrack.table;
    const nowNs = this.#host.clock.nowNs;
    for (const row of connections.rows(nowNs)) {
      if ((connections.status(row) & MASQUERADED) === 0 || connections.masqueradeDevice[row] !== device.index) continue;
      const borrowed = connections.destination(row * 2 + 1);
      if (addressesOnly && device.addresses.some(({ address }) => address === borrowed)) continue;
      connections.delete(row, nowNs);
    }
  }

  /** In the direction of replies the source is translated where the destination was, and the other way round. */
  #statusBit(manipulation: Manipulation, direction: 0 | 1): number {
    return (manipulation === "source") === (direction === 0) ? SOURCE_NAT : DESTINATION_NAT;
  }

  #translateError(packet: Packet, packed: number, manipulation: Manipulation): boolean {
    const connections = this.#conntrack.table;
    const row = info.connectionOf(packed);
    const direction = info.directionOf(packed);
    const status = connections.status(row);
    // Two ends that are told to talk to each other past the translation would not understand each other.
    if (packet.bytes[packet.transportAt] === icmp.TYPE_REDIRECT)
      return (status & NAT_DONE) === NAT_DONE && (status & (SOURCE_NAT | DESTINATION_NAT)) === 0;
    if ((status & this.#statusBit(manipulation, direction)) === 0) return true;
    const target = this.#target;
    connections.getTuple(row * 2 + (1 - direction), target);
    packet.own();
    const rewritten = rewriteError(packet.frames, packet.at, packet.end, manipulation, target);
    packet.replace(packet.frame);
    return rewritten;
  }

  /** Changes `tuple` into one that `range` allows and that nobody else's answer equals, as far as one is found. */
  #choose(tuple: Tuple, manipulation: Manipulation, range: NatRange): void {
    const isSource = manipulation === "source";
    const keeps = range.random !== true && this.#inRange(tuple, isSource, range);
    if (keeps && !this.#conntrack.answerTaken(tuple)) return;
    this.#chooseAddress(tuple, isSource, range);
    if (range.random !== true) {
      const given = range.minimumPort !== undefined && range.basePort === undefined;
      if (given) {
        const fits = this.#portFits(tuple, isSource, range);
        if (fits && (range.minimumPort === range.maximumPort || !this.#conntrack.answerTaken(tuple))) return;
      } else if (range.minimumPort === undefined && !this.#conntrack.answerTaken(tuple)) return;
    }
    this.#choosePort(tuple, isSource, range);
  }

  #inRange(tuple: Tuple, isSource: boolean, range: NatRange): boolean {
    const address = isSource ? tuple.source : tuple.destination;
    if (range.netmapMask !== undefined) return false;
    if (range.minimumAddress !== undefined) {
      if (address < range.minimumAddress || address > (range.maximumAddress ?? range.minimumAddress)) return false;
    }
    return range.minimumPort === undefined || (range.basePort === undefined && this.#portFits(tuple, isSource, range));
  }

  #portFits(tuple: Tuple, isSource: boolean, range: NatRange): boolean {
    const port = portOf(tuple, isSource);
    return port >= (range.minimumPort ?? 0) && port <= (range.maximumPort ?? 0xffff);
  }

  #chooseAddress(tuple: Tuple, isSource: boolean, range: NatRange): void {
    if (range.minimumAddress === undefined) return;
    const maximum = range.maximumAddress ?? range.minimumAddress;
    let address = range.minimumAddress;
    if (range.netmapMask !== undefined) {
      const old = isSource ? tuple.source : tuple.destination;
      address = ((range.minimumAddress & range.netmapMask) | (old & ~range.netmapMask)) >>> 0;
    } else if (maximum > range.minimumAddress) {
      // One client keeps one address; by source alone, or by source and destination.
      const seed = tuple.source ^ (range.persistent === true ? 0 : tuple.destination);
      address += Math.floor((mixed(seed) / 0x1_0000_0000) * (maximum - range.minimumAddress + 1));
    }
    if (isSource) tuple.source = address;
    else tuple.destination = address;
  }

  /** A free port (or ICMP id) of the range, searched from a random place. */
  #choosePort(tuple: Tuple, isSource: boolean, range: NatRange): void {
    const isIcmp = tuple.protocol === ipv4.PROTOCOL_ICMP;
    if (!isIcmp && !hasPorts(tuple.protocol)) return;
    let minimum = 0;
    let size = 0x1_0000;
    if (range.minimumPort !== undefined) {
      minimum = range.minimumPort;
      size = (range.maximumPort ?? range.minimumPort) - minimum + 1;
    } else if (!isIcmp) {
      if (!isSource) return; // a destination port has a meaning: it is changed on request alone
      const port = portOf(tuple, true);
      // Privileged ports stay privileged.
      if (port < 512) {
        minimum = 1;
        size = 511;
      } else if (port < 1024) {
        minimum = 600;
        size = 424;
      } else {
        minimum = 1024;
        size = 64_512;
      }
    }
    let offset =
      range.basePort !== undefined
        ? portOf(tuple, isSource) - range.basePort + 0x1_0000
        : this.#host.random.below(0x1_0000);
    if (range.basePort !== undefined) minimum = range.minimumPort ?? 0;
    for (let attempts = Math.min(size, MAXIMUM_ATTEMPTS); ; attempts >>= 1) {
      for (let tries = 0; tries < attempts; tries++, offset++) {
        const shift = range.basePort !== undefined ? offset - 0x1_0000 : offset;
        setPort(tuple, isSource, minimum + (((shift % size) + size) % size));
        if (!this.#conntrack.answerTaken(tuple)) return;
      }
      if (attempts >= size || attempts < MINIMUM_ATTEMPTS) return;
      offset = this.#host.random.below(0x1_0000);
    }
  }
}

/** The port that a manipulation changes; of ICMP, the id. */
function portOf(tuple: Tuple, isSource: boolean): number {
  return isSource || tuple.protocol === ipv4.PROTOCOL_ICMP ? tuple.ports >>> 16 : tuple.ports & 0xffff;
}

function setPort(tuple: Tuple, isSource: boolean, port: number): void {
  if (isSource || tuple.protocol === ipv4.PROTOCOL_ICMP) tuple.ports = (port << 16) | (tuple.ports & 0xffff);
  else tuple.ports = (tuple.ports & ~0xffff) | port;
}

/** A 32-bit number as far from `value` as can be (murmur3's finish). */
function mixed(value: number): number {
  let hash = Math.imul(value ^ (value >>> 16), 0x85eb_ca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2_ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
