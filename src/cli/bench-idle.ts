/**
 * What a container costs that does nothing: a namespace with `lo` and one end of a veth pair, both up, an address on each, a default route, and
 * the pair's other end in a node of a hundred. Bytes are those of the heap and of array buffers after a collection; with
 * `node --expose-gc` they are exact, without it the collector is asked by other means (v8.setFlagsFromString).
 */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { World } from "../linux/world.ts";
import type { Ipv4Address, MacAddress } from "../wire/address.ts";
import { type Figures, type Options, round } from "./bench-machine.ts";

const PER_NODE = 100;
const FIRST = 0x0a00_0000;
const GATEWAY = (FIRST + 1) as Ipv4Address;
const ANYWHERE = { address: 0 as Ipv4Address, length: 0 };

export function idle(options: Options): Figures {
  const count = options.get("count") ?? 10_000;
  const warm = new World({ seed: 2 });
  fill(warm, 200);
  const world = new World({ seed: 1 });
  const before = memory();
  const start = process.hrtime.bigint();
  const cpuStart = process.cpuUsage();
  fill(world, count);
  const wallMs = Number(process.hrtime.bigint() - start) / 1e6;
  const cpu = process.cpuUsage(cpuStart);
  const after = memory();
  return {
    workload: "idle",
    containers: world.namespaces.size - Math.ceil(count / PER_NODE),
    heap_bytes: Math.round((after.heapUsed - before.heapUsed) / count),
    buffer_bytes: Math.round((after.arrayBuffers - before.arrayBuffers) / count),
    wall_ms: round(wallMs / count, 4),
    cpu_ms: round((cpu.user + cpu.system) / 1_000 / count, 4),
    rss_mb: round(after.rss / 1e6, 0),
  };
}

function fill(world: World, count: number): void {
  let node = world.createNamespace("node0");
  for (let index = 0; index < count; index++) {
    if (index > 0 && index % PER_NODE === 0) node = world.createNamespace(`node${index / PER_NODE}`);
    const container = world.createNamespace(`container${index}`);
    const address = (FIRST + 2 + index) as Ipv4Address;
    const link = world.createLink(
      "veth",
      { namespace: container, name: "eth0", address: (0x0242_0000_0000 + address) as MacAddress },
      { namespace: node, name: `veth${index}`, address: (0x0a42_0000_0000 + address) as MacAddress },
    );
    container.loopback.setUp(true);
    container.addAddress(link.a, { address, length: 8 }, { broadcast: 0x0aff_ffff as Ipv4Address });
    link.a.setUp(true);
    link.b.setUp(true);
    const problem = container.routes.add({ destination: ANYWHERE, gateway: GATEWAY });
    if (problem !== undefined) throw new Error(problem.message ?? problem.errno);
  }
}

/** The process's memory after a full collection. */
export function memory(): NodeJS.MemoryUsage {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  collect();
  collect();
  return process.memoryUsage();
}
