/** Ports of a host that lead into a container: as asked for, and as they came to be. */
import { formatIpv4, type Ipv4Address } from "../../wire/address.ts";

export type PortProtocol = "tcp" | "udp" | "sctp";

/** `-p [address:][hostPort[-end]:]containerPort[/protocol]`, `--publish mode=host,...`. */
export interface PortBinding {
  readonly protocol: PortProtocol;
  readonly containerPort: number;
  /** Undefined: any address of the host. */
  readonly hostAddress?: Ipv4Address | undefined;
  /** Undefined or 0: a free one of the host's ephemeral range. */
  readonly hostPort?: number | undefined;
  /** The last of a range to choose from, which `hostPort` begins. */
  readonly hostPortEnd?: number | undefined;
}

export interface PublishedPort {
  readonly protocol: PortProtocol;
  readonly containerPort: number;
  readonly hostAddress: Ipv4Address;
  readonly hostPort: number;
}

/** `0.0.0.0:8080`. */
export function formatHostPort(port: { readonly hostAddress: Ipv4Address; readonly hostPort: number }): string {
  return `${formatIpv4(port.hostAddress)}:${port.hostPort}`;
}
