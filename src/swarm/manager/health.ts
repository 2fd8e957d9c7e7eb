/** The health service (swarmkit manager/health/health.go): whether a manager serves raft, or its local socket the control API. */
import type { Nanoseconds } from "../../sim/time.ts";
import { type Status, status } from "../grpc/status.ts";
import type { Cancel, Channel, Result } from "./channel.ts";
import { HEALTH_CHECK, healthCheckRequestShape, healthCheckResponseShape } from "./raft-shapes.ts";

/** Asks whether `service` is served; the problem, or none. */
export function checkHealth(
  channel: Channel,
  service: string,
  timeoutNs: Nanoseconds,
  done: (problem: Status | undefined) => void,
): Cancel {
  return channel.unary(HEALTH_CHECK, healthCheckRequestShape.emit({ service }), timeoutNs, (result) => {
    if ("status" in result) {
      done(result.status);
      return;
    }
    const serving = healthCheckResponseShape.parse(result.response)?.status;
    done(serving === "serving" ? undefined : status("Unknown", "health check returned status NOT_SERVING"));
  });
}

/** What of this manager serves. */
export class Health {
  readonly #serving = new Map<string, boolean>();

  set(service: string, isServing: boolean): void {
    this.#serving.set(service, isServing);
  }

  answer(request: Uint8Array): Result {
    const service = healthCheckRequestShape.parse(request)?.service;
    const isServing = service === undefined ? undefined : this.#serving.get(service);
    if (isServing === undefined) return { status: status("NotFound", "unknown service") };
    return { response: healthCheckResponseShape.emit({ status: isServing ? "serving" : "not-serving" }) };
  }
}
