/**
 * What managers (TCP 2377) and gossip (7946) sent, by kind: how much of it, how large. Both sides are sealed, and their moments are drawn; so kinds are told by
 * ports and sizes, and held against each other within bounds.
 */
import type { CapturedFrame } from "../../../capture/capture-frame.ts";
import { getU16 } from "../../../wire/bytes.ts";
import * as ethernet from "../../../wire/ethernet.ts";
import * as ipv4 from "../../../wire/ipv4.ts";
import * as tcp from "../../../wire/tcp.ts";
import * as udp from "../../../wire/udp.ts";

const GOSSIP_PORT = 7_946;
const MANAGER_PORT = 2_377;
/** How far a count may be off: a quarter, or so many. */
const COUNT_SHARE = 0.25;
const COUNT_SLACK = 4;
/** Sequence numbers and names make a message a few bytes longer or shorter. */
const SIZE_SLACK_BYTES = 4;

export interface Measure {
  readonly count: number;
  /** Of the payload; the one in the middle. */
  readonly medianBytes: number;
}

export interface KindResult {
  readonly kind: string;
  readonly recorded: Measure;
  readonly ours: Measure;
  readonly within: boolean;
}

/** A kind of traffic: what of a segment or datagram belongs to it. `bounded` kinds happen as often in every run. */
interface Kind {
  readonly name: string;
  readonly bounded: boolean;
  readonly has: (packet: Packet) => boolean;
}

interface Packet {
  readonly protocol: number;
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly payloadBytes: number;
  readonly opens: boolean;
}

const isTo = (port: number) => (packet: Packet) => packet.destinationPort === port;
const isOf = (port: number) => (packet: Packet) => packet.destinationPort === port || packet.sourcePort === port;
const sized = (least: number, most: number) => (packet: Packet) =>
  packet.payloadBytes >= least && packet.payloadBytes <= most;

/** The first that fits counts. Sizes are the recorded ones (facts 32, 40, 41), with room for longer numbers. */
const KINDS: readonly Kind[] = [
  {
    name: "gossip: pings",
    bounded: true,
    has: (packet) => packet.protocol === ipv4.PROTOCOL_UDP && isTo(GOSSIP_PORT)(packet) && sized(108, 118)(packet),
  },
  {
    name: "gossip: acks",
    bounded: true,
    has: (packet) => packet.protocol === ipv4.PROTOCOL_UDP && isTo(GOSSIP_PORT)(packet) && sized(44, 54)(packet),
  },
  {
    name: "gossip: other datagrams",
    bounded: false,
    has: (packet) => packet.protocol === ipv4.PROTOCOL_UDP && isTo(GOSSIP_PORT)(packet),
  },
  {
    name: "gossip: connections",
    bounded: true,
    has: (packet) => packet.protocol === ipv4.PROTOCOL_TCP && isOf(GOSSIP_PORT)(packet) && packet.opens,
  },
  {
    name: "gossip: segments with data",
    bounded: false,
    has: (packet) => packet.protocol === ipv4.PROTOCOL_TCP && isOf(GOSSIP_PORT)(packet) && packet.payloadBytes > 0,
  },
  {
    name: "managers: connections",
    bounded: true,
    has: (packet) => packet.protocol === ipv4.PROTOCOL_TCP && isOf(MANAGER_PORT)(packet) && packet.opens,
  },
  {
    name: "managers: heartbeats of agents",
    bounded: true,
    has: (packet) => isTo(MANAGER_PORT)(packet) && sized(84, 94)(packet),
  },
  {
    name: "managers: raft's messages",
    bounded: true,
    has: (packet) => isTo(MANAGER_PORT)(packet) && sized(104, 120)(packet),
  },
  {
    name: "managers: other segments with data",
    bounded: false,
    has: (packet) => packet.protocol === ipv4.PROTOCOL_TCP && isOf(MANAGER_PORT)(packet) && packet.payloadBytes > 0,
  },
];

/** Kinds that neither side has are left out. */
export function compareControlPlane(
  recorded: readonly CapturedFrame[],
  ours: readonly CapturedFrame[],
): readonly KindResult[] {
  const left = measure(recorded);
  const right = measure(ours);
  return KINDS.flatMap(({ name, bounded }): KindResult[] => {
    const a = left.get(name) ?? { count: 0, medianBytes: 0 };
    const b = right.get(name) ?? { count: 0, medianBytes: 0 };
    if (a.count === 0 && b.count === 0) return [];
    return [{ kind: name, recorded: a, ours: b, within: !bounded || isNear(a, b) }];
  });
}

function isNear(a: Measure, b: Measure): boolean {
  const difference = Math.abs(a.count - b.count);
  if (difference > Math.max(COUNT_SLACK, a.count * COUNT_SHARE)) return false;
  return a.count === 0 || b.count === 0 || Math.abs(a.medianBytes - b.medianBytes) <= SIZE_SLACK_BYTES;
}

function measure(frames: readonly CapturedFrame[]): Map<string, Measure> {
  const sizes = new Map<string, number[]>();
  for (const { bytes } of frames) {
    const packet = packetOf(bytes);
    const kind = packet === undefined ? undefined : KINDS.find(({ has }) => has(packet));
    if (packet === undefined || kind === undefined) continue;
    const list = sizes.get(kind.name) ?? [];
    list.push(packet.payloadBytes);
    sizes.set(kind.name, list);
  }
  return new Map(
    [...sizes].map(([name, list]) => {
      list.sort((a, b) => a - b);
      return [name, { count: list.length, medianBytes: list[Math.floor(list.length / 2)]! }];
    }),
  );
}

function packetOf(bytes: Uint8Array): Packet | undefined {
  const at = ethernet.HEADER_BYTES;
  if (ethernet.check(bytes, 0, bytes.length) !== undefined) return undefined;
  if (ethernet.etherType(bytes, 0) !== ethernet.ETHERTYPE_IPV4) return undefined;
  if (ipv4.checkHeader(bytes, at, bytes.length) !== undefined) return undefined;
  const protocol = ipv4.protocol(bytes, at);
  const body = at + ipv4.headerBytes(bytes, at);
  const total = at + ipv4.totalLength(bytes, at);
  const isTcp = protocol === ipv4.PROTOCOL_TCP;
  if (!isTcp && protocol !== ipv4.PROTOCOL_UDP) return undefined;
  if (body + (isTcp ? tcp.HEADER_BYTES : udp.HEADER_BYTES) > bytes.length) return undefined;
  const header = isTcp ? tcp.dataOffsetBytes(bytes, body) : udp.HEADER_BYTES;
  const flags = isTcp ? bytes[body + 13]! : 0;
  return {
    protocol,
    sourcePort: getU16(bytes, body),
    destinationPort: getU16(bytes, body + 2),
    payloadBytes: total - body - header,
    opens: (flags & (tcp.SYN | tcp.ACK)) === tcp.SYN,
  };
}
