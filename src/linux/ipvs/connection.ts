/** A connection that the load balancer has given to a server, or the template that keeps a client's connections together (struct ip_vs_conn). */
import type { Nanoseconds } from "../../sim/time.ts";
import type { ForwardingMethod, RealServer } from "./real-server.ts";
import { TCP_STATE_NAMES } from "./tcp-state.ts";

const UDP = 17;

/** Who talks to whom, and through which address. A template's client port is 0, and its protocol and virtual address may be the mark's. */
export interface ConnectionEnds {
  readonly protocol: number;
  readonly clientAddress: number;
  readonly clientPort: number;
  readonly virtualAddress: number;
  readonly virtualPort: number;
}

export class IpvsConnection implements ConnectionEnds {
  readonly protocol: number;
  readonly clientAddress: number;
  readonly clientPort: number;
  readonly virtualAddress: number;
  readonly virtualPort: number;
  readonly server: RealServer;
  readonly serverPort: number;
  readonly method: ForwardingMethod;
  /** One that only remembers a choice: no packets are its own. */
  readonly template: boolean;
  /** The template that it was made by. */
  readonly controller: IpvsConnection | undefined;
  /** How many connections this template has made that still live. */
  controlled = 0;
  state = 0;
  timeoutNs: Nanoseconds = 3_000_000_000;
  expiresNs: Nanoseconds = 0;
  /** Counted among its server's inactive ones. */
  inactive = true;
  /** Answers have not been seen: the server sends them past us. */
  noOutput: boolean;
  /** net.ipv4.vs.conntrack was on at its birth: the firewall follows it. */
  tracked: boolean;
  /** It ends with the packet that began it. */
  readonly onePacket: boolean;
  // For the table alone.
  id = -1;
  eventNs: Nanoseconds = -1;
  nextByClient: IpvsConnection | undefined = undefined;
  nextByServer: IpvsConnection | undefined = undefined;

  constructor(
    ends: ConnectionEnds,
    server: RealServer,
    serverPort: number,
    options: { template: boolean; controller: IpvsConnection | undefined; tracked: boolean; onePacket: boolean },
  ) {
    this.protocol = ends.protocol;
    this.clientAddress = ends.clientAddress;
    this.clientPort = ends.clientPort;
    this.virtualAddress = ends.virtualAddress;
    this.virtualPort = ends.virtualPort;
    this.server = server;
    this.serverPort = serverPort;
    this.method = server.method;
    this.template = options.template;
    this.controller = options.controller;
    this.noOutput = server.method !== "masquerade";
    this.tracked = options.tracked;
    this.onePacket = options.onePacket;
  }

  /** As /proc/net/ip_vs_conn has it. */
  get stateName(): string {
    if (this.template) return "NONE";
    return this.protocol === UDP ? "UDP" : TCP_STATE_NAMES[this.state]!;
  }
}
