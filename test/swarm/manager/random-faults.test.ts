/** Managers under random faults: what was said to be committed stays, and all come to the same when the faults are over. */
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { taskShape } from "../../../src/swarm/api/objects.ts";
import { SwarmLab } from "../swarm-lab.ts";

const MANAGERS = 3;

type Fault =
  | { readonly kind: "cut" | "kill" | "kill-leader"; readonly number: number; readonly seconds: number }
  | { readonly kind: "write"; readonly number: number; readonly seconds: number };

const anyFault: fc.Arbitrary<Fault> = fc.record({
  kind: fc.constantFrom("cut", "kill", "kill-leader", "write", "write"),
  number: fc.integer({ min: 1, max: MANAGERS }),
  seconds: fc.integer({ min: 1, max: 30 }),
});

class Run {
  readonly lab: SwarmLab;
  readonly committed: string[] = [];
  #writes = 0;

  constructor(seed: number) {
    this.lab = new SwarmLab(MANAGERS, { seed }).cluster(MANAGERS);
  }

  /** To whoever thinks that it leads, at random among them. */
  write(number: number): void {
    const leaders = this.lab.nodes.flatMap(({ node }) => (node.manager?.isReady === true ? [node.manager] : []));
    const id = `t${this.#writes++}`;
    leaders[number % Math.max(1, leaders.length)]?.store?.update(
      (tx) => tx.create("task", taskShape.make({ id })),
      (outcome) => {
        if (outcome === "committed") this.committed.push(id);
      },
    );
  }

  apply({ kind, number, seconds }: Fault): void {
    const { lab } = this;
    if (kind === "write") {
      this.write(number);
      lab.run(1);
      return;
    }
    const victim = kind === "kill-leader" ? lab.leaderNumber || number : number;
    if (kind === "cut") lab.cut(victim, true);
    else lab.at(victim).node.powerOff();
    lab.run(1);
    this.write(number);
    lab.run(seconds);
    this.write(number);
    if (kind === "cut") lab.cut(victim, false);
    else lab.at(victim).node.restart();
    lab.run(2);
  }
}

describe("managers under random faults", () => {
  it("lose nothing that was committed, and agree in the end", () => {
    fc.assert(
      fc.property(fc.nat(1000), fc.array(anyFault, { maxLength: 8 }), (seed, faults) => {
        const run = new Run(seed);
        for (const fault of faults) run.apply(fault);
        const { lab } = run;
        // TCP waits longer and longer before it tries again, and votes that are split cost an election each.
        lab.run(60);
        lab.until(
          () => lab.leader !== undefined && !lab.listManagers().some((line) => line.endsWith("unreachable")),
          180,
        );
        lab.run(5);
        const reference = lab.leader!.store!;
        for (const id of run.committed) expect(reference.get("task", id)).toBeDefined();
        for (const { node } of lab.nodes) expect(Buffer.compare(node.manager!.store!.save(), reference.save())).toBe(0);
        expect(lab.listManagers().filter((line) => line.endsWith("Leader"))).toHaveLength(1);
        expect(lab.listManagers().filter((line) => line.endsWith("unreachable"))).toHaveLength(0);
      }),
      { numRuns: 12 },
    );
  });
});
