/** Where a run finds those that its steps speak of, however they came to be. */
import type { Host } from "../commands/host.ts";
import type { Place } from "../linux/frame-store.ts";
import type { NetDevice } from "../linux/net-device.ts";
import type { Ipv4Address } from "../wire/address.ts";
import type { LinkPlan } from "./faults.ts";

/** A host under the name that the scenario knows it by. */
export interface NamedHost {
  readonly name: string;
  readonly host: Host;
}

export interface Hosts extends LinkPlan {
  readonly problems: readonly string[];
  /** Where `setup:` lines run. */
  readonly setupMachine: Host | undefined;
  /** A machine, a container, a namespace; several where `name` is a pattern (`web.*`); none when there is nothing. */
  find(name: string): readonly NamedHost[];
  /** By the names that people know them by. */
  all(): ReadonlyMap<string, Host>;
  /** Every device of every namespace, in the order in which the namespaces were made. */
  devices(): NetDevice[];
  isUnderlay(device: NetDevice): boolean;
  /** An interface as people know it, `c1/eth0`, `node1/app/vxlan0`, or a namespace. */
  placeOf(where: Place): string;
  /** Addresses with the names that people know them by, as far as they are known now. */
  names(): Iterable<[Ipv4Address, string]>;
  /** What `seenFrom` would type to reach `name`: an address, or a name that it can look up itself. */
  addressOf(name: string, seenFrom: NamedHost): string | undefined;
}
