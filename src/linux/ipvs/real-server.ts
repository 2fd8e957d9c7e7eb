/** A real server of a virtual service: where connections are sent (struct ip_vs_dest). */
import type { Ipv4Address } from "../../wire/address.ts";
import { IpvsStatistics } from "./statistics.ts";

/** Address translation, direct routing, IP in IP: `-m`, `-g`, `-i`. */
export type ForwardingMethod = "masquerade" | "route" | "tunnel";

export interface RealServerRequest {
  readonly address: Ipv4Address;
  /** 0: the port that the client asked for. */
  readonly port: number;
  readonly method: ForwardingMethod;
  /** 0: no new connections. */
  readonly weight: number;
  /** Above so many connections no new ones; 0: no limit. */
  readonly upperThreshold: number;
  /** Below so many new ones again; 0: below three quarters of the upper threshold. */
  readonly lowerThreshold: number;
}

/** The service that a server stands behind, as far as a server cares: its packets count there too. */
export interface CountingService {
  readonly statistics: IpvsStatistics;
}

export class RealServer {
  readonly address: Ipv4Address;
  readonly port: number;
  method: ForwardingMethod;
  weight: number;
  upperThreshold: number;
  lowerThreshold: number;
  /** undefined: it was removed; its connections still hold it. */
  service: CountingService | undefined = undefined;
  overloaded = false;
  activeConnections = 0;
  inactiveConnections = 0;
  persistentConnections = 0;
  readonly statistics = new IpvsStatistics();

  constructor(request: RealServerRequest) {
    this.address = request.address;
    this.port = request.port;
    this.method = request.method;
    this.weight = request.weight;
    this.upperThreshold = request.upperThreshold;
    this.lowerThreshold = request.lowerThreshold;
  }

  change(request: RealServerRequest): void {
    this.method = request.method;
    this.weight = request.weight;
    if (request.upperThreshold === 0 || request.upperThreshold > this.upperThreshold) this.overloaded = false;
    this.upperThreshold = request.upperThreshold;
    this.lowerThreshold = request.lowerThreshold;
  }

  get available(): boolean {
    return this.service !== undefined;
  }

  /** May a scheduler choose it? */
  get eligible(): boolean {
    return this.weight > 0 && !this.overloaded;
  }

  get connections(): number {
    return this.activeConnections + this.inactiveConnections;
  }

  connectionAdded(): void {
    if (this.upperThreshold !== 0 && this.connections >= this.upperThreshold) this.overloaded = true;
  }

  connectionGone(): void {
    if (this.lowerThreshold !== 0) {
      if (this.connections < this.lowerThreshold) this.overloaded = false;
    } else if (this.upperThreshold === 0 || this.connections * 4 < this.upperThreshold * 3) this.overloaded = false;
  }
}
