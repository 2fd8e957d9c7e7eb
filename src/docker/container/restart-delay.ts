/** Whether and when a container that has ended is started again (moby daemon/internal/restartmanager). */
import { MILLISECOND, MINUTE, type Nanoseconds, SECOND } from "../../sim/time.ts";
import type { RestartPolicy } from "../container-spec.ts";

const FIRST_DELAY_NS = 100 * MILLISECOND;
const LONGEST_DELAY_NS = MINUTE;
/** A run as long as this was a success: the delays begin anew. */
const GOOD_RUN_NS = 10 * SECOND;

export interface Ending {
  readonly exitStatus: number;
  readonly ranNs: Nanoseconds;
  /** Somebody has stopped or killed it on purpose. */
  readonly byHand: boolean;
  /** How often it was restarted so far. */
  readonly restarts: number;
  /** The last delay; 0: none so far. */
  readonly delayNs: Nanoseconds;
}

/** How long to wait before the next start; undefined: it stays as it is. */
export function restartDelay(policy: RestartPolicy | undefined, ending: Ending): Nanoseconds | undefined {
  if (policy === undefined || policy.condition === "no" || ending.byHand) return undefined;
  if (policy.condition === "on-failure") {
    if (ending.exitStatus === 0) return undefined;
    if (policy.maximumRetries > 0 && ending.restarts >= policy.maximumRetries) return undefined;
  }
  if (ending.delayNs === 0 || ending.ranNs >= GOOD_RUN_NS) return FIRST_DELAY_NS;
  return Math.min(2 * ending.delayNs, LONGEST_DELAY_NS);
}
