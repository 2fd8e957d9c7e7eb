import { describe, expect, it } from "vitest";
import type { Container } from "../../../src/docker/container/container.ts";
import { formatHosts } from "../../../src/docker/container/network-files.ts";
import { restartDelay } from "../../../src/docker/container/restart-delay.ts";
import { isRefusal } from "../../../src/docker/refusal.ts";
import { MILLISECOND, SECOND } from "../../../src/sim/time.ts";
import { EngineLab } from "../engine-lab.ts";

/** Every state and health that a container comes to, with the time since now. */
function history(lab: EngineLab, container: Container): string[] {
  const lines: string[] = [];
  const startNs = lab.world.simulation.nowNs;
  container.changed.add({
    wake: () => {
      const seconds = (lab.world.simulation.nowNs - startNs) / SECOND;
      lines.push(
        `${seconds.toFixed(1)} ${container.state}${container.health === "none" ? "" : ` ${container.health}`}`,
      );
    },
  });
  return lines;
}

describe("A container", () => {
  it("runs from its start to the end of its program, whose status it keeps", () => {
    const lab = new EngineLab("current");
    const container = lab.engine.createContainer({
      image: "bb",
      name: "once",
      command: ["sleep 3; exit 7"],
      networks: [],
    });
    if (isRefusal(container)) throw new Error(container.message);
    expect(container.state).toBe("created");
    expect(container.namespace).toBeUndefined();
    const lines = history(lab, container);
    expect(container.start()).toBeUndefined();
    expect(container.endpoints).toHaveLength(1);
    lab.wait(10 * SECOND);
    expect(lines).toEqual(["0.0 running", "3.0 exited"]);
    expect(container.exitStatus).toBe(7);
    expect(container.endpoints).toHaveLength(0);
    expect(lab.world.namespaces.has("node1/once")).toBe(false);
    expect(lab.node.namespace.devices.some(({ name }) => name.startsWith("veth"))).toBe(false);
  });

  it("is asked to end, and ended by force after its grace", () => {
    const lab = new EngineLab("current");
    const polite = lab.start("polite", "sleep 1000");
    polite.stop();
    lab.wait(SECOND);
    expect([polite.state, polite.exitStatus]).toEqual(["exited", 130]);
    const deaf = lab.start("deaf", "deaf");
    const lines = history(lab, deaf);
    deaf.stop(3 * SECOND);
    lab.wait(20 * SECOND);
    expect(lines).toEqual(["3.0 exited"]);
    expect(deaf.exitStatus).toBe(137);
  });

  it("keeps what its program says, line by line, with the time", () => {
    const lab = new EngineLab("current");
    const container = lab.start("talker", "echo one; sleep 2; echo -n two");
    lab.wait(5 * SECOND);
    const startNs = container.startedNs;
    expect(
      container.logs.map(({ text, stream, atNs }) => [text, stream, Math.round((atNs - startNs) / SECOND)]),
    ).toEqual([
      ["one", "stdout", 0],
      ["two", "stdout", 2],
    ]);
  });

  it("starts anew as its policy says, later each time, until somebody stops it", () => {
    const lab = new EngineLab("current");
    const container = lab.start("again", "exit 1", { restart: { condition: "always", maximumRetries: 0 } });
    expect(container.state).toBe("restarting");
    lab.wait(350 * MILLISECOND); // after 100 ms, 200 ms
    expect(container.restarts).toBe(2);
    lab.wait(400 * MILLISECOND);
    expect(container.restarts).toBe(3);
    container.stop();
    lab.wait(100 * SECOND);
    expect([container.state, container.restarts]).toEqual(["exited", 3]);
    const thrice = lab.start("thrice", "exit 1", { restart: { condition: "on-failure", maximumRetries: 3 } });
    lab.wait(100 * SECOND);
    expect([thrice.state, thrice.restarts]).toEqual(["exited", 3]);
  });

  it("waits at most a minute between two starts, and forgets failures after a good run", () => {
    const policy = { condition: "always", maximumRetries: 0 } as const;
    const ending = { exitStatus: 1, ranNs: SECOND, byHand: false, restarts: 9, delayNs: 40 * SECOND };
    expect(restartDelay(policy, ending)).toBe(60 * SECOND);
    expect(restartDelay(policy, { ...ending, ranNs: 10 * SECOND })).toBe(100 * MILLISECOND);
    expect(restartDelay({ ...policy, condition: "on-failure" }, { ...ending, exitStatus: 0 })).toBeUndefined();
  });

  it("is healthy after one good check, unhealthy after three bad ones in a row", () => {
    const lab = new EngineLab("20.10");
    const check = { command: ["curl -sf http://127.0.0.1:80/"], intervalNs: 5 * SECOND };
    const good = lab.start("good", "serve http 80", { healthCheck: check });
    const goodLines = history(lab, good);
    const bad = lab.start("bad", "sleep 1000", { healthCheck: check });
    const badLines = history(lab, bad);
    expect(good.health).toBe("starting");
    lab.wait(60 * SECOND);
    expect(goodLines).toEqual(["5.0 running healthy"]);
    expect(badLines).toEqual(["15.0 running unhealthy"]);
    expect(bad.healthMonitor!.results).toHaveLength(5);
  });

  it("is given time to come up: failures of the start period do not count", () => {
    const lab = new EngineLab("current");
    const check = {
      command: ["curl -sf http://127.0.0.1:80/"],
      intervalNs: 5 * SECOND,
      startPeriodNs: 22 * SECOND,
      startIntervalNs: 2 * SECOND,
    };
    const slow = lab.start("slow", "sleep 15; serve http 80", { healthCheck: check });
    const lines = history(lab, slow);
    lab.wait(60 * SECOND);
    expect(lines).toEqual(["16.0 running healthy"]);
  });

  it("counts a check that takes too long as failed", () => {
    const lab = new EngineLab("current");
    const healthCheck = { command: ["sleep 100"], intervalNs: SECOND, timeoutNs: 2 * SECOND, retries: 2 };
    const container = lab.start("hangs", "sleep 1000", { healthCheck });
    const lines = history(lab, container);
    lab.wait(10 * SECOND);
    expect(lines).toEqual(["6.0 running unhealthy"]);
    expect(container.healthMonitor!.results[0]).toMatchObject({
      exitStatus: -1,
      output: "Health check exceeded timeout (2s)",
    });
  });

  it("has its own name in /etc/hosts, and the host's name servers where its network has no names", () => {
    const lab = new EngineLab("20.10");
    const d2 = lab.start("d2", "sleep 1000");
    expect(formatHosts(d2.hosts)).toBe(
      "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\nfe00::0\tip6-localnet\nff00::0\tip6-mcastprefix\nff02::1\tip6-allnodes\nff02::2\tip6-allrouters\n172.17.0.2\td2\n",
    );
    expect(d2.resolver.options).toEqual([]);
    lab.bridge("mybr");
    const b1 = lab.start("b1", "sleep 1000", { networks: [{ network: "mybr", aliases: [] }] });
    expect(b1.resolver).toMatchObject({ servers: [0x7f00_000b], options: ["ndots:0"] });
  });

  it("makes the volumes that it mounts, and holds them", () => {
    const lab = new EngineLab("current");
    const mount = { type: "volume", target: "/data", readOnly: false } as const;
    const container = lab.start("db", "sleep 1000", {
      mounts: [
        { ...mount, source: "data" },
        { ...mount, source: undefined },
      ],
    });
    expect([...lab.engine.volumes.values()].map(({ name, anonymous }) => [name.length, anonymous])).toEqual([
      [4, false],
      [64, true],
    ]);
    expect(lab.engine.removeVolume("data")?.message).toBe(`remove data: volume is in use - [${container.id}]`);
    expect(lab.engine.removeVolume("none")?.message).toBe("get none: no such volume");
    container.remove(true);
    expect(lab.engine.removeVolume("data")).toBeUndefined();
  });

  it("refuses in Docker's words", () => {
    const lab = new EngineLab("current");
    const container = lab.start("web", "sleep 1000");
    expect(container.remove()?.message).toBe(
      'cannot remove container "web": container is running: stop the container before removing or force remove',
    );
    expect(container.kill("SIGFOO")?.message).toBe("Invalid signal: SIGFOO");
    const twin = lab.engine.createContainer({ image: "bb", name: "web", command: [], networks: [] });
    expect(isRefusal(twin) && twin.message).toContain('Conflict. The container name "/web" is already in use');
    expect(container.remove(true)).toBeUndefined();
    expect(isRefusal(lab.engine.findContainer("web"))).toBe(true);
  });
});

describe("An engine that is shut down", () => {
  it("takes its containers along, and brings back those whose policy says so", () => {
    const lab = new EngineLab("current");
    const policy = (condition: "always" | "unless-stopped") => ({ restart: { condition, maximumRetries: 0 } });
    const plain = lab.start("plain", "sleep 1000");
    const always = lab.start("always", "sleep 1000", policy("always"));
    const unless = lab.start("unless", "sleep 1000", policy("unless-stopped"));
    const stopped = lab.start("stopped", "sleep 1000", policy("unless-stopped"));
    stopped.stop();
    lab.wait(SECOND);
    lab.engine.shutdown();
    lab.wait(11 * SECOND);
    expect([plain, always, unless, stopped].map(({ state }) => state)).toEqual([
      "exited",
      "exited",
      "exited",
      "exited",
    ]);
    lab.engine.start();
    expect([plain, always, unless, stopped].map(({ state }) => state)).toEqual([
      "exited",
      "running",
      "running",
      "exited",
    ]);
  });
});
