import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { SECOND } from "../../src/sim/time.ts";
import { Machines } from "./machines.ts";

interface Exchange {
  readonly line: string;
  readonly text: string;
  readonly status: number;
}

/** A session typed into the real iproute2 6.1 and procps on Linux 6.18, both outputs together, the status in brackets behind. */
function session(): Exchange[] {
  const text = readFileSync(join(import.meta.dirname, "iproute2-session.txt"), "utf8");
  return text
    .split(/^\$ /m)
    .slice(1)
    .map((part) => {
      const [line = "", ...rest] = part.split("\n");
      const status = /\[(\d+)\]\n$/.exec(part);
      return {
        line,
        text: rest
          .slice(0, -2)
          .map((each) => `${each}\n`)
          .join(""),
        status: Number(status![1]),
      };
    });
}

/** Everything that a command might have changed. */
const DUMP =
  "ip -d link; ip addr; ip route show table all; ip rule; ip neigh show nud all; bridge fdb; bridge -d link; bridge vlan; bridge mdb; sysctl -a";

function type(machines: Machines, line: string): { text: string; status: number | undefined } {
  const running = machines.start("h", line);
  // The kernel reports a carrier up to a second late, and the session was typed with a pause there.
  machines.world.simulation.run(
    machines.world.simulation.nowNs + (/( up|link del e0)$/.test(line) ? 1.3 * SECOND : 1e6),
  );
  return { text: running.stderr + running.stdout, status: running.status };
}

function newMachine(): Machines {
  const machines = new Machines("iproute2");
  machines.host("h").namespace.loopback.setUp(false);
  return machines;
}

describe("The words ip, bridge and sysctl", () => {
  it("answer a long session as the real ones did", () => {
    const machines = newMachine();
    const exchanges = session();
    expect(exchanges.length).toBeGreaterThan(180);
    for (const { line, text, status } of exchanges)
      expect({ line, ...type(machines, line) }).toEqual({ line, text, status });
  });

  it("leave everything as it was when they refuse", () => {
    const machines = newMachine();
    for (const { line, status } of session()) {
      const before = status === 0 ? undefined : type(machines, DUMP).text;
      type(machines, line);
      if (before !== undefined) expect({ line, state: type(machines, DUMP).text }).toEqual({ line, state: before });
    }
  });

  it("make VLAN devices, move devices between namespaces and take both ends of a pair away", () => {
    const machines = new Machines();
    const run = (line: string) => {
      const { stdout, stderr, status } = machines.run("h", line);
      expect({ line, stderr, status }).toEqual({ line, stderr: "", status: 0 });
      return stdout;
    };
    run("ip netns add blue && ip netns add red");
    expect(run("ip netns list")).toBe("blue\nred\n");
    run("ip link add x0 netns blue type veth peer name y0 netns red");
    run("ip -n blue link add link x0 name x0.10 type vlan id 10");
    expect(run("ip netns exec blue ip -br link show x0.10")).toMatch(/^x0\.10@x0 +/);
    run("ip -n red link set y0 netns blue name z0");
    expect(run("ip -n red -br link")).toMatch(/^lo .*\n$/);
    expect(run("ip -n blue -br link | cat")).toMatch(/z0@x0/);
    run("ip -n blue link del z0");
    expect(run("ip -n blue -br link")).toMatch(/^lo .*\n$/);
    run("ip netns del blue");
    expect(machines.run("h", "ip -n blue link").stderr).toBe(
      'Cannot open network namespace "blue": No such file or directory\n',
    );
  });

  it("tell changes of the neighbour table to ip monitor until a signal ends it", () => {
    const machines = new Machines();
    machines.join("a", "eth0", "10.0.0.1/24", "b", "eth0", "10.0.0.2/24");
    const monitor = machines.start("a", "exec ip monitor neigh");
    machines.run("a", "ping -c 1 10.0.0.2; ip neigh del 10.0.0.2 dev eth0");
    expect(monitor.stdout).toMatch(/^10\.0\.0\.2 dev eth0 lladdr [0-9a-f:]{17} REACHABLE \n/m);
    expect(monitor.stdout).toMatch(/^Deleted 10\.0\.0\.2 dev eth0/m);
    monitor.process.kill("SIGINT");
    machines.pass(0.1);
    expect(monitor.status).toBe(130);
  });

  it("read a batch from standard input and stop at the first line that fails", () => {
    const machines = new Machines();
    const text = "link add name br0 type bridge\nlink set nope up\nlink add name br1 type bridge\n";
    const batch = machines.run("h", `ip -batch - <<< "${text}"`);
    expect(batch.status).toBe(1);
    expect(batch.stderr).toBe('Cannot find device "nope"\nCommand failed -:2\n');
    expect(machines.run("h", "ip link show br1").status).toBe(1);
    expect(machines.run("h", "ip link show br0").status).toBe(0);
  });
});
