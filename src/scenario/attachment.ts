/** A container's place on a network, from either way of writing it. */
import type { Ipv4Address, MacAddress } from "../wire/address.ts";

export interface Attachment {
  /** The network's name. */
  readonly name: string;
  readonly address?: Ipv4Address;
  readonly mac?: MacAddress;
  /** Further names in the network. */
  readonly aliases?: readonly string[];
}

/** A container's networks, in the order of its interfaces. */
export function attachmentsOf(
  networks: readonly string[] | ReadonlyMap<string, Omit<Attachment, "name">> | undefined,
): readonly Attachment[] {
  if (networks === undefined) return [];
  if (Array.isArray(networks)) return networks.map((name: string) => ({ name }));
  return [...(networks as ReadonlyMap<string, Omit<Attachment, "name">>)].map(([name, attachment]) => ({
    name,
    ...attachment,
  }));
}
