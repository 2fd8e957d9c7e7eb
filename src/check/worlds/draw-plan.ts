/** Draws a world's plan. Every choice is a number below a bound, 0 the simplest: from a stream of chance, or from whoever shrinks choices. */
import type { ContainerPlan, ExtraPlan, FaultPlan, NetworkKind, NetworkPlan, TrafficPlan, WorldPlan } from "./plan.ts";

/** An integer from 0 to below `bound`. */
export type Draw = (bound: number) => number;

const KINDS: readonly NetworkKind[] = ["swarm", "learning", "bridge"];
const FAULTS: readonly FaultPlan["kind"][] = [
  "delay",
  "loss",
  "rate",
  "reorder",
  "duplicate",
  "partition",
  "down",
  "corrupt",
];
const SIZES: readonly number[] = [56, 0, 8, 1_000, 1_372, 1_422, 1_423, 1_472, 2_000, 4_000];
/** Traffic begins when bridges forward, up to 1 s after they were made. */
const FIRST_MS = 1_500;
const LAST_MS = 6_000;

export function drawPlan(seed: string, draw: Draw): WorldPlan {
  const nodes = 1 + draw(3);
  const networks = apart(
    list(1 + draw(3), (): NetworkPlan => ({ kind: pick(KINDS, draw), subnet: draw(3), tooLong: draw(5) === 4 })),
  );
  const containers = list(2 + draw(4), (): ContainerPlan => {
    const first = draw(networks.length);
    const second = draw(4) === 3 ? draw(networks.length) : first;
    const both = second !== first && networks[first]!.subnet !== networks[second]!.subnet;
    return { node: draw(nodes), networks: both ? [first, second] : [first] };
  });
  const bridged = [...networks.keys()].filter((index) => networks[index]!.kind === "bridge");
  const extras = list(draw(3), () => drawExtra(draw, containers, bridged));
  const traffic = list(2 + draw(8), () => drawTraffic(draw, nodes, networks, containers, extras));
  const faults = list(draw(4), () => drawFault(draw, nodes));
  return { seed, nodes, networks, containers, extras, traffic, faults };
}

/** Only overlays may share addresses: a bridge's are the node's own. */
function apart(networks: readonly NetworkPlan[]): NetworkPlan[] {
  return networks.map(({ kind, subnet, tooLong }, index) => ({
    kind,
    ...(tooLong === true && kind !== "bridge" && { tooLong }),
    subnet: kind === "bridge" ? 10 + index : subnet,
  }));
}

function drawExtra(draw: Draw, containers: readonly ContainerPlan[], bridged: readonly number[]): ExtraPlan {
  const choice = draw(3);
  const network = bridged.length === 0 ? undefined : pick(bridged, draw);
  const members = [...containers.keys()].filter((index) => containers[index]!.networks[0] === network);
  if (network === undefined || members.length === 0 || choice === 2)
    return { kind: "deny", container: draw(containers.length), from: draw(containers.length) };
  const container = pick(members, draw);
  if (choice === 0) return { kind: "publish", container };
  return { kind: "balance", node: containers[container]!.node, network };
}

function drawTraffic(
  draw: Draw,
  nodes: number,
  networks: readonly NetworkPlan[],
  containers: readonly ContainerPlan[],
  extras: readonly ExtraPlan[],
): TrafficPlan {
  const atMs = FIRST_MS + draw(LAST_MS - FIRST_MS);
  const choice = draw(8);
  if (choice === 7)
    return { kind: "node-ping", atMs, from: draw(nodes), to: draw(nodes), sizeBytes: pick(SIZES, draw) };
  const ports = [...extras.keys()].filter((index) => extras[index]!.kind !== "deny");
  if (choice >= 5 && ports.length > 0) {
    const extra = pick(ports, draw);
    const at = extras[extra]!.kind === "balance" ? "balanced" : "published";
    return { kind: at, atMs, from: draw(nodes), extra };
  }
  const from = draw(containers.length);
  const network = pick(containers[from]!.networks, draw);
  const kind = choice < 3 ? "ping" : choice === 3 ? "echo" : "http";
  // Mostly to somebody of the same network; sometimes to somebody who must not be reached.
  const peers = [...containers.keys()].filter(
    (index) => index !== from && containers[index]!.networks.includes(network),
  );
  const to = peers.length > 0 && draw(6) < 5 ? pick(peers, draw) : draw(containers.length);
  if (networks[network]!.kind === "learning" && peers.includes(to) && draw(6) === 5)
    return { kind: "exchange", atMs, from, to, network };
  return { kind, atMs, from, to, network, sizeBytes: pick(SIZES, draw) };
}

export function drawFault(draw: Draw, nodes: number): FaultPlan {
  return {
    kind: pick(FAULTS, draw),
    atMs: FIRST_MS - 500 + draw(LAST_MS - FIRST_MS),
    forMs: 100 + draw(4_000),
    node: draw(nodes),
    amount: 1 + draw(100),
  };
}

function pick<T>(choices: readonly T[], draw: Draw): T {
  return choices[draw(choices.length)]!;
}

function list<T>(length: number, make: () => T): T[] {
  return Array.from({ length }, make);
}
