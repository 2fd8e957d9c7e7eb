/** `grpc-timeout`: at most 8 digits and a unit (gRPC over HTTP/2, "Requests"), written in the finest unit that fits, rounded up, as grpc-go does. */
import type { Nanoseconds } from "../../sim/time.ts";

const UNITS: readonly (readonly [string, Nanoseconds])[] = [
  ["n", 1],
  ["u", 1_000],
  ["m", 1_000_000],
  ["S", 1_000_000_000],
  ["M", 60_000_000_000],
  ["H", 3_600_000_000_000],
];
const LARGEST = 99_999_999;

export function formatTimeout(timeoutNs: Nanoseconds): string {
  if (timeoutNs <= 0) return "0n";
  for (const [unit, unitNs] of UNITS) {
    const count = Math.ceil(timeoutNs / unitNs);
    if (count <= LARGEST) return `${count}${unit}`;
  }
  return `${LARGEST}H`;
}

/** Undefined: no timeout is written so. */
export function parseTimeout(text: string): Nanoseconds | undefined {
  if (!/^[0-9]{1,8}[HMSmun]$/.test(text)) return undefined;
  const unit = UNITS.find(([name]) => name === text.at(-1));
  return unit === undefined ? undefined : Number(text.slice(0, -1)) * unit[1];
}
