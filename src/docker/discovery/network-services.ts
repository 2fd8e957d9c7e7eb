/** The services of a network as gossip tells of them, for `docker network inspect --verbose`: libnetwork's Network.Services. */
import type { Entry } from "../../gossip/table-store.ts";
import { formatIpv4, type Ipv4Address } from "../../wire/address.ts";
import type { EndpointRecord } from "./endpoint-record.ts";
import * as endpointRecord from "./endpoint-record.ts";
import * as peerRecord from "./peer-record.ts";

export interface NetworkService {
  /** `10.0.1.2`, or `<nil>`. */
  readonly virtualAddress: string;
  /** `Target: 80, Publish: 8080`. */
  readonly ports: readonly string[];
  /** This node's mark for it; 0: it has none. */
  readonly localIndex: number;
  readonly tasks: readonly NetworkTask[];
}

export interface NetworkTask {
  readonly name: string;
  readonly endpointId: string;
  readonly address: Ipv4Address;
  /** Where it runs: its node's VTEP; undefined while that has not been told. */
  readonly host: Ipv4Address | undefined;
}

/** By name; plain containers stand together under the empty one. In the order of the names, and of the endpoints' identifiers. */
export function networkServices(
  entries: readonly Entry[],
  markOf: (record: EndpointRecord) => number,
): ReadonlyMap<string, NetworkService> {
  const hosts = new Map<string, Ipv4Address>();
  for (const { table, key, value } of entries) {
    const peer = table === peerRecord.PEER_TABLE ? peerRecord.parse(value) : undefined;
    if (peer !== undefined) hosts.set(key, peer.vtep);
  }
  const services = new Map<string, NetworkService & { readonly tasks: NetworkTask[] }>();
  for (const { table, key, value } of entries) {
    const record = table === endpointRecord.ENDPOINT_TABLE ? endpointRecord.parse(value) : undefined;
    if (record === undefined) continue;
    let service = services.get(record.serviceName);
    if (service === undefined) {
      const { virtualAddress, ports } = record;
      service = {
        virtualAddress: virtualAddress === undefined ? "<nil>" : formatIpv4(virtualAddress),
        ports: ports.map(({ targetPort, publishedPort }) => `Target: ${targetPort}, Publish: ${publishedPort}`),
        localIndex: markOf(record),
        tasks: [],
      };
      services.set(record.serviceName, service);
    }
    service.tasks.push({ name: record.name, endpointId: key, address: record.address, host: hosts.get(key) });
  }
  return new Map([...services].sort(([one], [other]) => (one < other ? -1 : 1)));
}
