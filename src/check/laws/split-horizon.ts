/**
 * A bridge never sends a frame back by the port it came in by (IEEE 802.1D-2004 §7.7.1), unless the port is told to (hairpin). Where the port is a
 * tunnel's, this is split horizon: what came from one VTEP never goes to the others (RFC 7348 §4.2 has each sender replicate for itself).
 */
import { portOf } from "../../linux/bridge.ts";
import type { NetDevice } from "../../linux/net-device.ts";
import type { Law, Violation } from "../law.ts";
import { digest } from "../packets.ts";

const NAME = "split horizon";

export const SPLIT_HORIZON: Law = {
  name: NAME,
  source: "IEEE 802.1D-2004 §7.7.1; RFC 7348 §4.2",
  check({ frames }) {
    const violations: Violation[] = [];
    const came = new Map<NetDevice, Set<string>>();
    for (const { device, direction, packetId, bytes, place, timeNs } of frames) {
      if (device.master === undefined || portOf(device)?.hairpin === true) continue;
      let here = came.get(device);
      if (here === undefined) {
        here = new Set();
        came.set(device, here);
      }
      const form = `${packetId} ${bytes.length} ${digest(bytes)}`;
      if (direction === "in") here.add(form);
      else if (here.has(form))
        violations.push({ law: NAME, words: "a frame left by the port it came in by", place, timeNs, packetId });
    }
    return violations;
  },
};
