/**
 * A container's health check (moby daemon/health.go): a command is run in the container every now and then; so many failures in a row make it
 * unhealthy, one success healthy. Failures in the start period do not count, and a success ends that period.
 */
import type { Process, TextSink } from "../../linux/process.ts";
import type { Clock } from "../../sim/simulation.ts";
import { type Nanoseconds, SECOND } from "../../sim/time.ts";
import { Timer } from "../../sim/timer.ts";
import type { HealthCheck } from "../container-spec.ts";

export type HealthStatus = "starting" | "healthy" | "unhealthy";

/** One run of the command, as `docker inspect` lists the last five. */
export interface ProbeResult {
  readonly startNs: Nanoseconds;
  readonly endNs: Nanoseconds;
  /** -1: it took too long. */
  readonly exitStatus: number;
  readonly output: string;
}

/** Runs the command; its text goes to `output`. */
export type Probe = (command: readonly string[], output: TextSink) => Process;

const DEFAULT_INTERVAL_NS = 30 * SECOND;
const DEFAULT_TIMEOUT_NS = 30 * SECOND;
const DEFAULT_START_INTERVAL_NS = 5 * SECOND;
const DEFAULT_RETRIES = 3;
const KEPT_RESULTS = 5;
const OUTPUT_LIMIT = 4_096;

export class HealthMonitor {
  readonly #clock: Clock;
  readonly #check: HealthCheck;
  readonly #probe: Probe;
  readonly #changed: () => void;
  /** Before release 25 the start period had no interval of its own. */
  readonly #quickStart: boolean;
  readonly #timer: Timer;
  readonly #startedNs: Nanoseconds;
  #status: HealthStatus = "starting";
  #failures = 0;
  #running: { readonly process: Process; readonly startNs: Nanoseconds; output: string } | undefined = undefined;
  #results: readonly ProbeResult[] = [];
  #stopped = false;

  /** Begins at once: the first probe comes after one interval. `changed` is called when the status has changed. */
  constructor(options: {
    readonly clock: Clock;
    readonly check: HealthCheck;
    readonly quickStart: boolean;
    readonly probe: Probe;
    readonly changed: () => void;
  }) {
    this.#clock = options.clock;
    this.#check = options.check;
    this.#quickStart = options.quickStart;
    this.#probe = options.probe;
    this.#changed = options.changed;
    this.#startedNs = options.clock.nowNs;
    this.#timer = new Timer(options.clock, () => (this.#running === undefined ? this.#begin() : this.#overdue()));
    this.#timer.set(this.#intervalNs());
  }

  get status(): HealthStatus {
    return this.#status;
  }

  get failingStreak(): number {
    return this.#failures;
  }

  /** The last five, the oldest first. */
  get results(): readonly ProbeResult[] {
    return this.#results;
  }

  /** The container ends. */
  stop(): void {
    this.#stopped = true;
    this.#timer.stop();
    this.#running?.process.kill("SIGKILL");
  }

  #begin(): void {
    const running = { output: "" };
    const output: TextSink = {
      write: (text) => {
        running.output = (running.output + text).slice(0, OUTPUT_LIMIT);
      },
    };
    const process = this.#probe(this.#check.command, output);
    this.#running = Object.assign(running, { process, startNs: this.#clock.nowNs });
    if (!process.running) this.#finished();
    else {
      process.atExit(() => this.#finished());
      this.#timer.set(this.#check.timeoutNs ?? DEFAULT_TIMEOUT_NS);
    }
  }

  #overdue(): void {
    const { process, startNs } = this.#running!;
    const timeoutNs = this.#check.timeoutNs ?? DEFAULT_TIMEOUT_NS;
    this.#running = undefined;
    process.kill("SIGKILL");
    const output = `Health check exceeded timeout (${formatDuration(timeoutNs)})`;
    this.#note({ startNs, endNs: this.#clock.nowNs, exitStatus: -1, output });
  }

  #finished(): void {
    const running = this.#running;
    if (running === undefined || this.#stopped) return;
    this.#running = undefined;
    const { process, startNs, output } = running;
    this.#note({ startNs, endNs: this.#clock.nowNs, exitStatus: process.exitStatus ?? -1, output });
  }

  #note(result: ProbeResult): void {
    this.#results = [...this.#results, result].slice(-KEPT_RESULTS);
    const old = this.#status;
    if (result.exitStatus === 0) {
      this.#failures = 0;
      this.#status = "healthy";
    } else if (!this.#starting(result.startNs)) {
      this.#failures++;
      const retries = this.#check.retries ?? 0;
      if (this.#failures >= (retries === 0 ? DEFAULT_RETRIES : retries)) this.#status = "unhealthy";
    }
    this.#timer.set(this.#intervalNs());
    if (this.#status !== old) this.#changed();
  }

  #starting(atNs: Nanoseconds): boolean {
    return this.#status === "starting" && atNs - this.#startedNs < (this.#check.startPeriodNs ?? 0);
  }

  #intervalNs(): Nanoseconds {
    if (this.#quickStart && this.#starting(this.#clock.nowNs))
      return this.#check.startIntervalNs ?? DEFAULT_START_INTERVAL_NS;
    return this.#check.intervalNs ?? DEFAULT_INTERVAL_NS;
  }
}

/** As Go prints a time.Duration: `30s`, `1m30s`, `500ms`. */
function formatDuration(timeNs: Nanoseconds): string {
  if (timeNs < SECOND) return `${timeNs / 1_000_000}ms`;
  const seconds = timeNs / SECOND;
  const minutes = Math.floor(seconds / 60);
  const hours = Math.floor(minutes / 60);
  const rest = `${seconds - minutes * 60}s`;
  if (minutes === 0) return rest;
  return hours === 0 ? `${minutes}m${rest}` : `${hours}h${minutes - hours * 60}m${rest}`;
}
