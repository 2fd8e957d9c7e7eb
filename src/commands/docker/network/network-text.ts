/** A network as `docker network inspect` shows it. */
import type { Container } from "../../../docker/container/container.ts";
import type { Endpoint } from "../../../docker/endpoint.ts";
import type { Engine } from "../../../docker/engine.ts";
import type { Network } from "../../../docker/network.ts";
import { formatIpv4, formatMac, formatPrefix } from "../../../wire/address.ts";
import { goTime, type Shown } from "../go-text.ts";

export function networkObject(engine: Engine, network: Network): { readonly [field: string]: Shown } {
  const containers = new Map<string, Shown>();
  const owners = new Map<Endpoint["sandbox"], Container>();
  for (const container of engine.containers.values())
    if (container.sandbox !== undefined) owners.set(container.sandbox, container);
  for (const endpoint of network.endpoints.values()) {
    const { sandbox } = endpoint;
    if (sandbox === undefined) continue;
    containers.set(owners.get(sandbox)?.id ?? sandbox.label, {
      Name: owners.get(sandbox)?.name ?? endpoint.name,
      EndpointID: endpoint.id,
      MacAddress: endpoint.mac === 0 ? "" : formatMac(endpoint.mac),
      IPv4Address: endpoint.address.length === 0 ? "" : formatPrefix(endpoint.address),
      IPv6Address: "",
    });
  }
  return {
    Name: network.name,
    Id: network.id,
    Created: goTime(network.createdNs),
    Scope: network.scope,
    Driver: network.driver,
    ...(engine.release === "current" && { EnableIPv4: true }),
    EnableIPv6: false,
    IPAM: {
      Driver: "default",
      Options: network.driver === "null" || network.driver === "host" ? null : {},
      Config: network.subnets.map(({ subnet, gateway, range, auxiliary }) => ({
        Subnet: formatPrefix(subnet),
        ...(range !== undefined && { IPRange: formatPrefix(range) }),
        ...(gateway !== undefined && { Gateway: formatIpv4(gateway) }),
        ...(auxiliary !== undefined &&
          auxiliary.size > 0 && {
            AuxiliaryAddresses: new Map([...auxiliary].map(([name, address]) => [name, formatIpv4(address)])),
          }),
      })),
    },
    Internal: network.internal,
    Attachable: network.attachable,
    Ingress: network.ingress,
    ConfigFrom: { Network: "" },
    ConfigOnly: false,
    Containers: containers,
    Options: shownOptions(network),
    Labels: network.labels,
  };
}

function shownOptions({ options, driver, subnets }: Network): ReadonlyMap<string, Shown> {
  if (driver !== "overlay" || options.has("com.docker.network.driver.overlay.vxlanid_list")) return options;
  const identifiers = subnets.map(({ vni }) => vni).filter((vni) => vni !== undefined);
  if (identifiers.length === 0) return options;
  return new Map<string, Shown>([
    ...options,
    ["com.docker.network.driver.overlay.vxlanid_list", identifiers.join(",")],
  ]);
}
