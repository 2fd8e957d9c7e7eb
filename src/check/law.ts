/** What a law of the emulated world is, and what it finds. */
import type { Nanoseconds } from "../sim/time.ts";
import type { Observation } from "./observation.ts";

/** A place where a law does not hold. */
export interface Violation {
  /** The law's name. */
  readonly law: string;
  /** What was found, and what should have been. */
  readonly words: string;
  /** Where and when, for laws about frames. */
  readonly place?: string;
  readonly timeNs?: Nanoseconds;
  /** The packet's number in captures. */
  readonly packetId?: number;
}

/** A law about one finished run. */
export interface Law {
  readonly name: string;
  /** The clause, or what of the kernel, that it follows from. */
  readonly source: string;
  check(observation: Observation): readonly Violation[];
}
