/** What a run came to: a plain value, printed by the command line and given as JSON (version 1). */
import type { Nanoseconds } from "../sim/time.ts";
import type { CommandResult, ExpectationResult } from "./expectations.ts";

export interface RunReport {
  readonly version: 1;
  readonly scenario: string;
  readonly seed: string;
  /** Where there are engines: the virtual time at which all was ready, and the steps' times began to count. */
  readonly readyNs?: Nanoseconds;
  /** Virtual time at the end. */
  readonly endNs: Nanoseconds;
  readonly events: number;
  /** Conservation: made = delivered + consumed + dropped + inFlight. */
  readonly frames: {
    readonly made: number;
    readonly delivered: number;
    readonly consumed: number;
    readonly dropped: number;
    readonly inFlight: number;
  };
  readonly drops: readonly {
    readonly reason: string;
    readonly words: string;
    readonly at: string;
    readonly count: number;
  }[];
  readonly commands: readonly CommandResult[];
  readonly expectations: readonly ExpectationResult[];
  /** What stopped or spoiled the run: a storm, a step for a machine that is not there. */
  readonly problems: readonly string[];
  /** All expectations hold and there was no problem. */
  readonly holds: boolean;
  readonly files: readonly string[];
}
