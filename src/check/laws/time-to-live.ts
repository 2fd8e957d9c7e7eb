/**
 * A packet's time to live falls by one at each router and never rises (RFC 1812 §5.3.1). A router shows in that the packet leaves its namespace by
 * another device with another source MAC address than it came with; a bridge changes neither.
 */
import * as ethernet from "../../wire/ethernet.ts";
import * as ipv4 from "../../wire/ipv4.ts";
import type { Law, Violation } from "../law.ts";
import { layersOf } from "../layers.ts";
import type { ObservedFrame } from "../observation.ts";

const NAME = "time to live";

/** How a packet came into a namespace. */
interface Arrival {
  readonly frame: ObservedFrame;
  readonly timeToLive: number;
}

export const TIME_TO_LIVE: Law = {
  name: NAME,
  source: "RFC 1812 §5.3.1",
  check({ frames, corrupts }) {
    if (corrupts) return []; // a damaged address or number leads anywhere
    const violations: Violation[] = [];
    const first = new Map<string, number>();
    const arrivals = new Map<string, Arrival>();
    for (const frame of frames) {
      const { bytes, device, direction, packetId, place, timeNs } = frame;
      const layers = layersOf(bytes);
      const innermost = layers.at(-1);
      const at = innermost?.network ?? 0;
      if (innermost === undefined || innermost.type !== ethernet.ETHERTYPE_IPV4) continue;
      if (ipv4.check(bytes, at, bytes.length) !== undefined) continue;
      // An ESP packet has the number of what it protects, and a time to live of its own; so has one tunnel among others.
      const life = `${packetId} ${layers.length} ${ipv4.protocol(bytes, at)} ${ipv4.identification(bytes, at)}`;
      const timeToLive = ipv4.timeToLive(bytes, at);
      const highest = first.get(life);
      if (highest === undefined) first.set(life, timeToLive);
      else if (timeToLive > highest) {
        const words = `the time to live was ${highest} and is ${timeToLive}`;
        violations.push({ law: NAME, words, place, timeNs, packetId });
      }
      const here = `${life} ${device.namespaceName}`;
      if (direction === "in") {
        if (!arrivals.has(here)) arrivals.set(here, { frame, timeToLive });
        continue;
      }
      const arrival = arrivals.get(here);
      if (arrival === undefined || arrival.frame.device === device || sameSource(arrival.frame, frame)) continue;
      if (timeToLive < arrival.timeToLive) continue;
      const words = `a router sent on with a time to live of ${timeToLive} what came with ${arrival.timeToLive}`;
      violations.push({ law: NAME, words, place, timeNs, packetId });
    }
    return violations;
  },
};

function sameSource(a: ObservedFrame, b: ObservedFrame): boolean {
  return ethernet.source(a.bytes, 0) === ethernet.source(b.bytes, 0);
}
