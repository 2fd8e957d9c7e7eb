/**
 * The load balancer and the firewall's memory (net/netfilter/ipvs/ip_vs_nfct.c): with vs.conntrack the answers that the firewall expects are the
 * server's, so that SNAT behind the load balancer works; without it the firewall does not know balanced packets at all.
 */
import type { Clock } from "../../sim/simulation.ts";
import type { FrameId, FrameStore } from "../frame-store.ts";
import * as info from "../netfilter/conntrack/connection-info.ts";
import { CONFIRMED } from "../netfilter/conntrack/connection-table.ts";
import { makeTuple, type Tuple } from "../netfilter/conntrack/tuple.ts";
import type { Netfilter } from "../netfilter/netfilter.ts";
import type { IpvsConnection } from "./connection.ts";

export class ConntrackLink {
  readonly #frames: FrameStore;
  readonly #clock: Clock;
  readonly #netfilter: Netfilter;
  readonly #answer: Tuple = makeTuple();
  #required = false;

  constructor(frames: FrameStore, clock: Clock, netfilter: Netfilter) {
    this.#frames = frames;
    this.#clock = clock;
    this.#netfilter = netfilter;
  }

  /** The firewall has to track connections from now on, or need not any more. */
  require(wanted: boolean): void {
    if (wanted === this.#required) return;
    this.#required = wanted;
    if (wanted) this.#netfilter.requireConntrack();
    else this.#netfilter.releaseConntrack();
  }

  /** A balanced packet is about to leave, towards the server or back. */
  follow(frame: FrameId, connection: IpvsConnection, towardsServer: boolean): void {
    if (!connection.tracked) {
      if (this.#netfilter.tracking) this.#frames.connection[frame] = info.UNTRACKED_PACKET;
      return;
    }
    if (connection.method !== "masquerade") return;
    const packed = this.#frames.connection[frame]!;
    const row = info.connectionOf(packed);
    if (row === 0 || info.directionOf(packed) !== 0 || this.knows(frame)) return;
    const answer = this.#answer;
    this.#netfilter.connections.getTuple(row * 2 + 1, answer);
    if (towardsServer) {
      answer.source = connection.server.address;
      answer.ports = (connection.serverPort << 16) | (answer.ports & 0xffff);
    } else {
      answer.destination = connection.virtualAddress;
      answer.ports = (answer.ports & ~0xffff) | connection.virtualPort;
    }
    this.#netfilter.conntrack.alterReply(row, answer);
  }

  /** Does the packet belong to a connection that the firewall knew before? Then its answers cannot be altered any more. */
  knows(frame: FrameId): boolean {
    const row = info.connectionOf(this.#frames.connection[frame]!);
    return row !== 0 && (this.#netfilter.connections.status(row) & CONFIRMED) !== 0;
  }

  /** The firewall forgets the connection with the load balancer. */
  forget(connection: IpvsConnection): void {
    const { connections } = this.#netfilter;
    const { nowNs } = this.#clock;
    const { clientAddress, clientPort, virtualAddress, virtualPort, protocol } = connection;
    const ports = (clientPort << 16) | virtualPort;
    const handle = connections.find(clientAddress, virtualAddress, ports, protocol, nowNs);
    if (handle >= 0) connections.delete(handle >> 1, nowNs);
  }
}
