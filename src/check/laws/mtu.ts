/**
 * No device sends a frame longer than its MTU and what Ethernet adds to it: a header and one VLAN tag (is_skb_forwardable in the kernel's
 * net/core/dev.c lets a bridge send so much, and no more).
 */
import * as ethernet from "../../wire/ethernet.ts";
import * as vlan from "../../wire/vlan.ts";
import type { Law, Violation } from "../law.ts";

const NAME = "MTU";
const ALLOWANCE_BYTES = ethernet.HEADER_BYTES + vlan.HEADER_BYTES;

export const MTU: Law = {
  name: NAME,
  source: "is_skb_forwardable, net/core/dev.c; RFC 791 on fragmentation",
  check({ frames }) {
    const violations: Violation[] = [];
    for (const { bytes, mtu, direction, place, timeNs, packetId } of frames) {
      if (direction !== "out" || bytes.length <= mtu + ALLOWANCE_BYTES) continue;
      const words = `a frame of ${bytes.length} bytes left by a device with an MTU of ${mtu}`;
      violations.push({ law: NAME, words, place, timeNs, packetId });
    }
    return violations;
  },
};
