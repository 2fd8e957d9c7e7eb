/**
 * A program running on an emulated host. Programs are generators: where a real one blocks in a system call, ours yields what it waits
 * for, and the process resumes it when a wait queue is woken or the time has come. No promise, no thread; virtual time passes only between
 * yields.
 */
import type { Random } from "../sim/random.ts";
import type { Clock } from "../sim/simulation.ts";
import type { Nanoseconds } from "../sim/time.ts";
import { Timer } from "../sim/timer.ts";

/** Somebody to call when a queue is woken. */
export interface Waiter {
  wake(): void;
}

/** What Linux calls a wait queue: a socket wakes its own when it becomes readable, writable or broken. */
export class WaitQueue {
  readonly #waiters = new Set<Waiter>();

  add(waiter: Waiter): void {
    this.#waiters.add(waiter);
  }

  remove(waiter: Waiter): void {
    this.#waiters.delete(waiter);
  }

  /** Wakes everybody who waits, in the order in which they began to. */
  wake(): void {
    if (this.#waiters.size === 0) return;
    for (const waiter of [...this.#waiters]) waiter.wake();
  }
}

/** What a program yields: wait for any of `queues`, at most until `untilNs` (virtual time; absent: for ever). */
export interface Wait {
  readonly queues: readonly WaitQueue[];
  readonly untilNs?: Nanoseconds | undefined;
}

/** What the yield answers. `"signal"`: the process was told to end (`Process.pendingSignal`). */
export type Wake = "ready" | "timeout" | "signal";

/** A program: what it returns is its exit status, 0 to 255. */
export type Program = Generator<Wait, number, Wake>;

export type Signal = "SIGINT" | "SIGTERM" | "SIGKILL" | "SIGHUP" | "SIGQUIT";

/** Where text goes. */
export interface TextSink {
  write(text: string): void;
}

/**
 * From the wake-up to the program's next step. On a real CPU the network's soft interrupts run to their end before the woken process does; this
 * is longer than a frame's way through one host's devices, so the order is the same here.
 */
const WAKE_UP_NS = 20_000;

const SIGNAL_NUMBER: Record<Signal, number> = { SIGHUP: 1, SIGINT: 2, SIGQUIT: 3, SIGKILL: 9, SIGTERM: 15 };

export class Process implements Waiter {
  readonly pid: number;
  readonly clock: Clock;
  readonly random: Random;
  /** The program's name, for lists and logs. */
  readonly name: string;
  readonly stdout: TextSink;
  readonly stderr: TextSink;
  /** Set when it has ended: 0 to 255; 128 + the signal's number when a signal ended it. */
  exitStatus: number | undefined = undefined;
  pendingSignal: Signal | undefined = undefined;
  /** Woken when the process has ended. */
  readonly exited = new WaitQueue();

  #program: Program | undefined = undefined;
  #queues: readonly WaitQueue[] = [];
  readonly #timer: Timer;
  readonly #wakeUp: Timer;
  readonly #cleanups: (() => void)[] = [];

  constructor(options: {
    pid: number;
    name: string;
    clock: Clock;
    random: Random;
    stdout: TextSink;
    stderr: TextSink;
  }) {
    this.pid = options.pid;
    this.name = options.name;
    this.clock = options.clock;
    this.random = options.random;
    this.stdout = options.stdout;
    this.stderr = options.stderr;
    this.#timer = new Timer(options.clock, () => this.#resume("timeout"));
    this.#wakeUp = new Timer(options.clock, () => this.#resume(this.pendingSignal === undefined ? "ready" : "signal"));
  }

  get running(): boolean {
    return this.exitStatus === undefined;
  }

  /** Runs the program until its first wait. */
  start(program: Program): void {
    this.#program = program;
    this.#resume("ready");
  }

  /** `cleanup` runs when the process ends, however it ends: closing its sockets is the kernel's work. */
  atExit(cleanup: () => void): void {
    this.#cleanups.push(cleanup);
  }

  wake(): void {
    if (!this.#wakeUp.armed) this.#wakeUp.set(WAKE_UP_NS);
  }

  /** Sends a signal. A program that waits gets "signal" from its yield and may end by itself; SIGKILL ends it at once. */
  kill(signal: Signal): void {
    if (this.exitStatus !== undefined) return;
    this.pendingSignal = signal;
    if (signal === "SIGKILL") this.#end(128 + SIGNAL_NUMBER[signal]);
    else this.wake();
  }

  #resume(wake: Wake): void {
    if (this.#program === undefined || this.exitStatus !== undefined) return;
    this.#leaveQueues();
    let answer = wake;
    for (;;) {
      const step = this.#program.next(answer);
      if (step.done === true) {
        this.#end(step.value);
        return;
      }
      const { queues, untilNs } = step.value;
      if (untilNs !== undefined && untilNs <= this.clock.nowNs) {
        answer = "timeout";
        continue;
      }
      for (const queue of queues) queue.add(this);
      this.#queues = queues;
      if (untilNs !== undefined) this.#timer.set(untilNs - this.clock.nowNs);
      return;
    }
  }

  #leaveQueues(): void {
    this.#timer.stop();
    this.#wakeUp.stop();
    for (const queue of this.#queues) queue.remove(this);
    this.#queues = [];
  }

  #end(status: number): void {
    this.#leaveQueues();
    this.exitStatus = status;
    for (const cleanup of this.#cleanups.splice(0)) cleanup();
    this.exited.wake();
  }
}

const NO_QUEUES: readonly WaitQueue[] = [];

/** Waits `delayNs`; true unless a signal came first. */
export function* sleep(process: Process, delayNs: Nanoseconds): Generator<Wait, boolean, Wake> {
  const wake = yield { queues: NO_QUEUES, untilNs: process.clock.nowNs + delayNs };
  return wake !== "signal";
}
