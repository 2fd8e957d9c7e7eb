/**
 * The sysctl keys that a network namespace has, with Linux 6.18's defaults and the range each accepts (Documentation/networking/ip-sysctl.rst).
 * Keys that belong to a device (`net.ipv4.conf.*`, `net.ipv4.neigh.*`) are listed by their last part.
 */

/** One or several integers, and the range of each. */
export interface SysctlKey {
  readonly values: readonly number[];
  readonly minimum: number;
  readonly maximum: number;
}

const INT_MAX = 0x7fff_ffff;

function integers(minimum: number, maximum: number, ...values: number[]): SysctlKey {
  return { values, minimum, maximum };
}
function flag(value: number): SysctlKey {
  return integers(0, 1, value);
}
function any(...values: number[]): SysctlKey {
  return integers(-INT_MAX - 1, INT_MAX, ...values);
}
function count(...values: number[]): SysctlKey {
  return integers(0, INT_MAX, ...values);
}
function byte(value: number): SysctlKey {
  return integers(0, 255, value);
}

export const SCALAR_KEYS: ReadonlyMap<string, SysctlKey> = new Map([
  ["net.bridge.bridge-nf-call-arptables", flag(0)],
  ["net.bridge.bridge-nf-call-ip6tables", flag(0)],
  ["net.bridge.bridge-nf-call-iptables", flag(0)],
  ["net.bridge.bridge-nf-filter-pppoe-tagged", flag(0)],
  ["net.bridge.bridge-nf-filter-vlan-tagged", flag(0)],
  ["net.bridge.bridge-nf-pass-vlan-input-dev", flag(0)],
  ["net.core.rmem_default", integers(2304, INT_MAX, 212_992)],
  ["net.core.rmem_max", integers(2304, INT_MAX, 212_992)],
  ["net.core.somaxconn", count(4096)],
  ["net.core.wmem_default", integers(4608, INT_MAX, 212_992)],
  ["net.core.wmem_max", integers(4608, INT_MAX, 212_992)],
  ["net.ipv4.fib_multipath_hash_policy", integers(0, 3, 0)],
  ["net.ipv4.fwmark_reflect", flag(0)],
  ["net.ipv4.icmp_echo_ignore_all", flag(0)],
  ["net.ipv4.icmp_echo_ignore_broadcasts", flag(1)],
  ["net.ipv4.icmp_errors_use_inbound_ifaddr", flag(0)],
  ["net.ipv4.icmp_ignore_bogus_error_responses", flag(1)],
  ["net.ipv4.icmp_msgs_burst", count(50)],
  ["net.ipv4.icmp_msgs_per_sec", count(1000)],
  ["net.ipv4.icmp_ratelimit", count(1000)],
  ["net.ipv4.icmp_ratemask", any(6168)],
  ["net.ipv4.igmp_link_local_mcast_reports", flag(1)],
  ["net.ipv4.igmp_max_memberships", count(20)],
  ["net.ipv4.igmp_qrv", integers(1, INT_MAX, 2)],
  ["net.ipv4.ip_default_ttl", integers(1, 255, 64)],
  ["net.ipv4.ip_forward", flag(0)],
  ["net.ipv4.ip_forward_update_priority", flag(1)],
  ["net.ipv4.ip_forward_use_pmtu", flag(0)],
  ["net.ipv4.ip_local_port_range", integers(1, 65_535, 32_768, 60_999)],
  ["net.ipv4.ip_no_pmtu_disc", integers(0, 3, 0)],
  ["net.ipv4.ip_nonlocal_bind", flag(0)],
  ["net.ipv4.ip_unprivileged_port_start", integers(0, 65_535, 1024)],
  ["net.ipv4.ipfrag_high_thresh", count(4_194_304)],
  ["net.ipv4.ipfrag_low_thresh", count(3_145_728)],
  ["net.ipv4.ipfrag_max_dist", count(64)],
  ["net.ipv4.ipfrag_time", count(30)],
  ["net.ipv4.ping_group_range", count(0, INT_MAX)],
  ["net.ipv4.route.gc_timeout", count(300)],
  ["net.ipv4.route.min_pmtu", integers(68, INT_MAX, 552)],
  ["net.ipv4.route.mtu_expires", count(600)],
  ["net.ipv4.tcp_abort_on_overflow", flag(0)],
  ["net.ipv4.tcp_adv_win_scale", integers(-31, 31, 1)],
  ["net.ipv4.tcp_autocorking", flag(1)],
  ["net.ipv4.tcp_base_mss", count(1024)],
  ["net.ipv4.tcp_challenge_ack_limit", count(INT_MAX)],
  ["net.ipv4.tcp_dsack", flag(1)],
  ["net.ipv4.tcp_early_retrans", integers(0, 4, 3)],
  ["net.ipv4.tcp_ecn", integers(0, 5, 2)],
  ["net.ipv4.tcp_fastopen", any(1)],
  ["net.ipv4.tcp_fin_timeout", count(60)],
  ["net.ipv4.tcp_frto", integers(0, 2, 2)],
  ["net.ipv4.tcp_invalid_ratelimit", count(500)],
  ["net.ipv4.tcp_keepalive_intvl", integers(1, 32_767, 75)],
  ["net.ipv4.tcp_keepalive_probes", integers(1, 127, 9)],
  ["net.ipv4.tcp_keepalive_time", integers(1, 32_767, 7200)],
  ["net.ipv4.tcp_max_syn_backlog", count(512)],
  ["net.ipv4.tcp_max_tw_buckets", count(32_768)],
  ["net.ipv4.tcp_mem", count(190_000, 253_000, 380_000)],
  ["net.ipv4.tcp_min_rtt_wlen", integers(0, 86_400, 300)],
  ["net.ipv4.tcp_min_snd_mss", integers(40, 65_535, 48)],
  ["net.ipv4.tcp_moderate_rcvbuf", flag(1)],
  ["net.ipv4.tcp_mtu_probing", integers(0, 2, 0)],
  ["net.ipv4.tcp_no_metrics_save", flag(0)],
  ["net.ipv4.tcp_orphan_retries", byte(0)],
  ["net.ipv4.tcp_recovery", byte(1)],
  ["net.ipv4.tcp_reordering", integers(1, 300, 3)],
  ["net.ipv4.tcp_retrans_collapse", flag(1)],
  ["net.ipv4.tcp_retries1", byte(3)],
  ["net.ipv4.tcp_retries2", byte(15)],
  ["net.ipv4.tcp_rfc1337", flag(0)],
  ["net.ipv4.tcp_rmem", integers(1, INT_MAX, 4096, 131_072, 6_291_456)],
  ["net.ipv4.tcp_sack", flag(1)],
  ["net.ipv4.tcp_slow_start_after_idle", flag(1)],
  ["net.ipv4.tcp_stdurg", flag(0)],
  ["net.ipv4.tcp_syn_linear_timeouts", integers(0, 127, 4)],
  ["net.ipv4.tcp_syn_retries", integers(1, 127, 6)],
  ["net.ipv4.tcp_synack_retries", byte(5)],
  ["net.ipv4.tcp_syncookies", integers(0, 2, 1)],
  ["net.ipv4.tcp_thin_linear_timeouts", flag(0)],
  ["net.ipv4.tcp_timestamps", integers(0, 2, 1)],
  ["net.ipv4.tcp_tw_reuse", integers(0, 2, 2)],
  ["net.ipv4.tcp_window_scaling", flag(1)],
  ["net.ipv4.tcp_wmem", integers(1, INT_MAX, 4096, 16_384, 4_194_304)],
  ["net.ipv4.udp_rmem_min", count(4096)],
  ["net.ipv4.udp_wmem_min", count(4096)],
  ["net.ipv4.vs.am_droprate", any(10)],
  ["net.ipv4.vs.amemthresh", any(1024)],
  ["net.ipv4.vs.backup_only", any(0)],
  ["net.ipv4.vs.cache_bypass", any(0)],
  ["net.ipv4.vs.conn_reuse_mode", any(1)],
  ["net.ipv4.vs.conntrack", any(0)],
  ["net.ipv4.vs.drop_entry", any(0)],
  ["net.ipv4.vs.drop_packet", any(0)],
  ["net.ipv4.vs.expire_nodest_conn", any(0)],
  ["net.ipv4.vs.expire_quiescent_template", any(0)],
  ["net.ipv4.vs.ignore_tunneled", any(0)],
  ["net.ipv4.vs.nat_icmp_send", any(0)],
  ["net.ipv4.vs.pmtu_disc", any(1)],
  ["net.ipv4.vs.run_estimation", any(1)],
  ["net.ipv4.vs.schedule_icmp", any(0)],
  ["net.ipv4.vs.secure_tcp", any(0)],
  ["net.ipv4.vs.sloppy_sctp", any(0)],
  ["net.ipv4.vs.sloppy_tcp", any(0)],
  ["net.ipv4.vs.snat_reroute", any(1)],
  ["net.ipv4.vs.sync_persist_mode", any(0)],
  ["net.ipv4.vs.sync_ports", any(1)],
  ["net.ipv4.vs.sync_qlen_max", count(15_209)],
  ["net.ipv4.vs.sync_refresh_period", any(0)],
  ["net.ipv4.vs.sync_retries", any(0)],
  ["net.ipv4.vs.sync_sock_size", any(0)],
  ["net.ipv4.vs.sync_threshold", any(3, 50)],
  ["net.ipv4.vs.sync_version", any(1)],
  ["net.netfilter.nf_conntrack_acct", flag(0)],
  ["net.netfilter.nf_conntrack_generic_timeout", count(600)],
  ["net.netfilter.nf_conntrack_icmp_timeout", count(30)],
  ["net.netfilter.nf_conntrack_max", count(262_144)],
  ["net.netfilter.nf_conntrack_tcp_be_liberal", flag(0)],
  ["net.netfilter.nf_conntrack_tcp_ignore_invalid_rst", flag(0)],
  ["net.netfilter.nf_conntrack_tcp_loose", flag(1)],
  ["net.netfilter.nf_conntrack_tcp_max_retrans", byte(3)],
  ["net.netfilter.nf_conntrack_tcp_timeout_close", count(10)],
  ["net.netfilter.nf_conntrack_tcp_timeout_close_wait", count(60)],
  ["net.netfilter.nf_conntrack_tcp_timeout_established", count(432_000)],
  ["net.netfilter.nf_conntrack_tcp_timeout_fin_wait", count(120)],
  ["net.netfilter.nf_conntrack_tcp_timeout_last_ack", count(30)],
  ["net.netfilter.nf_conntrack_tcp_timeout_max_retrans", count(300)],
  ["net.netfilter.nf_conntrack_tcp_timeout_syn_recv", count(60)],
  ["net.netfilter.nf_conntrack_tcp_timeout_syn_sent", count(120)],
  ["net.netfilter.nf_conntrack_tcp_timeout_time_wait", count(120)],
  ["net.netfilter.nf_conntrack_tcp_timeout_unacknowledged", count(300)],
  ["net.netfilter.nf_conntrack_udp_timeout", count(30)],
  ["net.netfilter.nf_conntrack_udp_timeout_stream", count(120)],
]);

