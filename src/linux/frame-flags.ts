/**
 * The bits of `FrameStore.flags`: what one host knows of a packet on its way through, Linux's `skb->pkt_type` and `IPCB(skb)->flags`.
 * The namespace sets the lowest four afresh when a frame reaches its protocols; links clear them all.
 */

/** The frame came to a link-layer group address (PACKET_BROADCAST, PACKET_MULTICAST): no ICMP error answers it, nobody forwards it. */
export const FRAME_FLAG_GROUP = 1;
/** Set by a bridge that takes a frame in for its own device though the address is one of its ports': PACKET_HOST all the same. */
export const FRAME_FLAG_FOR_HOST = 2;
/** The packet is on its way through (IPSKB_FORWARDED). */
export const FRAME_FLAG_FORWARDED = 4;
/** The next packets to this destination should take another gateway (IPSKB_DOREDIRECT). */
export const FRAME_FLAG_REDIRECT = 8;
/** The load balancer chose the destination (`skb->ipvs_property`): what `-m ipvs --ipvs` looks at. */
export const FRAME_FLAG_IPVS = 128;
/** IPsec took protection off the packet (`skb_sec_path`): what `-m policy --dir in --pol ipsec` looks at. */
export const FRAME_FLAG_SECURED = 32;
/** br_netfilter has shown the packet to PREROUTING: the IPv4 code does not do so again (`ip_sabotage_in`). */
export const FRAME_FLAG_BRIDGED = 64;
/** This host does not hear this multicast of its own (IP_MULTICAST_LOOP off). */
export const FRAME_FLAG_NO_LOOP = 16;
