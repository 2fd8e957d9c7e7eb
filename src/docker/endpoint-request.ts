/** What a container's place in a network is to be: its names there, and the service that it is a task of. */
import type { Container } from "./container/container.ts";
import type { NetworkAttachment } from "./container-spec.ts";
import type { EndpointRequest } from "./endpoint.ts";
import { shortIdentifier } from "./identifiers.ts";
import type { Network } from "./network.ts";

export function endpointRequest(
  container: Container,
  network: Network,
  attachment: NetworkAttachment,
): EndpointRequest {
  const { service } = container.spec;
  return {
    name: container.name,
    address: attachment.address,
    mac: attachment.mac,
    gatewayPriority: attachment.gatewayPriority,
    aliases: dnsNames(container, attachment),
    ...(service !== undefined && {
      service: {
        id: service.id,
        name: service.name,
        virtualAddress: service.virtualAddresses.get(network.id) ?? attachment.virtualAddress,
        aliases: attachment.serviceAliases ?? service.aliases,
        ingressPorts: network.ingress ? service.ingressPorts : [],
      },
    }),
  };
}
/** The other names of a container in a network: given ones, the beginning of its identifier, its host name. */
function dnsNames(container: Container, attachment: NetworkAttachment): string[] {
  const names = [
    ...attachment.aliases,
    ...(container.spec.service?.taskAliases ?? []),
    shortIdentifier(container.id),
    container.hostname,
  ];
  return [...new Set(names)].filter((name) => name !== container.name);
}
