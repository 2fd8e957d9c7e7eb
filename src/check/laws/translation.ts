/**
 * Address translation is undone on the way back (RFC 3022 §2.2): where a host turned a packet's flow A into B, what comes back for B leaves it for A; and two
 * flows never become the same one.
 */
import { SECOND } from "../../sim/time.ts";
import * as ipv4 from "../../wire/ipv4.ts";
import type { Law, Violation } from "../law.ts";
import type { ObservedFrame } from "../observation.ts";
import { type Flow, flowKey, flowOf, reversed } from "../packets.ts";

const NAME = "translation";
/** A flow that nobody has used for so long may have been forgotten, and its ports given to another. */
const MEMORY_NS = 25 * SECOND;

/** A packet's way through a namespace that routes it. */
export interface Passage {
  readonly namespaceName: string;
  readonly came: Flow;
  readonly left: Flow;
  readonly arrival: ObservedFrame;
  readonly departure: ObservedFrame;
}

export const TRANSLATION: Law = {
  name: NAME,
  source: "RFC 3022 §2.2; RFC 4787 §4",
  check({ frames, corrupts, scenario }) {
    const violations: Violation[] = [];
    if (corrupts) return violations;
    const faulty = scenario.steps?.some(({ fault }) => fault !== undefined) === true;
    const into = new Map<string, { readonly came: Flow; usedNs: number }>(); // by namespace and what it became
    for (const { namespaceName, came, left, departure } of passages(frames)) {
      const { place, timeNs, packetId } = departure;
      const back = into.get(`${namespaceName} ${flowKey(reversed(came))}`);
      if (back !== undefined && timeNs - back.usedNs < MEMORY_NS) {
        // An answer to something that went out: is what was done undone?
        if (flowKey(left) !== flowKey(reversed(back.came)) && !(faulty && isLeak(came, left))) {
          const words = `an answer left as ${flowWords(left)}; what it answers came as ${flowWords(back.came)}`;
          violations.push({ law: NAME, words, place, timeNs, packetId });
        }
        back.usedNs = timeNs;
        continue;
      }
      const key = `${namespaceName} ${flowKey(left)}`;
      const before = into.get(key);
      if (before === undefined || timeNs - before.usedNs >= MEMORY_NS) into.set(key, { came, usedNs: timeNs });
      else if (flowKey(before.came) !== flowKey(came)) {
        const words = `two flows leave as ${flowWords(left)}: ${flowWords(before.came)} and ${flowWords(came)}`;
        violations.push({ law: NAME, words, place, timeNs, packetId });
      } else before.usedNs = timeNs;
    }
    return violations;
  },
};

/**
 * Where packets are late, conntrack calls some segments invalid (an RST below what was acknowledged, what lies outside the window), and what is invalid is not
 * translated: it leaves as it came (nf_conntrack_proto_tcp.c, nf_nat_core.c).
 */
export function isLeak(came: Flow, left: Flow): boolean {
  return came.protocol === ipv4.PROTOCOL_TCP && flowKey(came) === flowKey(left);
}

/** Every packet that came into a namespace and left it, in the order of leaving. Frames that a bridge relays are left out. */
export function* passages(frames: readonly ObservedFrame[]): Generator<Passage> {
  const arrivals = new Map<string, ObservedFrame>();
  for (const frame of frames) {
    const { device, direction, packetId } = frame;
    if (device.kind === "loopback") continue;
    const key = `${device.namespaceName} ${packetId}`;
    if (direction === "in") {
      // A bridge's own device shows what its ports received, also what it only relays: the first sight counts.
      if (!arrivals.has(key)) arrivals.set(key, frame);
      continue;
    }
    const arrival = arrivals.get(key);
    if (arrival === undefined || arrival.device === device || sameEthernet(arrival.bytes, frame.bytes)) continue;
    const came = flowOf(arrival.bytes);
    const left = flowOf(frame.bytes);
    if (came === undefined || left === undefined || came.protocol !== left.protocol) continue;
    yield { namespaceName: device.namespaceName, came, left, arrival, departure: frame };
  }
}

/** A bridge changes neither address; a router puts its own in. */
function sameEthernet(a: Uint8Array, b: Uint8Array): boolean {
  for (let at = 0; at < 12; at++) if (a[at] !== b[at]) return false;
  return true;
}

export function flowWords({ protocol, source, sourcePort, destination, destinationPort }: Flow): string {
  const dotted = (address: number): string => [24, 16, 8, 0].map((shift) => (address >>> shift) & 0xff).join(".");
  return `${dotted(source)}:${sourcePort} > ${dotted(destination)}:${destinationPort} (protocol ${protocol})`;
}
