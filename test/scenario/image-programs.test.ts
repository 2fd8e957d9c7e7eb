import { describe, expect, it } from "vitest";
import type { Container } from "../../src/docker/container/container.ts";
import type { ContainerSpec } from "../../src/docker/container-spec.ts";
import { programOf } from "../../src/scenario/image-programs.ts";

function program(spec: Partial<ContainerSpec>): string {
  const container = { spec: { image: "alpine", command: [], networks: [], ...spec } } as unknown as Container;
  const found = programOf(container, (word) => ["serve", "ping", "sh", "sleep"].includes(word), undefined);
  return typeof found === "string" ? found : found.join(" ");
}
const tcp = (containerPort: number) => ({ protocol: "tcp", containerPort }) as const;

describe("The program of a container", () => {
  it("is its command where that is one of our words", () => {
    expect(program({ command: ["ping", "-c", "3", "web"] })).toBe("ping -c 3 web");
    expect(program({ command: ["/usr/bin/serve", "echo", "9"] })).toBe("serve echo 9");
    expect(program({ command: ["sh", "-c", "sleep 1; serve http"] })).toBe("sh -c sleep 1; serve http");
  });

  it("is its image's own where nobody knows the command", () => {
    expect(program({ image: "nginx", command: ["nginx", "-g", "daemon off;"] })).toBe("serve http 80");
  });

  it("is known by the last part of an image's name", () => {
    expect(program({ image: "nginx:1.27-alpine" })).toBe("serve http 80");
    expect(program({ image: "registry.example:5000/library/redis:7@sha256:0123" })).toBe("serve echo 6379");
    expect(program({ image: "traefik/whoami" })).toBe("serve http 80");
    expect(program({ image: "postgres" })).toBe("serve echo 5432");
  });

  it("follows from the ports of an image that nobody knows", () => {
    expect(program({ image: "shop", ports: [tcp(8_080)] })).toBe("serve http 8080");
    expect(program({ image: "shop", ports: [tcp(1_234)] })).toBe("serve echo 1234");
    expect(program({ image: "shop", exposedPorts: [{ protocol: "udp", port: 53 }] })).toBe("serve udp 53");
  });

  it("waits where nothing says more, or where it is told to", () => {
    expect(program({})).toBe("idle");
    expect(program({ image: "shop" })).toBe("idle");
    expect(program({ image: "nginx", command: ["sleep", "infinity"] })).toBe("idle");
    expect(program({ command: ["tail", "-f", "/dev/null"] })).toBe("idle");
  });
});
