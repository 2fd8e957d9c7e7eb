/** Keys that the compose format knows and a swarm does not: refused, ignored, or out of use; in the client's words. */
import type { Place } from "./stack-error.ts";
import { child, type MapNode, type StackDocument } from "./stack-node.ts";

const UNSUPPORTED: ReadonlySet<string> = new Set([
  "build",
  "cgroupns_mode",
  "cgroup_parent",
  "devices",
  "domainname",
  "external_links",
  "ipc",
  "links",
  "mac_address",
  "network_mode",
  "pid",
  "privileged",
  "restart",
  "security_opt",
  "shm_size",
  "userns_mode",
]);
const DEPRECATED: ReadonlyMap<string, string> = new Map([
  ["container_name", "Setting the container name is not supported."],
  [
    "expose",
    "Exposing ports is unnecessary - services on the same network can access each other's containers on any port.",
  ],
]);
const LIMITS = "Set resource limits using deploy.resources";
const FORBIDDEN: ReadonlyMap<string, string> = new Map([
  ["extends", "Support for `extends` is not implemented yet."],
  [
    "volume_driver",
    "Instead of setting the volume driver on the service, define a volume using the top-level `volumes` option and specify the driver there.",
  ],
  [
    "volumes_from",
    "To share a volume between services, define it using the top-level `volumes` option and reference it from each service that shares it using the service-level `volumes` option.",
  ],
  ["cpu_quota", LIMITS],
  ["cpu_shares", LIMITS],
  ["cpuset", LIMITS],
  ["mem_limit", LIMITS],
  ["memswap_limit", LIMITS],
]);

export interface IgnoredOption {
  readonly key: string;
  readonly service: string;
  readonly kind: "unsupported" | "deprecated";
  readonly place: Place;
}

/** In the order of the file. */
export function ignoredOptions(document: StackDocument): IgnoredOption[] {
  const found: IgnoredOption[] = [];
  for (const [service, key, at] of serviceKeys(document.root)) {
    const kind = UNSUPPORTED.has(key) ? "unsupported" : DEPRECATED.has(key) ? "deprecated" : undefined;
    if (kind !== undefined) found.push({ key, service, kind, place: document.placeAt(at) });
  }
  return found;
}

/** Where the first forbidden key stands. */
export function forbiddenOption(root: MapNode): number | undefined {
  for (const [, key, at] of serviceKeys(root)) if (FORBIDDEN.has(key)) return at;
  return undefined;
}

/** What `docker stack deploy` says instead of `Configuration contains forbidden properties`. */
export function forbiddenText(root: MapNode): string {
  const lines = new Set<string>();
  for (const [, key] of serviceKeys(root)) if (FORBIDDEN.has(key)) lines.add(`${key}: ${FORBIDDEN.get(key)}`);
  return `Compose file contains unsupported options:\n\n${[...lines].sort().join("\n\n")}\n`;
}

/** What `docker stack deploy` prints on stderr before it looks for an engine. */
export function ignoredText(ignored: readonly IgnoredOption[]): string {
  const keys = (kind: IgnoredOption["kind"]): string[] =>
    [...new Set(ignored.filter((option) => option.kind === kind).map(({ key }) => key))].sort();
  const unsupported = keys("unsupported");
  const deprecated = keys("deprecated").map((key) => `${key}: ${DEPRECATED.get(key)}`);
  const first = unsupported.length === 0 ? "" : `Ignoring unsupported options: ${unsupported.join(", ")}\n\n`;
  return deprecated.length === 0 ? first : `${first}Ignoring deprecated options:\n\n${deprecated.join("\n\n")}\n\n`;
}

function* serviceKeys(root: MapNode): Generator<readonly [service: string, key: string, at: number]> {
  const services = child(root, "services");
  if (services?.kind !== "map") return;
  for (const [name, { node }] of services.entries)
    if (node.kind === "map") for (const [key, { keyAt }] of node.entries) yield [name, key, keyAt];
}
