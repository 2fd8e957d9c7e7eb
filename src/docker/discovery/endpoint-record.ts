/**
 * What the swarm's nodes tell each other of an endpoint beside its place: names, service, virtual address, published ports. libnetwork agent.proto, in
 * networkdb's table `endpoint_table` under the endpoint's id.
 */
import { formatIpv4, type Ipv4Address, parseIpv4 } from "../../wire/address.ts";
import { choice, flag, message, repeated, text, texts, uint } from "../../wire/protobuf-message.ts";
import type { IngressPort } from "../load-balancer/ingress-port.ts";

export const ENDPOINT_TABLE = "endpoint_table";

export interface EndpointRecord {
  /** The container's. */
  readonly name: string;
  readonly serviceName: string;
  /** Empty: a plain container on an attachable network. */
  readonly serviceId: string;
  /** Undefined: the service has none on this network, its names stand for its tasks. */
  readonly virtualAddress: Ipv4Address | undefined;
  readonly address: Ipv4Address;
  /** On the ingress network only. */
  readonly ports: readonly IngressPort[];
  readonly aliases: readonly string[];
  /** Other names of this one container: its short id, its host name, its own aliases. */
  readonly taskAliases: readonly string[];
  /** The task was told to stop: no new connections. */
  readonly isDisabled: boolean;
}

const PORT = message({
  name: text(1),
  protocol: choice(2, ["tcp", "udp", "sctp"]),
  targetPort: uint(3),
  publishedPort: uint(4),
});
const RECORD = message({
  name: text(1),
  serviceName: text(2),
  serviceId: text(3),
  virtualAddress: text(4),
  address: text(5),
  ports: repeated(6, PORT),
  aliases: texts(7),
  taskAliases: texts(8),
  isDisabled: flag(9),
});
/** Go's text for an address that is none. */
const NO_ADDRESS = "<nil>";
const MOST_PORT = 0xffff;

export function emit(record: EndpointRecord): Uint8Array {
  const { virtualAddress, address } = record;
  return RECORD.emit({
    ...record,
    virtualAddress: virtualAddress === undefined ? NO_ADDRESS : formatIpv4(virtualAddress),
    address: formatIpv4(address),
  });
}

/** Undefined: no such record; it needs a name and an address. */
export function parse(bytes: Uint8Array): EndpointRecord | undefined {
  const record = RECORD.parse(bytes);
  const address = parseIpv4(record?.address ?? "");
  if (record === undefined || record.name === "" || address === undefined) return undefined;
  if (record.ports.some((port) => port.targetPort > MOST_PORT || port.publishedPort > MOST_PORT)) return undefined;
  return { ...record, virtualAddress: parseIpv4(record.virtualAddress), address };
}

/** Whether both say the same, disabled or not. */
export function areEquivalent(one: EndpointRecord, other: EndpointRecord): boolean {
  return (
    one.name === other.name &&
    one.serviceName === other.serviceName &&
    one.serviceId === other.serviceId &&
    one.virtualAddress === other.virtualAddress &&
    one.address === other.address &&
    haveSame(one.ports.map(portText), other.ports.map(portText)) &&
    haveSame(one.aliases, other.aliases) &&
    haveSame(one.taskAliases, other.taskAliases)
  );
}

function portText(port: IngressPort): string {
  return `${port.publishedPort} ${port.protocol} ${port.targetPort} ${port.name}`;
}

function haveSame(one: readonly string[], other: readonly string[]): boolean {
  if (one.length !== other.length) return false;
  const sorted = [...other].sort();
  return [...one].sort().every((value, index) => value === sorted[index]);
}
