/** How a program waits for what is told by a callback. */
import { type Process, sleep, type Wait, WaitQueue, type Wake } from "../linux/process.ts";
import { MILLISECOND, type Nanoseconds } from "../sim/time.ts";

/** A part of a program that comes to a value. */
export type Waiting<T> = Generator<Wait, T, Wake>;

/** Starts something that answers once, perhaps at once, and waits for the answer. */
export function* answerOf<T>(start: (done: (answer: T) => void) => unknown): Waiting<T> {
  const answered = new WaitQueue();
  const answers: T[] = [];
  start((answer) => {
    answers.push(answer);
    answered.wake();
  });
  while (answers.length === 0) yield { queues: [answered] };
  return answers[0]!;
}

const LOOK_NS = 100 * MILLISECOND;

/** Looks ten times a second until nothing is missing; what is missing when the time is over, else undefined. */
export function* until(
  process: Process,
  endNs: Nanoseconds,
  missing: () => string | undefined,
): Waiting<string | undefined> {
  for (;;) {
    const what = missing();
    if (what === undefined || process.clock.nowNs >= endNs) return what;
    yield* sleep(process, LOOK_NS);
  }
}
