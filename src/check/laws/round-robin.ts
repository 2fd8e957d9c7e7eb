/**
 * Round robin is fair: of a virtual service's new connections each server gets as many as any other, give or take one, at any time (ip_vs_rr.c). Held against services
 * with equal weights and without persistence, which every connection passed in sight.
 */
import type { VirtualService } from "../../linux/ipvs/virtual-service.ts";
import type { Law, Violation } from "../law.ts";
import { flowKey } from "../packets.ts";
import { passages } from "./translation.ts";

const NAME = "round robin is fair";

export const ROUND_ROBIN: Law = {
  name: NAME,
  source: "net/netfilter/ipvs/ip_vs_rr.c",
  check({ frames, world }) {
    const violations: Violation[] = [];
    const services = new Map<string, VirtualService>();
    for (const [name, { ipvs }] of world.namespaces)
      for (const service of ipvs?.services.list ?? [])
        if (isPlain(service)) services.set(`${name} ${nameOf(service.key)}`, service);
    if (services.size === 0) return violations;
    const counts = new Map<VirtualService, Map<string, number>>();
    const connections = new Set<string>();
    for (const { namespaceName, came, left, departure } of passages(frames)) {
      const key = { protocol: came.protocol, address: came.destination, port: came.destinationPort };
      const service = services.get(`${namespaceName} ${nameOf(key)}`);
      const connection = `${namespaceName} ${flowKey(came)}`;
      if (service === undefined || connections.has(connection)) continue;
      connections.add(connection);
      let served = counts.get(service);
      if (served === undefined) {
        served = new Map(service.servers.map(({ address, port }) => [`${address}:${port}`, 0]));
        counts.set(service, served);
      }
      const server = `${left.destination}:${left.destinationPort}`;
      served.set(server, (served.get(server) ?? 0) + 1);
      const all = [...served.values()];
      if (Math.max(...all) - Math.min(...all) <= 1) continue;
      const { place, timeNs, packetId } = departure;
      violations.push({ law: NAME, words: `connections to the servers: ${all.join(", ")}`, place, timeNs, packetId });
    }
    return violations;
  },
};

function isPlain({ key, options, servers }: VirtualService): boolean {
  if (options.scheduler !== "rr" || options.persistentSeconds !== undefined || key.mark !== 0) return false;
  return servers.length > 1 && servers.every(({ weight }) => weight === servers[0]!.weight && weight > 0);
}

function nameOf({ protocol, address, port }: { protocol: number; address: number; port: number }): string {
  return `${protocol} ${address >>> 0}:${port}`;
}
