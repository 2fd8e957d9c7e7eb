/** A virtual service: an address and port, or a firewall mark, behind which real servers stand (struct ip_vs_service). */
import { assert } from "../../sim/assert.ts";
import type { Ipv4Address } from "../../wire/address.ts";
import type { RealServer, RealServerRequest } from "./real-server.ts";
import { makeScheduler, type Scheduler, type SchedulerName } from "./scheduler.ts";
import { IpvsStatistics } from "./statistics.ts";

/** What names a service: a mark other than 0, or protocol, address and port (0: any port, for persistent services). */
export interface ServiceKey {
  readonly mark: number;
  readonly protocol: number;
  readonly address: Ipv4Address;
  readonly port: number;
}

export interface ServiceOptions {
  readonly scheduler: SchedulerName;
  /** How long a client stays with its server, in seconds; undefined: not at all. */
  readonly persistentSeconds: number | undefined;
  /** Clients that agree in these bits are one. */
  readonly clientMask: number;
  /** `--ops`: every datagram is a connection of its own. */
  readonly onePacket: boolean;
}

export class VirtualService {
  readonly key: ServiceKey;
  options: ServiceOptions;
  readonly statistics = new IpvsStatistics();
  /** In the kernel's order: the one added last in front. */
  #servers: RealServer[] = [];
  #scheduler: Scheduler;

  constructor(key: ServiceKey, options: ServiceOptions) {
    this.key = key;
    this.options = options;
    this.#scheduler = makeScheduler(options.scheduler);
  }

  get servers(): readonly RealServer[] {
    return this.#servers;
  }

  edit(options: ServiceOptions): void {
    if (options.scheduler !== this.options.scheduler) {
      this.#scheduler = makeScheduler(options.scheduler);
      this.#scheduler.changed(this.#servers, undefined, -1);
    }
    this.options = options;
  }

  find(address: Ipv4Address, port: number): RealServer | undefined {
    return this.#servers.find((server) => server.address === address && server.port === port);
  }

  /** `server` is not among them: the caller has asked. */
  add(server: RealServer): void {
    assert(this.find(server.address, server.port) === undefined, "a real server twice");
    server.service = this;
    this.#servers = [server, ...this.#servers];
    this.#scheduler.changed(this.#servers, undefined, -1);
  }

  change(server: RealServer, request: RealServerRequest): void {
    server.change(request);
    this.#scheduler.changed(this.#servers, undefined, -1);
  }

  remove(server: RealServer): void {
    const index = this.#servers.indexOf(server);
    server.service = undefined;
    this.#servers = this.#servers.filter((other) => other !== server);
    this.#scheduler.changed(this.#servers, server, index);
  }

  choose(clientAddress: number, virtualAddress: number): RealServer | undefined {
    return this.#scheduler.choose(this.#servers, clientAddress, virtualAddress);
  }
}
