/**
 * What a namespace speaks: IPv4 with ICMP, IGMP, UDP and ARP beside it. Made for the first packet, socket or hook: a container that nobody has
 * talked to has none.
 */
import * as ipv4 from "../wire/ipv4.ts";
import { Arp } from "./arp.ts";
import { Icmp } from "./icmp.ts";
import { Igmp } from "./igmp.ts";
import { Ipv4 } from "./ipv4.ts";
import { Ipv4Core, type Ipv4Parts, type ProtocolHandler } from "./ipv4-core.ts";

import { Udp } from "./udp.ts";

export class Protocols {
  readonly core: Ipv4Core;
  readonly ipv4: Ipv4;
  readonly icmp: Icmp;
  readonly igmp: Igmp;
  readonly udp: Udp;
  readonly arp: Arp;

  /** `tcp` has the place of TCP until that takes it itself. */
  constructor(parts: Ipv4Parts, tcp: ProtocolHandler) {
    this.core = new Ipv4Core(parts);
    this.ipv4 = new Ipv4(this.core);
    this.icmp = new Icmp(this.core, this.ipv4);
    this.igmp = new Igmp(this.core, this.ipv4);
    this.udp = new Udp(this.core, this.ipv4);
    this.ipv4.registerProtocol(ipv4.PROTOCOL_TCP, tcp);
    this.arp = new Arp(this.core);
  }
}
