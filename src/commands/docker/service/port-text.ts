/** Ports of the mesh as `docker service ls` lists them: `*:8080->80/tcp`, those in a row as ranges (docker/cli command/service/formatter.go). */
import type { PortConfig } from "../../../swarm/api/parts.ts";

interface PortRange {
  readonly protocol: string;
  readonly firstPublished: number;
  lastPublished: number;
  readonly firstTarget: number;
  lastTarget: number;
}

/** Ports in host mode are those of tasks, and are not among them. */
export function meshPortsText(ports: readonly PortConfig[]): string {
  const sorted = [...ports].sort((a, b) =>
    a.protocol === b.protocol ? a.publishedPort - b.publishedPort : a.protocol < b.protocol ? -1 : 1,
  );
  const ranges: PortRange[] = [];
  for (const { protocol, publishedPort, targetPort, publishMode } of sorted) {
    if (publishMode !== "ingress") continue;
    const range = ranges[ranges.length - 1];
    if (range !== undefined && range.protocol === protocol && continues(range, publishedPort, targetPort)) {
      range.lastPublished = publishedPort;
      range.lastTarget = targetPort;
    } else
      ranges.push({
        protocol,
        firstPublished: publishedPort,
        lastPublished: publishedPort,
        firstTarget: targetPort,
        lastTarget: targetPort,
      });
  }
  return ranges.map(textOf).join(", ");
}

function continues(range: PortRange, publishedPort: number, targetPort: number): boolean {
  const step = targetPort - range.lastTarget;
  const isRange = range.lastTarget !== range.firstTarget;
  const overlaps = targetPort <= range.lastTarget;
  return publishedPort - range.lastPublished <= 1 && step >= 0 && step <= 1 && !(isRange && overlaps);
}

function textOf({ protocol, firstPublished, lastPublished, firstTarget, lastTarget }: PortRange): string {
  const range = (first: number, last: number) => (last > first ? `${first}-${last}` : `${first}`);
  return `*:${range(firstPublished, lastPublished)}->${range(firstTarget, lastTarget)}/${protocol}`;
}
