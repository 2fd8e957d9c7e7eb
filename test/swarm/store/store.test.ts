import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Random } from "../../../src/sim/random.ts";
import { Simulation } from "../../../src/sim/simulation.ts";
import { SECOND } from "../../../src/sim/time.ts";
import {
  nodeShape,
  type Service,
  secretShape,
  serviceShape,
  type Task,
  taskShape,
} from "../../../src/swarm/api/objects.ts";
import { containerSpecShape, serviceSpecShape, taskSpecShape } from "../../../src/swarm/api/specs.ts";
import { internalRaftRequestShape, type StoreAction } from "../../../src/swarm/api/store-action.ts";
import { parseSnapshot } from "../../../src/swarm/store/snapshot.ts";
import {
  type Change,
  type CommitOutcome,
  ImmediateProposer,
  type Proposer,
  Store,
} from "../../../src/swarm/store/store.ts";

function service(id: string, name: string): Service {
  return serviceShape.make({ id, spec: serviceSpecShape.make({ annotations: { name, labels: new Map() } }) });
}

function task(id: string, serviceId: string, slot: number, nodeId = ""): Task {
  return taskShape.make({ id, serviceId, slot, nodeId });
}

function newStore(proposer: Proposer = new ImmediateProposer()) {
  const clock = new Simulation(new Random(1));
  return { clock, store: new Store({ clock, proposer }) };
}

/** Commits when it is told to. */
class SlowProposer implements Proposer {
  version = 1;
  readonly waiting: { readonly actions: readonly StoreAction[]; readonly done: (outcome: CommitOutcome) => void }[] =
    [];

  propose(actions: readonly StoreAction[], done: (outcome: CommitOutcome) => void): void {
    this.waiting.push({ actions, done });
  }

  settle(outcome: CommitOutcome): void {
    this.version++;
    this.waiting.shift()!.done(outcome);
  }
}

