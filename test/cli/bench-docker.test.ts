import { describe, expect, it } from "vitest";
import { mesh } from "../../src/cli/bench-mesh.ts";
import { thousand } from "../../src/cli/bench-thousand.ts";

describe("A swarm that is measured", () => {
  it("answers every request to its ingress network", () => {
    const figures = mesh(new Map(Object.entries({ requests: 60, clients: 4 })));
    expect(figures).toMatchObject({ answered: 60, failed: 0 });
  });

  it("has containers that all reach each other", () => {
    const figures = thousand(new Map(Object.entries({ nodes: 4, tasks: 20, peers: 19 })));
    expect(figures).toMatchObject({ containers: 20, pairs: 380, reached: 380 });
  });
});
