/**
 * Nothing arrives twice: a packet comes to each device once in each form. A bridge sends one copy to a port (IEEE 802.1D-2004 §7.7), a VTEP one to each
 * remote (RFC 7348 §4.2). Runs whose links double frames are left out.
 */
import type { NetDevice } from "../../linux/net-device.ts";
import type { Law, Violation } from "../law.ts";
import { digest } from "../packets.ts";

const NAME = "no duplicates";

export const DUPLICATES: Law = {
  name: NAME,
  source: "IEEE 802.1D-2004 §7.7; RFC 7348 §4.2",
  check({ frames, disturbances }) {
    const violations: Violation[] = [];
    if (disturbances.has("duplicate")) return violations;
    const seen = new Map<NetDevice, Set<string>>();
    for (const { device, direction, packetId, bytes, place, timeNs } of frames) {
      if (direction !== "in") continue;
      let here = seen.get(device);
      if (here === undefined) {
        here = new Set();
        seen.set(device, here);
      }
      const form = `${packetId} ${bytes.length} ${digest(bytes)}`;
      if (here.has(form))
        violations.push({ law: NAME, words: "the same packet came a second time", place, timeNs, packetId });
      here.add(form);
    }
    return violations;
  },
};
