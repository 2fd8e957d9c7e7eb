/** What many objects of the swarm have in common (swarmkit api/types.proto and objects.proto): the numbers of the fields are swarmkit's. */
import { type Nanoseconds, SECOND } from "../../sim/time.ts";
import {
  choice,
  embedded,
  type Field,
  type MessageOf,
  mapped,
  message,
  optional,
  repeated,
  text,
  textMap,
  uint,
} from "../../wire/protobuf-message.ts";

/** Virtual time 0 on the wire: 2026-01-01T00:00:00Z, where a run's wall clock starts unless a scenario says otherwise. */
const EPOCH_SECONDS = 1_767_225_600;

const secondsAndNanos = message({ seconds: uint(1), nanos: uint(2) });

/** `google.protobuf.Timestamp`; in the program virtual time, undefined when absent. */
export function timestamp(number: number): Field<Nanoseconds | undefined> {
  return mapped(
    optional(number, secondsAndNanos),
    (timeNs: Nanoseconds | undefined) =>
      timeNs === undefined
        ? undefined
        : { seconds: EPOCH_SECONDS + Math.floor(timeNs / SECOND), nanos: timeNs % SECOND },
    (wire) => (wire === undefined ? undefined : (wire.seconds - EPOCH_SECONDS) * SECOND + wire.nanos),
  );
}

/** `google.protobuf.Duration`; undefined when absent. */
export function duration(number: number): Field<Nanoseconds | undefined> {
  return mapped(
    optional(number, secondsAndNanos),
    (timeNs: Nanoseconds | undefined) =>
      timeNs === undefined ? undefined : { seconds: Math.floor(timeNs / SECOND), nanos: timeNs % SECOND },
    (wire) => (wire === undefined ? undefined : wire.seconds * SECOND + wire.nanos),
  );
}

export const versionShape = message({ index: uint(1) });
/** When an object was last written: the index of raft's log. An update that names another is out of sequence. */
export type Version = MessageOf<typeof versionShape>;

export const metaShape = message({
  version: embedded(1, versionShape),
  createdAt: timestamp(2),
  updatedAt: timestamp(3),
});
export type Meta = MessageOf<typeof metaShape>;

export const annotationsShape = message({ name: text(1), labels: textMap(2) });
export type Annotations = MessageOf<typeof annotationsShape>;

/** CPUs in billionths, memory in bytes. */
export const resourcesShape = message({ nanoCpus: uint(1), memoryBytes: uint(2) });
export type Resources = MessageOf<typeof resourcesShape>;

export const resourceRequirementsShape = message({
  limits: optional(1, resourcesShape),
  reservations: optional(2, resourcesShape),
});

export const platformShape = message({ architecture: text(1), os: text(2) });

export const driverShape = message({ name: text(1), options: textMap(2) });
export type Driver = MessageOf<typeof driverShape>;

export const ipamConfigShape = message({
  family: choice(1, ["unknown", "ipv4", "ipv6"]),
  subnet: text(2),
  range: text(3),
  gateway: text(4),
  reserved: textMap(5),
});
export type IpamConfig = MessageOf<typeof ipamConfigShape>;
export const ipamOptionsShape = message({ driver: optional(1, driverShape), configs: repeated(3, ipamConfigShape) });

export const portConfigShape = message({
  name: text(1),
  protocol: choice(2, ["tcp", "udp", "sctp"]),
  targetPort: uint(3),
  /** 0: the manager chooses (ingress), or the node (host). */
  publishedPort: uint(4),
  publishMode: choice(5, ["ingress", "host"]),
});
export type PortConfig = MessageOf<typeof portConfigShape>;

export const endpointSpecShape = message({ mode: choice(1, ["vip", "dnsrr"]), ports: repeated(2, portConfigShape) });
export type EndpointSpec = MessageOf<typeof endpointSpecShape>;

/** `address` with its prefix length: 10.0.1.2/24. */
export const virtualIpShape = message({ networkId: text(1), address: text(2) });
export type VirtualIp = MessageOf<typeof virtualIpShape>;

export const endpointShape = message({
  spec: optional(1, endpointSpecShape),
  ports: repeated(2, portConfigShape),
  virtualIps: repeated(3, virtualIpShape),
});
export type Endpoint = MessageOf<typeof endpointShape>;
