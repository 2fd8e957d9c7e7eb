/**
 * What the services of a stack serve, as far as the file says it: `x-vxlab: { serve: [http 80, echo 5432, udp 53] }` says all of it; ports under `expose` and in the
 * address that a health check asks count beside the published ones.
 */
import type { LoadedStack } from "../../swarm/stack/load-stack.ts";
import { StackError } from "../../swarm/stack/stack-error.ts";
import { scopedName } from "../../swarm/stack/stack-labels.ts";
import { isStructure, type Structure, type Value } from "../../swarm/stack/value.ts";
import type { ContainerPort, Served, ServingHint } from "../image-programs.ts";

const KEY = "x-vxlab";
const WORDS = "a list such as [http 80, echo 5432]";
/** A range beyond this is no service of a container. */
const MOST_EXPOSED = 100;

/** By the names of the services in the swarm. Throws a `StackError` where `x-vxlab` is not understood. */
export function stackServing(loaded: LoadedStack, stackName: string): Map<string, ServingHint> {
  return new Map([...loaded.stack.services.keys()].map((name) => [scopedName(stackName, name), hintOf(loaded, name)]));
}

/** Throws a `StackError` where `x-vxlab` is not understood. */
export function hintOf(loaded: LoadedStack, name: string): ServingHint {
  const service = loaded.stack.services.get(name) ?? {};
  return {
    serve: declared(loaded, name, service[KEY]),
    exposed: [...exposedPorts(service.expose), ...checkedPorts(service.healthcheck)],
  };
}

function declared(loaded: LoadedStack, name: string, value: Value | undefined): readonly Served[] | undefined {
  if (value === undefined) return undefined;
  const refuse = (): never => {
    throw new StackError(
      `services.${name}.${KEY}.serve must be ${WORDS}`,
      loaded.placeOf(["services", name, KEY, "serve"]),
    );
  };
  const serve = value instanceof Map && value.size === 1 ? (value.get("serve") as Value | undefined) : undefined;
  if (!Array.isArray(serve)) return refuse();
  return (serve as readonly Value[]).map((line) => {
    const [, kind, portText] = /^(http|echo|udp) (\d{1,5})$/.exec(String(line)) ?? [];
    const port = Number(portText);
    if ((kind !== "http" && kind !== "echo" && kind !== "udp") || !(port >= 1 && port <= 65_535)) return refuse();
    return { kind, port };
  });
}

/** `80`, `80/udp`, `8000-8010`. */
function exposedPorts(value: Value | undefined): ContainerPort[] {
  const ports: ContainerPort[] = [];
  for (const text of Array.isArray(value) ? (value as readonly Value[]) : []) {
    const [, first, last = first, protocol = "tcp"] =
      /^(\d{1,5})(?:-(\d{1,5}))?(?:\/(tcp|udp))?$/.exec(String(text)) ?? [];
    for (let port = Number(first); port <= Number(last) && port <= 65_535 && ports.length < MOST_EXPOSED; port++)
      if (port > 0) ports.push({ port, protocol: protocol === "udp" ? "udp" : "tcp" });
  }
  return ports;
}

/** `curl -f http://localhost:3000/health` asks port 3000. */
function checkedPorts(value: Value | undefined): ContainerPort[] {
  if (!isStructure(value)) return [];
  const { test } = value as Structure;
  const line = Array.isArray(test) ? test.join(" ") : "";
  return [...line.slice(0, 10_000).matchAll(/(https?:\/\/)?(?:localhost|127\.0\.0\.1)(?::(\d{1,5}))?\b/g)]
    .map(([, scheme, port]) => Number(port ?? (scheme === "http://" ? 80 : scheme === "https://" ? 443 : 0)))
    .filter((port) => port >= 1 && port <= 65_535)
    .slice(0, MOST_EXPOSED)
    .map((port) => ({ port, protocol: "tcp" }));
}
