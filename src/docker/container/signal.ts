/** Signals by name or number, as `docker kill --signal` and `--stop-signal` take them. */
import type { Signal } from "../../linux/process.ts";

const BY_NUMBER: ReadonlyMap<number, Signal> = new Map([
  [1, "SIGHUP"],
  [2, "SIGINT"],
  [3, "SIGQUIT"],
  [9, "SIGKILL"],
  [15, "SIGTERM"],
]);

/** `SIGTERM`, `term` or `15`; undefined when there is no such signal here. */
export function parseSignal(text: string): Signal | undefined {
  if (/^\d+$/.test(text)) return BY_NUMBER.get(Number(text));
  const name = text.toUpperCase();
  for (const signal of BY_NUMBER.values()) if (signal === name || signal === `SIG${name}`) return signal;
  return undefined;
}
