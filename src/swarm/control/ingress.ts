/** The ingress network and who cannot do without it (swarmkit manager/allocator, IsIngressNetworkNeeded). */
import type { Network } from "../api/objects.ts";
import type { ServiceSpec } from "../api/specs.ts";
import type { StoreView } from "../store/store.ts";

export function ingressNetwork(view: StoreView): Network | undefined {
  for (const network of view.all("network")) if (network.spec.ingress) return network;
  return undefined;
}

/** Only virtual addresses are reached through the mesh. */
export function needsIngress({ endpoint }: ServiceSpec): boolean {
  if (endpoint === undefined || endpoint.mode !== "vip") return false;
  return endpoint.ports.some(
    ({ publishMode, publishedPort, targetPort }) =>
      publishMode === "ingress" && (publishedPort !== 0 || targetPort !== 0),
  );
}
