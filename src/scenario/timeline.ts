/** A scenario's steps in time: starts commands, begins and ends faults, asks what shall come true "eventually". */
import type { Host } from "../commands/host.ts";
import type { Receiver, ReceiverId, Simulation } from "../sim/simulation.ts";
import { MILLISECOND, type Nanoseconds, SECOND } from "../sim/time.ts";
import { RunningCommand } from "./command-runner.ts";
import type { ExpectationResult } from "./expectations.ts";
import type { Faults } from "./faults.ts";
import type { EventuallyExpectation } from "./format.ts";
import type { Scenario } from "./load.ts";
import { formatDuration } from "./units.ts";

/** Where steps find those they speak of. */
export interface Stage {
  readonly simulation: Simulation;
  /** Without a name: the machine that `setup:` lines run on. */
  host(name?: string): Host | undefined;
  /** The address that `name` answers on. */
  addressOf(name: string, seenFrom: Host): string | undefined;
  readonly faults: Faults;
}

/** How often a condition that is to come true is asked again. */
const ASK_AGAIN_NS = 500 * MILLISECOND;
const DEFAULT_WITHIN_NS = 10 * SECOND;

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
    const host = this.#stage.host(name);
    if (host === undefined) {
      this.problems.push(`there is no machine, container or namespace ${name}`);
      return;
    }
    const command = new RunningCommand(host, line, as);
    this.commands.push(command);
    if (forNs !== undefined) this.#at(forNs, () => command.signal("SIGINT"));
  }

  #at(delayNs: Nanoseconds, action: Action): void {
    this.#pending++;
    this.#stage.simulation.schedule(delayNs, this.#id, this.#actions.push(action) - 1);
  }
}

/** `eventually: { reach: "c1 -> c2" }`: one ping after another until one is answered or the time is over. */
class EventuallyCheck {
  readonly #expectation: EventuallyExpectation;
  readonly #stage: Stage;
  readonly #later: (delayNs: Nanoseconds, action: Action) => void;
  #firstNs: Nanoseconds | undefined = undefined;
  #heldNs: Nanoseconds | undefined = undefined;
  #why = "it was never asked: the run ended before";

  constructor(expectation: EventuallyExpectation, stage: Stage, later: (delayNs: Nanoseconds, action: Action) => void) {
    this.#expectation = expectation;
    this.#stage = stage;
    this.#later = later;
  }

  get result(): ExpectationResult {
    const within = this.#expectation.within ?? DEFAULT_WITHIN_NS;
    return {
      expected: `${this.#expectation.eventually.reach} within ${formatDuration(within)}`,
      holds: this.#heldNs !== undefined,
      found: this.#heldNs === undefined ? this.#why : `after ${formatDuration(this.#heldNs)}`,
    };
  }

  ask(): void {
    const nowNs = this.#stage.simulation.nowNs;
    this.#firstNs ??= nowNs;
    const [from, to] = this.#expectation.eventually.reach.split(" -> ") as [string, string];
    const host = this.#stage.host(from);
    const address = host === undefined ? undefined : this.#stage.addressOf(to, host);
    if (host === undefined || address === undefined) {
      this.#why = `${from} and ${to} have no network in common`;
      return;
    }
    const ping = new RunningCommand(host, `ping -n -c 1 -W 1 ${address}`);
    this.#later(ASK_AGAIN_NS, () => this.#look(ping));
  }

  #look(ping: RunningCommand): void {
    const elapsedNs = this.#stage.simulation.nowNs - this.#firstNs!;
    if (ping.ended && ping.result.status === 0) this.#heldNs = elapsedNs;
    else if (elapsedNs > (this.#expectation.within ?? DEFAULT_WITHIN_NS))
      this.#why = `no answer: ${lastLine(ping.result.stdout + ping.result.stderr)}`;
    else if (ping.ended) this.ask();
    else this.#later(ASK_AGAIN_NS, () => this.#look(ping));
  }
}

function lastLine(text: string): string {
  return text.trimEnd().split("\n").at(-1) ?? "";
}
