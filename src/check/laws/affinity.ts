/**
 * A connection stays with its server: however often a flow passes a host that balances load or publishes ports, it leaves for the same address and port
 * (ip_vs_conn_in_get and nf_conntrack: the choice is made once for a connection). A new SYN may begin another connection with the same numbers.
 */
import { SECOND } from "../../sim/time.ts";
import * as ipv4 from "../../wire/ipv4.ts";
import * as tcp from "../../wire/tcp.ts";
import type { Law, Violation } from "../law.ts";
import { layersOf } from "../layers.ts";
import { flowKey } from "../packets.ts";
import { flowWords, isLeak, passages } from "./translation.ts";

const NAME = "a connection stays with its server";
/** Short of the shortest time after which Linux forgets a flow that was answered. */
const MEMORY_NS = 25 * SECOND;

export const AFFINITY: Law = {
  name: NAME,
  source: "net/netfilter/ipvs/ip_vs_core.c; net/netfilter/nf_conntrack_core.c",
  check({ frames, corrupts, scenario }) {
    const violations: Violation[] = [];
    if (corrupts) return violations;
    const faulty = scenario.steps?.some(({ fault }) => fault !== undefined) === true;
    const known = new Map<string, { readonly left: string; usedNs: number }>();
    for (const { namespaceName, came, left, departure } of passages(frames)) {
      const { place, timeNs, packetId, bytes } = departure;
      const key = `${namespaceName} ${flowKey(came)}`;
      const before = known.get(key);
      const fresh = before === undefined || timeNs - before.usedNs >= MEMORY_NS || beginsConnection(bytes);
      if (faulty && isLeak(came, left)) continue;
      if (!fresh && before.left !== flowKey(left)) {
        const words = `a packet of ${flowWords(came)} left as ${flowWords(left)}, those before it otherwise`;
        violations.push({ law: NAME, words, place, timeNs, packetId });
      }
      if (fresh) known.set(key, { left: flowKey(left), usedNs: timeNs });
      else before.usedNs = timeNs;
    }
    return violations;
  },
};

function beginsConnection(bytes: Uint8Array): boolean {
  const layer = layersOf(bytes)[0]!;
  if (ipv4.protocol(bytes, layer.network) !== ipv4.PROTOCOL_TCP) return false;
  const at = layer.network + ipv4.headerBytes(bytes, layer.network);
  if (tcp.check(bytes, at, layer.end) !== undefined) return false;
  return (tcp.flags(bytes, at) & (tcp.SYN | tcp.ACK)) === tcp.SYN;
}
