/** Which service holds which published port of the mesh (swarmkit manager/allocator/portallocator.go): one space a protocol. */
import type { EndpointSpec, PortConfig } from "../api/parts.ts";
import { SerialNumbers } from "./serial-numbers.ts";

const FIRST_DYNAMIC = 30_000;
const LAST_DYNAMIC = 32_767;

export class PublishedPorts {
  readonly #spaces = {
    tcp: new SerialNumbers(FIRST_DYNAMIC, LAST_DYNAMIC),
    udp: new SerialNumbers(FIRST_DYNAMIC, LAST_DYNAMIC),
    sctp: new SerialNumbers(FIRST_DYNAMIC, LAST_DYNAMIC),
  };

  /**
   * The ports of a spec, those of the mesh with a number each; undefined, and nothing taken, when one cannot be had. What `held` has got for
   * a port that names no number stays with it.
   */
  allocate(spec: EndpointSpec | undefined, held: readonly PortConfig[]): readonly PortConfig[] | undefined {
    this.release(held);
    const ports: PortConfig[] = [];
    for (const port of spec?.ports ?? []) {
      const number = this.#numberFor(port, held);
      if (number === undefined) {
        this.release(ports);
        for (const before of held) this.claim(before);
        return undefined;
      }
      ports.push({ ...port, publishedPort: number });
    }
    return ports;
  }

  #numberFor(port: PortConfig, held: readonly PortConfig[]): number | undefined {
    if (port.publishMode === "host") return port.publishedPort;
    const space = this.#spaces[port.protocol];
    if (port.publishedPort !== 0) return space.claim(port.publishedPort) ? port.publishedPort : undefined;
    const before = held.find((other) => isSame(other, port));
    if (before !== undefined && before.publishedPort !== 0 && space.claim(before.publishedPort))
      return before.publishedPort;
    return space.choose();
  }

  claim(port: PortConfig): void {
    if (port.publishMode === "ingress" && port.publishedPort !== 0)
      this.#spaces[port.protocol].claim(port.publishedPort);
  }

  release(ports: readonly PortConfig[]): void {
    for (const port of ports)
      if (port.publishMode === "ingress") this.#spaces[port.protocol].release(port.publishedPort);
  }
}

function isSame(a: PortConfig, b: PortConfig): boolean {
  return (
    a.name === b.name && a.protocol === b.protocol && a.targetPort === b.targetPort && a.publishMode === b.publishMode
  );
}
