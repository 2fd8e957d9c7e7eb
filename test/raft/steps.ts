/** Random histories of a cluster, as fast-check makes and shrinks them. */
import * as fc from "fast-check";
import type { Settings } from "../../src/raft/settings.ts";
import { Cluster, type CrashPoint, id } from "./cluster.ts";
import type { Property } from "./safety.ts";

/** Nodes are numbered from 0, modulo the cluster's size, so that a history shrinks together with the cluster. */
export type Step =
  | { readonly kind: "tick"; readonly node: number; readonly ticks: number }
  | { readonly kind: "campaign" | "propose" | "restart" | "snapshot" | "add" | "unreachable"; readonly node: number }
  | { readonly kind: "tick-all"; readonly ticks: number }
  | { readonly kind: "deliver"; readonly pick: number; readonly doubled: boolean }
  | { readonly kind: "exchange"; readonly nodes: number; readonly most: number }
  | { readonly kind: "lose" }
  | { readonly kind: "calm"; readonly ticks: number; readonly proposals: number }
  | { readonly kind: "crash"; readonly node: number; readonly at: CrashPoint | "now" }
  | {
      readonly kind: "reign";
      readonly node: number;
      readonly electorate: number;
      readonly followers: number;
      readonly most: number;
    }
  | { readonly kind: "remove" | "transfer"; readonly node: number; readonly other: number };

const node = fc.nat(6);
const mask = fc.integer({ min: 1, max: 127 });
const crashPoint = fc.constantFrom<CrashPoint | "now">(
  "now",
  "before-save",
  "after-snapshot",
  "after-save",
  "after-send",
);

const elections = [
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant("tick" as const), node, ticks: fc.integer({ min: 1, max: 20 }) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant("tick-all" as const), ticks: fc.integer({ min: 1, max: 12 }) }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("campaign" as const), node }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("propose" as const), node }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant("deliver" as const), pick: fc.nat(50), doubled: fc.boolean() }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant("exchange" as const),
      nodes: mask,
      most: fc.integer({ min: 1, max: 30 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("lose" as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("crash" as const), node, at: crashPoint }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("restart" as const), node }) },
];
const everything = [
  ...elections,
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant("calm" as const),
      ticks: fc.integer({ min: 1, max: 25 }),
      proposals: fc.nat(6),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("snapshot" as const), node }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("unreachable" as const), node }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("transfer" as const), node, other: node }) },
];
const changes = [
  ...everything,
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("add" as const), node }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("remove" as const), node, other: node }) },
];

const most = { maxLength: 80, size: "max" as const };
/** Leaders that come and go before their entries have spread: the histories of the paper's figures 7 and 8. */
export const anyReigns: fc.Arbitrary<Step[]> = fc.array(
  fc.record({
    kind: fc.constant("reign" as const),
    node,
    electorate: mask,
    followers: fc.nat(127),
    most: fc.nat(8),
  }),
  { maxLength: 10, size: "max" },
);
/** The first and the last of five reign in turn, each with the votes of the two next to it, and are cut short: figure 8's surroundings. */
const rival = (node: number, electorate: number, followers: readonly number[]) =>
  fc.record({
    kind: fc.constant("reign" as const),
    node: fc.constant(node),
    electorate: fc.constant(electorate),
    followers: fc.constantFrom(...followers),
    most: fc.nat(12),
  });
const first = rival(0, 0b00110, [0, 0b00010, 0b00110]);
const last = rival(4, 0b01100, [0, 0b01100]);
export const anyRivalReigns: fc.Arbitrary<Step[]> = fc.tuple(first, last, first, last);
export const anySteps: fc.Arbitrary<Step[]> = fc.array(fc.oneof(...everything), most);
export const anyStepsWithChanges: fc.Arbitrary<Step[]> = fc.array(fc.oneof(...changes), most);
/** Settings that make rare paths common: one entry a message, windows of one, nothing kept before a snapshot. */
export const anySettings: fc.Arbitrary<Partial<Settings>> = fc.record({
  checkQuorum: fc.boolean(),
  preVote: fc.boolean(),
  maxMessageBytes: fc.constantFrom(1, 65_535),
  maxInflight: fc.constantFrom(1, 2, 256),
  keptEntries: fc.constantFrom(0, 2),
});

export function take(cluster: Cluster, step: Step): void {
  const ids = [...cluster.members.keys()];
  const nth = (number: number) => ids[number % ids.length]!;
  const among = (mask: number) => ids.filter((_, at) => ((mask >> (at % 7)) & 1) === 1);
  switch (step.kind) {
    case "tick":
      cluster.tick(nth(step.node), step.ticks);
      return;
    case "tick-all":
      cluster.tickAll(step.ticks);
      return;
    case "campaign":
      cluster.campaign(nth(step.node));
      return;
    case "propose":
      cluster.propose(cluster.leader?.id ?? nth(step.node));
      return;
    case "deliver":
      cluster.deliver(step.pick % Math.max(1, cluster.inflight.length), step.doubled);
      return;
    case "exchange":
      cluster.exchange(among(step.nodes), step.most);
      return;
    case "reign": {
      const leader = nth(step.node);
      cluster.elect(leader, among(step.electorate));
      cluster.propose(leader);
      cluster.exchange([leader, ...among(step.followers)], step.most);
      cluster.lose();
      return;
    }
    case "calm": // for a while those who run hear each other
      for (let tick = 0; tick < step.ticks; tick++) {
        cluster.tickAll();
        cluster.exchange();
      }
      for (let count = 0; count < step.proposals; count++) if (cluster.leader) cluster.propose(cluster.leader.id);
      return;
    case "lose":
      cluster.lose();
      return;
    case "restart":
      cluster.start(nth(step.node));
      return;
    case "crash": {
      const member = cluster.members.get(nth(step.node));
      if (step.at === "now") cluster.crash(nth(step.node));
      else if (member !== undefined) member.crashAt = step.at;
      return;
    }
    case "snapshot":
      cluster.takeSnapshot(nth(step.node));
      return;
    case "unreachable":
      for (const running of cluster.running) running.reportUnreachable(nth(step.node));
      return;
    case "transfer":
      cluster.transfer(cluster.leader?.id ?? nth(step.node), nth(step.other));
      return;
    case "add":
      if (ids.length < 9) cluster.proposeChange(cluster.leader?.id ?? nth(step.node), "add", id(ids.length + 1));
      return;
    case "remove":
      cluster.proposeChange(cluster.leader?.id ?? nth(step.node), "remove", nth(step.other));
      return;
  }
}

/** The cluster after all steps. `watched`: the only property to look at, or all. */
export function play(
  size: number,
  settings: Partial<Settings>,
  seed: number,
  steps: readonly Step[],
  watched?: Property,
): Cluster {
  const cluster = new Cluster(size, settings, seed, watched);
  for (const step of steps) take(cluster, step);
  return cluster;
}
