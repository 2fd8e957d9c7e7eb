/** The matches that `-m` knows, by name. */
import type { MatchExtension } from "./extension.ts";
import { ADDRTYPE_MATCH } from "./matches/addrtype.ts";
import { BPF_MATCH } from "./matches/bpf.ts";
import { COMMENT_MATCH } from "./matches/comment.ts";
import { CONNTRACK_MATCH, STATE_MATCH } from "./matches/conntrack.ts";
import { ICMP_MATCH } from "./matches/icmp.ts";
import { IPRANGE_MATCH } from "./matches/iprange.ts";
import { IPVS_MATCH } from "./matches/ipvs.ts";
import { LENGTH_MATCH } from "./matches/length.ts";
import { LIMIT_MATCH } from "./matches/limit.ts";
import { MAC_MATCH, PKTTYPE_MATCH } from "./matches/link-layer.ts";
import { CONNMARK_MATCH, MARK_MATCH } from "./matches/mark.ts";
import { MULTIPORT_MATCH } from "./matches/multiport.ts";
import { PHYSDEV_MATCH } from "./matches/physdev.ts";
import { POLICY_MATCH } from "./matches/policy.ts";
import { STATISTIC_MATCH } from "./matches/statistic.ts";
import { TCP_MATCH } from "./matches/tcp.ts";
import { TTL_MATCH } from "./matches/ttl.ts";
import { DSCP_MATCH, TOS_MATCH } from "./matches/type-of-service.ts";
import { U32_MATCH } from "./matches/u32.ts";
import { SCTP_MATCH, UDP_MATCH } from "./matches/udp.ts";

const MATCHES: readonly MatchExtension[] = [
  ADDRTYPE_MATCH,
  BPF_MATCH,
  COMMENT_MATCH,
  CONNMARK_MATCH,
  CONNTRACK_MATCH,
  DSCP_MATCH,
  ICMP_MATCH,
  IPRANGE_MATCH,
  IPVS_MATCH,
  LENGTH_MATCH,
  LIMIT_MATCH,
  MAC_MATCH,
  MARK_MATCH,
  MULTIPORT_MATCH,
  PHYSDEV_MATCH,
  PKTTYPE_MATCH,
  POLICY_MATCH,
  SCTP_MATCH,
  STATE_MATCH,
  STATISTIC_MATCH,
  TCP_MATCH,
  TOS_MATCH,
  TTL_MATCH,
  U32_MATCH,
  UDP_MATCH,
];

export const MATCH_EXTENSIONS: ReadonlyMap<string, MatchExtension> = new Map(
  MATCHES.map((extension) => [extension.name, extension]),
);

/** The match that a protocol's own options (`--dport`) load by themselves. */
export const MATCH_OF_PROTOCOL: ReadonlyMap<number, MatchExtension> = new Map([
  [1, ICMP_MATCH],
  [6, TCP_MATCH],
  [17, UDP_MATCH],
  [132, SCTP_MATCH],
]);
