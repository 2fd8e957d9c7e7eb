/** Something that is to come true: asked again and again until it is, or until its time is over. */
import { MILLISECOND, type Nanoseconds, SECOND } from "../sim/time.ts";
import { RunningCommand } from "./command-runner.ts";
import type { ExpectationResult } from "./expectations.ts";
import type { EventuallyExpectation } from "./format.ts";
import type { Stage } from "./stage.ts";
import { formatDuration } from "./units.ts";

/** How often it is asked again. */
const ASK_AGAIN_NS = 500 * MILLISECOND;
const DEFAULT_WITHIN_NS = 10 * SECOND;

/** What one question came to: yes, or why not. */
type Answer = true | string;
/** A question that may take time: undefined while there is no answer yet. */
type Question = () => Answer | undefined;

export class EventuallyCheck {
  readonly #expectation: EventuallyExpectation;
  readonly #stage: Stage;
  readonly #later: (delayNs: Nanoseconds, action: () => void) => void;
  #firstNs: Nanoseconds | undefined = undefined;
  #heldNs: Nanoseconds | undefined = undefined;
  #why = "it was never asked: the run ended before";

  constructor(
    expectation: EventuallyExpectation,
    stage: Stage,
    later: (delayNs: Nanoseconds, action: () => void) => void,
  ) {
    this.#expectation = expectation;
    this.#stage = stage;
    this.#later = later;
  }

  get result(): ExpectationResult {
    return {
      expected: `${this.#words()} within ${formatDuration(this.#withinNs)}`,
      holds: this.#heldNs !== undefined,
      found: this.#heldNs === undefined ? this.#why : `after ${formatDuration(this.#heldNs)}`,
    };
  }

  ask(): void {
    this.#firstNs ??= this.#stage.simulation.nowNs;
    const { reach } = this.#expectation.eventually;
    const question = reach === undefined ? this.#askCluster() : this.#askToReach(reach);
    if (question === undefined) return;
    this.#later(ASK_AGAIN_NS, () => this.#look(question));
  }

  get #withinNs(): Nanoseconds {
    return this.#expectation.within ?? DEFAULT_WITHIN_NS;
  }

  #look(question: Question): void {
    const elapsedNs = this.#stage.simulation.nowNs - this.#firstNs!;
    const answer = question();
    if (answer === true) this.#heldNs = elapsedNs;
    else if (elapsedNs > this.#withinNs) this.#why = answer ?? "no answer yet";
    else if (answer !== undefined) this.ask();
    else this.#later(ASK_AGAIN_NS, () => this.#look(question));
  }

  #askCluster(): Question | undefined {
    const { cluster } = this.#stage;
    if (cluster === undefined) {
      this.#why = "there is no swarm";
      return undefined;
    }
    return () => {
      const wrong = cluster.check(this.#expectation.eventually).find(({ holds }) => !holds);
      return wrong === undefined ? true : `${wrong.expected} was found to be ${wrong.found}`;
    };
  }

  /** One ping; with a port, one connection by TCP. */
  #askToReach(reach: string): Question | undefined {
    const [from, to] = reach.split(" -> ") as [string, string];
    const [, name, port] = /^(.*):(\d+)$/.exec(to) ?? [to, to, undefined];
    const [host] = this.#stage.hosts(from);
    const address = host === undefined ? undefined : this.#stage.addressOf(name!, host);
    if (host === undefined || address === undefined) {
      this.#why =
        host === undefined
          ? `there is no machine, container or namespace ${from}`
          : `${from} and ${to} have no network in common`;
      // Tasks come and go: it may be there next time.
      return this.#stage.cluster === undefined ? undefined : () => this.#why;
    }
    const line = port === undefined ? `ping -n -c 1 -W 1 ${address}` : `nc -z -w 1 ${address} ${port}`;
    const command = new RunningCommand(host.host, line);
    return () => {
      const { status, stdout, stderr } = command.result;
      if (status === undefined) return undefined;
      if (status === 0) return true;
      const said = lastLine(stdout + stderr);
      return said === "" ? "no answer" : `no answer: ${said}`;
    };
  }

  #words(): string {
    const { reach, tasks, running, nodes, leader } = this.#expectation.eventually;
    if (reach !== undefined) return reach;
    const parts = [
      tasks === undefined
        ? ""
        : `${running === undefined ? "a task" : `${running.relation === "==" ? "" : `${running.relation} `}${running.value} tasks`} of ${tasks} running`,
      ...[...(nodes ?? [])].map(([node, state]) => `node ${node} ${state}`),
      leader === undefined ? "" : `leader ${leader}`,
    ];
    return parts.filter((part) => part !== "").join(", ");
  }
}

function lastLine(text: string): string {
  return text.trimEnd().split("\n").at(-1) ?? "";
}
