/** memberlist's LAN parameters as networkdb uses them, config.go, and the formulas over the cluster's size, util.go and suspicion.go. */
import { MILLISECOND, type Nanoseconds, SECOND } from "../sim/time.ts";

export interface Settings {
  readonly probeIntervalNs: Nanoseconds;
  readonly probeTimeoutNs: Nanoseconds;
  readonly gossipIntervalNs: Nanoseconds;
  readonly pushPullIntervalNs: Nanoseconds;
  /** How long the dead are still gossiped to, and remembered. */
  readonly gossipToTheDeadNs: Nanoseconds;
  readonly streamTimeoutNs: Nanoseconds;
  readonly indirectChecks: number;
  readonly gossipNodes: number;
  readonly retransmitMultiplier: number;
  readonly suspicionMultiplier: number;
  readonly suspicionMaximumMultiplier: number;
  /** The health score stays below. */
  readonly awarenessMaximum: number;
  /** UDP payload at most: the control plane's MTU less 100. */
  readonly packetBytes: number;
  /** 0: the address of a dead node's name is taken over only when it left (memberlist's DeadNodeReclaimTime). */
  readonly deadNodeReclaimNs: Nanoseconds;
}

export const LAN: Settings = {
  probeIntervalNs: SECOND,
  probeTimeoutNs: 500 * MILLISECOND,
  gossipIntervalNs: 200 * MILLISECOND,
  pushPullIntervalNs: 30 * SECOND,
  gossipToTheDeadNs: 30 * SECOND,
  streamTimeoutNs: 10 * SECOND,
  indirectChecks: 3,
  gossipNodes: 3,
  retransmitMultiplier: 4,
  suspicionMultiplier: 4,
  suspicionMaximumMultiplier: 6,
  awarenessMaximum: 8,
  packetBytes: 1400,
  deadNodeReclaimNs: 0,
};

/** How often a rumour is sent among `nodes`: the multiplier for each digit of the count. */
export function retransmitLimit(multiplier: number, nodes: number): number {
  let digits = 0;
  for (let power = 1; power < nodes + 1; power *= 10) digits++;
  return multiplier * digits;
}

/** Push-pulls become rarer beyond 32 nodes, and again at each doubling. */
export function pushPullIntervalNs(settings: Settings, nodes: number): Nanoseconds {
  if (nodes <= 32) return settings.pushPullIntervalNs;
  let multiplier = 1;
  for (let limit = 32; limit < nodes; limit *= 2) multiplier++;
  return settings.pushPullIntervalNs * multiplier;
}

/** The shortest time under suspicion. The logarithm is rounded to thousandths, so that engines agree. */
export function suspicionMinimumNs(settings: Settings, nodes: number): Nanoseconds {
  const thousandths = Math.floor(Math.max(1, Math.log10(Math.max(1, nodes))) * 1000 + 1e-6);
  return Math.floor((settings.suspicionMultiplier * thousandths * settings.probeIntervalNs) / 1000);
}

/** The time under suspicion after `confirmations` of `wanted`, Lifeguard §IV-B; whole milliseconds, as memberlist rounds. */
export function suspicionTimeoutNs(
  minimumNs: Nanoseconds,
  maximumNs: Nanoseconds,
  confirmations: number,
  wanted: number,
): Nanoseconds {
  if (wanted < 1) return minimumNs;
  const fraction = Math.log(confirmations + 1) / Math.log(wanted + 1);
  const milliseconds = Math.floor((maximumNs - fraction * (maximumNs - minimumNs)) / MILLISECOND + 1e-6);
  return Math.max(minimumNs, milliseconds * MILLISECOND);
}
