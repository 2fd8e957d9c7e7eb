/** What steers TCP in one namespace: the values of `net.ipv4.tcp_*` that Linux 6.18 reads, with its defaults (Documentation/networking/ip-sysctl.rst). */
import { MICROSECOND, MILLISECOND, type Nanoseconds, SECOND } from "../../sim/time.ts";

export type CongestionControlName = "cubic" | "reno";

export interface TcpSettings {
  /** Retransmissions before the path is doubted, and before the connection is given up (as a time: see `timeoutNs`). */
  retries1: number;
  retries2: number;
  /** Retries of an orphan; 0 means 8. */
  orphanRetries: number;
  synRetries: number;
  /** How many of the SYN's retransmissions come without doubling the timeout. */
  synLinearTimeouts: number;
  synAckRetries: number;
  maxSynBacklog: number;
  /** The upper limit of a listener's backlog. */
  maxListenBacklog: number;
  abortOnOverflow: boolean;
  finTimeoutNs: Nanoseconds;
  keepaliveTimeNs: Nanoseconds;
  keepaliveIntervalNs: Nanoseconds;
  keepaliveProbes: number;
  windowScaling: boolean;
  sack: boolean;
  dsack: boolean;
  timestamps: boolean;
  /** RACK, RFC 8985 (`tcp_recovery` bit 0). */
  rack: boolean;
  /** Tail loss probe (`tcp_early_retrans` 3 or 4). */
  tailLossProbe: boolean;
  forwardRto: boolean;
  reordering: number;
  maxReordering: number;
  slowStartAfterIdle: boolean;
  /** Minimum, default and maximum, in bytes of kernel memory. */
  receiveMemory: readonly [number, number, number];
  sendMemory: readonly [number, number, number];
  /** `net.core.rmem_max`: what a program may ask for, and one of the terms of the window scale. */
  receiveMemoryLimit: number;
  sendMemoryLimit: number;
  moderateReceiveBuffer: boolean;
  minimumTsoSegments: number;
  tsoWindowDivisor: number;
  tsoRttLog: number;
  challengeAckLimit: number;
  /** At most one answer to bad segments of a connection in this time. */
  invalidRateLimitNs: Nanoseconds;
  minRttWindowNs: Nanoseconds;
  compressedAckDelayNs: Nanoseconds;
  compressedAckLimit: number;
  minimumSendMss: number;
  congestionControl: CongestionControlName;
  hybridSlowStart: boolean;
  rfc1337: boolean;
  timeToLive: number;
}

/** A host of 2 GiB or more, out of the box. */
export function defaultSettings(): TcpSettings {
  return {
    retries1: 3,
    retries2: 15,
    orphanRetries: 0,
    synRetries: 6,
    synLinearTimeouts: 4,
    synAckRetries: 5,
    maxSynBacklog: 512,
    maxListenBacklog: 4096,
    abortOnOverflow: false,
    finTimeoutNs: 60 * SECOND,
    keepaliveTimeNs: 7200 * SECOND,
    keepaliveIntervalNs: 75 * SECOND,
    keepaliveProbes: 9,
    windowScaling: true,
    sack: true,
    dsack: true,
    timestamps: true,
    rack: true,
    tailLossProbe: true,
    forwardRto: true,
    reordering: 3,
    maxReordering: 300,
    slowStartAfterIdle: true,
    receiveMemory: [4096, 131_072, 6_291_456],
    sendMemory: [4096, 16_384, 4_194_304],
    receiveMemoryLimit: 212_992,
    sendMemoryLimit: 212_992,
    moderateReceiveBuffer: true,
    minimumTsoSegments: 2,
    tsoWindowDivisor: 3,
    tsoRttLog: 9,
    challengeAckLimit: 0x7fff_ffff,
    invalidRateLimitNs: 500 * MILLISECOND,
    minRttWindowNs: 300 * SECOND,
    compressedAckDelayNs: 1000 * MICROSECOND,
    compressedAckLimit: 44,
    minimumSendMss: 48,
    congestionControl: "cubic",
    hybridSlowStart: true,
    rfc1337: false,
    timeToLive: 64,
  };
}
