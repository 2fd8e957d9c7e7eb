/**
 * What the embedded resolver asks: the names that one sandbox can resolve without anybody's help (libnetwork's DNSBackend). A network keeps its
 * names in ServiceRecords; SandboxNames puts the networks of a sandbox in order.
 */
import type { Ipv4Address } from "../../wire/address.ts";

export type AddressFamily = "ipv4" | "ipv6";

/**
 * `"known-without-address"`: somebody has the name, but no address of that family: an empty answer, which is not forwarded. Undefined: nobody here has
 * the name.
 */
export type NameAnswer = { readonly addresses: readonly Ipv4Address[] } | "known-without-address" | undefined;

/** One target of a service that was asked for as `_port._protocol.service`, RFC 2782. */
export interface ServiceTarget {
  readonly target: string;
  readonly port: number;
  readonly address: Ipv4Address;
}

/** Names are without the final dot and compared without regard to case. */
export interface NameSource {
  lookUp(name: string, family: AddressFamily): NameAnswer;
  /** `container.network` of an address; undefined: nobody's here, or a virtual one. */
  reverse(address: Ipv4Address): string | undefined;
  serviceTargets(name: string): readonly ServiceTarget[];
  /** An outer server gave this address for this name: its reverse name is no longer ours to tell. */
  resolvedOutside(name: string, address: Ipv4Address): void;
}

/** The names of one network, as far as this node knows them. */
export interface NetworkNames {
  readonly networkName: string;
  /** Overlays of the swarm are asked first, then the ingress network, then those of this node alone. */
  readonly rank: "swarm" | "ingress" | "local";
  readonly names: NameSource;
}
