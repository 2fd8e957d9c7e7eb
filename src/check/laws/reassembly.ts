/**
 * Fragments make the packet again that they were cut from (RFC 791 §3.2): what a host cuts covers the packet without gap and overlap, every piece but the
 * last in units of eight bytes, and the checksum over all of it is right. What came whole to a host is not given up by it.
 */
import { finish, makeMemory, sum } from "../../wire/checksum.ts";
import * as icmp from "../../wire/icmp.ts";
import * as ipv4 from "../../wire/ipv4.ts";
import * as udp from "../../wire/udp.ts";
import type { Law, Violation } from "../law.ts";
import { layersOf } from "../layers.ts";
import type { Observation, ObservedFrame } from "../observation.ts";
import { isIpv4 } from "../packets.ts";

const NAME = "reassembly";

interface Piece {
  readonly frame: ObservedFrame;
  readonly at: number;
  readonly from: number;
  readonly to: number;
  readonly more: boolean;
}

export const REASSEMBLY: Law = {
  name: NAME,
  source: "RFC 791 §3.2; RFC 5722 §3",
  check(observation) {
    if (observation.corrupts) return [];
    return [...badCuts(observation), ...givenUpWhole(observation)];
  },
};

/** Fragments by the host and direction they were seen in, one group a packet. */
function groups({ frames }: Observation, direction: "in" | "out"): Map<string, Piece[]> {
  const found = new Map<string, Piece[]>();
  for (const frame of frames) {
    const { bytes, device, packetId } = frame;
    const layer = frame.direction === direction ? layersOf(bytes)[0] : undefined;
    if (layer === undefined || !isIpv4(bytes, layer) || !ipv4.isFragment(bytes, layer.network)) continue;
    const at = layer.network;
    const from = ipv4.fragmentOffsetBytes(bytes, at);
    const to = from + ipv4.totalLength(bytes, at) - ipv4.headerBytes(bytes, at);
    const key = `${device.namespaceName} ${device.name} ${packetId} ${ipv4.identification(bytes, at)} ${ipv4.source(bytes, at)} ${ipv4.destination(bytes, at)}`;
    const piece = { frame, at, from, to, more: ipv4.moreFragments(bytes, at) };
    found.set(key, [...(found.get(key) ?? []), piece]);
  }
  return found;
}

function badCuts(observation: Observation): Violation[] {
  const came = new Set(
    [...groups(observation, "in").values()].map(
      ([first]) => `${first!.frame.device.namespaceName} ${first!.frame.packetId}`,
    ),
  );
  const dropped = new Set(observation.drops.map(({ packetId }) => packetId));
  return [...groups(observation, "out").values()].flatMap((pieces): Violation[] => {
    const { place, timeNs, packetId, device } = pieces[0]!.frame;
    // Those that only pass through may have lost some before; a queue may have dropped some here.
    if (device.master !== undefined || device.kind === "bridge") return [];
    if (came.has(`${device.namespaceName} ${packetId}`) || dropped.has(packetId)) return [];
    const wrong = faultOf(pieces);
    return wrong === undefined ? [] : [{ law: NAME, words: wrong, place, timeNs, packetId }];
  });
}

function givenUpWhole(observation: Observation): Violation[] {
  const late = observation.drops.filter(({ reason }) => reason === "fragment-timeout");
  if (late.length === 0) return [];
  const whole = [...groups(observation, "in").values()].filter((pieces) => faultOf(pieces) === undefined);
  return late.flatMap(({ packetId, place, timeNs }): Violation[] =>
    whole.some(([first]) => first!.frame.packetId === packetId && isAt(first!.frame, place))
      ? [{ law: NAME, words: "all fragments came, and the packet was given up", place, timeNs, packetId }]
      : [],
  );
}

/** Reassembly is a namespace's; some say the device. */
function isAt({ device }: ObservedFrame, place: string): boolean {
  return device.place === place || device.namespaceName === place;
}

/** What is wrong with a packet's fragments. */
function faultOf(pieces: readonly Piece[]): string | undefined {
  const sorted = [...pieces].sort((a, b) => a.from - b.from);
  let expected = 0;
  for (const { from, to, more } of sorted) {
    if (from !== expected) return `a fragment begins at byte ${from} where ${expected} was due`;
    if (more && (to - from) % 8 !== 0) return `a fragment in the middle has ${to - from} bytes`;
    expected = to;
  }
  if (sorted.at(-1)!.more) return "the last fragment is missing";
  if (sorted.slice(0, -1).some(({ more }) => !more)) return "a fragment follows the last one";
  return wrongSum(sorted, expected);
}

function wrongSum(pieces: readonly Piece[], length: number): string | undefined {
  const memory = makeMemory(length + (length & 1));
  for (const { frame, at, from, to } of pieces) {
    const payload = at + ipv4.headerBytes(frame.bytes, at);
    memory.bytes.set(frame.bytes.subarray(payload, payload + to - from), from);
  }
  const { frame, at } = pieces[0]!;
  const { bytes } = frame;
  switch (ipv4.protocol(bytes, at)) {
    case ipv4.PROTOCOL_UDP:
      if (udp.check(memory.bytes, 0, length) !== undefined) return "the fragments make no UDP datagram";
      return udp.checksumOk(memory, 0, ipv4.source(bytes, at), ipv4.destination(bytes, at))
        ? undefined
        : "the UDP checksum of what the fragments make is wrong";
    case ipv4.PROTOCOL_ICMP:
      return icmp.check(memory.bytes, 0, length) !== undefined || finish(sum(memory, 0, length)) === 0
        ? undefined
        : "the ICMP checksum of what the fragments make is wrong";
    default:
      return undefined;
  }
}
