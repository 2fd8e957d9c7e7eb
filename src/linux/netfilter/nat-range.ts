/** What a rule allows a connection's tuple to become (struct nf_nat_range2). */
export type Manipulation = "source" | "destination";

/** What a tuple may become. Addresses and ports are inclusive; undefined: as they are. */
export interface NatRange {
  readonly minimumAddress?: number;
  readonly maximumAddress?: number;
  /** Ports, or ICMP ids. */
  readonly minimumPort?: number;
  readonly maximumPort?: number;
  /** `--random`, `--random-fully`: do not try to keep the port. */
  readonly random?: boolean;
  /** `--persistent`: the address chosen depends on the client alone. */
  readonly persistent?: boolean;
  /** The first of the original ports that a shifted range maps (DNAT `to:1000-2000/5000`). */
  readonly basePort?: number;
  /** NETMAP: the host part stays. */
  readonly netmapMask?: number;
}
