/** A named volume of one engine's local driver: a name that containers share. */
import type { Nanoseconds } from "../sim/time.ts";

export interface Volume {
  readonly name: string;
  readonly driver: string;
  readonly options: ReadonlyMap<string, string>;
  readonly labels: ReadonlyMap<string, string>;
  readonly createdNs: Nanoseconds;
  /** Its name was drawn by the engine. */
  readonly anonymous: boolean;
}
