/** net.ipv4.vs.*, as far as this load balancer goes by them (Documentation/networking/ipvs-sysctl.rst). */
export interface IpvsSettings {
  /** The firewall tracks balanced connections, so that its rules and NAT see them. */
  readonly conntrack: boolean;
  /** What a SYN on a known connection means: 0 the same server, 1 a new choice, 2 a new choice in FIN_WAIT too. */
  readonly connReuseMode: number;
  /** A packet for a server that was taken out ends its connection, instead of being lost for as long as the connection lives. */
  readonly expireNodestConn: boolean;
  /** Persistent clients of a server of weight 0 go elsewhere. */
  readonly expireQuiescentTemplate: boolean;
  /** Connections may begin without a SYN. */
  readonly sloppyTcp: boolean;
  /** Real servers hear that their packets belong to no connection. */
  readonly natIcmpSend: boolean;
}

export function readSettings(sysctl: { number(key: string): number }): IpvsSettings {
  const read = (key: string) => sysctl.number(`net.ipv4.vs.${key}`);
  return {
    conntrack: read("conntrack") !== 0,
    connReuseMode: read("conn_reuse_mode"),
    expireNodestConn: read("expire_nodest_conn") !== 0,
    expireQuiescentTemplate: read("expire_quiescent_template") !== 0,
    sloppyTcp: read("sloppy_tcp") !== 0,
    natIcmpSend: read("nat_icmp_send") !== 0,
  };
}
