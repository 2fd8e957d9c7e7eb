/** A port that a service publishes on every node of the swarm: libnetwork's PortConfig (agent.proto). */
export type PortProtocol = "tcp" | "udp" | "sctp";

export interface IngressPort {
  readonly name: string;
  readonly protocol: PortProtocol;
  /** Where the task listens. */
  readonly targetPort: number;
  /** Where every node listens. */
  readonly publishedPort: number;
}

/** What makes a list of ports the same list: bindings are kept by it. */
export function portsKey(ports: readonly IngressPort[]): string {
  return ports
    .map((port) => `${port.publishedPort}/${port.protocol} ${port.targetPort} ${port.name}`)
    .sort()
    .join(", ");
}
