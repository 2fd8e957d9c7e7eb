/**
 * The workload mesh: HTTP GETs from a client outside a swarm to a published port of its machines in turn, each on a connection of its own, through the
 * ingress network to one of the service's tasks.
 */
import { EmulatedSwarm } from "../check/swarm/emulated-swarm.ts";
import { Host, NOWHERE } from "../commands/host.ts";
import { SERVE } from "../commands/serve.ts";
import { runLine } from "../commands/shell.ts";
import type { NetworkNamespace } from "../linux/namespace.ts";
import type { Process, Program } from "../linux/process.ts";
import { connect, readSome, writeAll } from "../linux/tcp/blocking.ts";
import { TcpSocket } from "../linux/tcp/tcp-socket.ts";
import { assert } from "../sim/assert.ts";
import { SECOND } from "../sim/time.ts";
import type { Ipv4Address } from "../wire/address.ts";
import { type Figures, type Options, round } from "./bench-machine.ts";
import { cpuSeconds, createServices, runUntilRunning, taskContainers } from "./bench-services.ts";

const PORT = 8_080;
/** In the machines' subnet, on the switch that joins them. */
const CLIENT = 0x0a64_ff01 as Ipv4Address;
const REQUEST = new TextEncoder().encode("GET / HTTP/1.1\r\nHost: web\r\nConnection: close\r\n\r\n");
const OK = new TextEncoder().encode("HTTP/1.1 200 ");
const WORDS = new Map([[SERVE.name, SERVE]]);
const READ_BYTES = 65_536;
/** For tasks to be known on all machines. */
const SETTLING_NS = 10 * SECOND;
const LONGEST_NS = 3_600 * SECOND;

export function mesh(options: Options): Figures {
  const nodes = options.get("nodes") ?? 3;
  const replicas = options.get("replicas") ?? 3;
  const requests = options.get("requests") ?? 10_000;
  const clients = options.get("clients") ?? 32;
  const swarm = new EmulatedSwarm(nodes, 1);
  swarm.form(1);
  createServices(swarm, 1, replicas, PORT);
  runUntilRunning(swarm, replicas);
  for (const { name, namespace } of taskContainers(swarm)) {
    assert(namespace !== undefined, "a container that runs has no namespace");
    const host = new Host({ name, world: swarm.world, namespace, words: WORDS });
    const streams = { stdout: NOWHERE, stderr: NOWHERE };
    host.spawn("serve", streams, (process) => runLine(process, host.context(), "serve http 80"));
  }
  const outside = swarm.world.namespaces.get("switch");
  const bridge = outside?.device("br0");
  assert(outside !== undefined && bridge !== undefined, "no switch");
  outside.addAddress(bridge, { address: CLIENT, length: 16 });
  swarm.run(SETTLING_NS);
  const addresses = swarm.machines.map(({ address }) => address);
  const count = { begun: 0, answered: 0, failed: 0 };
  const host = new Host({ name: "client", world: swarm.world, namespace: outside, words: new Map() });
  const startNs = swarm.nowNs;
  const startEvents = swarm.world.simulation.events;
  const startCpuS = cpuSeconds();
  for (let client = 0; client < clients; client++)
    host.spawn("client", { stdout: NOWHERE, stderr: NOWHERE }, (process) =>
      ask(process, outside, addresses, requests, count),
    );
  swarm.run(LONGEST_NS, () => count.answered + count.failed === requests);
  const cpuS = cpuSeconds() - startCpuS;
  return {
    workload: "mesh",
    nodes,
    replicas,
    clients,
    answered: count.answered,
    failed: count.failed,
    virtual_s: round((swarm.nowNs - startNs) / SECOND, 2),
    cpu_s: round(cpuS, 2),
    requests_per_cpu_s: Math.round(count.answered / cpuS),
    events_per_request: Math.round((swarm.world.simulation.events - startEvents) / requests),
  };
}

/** One request after the other, until `requests` have been begun by all clients together. */
function* ask(
  process: Process,
  namespace: NetworkNamespace,
  addresses: readonly Ipv4Address[],
  requests: number,
  count: { begun: number; answered: number; failed: number },
): Program {
  while (count.begun < requests) {
    const address = addresses[count.begun++ % addresses.length]!;
    const socket = new TcpSocket(namespace);
    let isAnswered = false;
    if ((yield* connect(process, socket, address, PORT)) === undefined) {
      yield* writeAll(process, socket, REQUEST);
      const head = yield* readSome(process, socket, READ_BYTES);
      isAnswered = head instanceof Uint8Array && OK.every((byte, index) => head[index] === byte);
      for (let rest = head; rest instanceof Uint8Array && rest.length > 0; )
        rest = yield* readSome(process, socket, READ_BYTES);
    }
    socket.close();
    if (isAnswered) count.answered++;
    else count.failed++;
  }
  return 0;
}