/** `net.ipv4.conf.<all, default or a device>.` */
export const DEVICE_KEYS: ReadonlyMap<string, SysctlKey> = new Map([
  ["accept_local", any(0)],
  ["accept_redirects", any(1)],
  ["accept_source_route", any(1)],
  ["arp_accept", any(0)],
  ["arp_announce", any(0)],
  ["arp_evict_nocarrier", any(1)],
  ["arp_filter", any(0)],
  ["arp_ignore", any(0)],
  ["arp_notify", any(0)],
  ["bc_forwarding", any(0)],
  ["bootp_relay", any(0)],
  ["disable_policy", any(0)],
  ["disable_xfrm", any(0)],
  ["drop_gratuitous_arp", any(0)],
  ["drop_unicast_in_l2_multicast", any(0)],
  ["force_igmp_version", any(0)],
  ["forwarding", any(0)],
  ["igmpv2_unsolicited_report_interval", any(10_000)],
  ["igmpv3_unsolicited_report_interval", any(1_000)],
  ["ignore_routes_with_linkdown", any(0)],
  ["log_martians", any(0)],
  ["mc_forwarding", any(0)],
  ["medium_id", any(0)],
  ["promote_secondaries", any(0)],
  ["proxy_arp", any(0)],
  ["proxy_arp_pvlan", any(0)],
  ["route_localnet", any(0)],
  ["rp_filter", any(0)],
  ["secure_redirects", any(1)],
  ["send_redirects", any(1)],
  ["shared_media", any(1)],
  ["src_valid_mark", any(0)],
  ["tag", any(0)],
]);

