/** How long to wait before the next try to connect: gRPC "Connection Backoff", as grpc-go does it. */
import type { Random } from "../../sim/random.ts";
import { type Nanoseconds, SECOND } from "../../sim/time.ts";

const BASE_NS: Nanoseconds = SECOND;
const MULTIPLIER = 1.6;
const JITTER = 0.2;
export const DEFAULT_MAXIMUM_BACKOFF_NS: Nanoseconds = 120 * SECOND;

/** `retries`: failures before this one. The first wait is the base, without jitter. */
export function backoffNs(retries: number, maximumNs: Nanoseconds, random: Random): Nanoseconds {
  if (retries === 0) return BASE_NS;
  let delayNs: number = BASE_NS;
  for (let round = 0; round < retries && delayNs < maximumNs; round++) delayNs *= MULTIPLIER;
  const spread = random.u32() / 0x1_0000_0000;
  return Math.round(Math.min(delayNs, maximumNs) * (1 + JITTER * (2 * spread - 1)));
}
