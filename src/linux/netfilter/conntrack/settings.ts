/** Conntrack's sysctls (`net.netfilter.nf_conntrack_…`) as numbers of the hot path: seconds become nanoseconds once, when a value changes. */
import { type Nanoseconds, SECOND } from "../../../sim/time.ts";

const PREFIX = "net.netfilter.nf_conntrack_";

/** In the order of the states in tcp-tracking.ts; NONE and SYN_SENT2 take SYN_SENT's. */
const TCP_TIMEOUT_KEYS = [
  "syn_sent",
  "syn_sent",
  "syn_recv",
  "established",
  "fin_wait",
  "close_wait",
  "last_ack",
  "time_wait",
  "close",
  "syn_sent",
];

export interface TcpSettings {
  readonly loose: boolean;
  readonly beLiberal: boolean;
  readonly ignoreInvalidReset: boolean;
  readonly maximumRetransmissions: number;
  readonly timeoutsNs: readonly Nanoseconds[];
  readonly retransmittedNs: Nanoseconds;
  readonly unacknowledgedNs: Nanoseconds;
  /** What the last segment that was followed asks for; -1: leave the timer. */
  timeoutNs: Nanoseconds;
}

export interface ConntrackSettings {
  readonly maximum: number;
  readonly genericNs: Nanoseconds;
  readonly icmpNs: Nanoseconds;
  readonly udpNs: Nanoseconds;
  readonly udpStreamNs: Nanoseconds;
  readonly tcp: TcpSettings;
}

/** `sysctl` gives the number of a key that exists. */
export function readSettings(sysctl: (key: string) => number): ConntrackSettings {
  const number = (key: string) => sysctl(PREFIX + key);
  const ns = (key: string) => number(key) * SECOND;
  return {
    maximum: number("max"),
    genericNs: ns("generic_timeout"),
    icmpNs: ns("icmp_timeout"),
    udpNs: ns("udp_timeout"),
    udpStreamNs: ns("udp_timeout_stream"),
    tcp: {
      loose: number("tcp_loose") !== 0,
      beLiberal: number("tcp_be_liberal") !== 0,
      ignoreInvalidReset: number("tcp_ignore_invalid_rst") !== 0,
      maximumRetransmissions: number("tcp_max_retrans"),
      timeoutsNs: TCP_TIMEOUT_KEYS.map((key) => ns(`tcp_timeout_${key}`)),
      retransmittedNs: ns("tcp_timeout_max_retrans"),
      unacknowledgedNs: ns("tcp_timeout_unacknowledged"),
      timeoutNs: -1,
    },
  };
}
