import { describe, expect, it } from "vitest";
import { SECOND } from "../../../src/sim/time.ts";
import { nodeShape, taskShape } from "../../../src/swarm/api/objects.ts";
import { taskSpecShape } from "../../../src/swarm/api/specs.ts";
import { internalRaftRequestShape, storeActionShape } from "../../../src/swarm/api/store-action.ts";

describe("an entry of the managers' log", () => {
  it("reads back with its times and states", () => {
    const task = taskShape.make({
      id: "0123456789abcdefghijklmno",
      meta: { version: { index: 17 }, createdAt: 3 * SECOND + 5, updatedAt: undefined },
      spec: taskSpecShape.make({ restart: { condition: "any", delay: 5 * SECOND, maxAttempts: 0, window: undefined } }),
      status: { ...taskShape.make().status, state: "running", timestamp: 4 * SECOND },
      desiredState: "shutdown",
      slot: 2,
    });
    const request = {
      id: "00000000deadbeef",
      actions: [
        storeActionShape.make({ action: "create", task }),
        storeActionShape.make({ action: "update", node: nodeShape.make({ id: "n", role: "manager" }) }),
      ],
    };
    expect(internalRaftRequestShape.parse(internalRaftRequestShape.emit(request))).toEqual(request);
  });
});
