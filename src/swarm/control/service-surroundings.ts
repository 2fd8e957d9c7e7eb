/** What a service's spec must find in the cluster (swarmkit manager/controlapi/service.go): free ports, networks, secrets, configs. */

import type { Service } from "../api/objects.ts";
import type { PortConfig } from "../api/parts.ts";
import type { ServiceSpec } from "../api/specs.ts";
import { type Status, status } from "../grpc/status.ts";
import type { StoreView } from "../store/store.ts";
import { ingressNetwork, needsIngress } from "./ingress.ts";

/** The ingress network is joined by publishing ports alone. */
export function refuseNetworks(view: StoreView, spec: ServiceSpec): Status | undefined {
  for (const { target } of spec.task.networks) {
    const network = view.get("network", target);
    if (network?.spec.ingress === true) {
      const { name } = network.spec.annotations;
      return status("InvalidArgument", `Service cannot be explicitly attached to the ingress network "${name}"`);
    }
  }
  return undefined;
}

export function refuseWithoutIngress(view: StoreView, spec: ServiceSpec): Status | undefined {
  if (!needsIngress(spec) || ingressNetwork(view) !== undefined) return undefined;
  return status("FailedPrecondition", "service needs ingress network, but no ingress network is present");
}

/** `serviceId`: whose own ports are no conflict; "" for a new service. Ports in host mode may be the same: the scheduler keeps them apart. */
export function refusePortConflicts(view: StoreView, spec: ServiceSpec, serviceId: string): Status | undefined {
  const wanted = new Map<string, "ingress" | "host">();
  for (const port of spec.endpoint?.ports ?? [])
    if (port.publishedPort !== 0) wanted.set(keyOf(port), port.publishMode);
  if (wanted.size === 0) return undefined;
  for (const service of view.all("service")) {
    if (serviceId !== "" && service.id === serviceId) continue;
    for (const port of [...(service.spec.endpoint?.ports ?? []), ...(service.endpoint?.ports ?? [])]) {
      const mode = port.publishedPort === 0 ? undefined : wanted.get(keyOf(port));
      if (mode === "ingress" || (mode === "host" && port.publishMode === "ingress")) return inUse(port, service);
    }
  }
  return undefined;
}

function keyOf({ publishedPort, protocol }: PortConfig): string {
  return `${publishedPort}/${protocol}`;
}

function inUse({ publishedPort, publishMode }: PortConfig, { id, spec }: Service): Status {
  const how = publishMode === "host" ? "a host-published port" : "an ingress port";
  const who = `service '${spec.annotations.name}' (${id})`;
  return status("InvalidArgument", `port '${publishedPort}' is already in use by ${who} as ${how}`);
}

export function refuseMissingFiles(view: StoreView, spec: ServiceSpec): Status | undefined {
  const { secrets = [], configs = [] } = spec.task.container ?? {};
  const isThere = (kind: "secret" | "config", id: string, name: string) =>
    view.get(kind, id)?.spec.annotations.name === name;
  const noSecrets = secrets.filter(({ secretId, secretName }) => !isThere("secret", secretId, secretName));
  const noConfigs = configs.filter(({ configId, configName }) => !isThere("config", configId, configName));
  return (
    missing(
      "secret",
      noSecrets.map(({ secretName }) => secretName),
    ) ??
    missing(
      "config",
      noConfigs.map(({ configName }) => configName),
    )
  );
}

function missing(kind: string, names: readonly string[]): Status | undefined {
  if (names.length === 0) return undefined;
  return status("InvalidArgument", `${kind}${names.length === 1 ? "" : "s"} not found: ${names.join(", ")}`);
}
