/** Scenarios of the control plane: elections, lost majorities, locks and tokens, updates, nodes that come and go. */
import { describe, expect, it } from "vitest";
import { checkFolder, scenariosOf } from "./shipped-folder.ts";

describe("The scenarios of the swarm", () => {
  it("show what happens to managers, nodes, services and gossip", () => {
    expect(scenariosOf("swarm")).toEqual([
      "autolock-restart",
      "failed-update-rolls-back",
      "five-managers-cut",
      "four-managers-cut-in-half",
      "global-service-new-node",
      "gossip-blocked-one-way",
      "gossip-split-and-heals",
      "leader-killed",
      "node-dies",
      "rolling-update",
      "three-managers-three-workers",
      "two-of-three-managers-lost",
      "wrong-join-token",
    ]);
  });

  checkFolder("swarm", new Set(), ({ description }) => {
    it("says what it shows", () => expect(description).toMatch(/\.$/));
  });
});