describe("the managers' store", () => {
  it("gives back what was written, with its version and times", () => {
    const { clock, store } = newStore();
    clock.run(3 * SECOND);
    store.update((tx) => expect(tx.create("service", service("s1", "web"))).toBeUndefined());
    const web = store.get("service", "s1")!;
    expect(web.meta).toEqual({ version: { index: 1 }, createdAt: 3 * SECOND, updatedAt: 3 * SECOND });
    clock.run(5 * SECOND);
    store.update((tx) => expect(tx.update("service", web)).toBeUndefined());
    expect(store.get("service", "s1")!.meta).toEqual({
      version: { index: 2 },
      createdAt: 3 * SECOND,
      updatedAt: 5 * SECOND,
    });
  });

  it("refuses what exists, what does not, a name taken in another case, and a writer who read an older version", () => {
    const { store } = newStore();
    store.update((tx) => tx.create("service", service("s1", "web")));
    const old = store.get("service", "s1")!;
    store.update((tx) => tx.update("service", old));
    store.update((tx) => {
      expect(tx.create("service", service("s1", "other"))).toBe("exists");
      expect(tx.create("service", service("s2", "WEB"))).toBe("name-conflict");
      expect(tx.update("service", service("s9", "x"))).toBe("not-found");
      expect(tx.update("service", old)).toBe("out-of-sequence");
      expect(tx.remove("service", "s9")).toBe("not-found");
    });
    expect(store.count("service")).toBe(1);
  });

  it("finds objects by name, prefix, service, node, slot and what they use, in the order of ids", () => {
    const { store } = newStore();
    store.update((tx) => {
      for (const id of ["t3", "t1", "t2"]) tx.create("task", task(id, "s1", id === "t3" ? 1 : 2, "n1"));
      tx.create("task", task("u1", "s2", 1, "n1"));
      const container = containerSpecShape.make({
        secrets: [{ secretId: "x", secretName: "x", file: undefined }],
      });
      const spec = serviceSpecShape.make({ task: taskSpecShape.make({ container }) });
      tx.create("service", serviceShape.make({ id: "s1", spec }));
      const description = { hostname: "Host", platform: undefined, resources: undefined, engine: undefined };
      tx.create("node", nodeShape.make({ id: "n2", description }));
      tx.create("node", nodeShape.make({ id: "n1", description }));
    });
    const ids = (objects: Iterable<{ readonly id: string }>) => [...objects].map(({ id }) => id);
    expect(ids(store.all("task"))).toEqual(["t1", "t2", "t3", "u1"]);
    expect(ids(store.tasksOfService("s1"))).toEqual(["t1", "t2", "t3"]);
    expect(ids(store.tasksOfNode("n1"))).toEqual(["t1", "t2", "t3", "u1"]);
    expect(ids(store.tasksOfSlot("s1", 2))).toEqual(["t1", "t2"]);
    expect(ids(store.byIdPrefix("task", "t"))).toEqual(["t1", "t2", "t3"]);
    expect(ids(store.servicesUsing("secret", "x"))).toEqual(["s1"]);
    expect(ids(store.allByName("node", "host"))).toEqual(["n1", "n2"]);
    store.update((tx) => {
      tx.remove("task", "t2");
      tx.create("task", task("t0", "s1", 2, "n1"));
      tx.update("task", { ...tx.get("task", "t1")!, slot: 7 });
      expect(ids(tx.tasksOfService("s1"))).toEqual(["t0", "t1", "t3"]);
      expect(ids(tx.tasksOfSlot("s1", 2))).toEqual(["t0"]);
      expect(ids(tx.byIdPrefix("task", "t"))).toEqual(["t0", "t1", "t3"]);
      expect(tx.count("task")).toBe(4);
      expect(ids(store.tasksOfSlot("s1", 2))).toEqual(["t1", "t2"]);
    });
    expect(ids(store.tasksOfSlot("s1", 2))).toEqual(["t0"]);
    expect(ids(store.tasksOfSlot("s1", 7))).toEqual(["t1"]);
  });

  it("runs one transaction at a time, each on what the one before has left", () => {
    const proposer = new SlowProposer();
    const { store } = newStore(proposer);
    const outcomes: string[] = [];
    store.update(
      (tx) => tx.create("service", service("s1", "a")),
      (outcome) => outcomes.push(`1 ${outcome}`),
    );
    store.update(
      (tx) => {
        expect(tx.get("service", "s1")).toBeDefined();
        tx.create("service", service("s2", "b"));
      },
      (outcome) => outcomes.push(`2 ${outcome}`),
    );
    store.update(
      () => {},
      (outcome) => outcomes.push(`3 ${outcome}`),
    );
    expect(proposer.waiting).toHaveLength(1);
    expect(store.get("service", "s1")).toBeUndefined();
    proposer.settle("committed");
    expect(proposer.waiting).toHaveLength(1);
    expect(outcomes).toEqual(["1 committed"]);
    proposer.settle("lost-leadership");
    expect(outcomes).toEqual(["1 committed", "2 lost-leadership", "3 committed"]);
    expect(store.get("service", "s2")).toBeUndefined();
  });

  it("cuts a batch into transactions of 200 changes", () => {
    const proposer = new SlowProposer();
    const { store } = newStore(proposer);
    const outcomes: CommitOutcome[] = [];
    store.batch(
      Array.from({ length: 450 }, (_, at) => (tx) => void tx.create("task", task(`t${at}`, "s", at))),
      (outcome) => outcomes.push(outcome),
    );
    const sizes: number[] = [];
    while (proposer.waiting.length > 0) {
      sizes.push(proposer.waiting[0]!.actions.length);
      expect(outcomes).toEqual([]);
      proposer.settle("committed");
    }
    expect(sizes).toEqual([200, 200, 50]);
    expect(outcomes).toEqual(["committed"]);
    expect(store.count("task")).toBe(450);
  });

  it("tells watchers of each transaction once, and lets them write", () => {
    const { store } = newStore();
    const heard: string[][] = [];
    const stop = store.watch((changes) => {
      heard.push(changes.map(({ kind, action, object, before }) => `${action} ${kind} ${object.id} ${before?.id}`));
      if (heard.length === 1) store.update((tx) => tx.remove("service", "s1"));
    });
    store.update((tx) => {
      tx.create("service", service("s1", "a"));
      tx.create("service", service("s2", "b"));
    });
    stop();
    store.update((tx) => tx.remove("service", "s2"));
    expect(heard).toEqual([["create service s1 undefined", "create service s2 undefined"], ["remove service s1 s1"]]);
  });

  it("comes to the same on a follower, by the log or by a snapshot, whatever was written", () => {
    const id = fc.constantFrom("a", "b", "c", "d");
    const write = fc.record({ action: fc.constantFrom("create", "update", "remove"), id, slot: fc.nat(3) });
    fc.assert(
      fc.property(
        fc.array(fc.array(write, { maxLength: 6 }), { maxLength: 12 }),
        fc.nat(12),
        (transactions, restoreAt) => {
          const proposer = new SlowProposer();
          const leader = newStore(proposer).store;
          const follower = newStore().store;
          const mirror = new Map<string, Task>();
          follower.watch((changes) => follow(mirror, changes));
          for (const [at, writes] of transactions.entries()) {
            leader.update((tx) => {
              for (const { action, id, slot } of writes) {
                if (action === "create") tx.create("task", task(id, "s", slot));
                else if (action === "remove") tx.remove("task", id);
                else if (tx.get("task", id) !== undefined) tx.update("task", { ...tx.get("task", id)!, slot });
              }
            });
            const actions = proposer.waiting[0]?.actions;
            if (actions === undefined) continue;
            proposer.settle("committed");
            const bytes = internalRaftRequestShape.emit({ id: "0000000000000001", actions });
            if (at === restoreAt) follower.restore(parseSnapshot(leader.save())!);
            else if (at < restoreAt || at > restoreAt) follower.apply(internalRaftRequestShape.parse(bytes)!.actions);
          }
          expect([...follower.all("task")]).toEqual([...leader.all("task")]);
          expect([...mirror.values()].sort((a, b) => (a.id < b.id ? -1 : 1))).toEqual([...leader.all("task")]);
          for (const slot of [0, 1, 2, 3])
            expect(follower.tasksOfSlot("s", slot)).toEqual(leader.tasksOfSlot("s", slot));
          expect(follower.save()).toEqual(leader.save());
        },
      ),
    );
  });

  it("keeps ids in their order, however many come and go between two looks", () => {
    const id = fc.nat(400).map((number) => `t${number}`);
    const write = fc.record({ isCreated: fc.boolean(), ids: fc.array(id, { maxLength: 150 }) });
    fc.assert(
      fc.property(fc.array(write, { maxLength: 6 }), (writes) => {
        const { store } = newStore();
        const known = new Set<string>();
        for (const { isCreated, ids } of writes) {
          store.update((tx) => {
            for (const id of ids) {
              if (isCreated) tx.create("task", task(id, "s", 1));
              else tx.remove("task", id);
              if (isCreated) known.add(id);
              else known.delete(id);
            }
          });
          expect([...store.all("task")].map(({ id }) => id)).toEqual([...known].sort());
          const withPrefix = [...known].filter((id) => id.startsWith("t1")).sort();
          expect(store.byIdPrefix("task", "t1").map(({ id }) => id)).toEqual(withPrefix);
        }
      }),
    );
  });

  it("saves equal stores as equal bytes, in whatever order they were written", () => {
    const a = newStore().store;
    const b = newStore().store;
    for (const id of ["x", "y", "z"]) a.apply([action("secret", id)]);
    for (const id of ["z", "x", "y"]) b.apply([action("secret", id)]);
    expect(a.save()).toEqual(b.save());
    expect(parseSnapshot(a.save().subarray(1))).toBeUndefined();
  });
});

function action(kind: "secret", id: string): StoreAction {
  const request = {
    id: "0000000000000001",
    actions: [{ action: "create" as const, [kind]: secretShape.make({ id }) }],
  };
  return request.actions[0] as unknown as StoreAction;
}

function follow(mirror: Map<string, Task>, changes: readonly Change[]): void {
  for (const change of changes) {
    if (change.kind !== "task") continue;
    if (change.action === "remove") mirror.delete(change.object.id);
    else mirror.set(change.object.id, change.object);
  }
}