/** Where `conf.all` begins with another value than `conf.default`. */
export const ALL_DEFAULTS: ReadonlyMap<string, number> = new Map([["accept_source_route", 0]]);

/** `net.ipv4.neigh.<default or a device>.`; locktime and the like count hundredths of a second. */
export const NEIGHBOUR_KEYS: ReadonlyMap<string, SysctlKey> = new Map([
  ["anycast_delay", count(100)],
  ["app_solicit", count(0)],
  ["base_reachable_time", count(30)],
  ["base_reachable_time_ms", count(30_000)],
  ["delay_first_probe_time", count(5)],
  ["gc_stale_time", count(60)],
  ["interval_probe_time_ms", integers(1, INT_MAX, 5_000)],
  ["locktime", count(100)],
  ["mcast_resolicit", count(0)],
  ["mcast_solicit", count(3)],
  ["proxy_delay", count(80)],
  ["proxy_qlen", count(64)],
  ["retrans_time", count(100)],
  ["retrans_time_ms", count(1_000)],
  ["ucast_solicit", count(3)],
  ["unres_qlen", count(101)],
  ["unres_qlen_bytes", count(212_992)],
]);

/** `net.ipv4.neigh.default.` alone has these. */
export const NEIGHBOUR_TABLE_KEYS: ReadonlyMap<string, SysctlKey> = new Map([
  ["gc_interval", count(30)],
  ["gc_thresh1", count(128)],
  ["gc_thresh2", count(512)],
  ["gc_thresh3", count(1_024)],
]);
