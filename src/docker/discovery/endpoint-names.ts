/** The names that an endpoint brings to its network and takes with it, libnetwork service_common.go. */
import type { Ipv4Address } from "../../wire/address.ts";
import type { ServiceRecords } from "../resolver/service-records.ts";
import type { EndpointRecord } from "./endpoint-record.ts";

/** The container's own: its name, and those beside it. Only the first is what its address goes back to. */
export function addContainer(names: ServiceRecords, endpointId: string, record: EndpointRecord): void {
  const { name, address, taskAliases } = record;
  names.add(name, address, endpointId);
  names.addReverse(address, name);
  for (const alias of taskAliases) names.add(alias, address, endpointId);
}

export function removeContainer(names: ServiceRecords, endpointId: string, record: EndpointRecord): void {
  const { name, address, taskAliases } = record;
  names.remove(name, address, endpointId);
  names.removeReverse(address, name);
  for (const alias of taskAliases) names.remove(alias, address, endpointId);
}

/** `isFirst`: it is the first of its service on the network, and brings the virtual address. */
export function addTask(names: ServiceRecords, endpointId: string, record: EndpointRecord, isFirst: boolean): void {
  addContainer(names, endpointId, record);
  const { serviceId, address, virtualAddress } = record;
  const add = (name: string, target: Ipv4Address): boolean => names.add(name, target, serviceId);
  for (const name of serviceNames(record)) {
    add(`tasks.${name}`, address);
    if (virtualAddress === undefined) add(name, address);
    else if (isFirst) add(name, virtualAddress);
  }
}

/** `isLast`: the virtual address goes too. `isShared`: another endpoint has the same address still, which is then left in place. */
export function removeTask(
  names: ServiceRecords,
  endpointId: string,
  record: EndpointRecord,
  isLast: boolean,
  isShared: boolean,
): void {
  removeContainer(names, endpointId, record);
  if (isShared) return;
  const { serviceId, address, virtualAddress } = record;
  for (const name of serviceNames(record)) {
    names.remove(`tasks.${name}`, address, serviceId);
    if (virtualAddress === undefined) names.remove(name, address, serviceId);
    else if (isLast) names.remove(name, virtualAddress, serviceId);
  }
}

function serviceNames({ serviceName, aliases }: EndpointRecord): readonly string[] {
  return [serviceName, ...aliases];
}
