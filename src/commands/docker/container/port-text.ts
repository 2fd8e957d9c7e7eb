/** Ports of a container in the client's words. */

import type { PublishedPort } from "../../../docker/bridge/published-port.ts";
import type { Container } from "../../../docker/container/container.ts";
import { formatIpv4 } from "../../../wire/address.ts";

/** All ports of a running container that the host has open for it. */
export function publishedPorts(container: Container): PublishedPort[] {
  return container.endpoints.flatMap(({ publishedPorts: ports }) => ports);
}

interface PortLine {
  readonly address: string | undefined;
  readonly host: number;
  readonly port: number;
  readonly protocol: string;
}

/** The column PORTS of `docker ps`: `0.0.0.0:8080->80/tcp, 443/tcp`; consecutive ones are joined. */
export function portsText(container: Container): string {
  if (!container.running) return "";
  const published = publishedPorts(container);
  const lines: PortLine[] = published.map(({ hostAddress, hostPort, containerPort, protocol }) => ({
    address: formatIpv4(hostAddress),
    host: hostPort,
    port: containerPort,
    protocol,
  }));
  for (const { port, protocol } of container.spec.exposedPorts ?? [])
    if (!lines.some((line) => line.port === port && line.protocol === protocol))
      lines.push({ address: undefined, host: 0, port, protocol });
  lines.sort(
    (a, b) =>
      a.port - b.port ||
      compare(a.address ?? "", b.address ?? "") ||
      a.host - b.host ||
      compare(a.protocol, b.protocol),
  );
  const groups: { first: PortLine; last: PortLine }[] = [];
  for (const line of lines) {
    const group = groups.find(
      ({ last }) =>
        last.address === line.address &&
        last.protocol === line.protocol &&
        line.port === last.port + 1 &&
        (line.address === undefined || line.host === last.host + 1),
    );
    if (group === undefined) groups.push({ first: line, last: line });
    else group.last = line;
  }
  return groups
    .map(({ first, last }) => {
      const target = range(first.port, last.port);
      const host = first.address === undefined ? "" : `${first.address}:${range(first.host, last.host)}->`;
      return `${host}${target}/${first.protocol}`;
    })
    .join(", ");
}

function range(first: number, last: number): string {
  return first === last ? String(first) : `${first}-${last}`;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
