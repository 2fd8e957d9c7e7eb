/** Without the userland proxy, a published port of the same bridge is reached through the bridge itself: DNAT, back by its other port, MASQUERADE. */
import { describe, expect, it } from "vitest";
import { SECOND } from "../../../src/sim/time.ts";
import { EngineLab } from "../engine-lab.ts";

const MY_BRIDGE = [{ network: "mybr", aliases: [] }];

describe.each(["20.10", "current"] as const)("A published port without the userland proxy (%s)", (release) => {
  it("is reached by a container of the same bridge at the node's address, once the node knows the server", () => {
    const lab = new EngineLab(release, { userlandProxy: false });
    lab.bridge("mybr");
    const client = lab.start("b1", "sleep 100000", { networks: MY_BRIDGE });
    lab.start("p1", "serve http 80", {
      networks: MY_BRIDGE,
      ports: [{ protocol: "tcp", containerPort: 80, hostPort: 8_081 }],
    });
    lab.wait(5 * SECOND);
    lab.on(lab.node, "ping -c 1 172.18.0.3");
    lab.on(lab.node, "ping -c 1 172.19.0.3");
    const answer = lab.on(client, "curl -s -m 5 http://192.168.50.11:8081/");
    expect(answer.text).toContain("p1");
  });
});
