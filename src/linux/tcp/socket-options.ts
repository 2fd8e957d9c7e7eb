/** What a program may set on a TCP socket (socket(7), tcp(7)); connections that a listener accepts inherit it. */
import type { Nanoseconds } from "../../sim/time.ts";
import type { NetDevice } from "../net-device.ts";
import type { Connection } from "./connection-state.ts";
import type { CongestionControlName } from "./settings.ts";

const MINIMUM_RECEIVE_BYTES = 2_304;
const MINIMUM_SEND_BYTES = 4_608;

export interface SocketOptions {
  noDelay: boolean;
  keepalive: boolean;
  keepaliveIdleNs: Nanoseconds | undefined;
  keepaliveIntervalNs: Nanoseconds | undefined;
  keepaliveCount: number | undefined;
  userTimeoutNs: Nanoseconds;
  /** SO_RCVBUF and SO_SNDBUF as asked for; the kernel doubles them. Undefined: tuned automatically. */
  receiveBufferBytes: number | undefined;
  sendBufferBytes: number | undefined;
  congestionControl: CongestionControlName | undefined;
  mark: number;
  device: NetDevice | undefined;
  typeOfService: number;
  timeToLive: number | undefined;
  reuseAddress: boolean;
  /** SO_LINGER with a time of zero: close resets. */
  abortOnClose: boolean;
}

export function defaultOptions(): SocketOptions {
  return {
    noDelay: false,
    keepalive: false,
    keepaliveIdleNs: undefined,
    keepaliveIntervalNs: undefined,
    keepaliveCount: undefined,
    userTimeoutNs: 0,
    receiveBufferBytes: undefined,
    sendBufferBytes: undefined,
    congestionControl: undefined,
    mark: 0,
    device: undefined,
    typeOfService: 0,
    timeToLive: undefined,
    reuseAddress: false,
    abortOnClose: false,
  };
}

/** Kernel memory for received data that follows from the options. */
export function receiveLimitOf(options: SocketOptions, normal: number, most: number): number {
  if (options.receiveBufferBytes === undefined) return normal;
  return Math.max(2 * Math.min(options.receiveBufferBytes, most), MINIMUM_RECEIVE_BYTES);
}

/** Puts the options into force. */
export function applyOptions(c: Connection, options: SocketOptions): void {
  const settings = c.settings;
  c.noDelay = options.noDelay;
  c.keepalive = options.keepalive;
  c.keepaliveIdleNs = options.keepaliveIdleNs ?? settings.keepaliveTimeNs;
  c.keepaliveIntervalNs = options.keepaliveIntervalNs ?? settings.keepaliveIntervalNs;
  c.keepaliveCount = options.keepaliveCount ?? settings.keepaliveProbes;
  c.userTimeoutNs = options.userTimeoutNs;
  if (options.receiveBufferBytes !== undefined) {
    c.receiveLimit = receiveLimitOf(options, c.receiveLimit, settings.receiveMemoryLimit);
    c.receiveFixed = true;
  }
  if (options.sendBufferBytes !== undefined) {
    c.send.limitBytes = Math.max(2 * Math.min(options.sendBufferBytes, settings.sendMemoryLimit), MINIMUM_SEND_BYTES);
    c.send.fixed = true;
  }
}
