/** Makes a failing plan smaller, one piece at a time, as long as it goes on failing: fewest faults, traffic, hosts. Greedy, and always ends. */
import type { ExtraPlan, TrafficPlan, WorldPlan } from "./plan.ts";

/** Every plan that is one step simpler, the largest steps first. */
export function* simpler(plan: WorldPlan): Generator<WorldPlan> {
  const { faults, traffic, extras, containers, networks } = plan;
  if (faults.length > 1) yield { ...plan, faults: [] };
  for (const index of faults.keys()) yield { ...plan, faults: without(faults, index) };
  if (traffic.length > 1) {
    const half = traffic.length >> 1;
    yield { ...plan, traffic: traffic.slice(0, half) };
    yield { ...plan, traffic: traffic.slice(half) };
  }
  for (const index of traffic.keys()) yield { ...plan, traffic: without(traffic, index) };
  for (const index of extras.keys()) yield withoutExtra(plan, index);
  for (const index of containers.keys()) yield withoutContainer(plan, index);
  for (const index of networks.keys()) if (networks.length > 1) yield withoutNetwork(plan, index);
  for (let node = plan.nodes - 1; node >= 0; node--) if (plan.nodes > 1) yield withoutNode(plan, node);
  for (const [index, { networks: own }] of containers.entries())
    if (own.length > 1)
      for (const network of own)
        yield { ...plan, containers: replaced(containers, index, { ...containers[index]!, networks: [network] }) };
  for (const [index, one] of traffic.entries()) {
    if ("sizeBytes" in one && one.sizeBytes !== 56)
      yield { ...plan, traffic: replaced(traffic, index, { ...one, sizeBytes: 56 }) };
    if (one.kind === "http" || one.kind === "echo")
      yield { ...plan, traffic: replaced(traffic, index, { ...one, kind: "ping" }) };
  }
}

/** The smallest plan that `fails` which taking pieces away leads to. At most `mostTries` are tried. */
export function shrinkPlan(plan: WorldPlan, fails: (plan: WorldPlan) => boolean, mostTries = 2_000): WorldPlan {
  let best = plan;
  let tries = 0;
  for (let moved = true; moved; ) {
    moved = false;
    for (const candidate of simpler(best)) {
      if (tries++ >= mostTries) return best;
      if (!fails(candidate)) continue;
      best = candidate;
      moved = true;
      break;
    }
  }
  return best;
}

function withoutExtra(plan: WorldPlan, gone: number): WorldPlan {
  const traffic = plan.traffic.flatMap((one): TrafficPlan[] => {
    if (!("extra" in one)) return [one];
    const extra = one.extra % plan.extras.length;
    return extra === gone ? [] : [{ ...one, extra: extra > gone ? extra - 1 : extra }];
  });
  return { ...plan, extras: without(plan.extras, gone), traffic };
}

function withoutContainer(plan: WorldPlan, gone: number): WorldPlan {
  const count = plan.containers.length;
  const moved = (index: number): number => (index % count > gone ? (index % count) - 1 : index % count);
  const extras = plan.extras.flatMap((extra): ExtraPlan[] => {
    if (extra.kind === "balance") return [extra];
    if (extra.container % count === gone || (extra.kind === "deny" && extra.from % count === gone)) return [];
    return extra.kind === "publish"
      ? [{ ...extra, container: moved(extra.container) }]
      : [{ ...extra, container: moved(extra.container), from: moved(extra.from) }];
  });
  const traffic = plan.traffic.flatMap((one): TrafficPlan[] => {
    if (!("network" in one)) return [one];
    if (one.from % count === gone || one.to % count === gone) return [];
    return [{ ...one, from: moved(one.from), to: moved(one.to) }];
  });
  return { ...plan, containers: without(plan.containers, gone), extras, traffic };
}

function withoutNetwork(plan: WorldPlan, gone: number): WorldPlan {
  const moved = (index: number): number => (index > gone ? index - 1 : index);
  const kept = (networks: readonly number[]): number[] => networks.filter((index) => index !== gone).map(moved);
  const count = plan.networks.length;
  return {
    ...plan,
    networks: without(plan.networks, gone),
    containers: plan.containers.map((container) => ({ ...container, networks: kept(container.networks) })),
    extras: plan.extras.map((extra) =>
      extra.kind === "balance" ? { ...extra, network: moved(extra.network % count) } : extra,
    ),
    traffic: plan.traffic.map((one) => ("network" in one ? { ...one, network: moved(one.network) } : one)),
  };
}

/** Its containers go to the node before it. */
function withoutNode(plan: WorldPlan, gone: number): WorldPlan {
  const moved = (index: number): number => {
    const at = index % plan.nodes;
    return at > gone || at === plan.nodes - 1 ? Math.max(0, at - 1) : at;
  };
  return {
    ...plan,
    nodes: plan.nodes - 1,
    containers: plan.containers.map((container) => ({ ...container, node: moved(container.node) })),
    extras: plan.extras.map((extra) => (extra.kind === "balance" ? { ...extra, node: moved(extra.node) } : extra)),
    faults: plan.faults.map((fault) => ({ ...fault, node: moved(fault.node) })),
    traffic: plan.traffic.map((one) =>
      one.kind === "node-ping"
        ? { ...one, from: moved(one.from), to: moved(one.to) }
        : "extra" in one
          ? { ...one, from: moved(one.from) }
          : one,
    ),
  };
}

function without<T>(items: readonly T[], index: number): T[] {
  return items.filter((_, at) => at !== index);
}

function replaced<T>(items: readonly T[], index: number, item: T): T[] {
  return items.map((other, at) => (at === index ? item : other));
}
