/**
 * Who gets what: addresses of a pool (libnetwork ipam: each once, inside the subnet, never the network's own or the broadcast address, none refused while one
 * is free) and tasks among nodes (swarmkit's spread: alike nodes differ by one task at most). Random requests, decided by a number.
 */
import { AddressPool } from "../../docker/ipam/address-pool.ts";
import { overlaps, SubnetPools } from "../../docker/ipam/subnet-pools.ts";
import type { Random } from "../../sim/random.ts";
import { nodeShape, taskShape } from "../../swarm/api/objects.ts";
import { nodeSpecShape } from "../../swarm/api/specs.ts";
import { NodeInfo } from "../../swarm/scheduler/node-info.ts";
import { spread } from "../../swarm/scheduler/spread.ts";
import { broadcastOf, contains, type Ipv4Address, type Prefix } from "../../wire/address.ts";

/** What was broken by one run of requests and releases; undefined: nothing. */
export function checkAddresses(random: Random): string | undefined {
  const length = 24 + random.below(6);
  const subnet: Prefix = { address: (0x0a00_0000 + random.below(4) * 0x100) as Ipv4Address, length };
  const order = random.below(2) === 0 ? "lowest" : "serial";
  const pool = new AddressPool({ subnet, order });
  const capacity = 2 ** (32 - length) - 2;
  const taken = new Set<Ipv4Address>();
  for (let turn = 0; turn < 120; turn++) {
    const given = [...taken];
    if (random.below(3) === 0 && given.length > 0) {
      const back = given[random.below(given.length)]!;
      pool.release(back);
      taken.delete(back);
      continue;
    }
    const address = pool.request();
    if (typeof address === "string") {
      if (taken.size < capacity) return `${address} with ${taken.size} of ${capacity} addresses in use`;
      continue;
    }
    if (taken.has(address)) return "an address was given twice";
    if (!contains(subnet, address)) return "an address lies outside the subnet";
    if (address === subnet.address || address === broadcastOf(subnet)) return "the first or last address was given";
    if (order === "lowest" && [...taken].every((other) => other > address) && address !== subnet.address + 1)
      return "a lower address was free";
    taken.add(address);
    if (pool.used !== taken.size) return `${pool.used} addresses are said to be in use, ${taken.size} are`;
  }
  return undefined;
}

export function checkSubnets(random: Random): string | undefined {
  const base: Prefix = { address: 0x0a00_0000 as Ipv4Address, length: 20 };
  const pools = new SubnetPools([{ base, length: 24 }]);
  const used: Prefix[] = [];
  for (let turn = 0; turn < 40; turn++) {
    if (random.below(3) === 0 && used.length > 0) {
      const [back] = used.splice(random.below(used.length), 1);
      pools.release(back!);
      continue;
    }
    const subnet = pools.choose();
    if (subnet === undefined) {
      if (used.length < 16) return `no subnet is left with ${used.length} of 16 in use`;
      continue;
    }
    if (!contains(base, subnet.address)) return "a subnet lies outside its pool";
    if (used.some((other) => overlaps(other, subnet) || overlaps(subnet, other))) return "two subnets overlap";
    used.push(subnet);
  }
  return undefined;
}

export function checkSpread(random: Random): string | undefined {
  const nodes = Array.from({ length: 1 + random.below(3) }, (_, index) => {
    const annotations = { name: `n${index}`, labels: new Map<string, string>() };
    return new NodeInfo(nodeShape.make({ id: `n${index}`, spec: nodeSpecShape.make({ annotations }) }));
  });
  const tasks = random.below(9);
  let number = 0;
  const placed = spread(tasks, nodes, [], {
    serviceId: "s",
    passes: () => true,
    isBetter: (a, b) => a.activeOfService("s") < b.activeOfService("s"),
    place: (info) => info.add(taskShape.make({ id: `t${number++}`, serviceId: "s", desiredState: "running" })),
  });
  if (placed !== tasks || number !== tasks) return `${placed} of ${tasks} tasks found a place`;
  const counts = nodes.map((info) => info.activeOfService("s"));
  if (Math.max(...counts) - Math.min(...counts) > 1) return `tasks on the nodes: ${counts.join(", ")}`;
  return undefined;
}
