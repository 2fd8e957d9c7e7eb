/** A probe of `traceroute` and what came of it, and how a method of tracing sends and hears probes. */
import type { WaitQueue } from "../../linux/process.ts";
import type { Nanoseconds } from "../../sim/time.ts";
import type { Ipv4Address } from "../../wire/address.ts";

export interface Probe {
  readonly timeToLive: number;
  sentNs: Nanoseconds | undefined;
  receivedNs: Nanoseconds | undefined;
  /** Who answered. */
  from: Ipv4Address | undefined;
  /** `!H` and the like. */
  remark: string;
  /** Answered, or given up. */
  done: boolean;
  /** The way ends here. */
  final: boolean;
}

export interface Method {
  /** Sends the probe and sets `sentNs`. */
  send(probe: Probe): void;
  /** Notes what has come; where something may come. */
  collect(): void;
  queues(): readonly WaitQueue[];
  /** Nobody waits for it any more. */
  expire(probe: Probe): void;
  close(): void;
}

export function newProbe(timeToLive: number): Probe {
  return {
    timeToLive,
    sentNs: undefined,
    receivedNs: undefined,
    from: undefined,
    remark: "",
    done: false,
    final: false,
  };
}

/** An ICMP error about a probe. */
export function concludeByError(
  probe: Probe,
  from: Ipv4Address,
  type: number,
  code: number,
  info: number,
  receivedNs: Nanoseconds,
): void {
  probe.from = from;
  probe.receivedNs = receivedNs;
  probe.done = true;
  probe.remark = remarkOf(type, code, info);
  probe.final = type !== TIME_EXCEEDED;
}

/** The target itself has answered. */
export function concludeByAnswer(probe: Probe, from: Ipv4Address, receivedNs: Nanoseconds): void {
  probe.from = from;
  probe.receivedNs = receivedNs;
  probe.done = true;
  probe.final = true;
}

const UNREACHABLE = 3;
const TIME_EXCEEDED = 11;

/** parse_icmp_res() */
function remarkOf(type: number, code: number, info: number): string {
  if (type === TIME_EXCEEDED) return code === 0 ? "" : `!<${type}-${code}>`;
  if (type !== UNREACHABLE) return `!<${type}-${code}>`;
  switch (code) {
    case 0:
    case 6:
    case 8:
    case 11:
      return "!N";
    case 1:
    case 7:
    case 12:
      return "!H";
    case 2:
      return "!P";
    case 3:
      return "";
    case 4:
      return `!F-${info}`;
    case 5:
      return "!S";
    case 9:
    case 10:
    case 13:
      return "!X";
    case 14:
      return "!V";
    case 15:
      return "!C";
    default:
      return `!<${code}>`;
  }
}
