/** The virtual services of a namespace, and real servers that were removed while connections still use them: added again, they get them back. */
import type { Ipv4Address } from "../../wire/address.ts";
import type { Errno } from "../errno.ts";
import { RealServer, type RealServerRequest } from "./real-server.ts";
import { type ServiceKey, type ServiceOptions, VirtualService } from "./virtual-service.ts";

export class ServiceTable {
  readonly #byMark = new Map<number, VirtualService>();
  readonly #byAddress = new Map<string, VirtualService>();
  #services: VirtualService[] = [];
  readonly #removed: { readonly service: string; readonly server: RealServer }[] = [];

  /** In the order of their birth. */
  get list(): readonly VirtualService[] {
    return this.#services;
  }

  find(key: ServiceKey): VirtualService | undefined {
    return key.mark !== 0 ? this.#byMark.get(key.mark) : this.#byAddress.get(nameOf(key));
  }

  /** The service for a packet: by its mark, by address and port, by the address for all ports. */
  lookup(mark: number, protocol: number, address: Ipv4Address, port: number): VirtualService | undefined {
    if (mark !== 0) {
      const marked = this.#byMark.get(mark);
      if (marked !== undefined) return marked;
    }
    if (this.#byAddress.size === 0) return undefined;
    const exact = this.#byAddress.get(nameOf({ mark: 0, protocol, address, port }));
    return exact ?? this.#byAddress.get(nameOf({ mark: 0, protocol, address, port: 0 }));
  }

  /** EEXIST: there is one. */
  add(key: ServiceKey, options: ServiceOptions): Errno | undefined {
    if (this.find(key) !== undefined) return "EEXIST";
    const service = new VirtualService(key, options);
    if (key.mark !== 0) this.#byMark.set(key.mark, service);
    else this.#byAddress.set(nameOf(key), service);
    this.#services.push(service);
    return undefined;
  }

  remove(service: VirtualService): void {
    for (const server of service.servers) this.removeServer(service, server);
    if (service.key.mark !== 0) this.#byMark.delete(service.key.mark);
    else this.#byAddress.delete(nameOf(service.key));
    this.#services = this.#services.filter((other) => other !== service);
  }

  /** EEXIST: the service has it. */
  addServer(service: VirtualService, request: RealServerRequest): Errno | undefined {
    if (service.find(request.address, request.port) !== undefined) return "EEXIST";
    const name = nameOf(service.key);
    const index = this.#removed.findIndex(
      (entry) =>
        entry.service === name && entry.server.address === request.address && entry.server.port === request.port,
    );
    const known = index < 0 ? undefined : this.#removed.splice(index, 1)[0]!.server;
    known?.change(request);
    service.add(known ?? new RealServer(request));
    return undefined;
  }

  removeServer(service: VirtualService, server: RealServer): void {
    service.remove(server);
    if (server.connections + server.persistentConnections > 0)
      this.#removed.push({ service: nameOf(service.key), server });
  }

  /** A removed server has lost its last connection. */
  forget(server: RealServer): void {
    const index = this.#removed.findIndex((entry) => entry.server === server);
    if (index >= 0) this.#removed.splice(index, 1);
  }
}

function nameOf(key: ServiceKey): string {
  return key.mark !== 0 ? `mark ${key.mark}` : `${key.protocol} ${key.address} ${key.port}`;
}
