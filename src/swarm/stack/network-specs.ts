/** The networks of a stack as specs (docker/cli compose/convert/compose.go): those that a service uses; others are not made. */
import { ipamConfigShape, ipamOptionsShape } from "../api/parts.ts";
import { type NetworkSpec, networkSpecShape } from "../api/specs.ts";
import type { Stack } from "./load-stack.ts";
import { labelsOf, scopedName, textMap } from "./stack-labels.ts";
import type { Structure, Value } from "./value.ts";

/** What a service without networks joins. */
export const DEFAULT_NETWORK = "default";
const DEFAULT_DRIVER = "overlay";

export interface StackNetworks {
  readonly made: readonly NetworkSpec[];
  /** Names of those that must be there before, each with the key that the stack file has it under. */
  readonly external: readonly { readonly key: string; readonly name: string }[];
}

export function stackNetworks(stack: Stack, stackName: string): StackNetworks {
  const made: NetworkSpec[] = [];
  const external: { key: string; name: string }[] = [];
  for (const key of usedNetworks(stack)) {
    const network = stack.networks.get(key) ?? {};
    const name = networkName(stack, stackName, key);
    if (network.external === true) external.push({ key, name });
    else made.push(networkSpec(network, stackName, name));
  }
  return { made, external };
}

/** What the network under `key` is called in the swarm. */
export function networkName(stack: Stack, stackName: string, key: string): string {
  return (stack.networks.get(key)?.name as string | undefined) ?? scopedName(stackName, key);
}

/** Those of which every node has one of its own: they have no names in them. */
export function isUserDefined(name: string): boolean {
  return !["default", "bridge", "host", "none", ""].includes(name) && !name.startsWith("container:");
}

function usedNetworks(stack: Stack): string[] {
  const used = new Set<string>();
  for (const { networks } of stack.services.values()) {
    const keys = networks instanceof Map ? [...networks.keys()] : [];
    for (const key of keys.length === 0 ? [DEFAULT_NETWORK] : keys) used.add(key);
  }
  return [...used].sort();
}

function networkSpec(network: Structure, stackName: string, name: string): NetworkSpec {
  const ipam = network.ipam as Structure | undefined;
  const configs = (ipam?.config ?? []) as readonly Structure[];
  const driver = (ipam?.driver as string | undefined) ?? "";
  return networkSpecShape.make({
    annotations: { name, labels: labelsOf(stackName, network.labels) },
    driver: { name: text(network.driver) || DEFAULT_DRIVER, options: textMap(network.driver_opts) },
    internal: network.internal === true,
    attachable: network.attachable === true,
    ...(ipam !== undefined && {
      ipam: ipamOptionsShape.make({
        ...(driver !== "" && { driver: { name: driver, options: new Map() } }),
        configs: configs.map(({ subnet }) => ipamConfigShape.make({ family: "ipv4", subnet: text(subnet) })),
      }),
    }),
  });
}

function text(value: Value | undefined): string {
  return typeof value === "string" ? value : "";
}
