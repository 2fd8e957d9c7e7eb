/** A scenario's steps in time: starts commands, begins and ends faults, asks what shall come true "eventually". */
import type { Receiver, ReceiverId } from "../sim/simulation.ts";
import type { Nanoseconds } from "../sim/time.ts";
import { RunningCommand } from "./command-runner.ts";
import { EventuallyCheck } from "./eventually.ts";
import type { ExpectationResult } from "./expectations.ts";
import type { Scenario } from "./load.ts";
import type { Stage } from "./stage.ts";

/** One thing to do at a time of its own. */
type Action = () => void;

export class Timeline implements Receiver {
  readonly commands: RunningCommand[] = [];
  /** Problems that show only when a step's time comes: a namespace that nothing made. */
  readonly problems: string[] = [];
  readonly #stage: Stage;
  readonly #id: ReceiverId;
  readonly #actions: Action[] = [];
  #pending = 0;
  readonly #eventually: EventuallyCheck[] = [];

  constructor(scenario: Scenario, stage: Stage) {
    this.#stage = stage;
    this.#id = stage.simulation.register(this);
    const startNs = stage.simulation.nowNs;
    let lastNs = startNs;
    for (const step of scenario.steps ?? []) {
      lastNs = Math.max(lastNs, startNs + step.at);
      if (step.fault !== undefined) {
        const fault = step.fault;
        this.#at(step.at, () => {
          const end = stage.faults.begin(fault);
          if (typeof end !== "function") this.problems.push(end.problem);
          else if (step.for !== undefined) this.#at(step.for, end);
        });
        continue;
      }
      const line = step.run!;
      this.#at(step.at, () => this.#start(step.in ?? step.on, line, step.as, step.for));
    }
    for (const expectation of scenario.expect ?? []) {
      if (expectation.kind !== "eventually") continue;
      const check = new EventuallyCheck(expectation, stage, (delayNs, action) => this.#at(delayNs, action));
      this.#eventually.push(check);
      this.#at(expectation.after ?? lastNs - startNs, () => check.ask());
    }
  }

  /** Everything has been done: no action waits, every command has ended, every question is answered. */
  get done(): boolean {
    return this.#pending === 0 && this.commands.every((command) => command.ended);
  }

  get eventually(): readonly ExpectationResult[] {
    return this.#eventually.map((check) => check.result);
  }

  receive(action: number): void {
    this.#pending--;
    this.#actions[action]!();
  }

  #start(name: string | undefined, line: string, as: string | undefined, forNs: Nanoseconds | undefined): void {
    const hosts = this.#stage.hosts(name);
    if (hosts.length === 0) this.problems.push(`there is no machine, container or namespace ${name}`);
    for (const { name: shownAs, host } of hosts) {
      const command = new RunningCommand(host, line, as, shownAs);
      this.commands.push(command);
      if (forNs !== undefined) this.#at(forNs, () => command.signal("SIGINT"));
    }
  }

  #at(delayNs: Nanoseconds, action: Action): void {
    this.#pending++;
    this.#stage.simulation.schedule(delayNs, this.#id, this.#actions.push(action) - 1);
  }
}
