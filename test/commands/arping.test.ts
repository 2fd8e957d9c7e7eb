import { describe, expect, it } from "vitest";
import { twoMachines } from "./machines.ts";

const PEER = /\[[0-9A-F:]{17}\] {1,2}\d+\.\d{3}ms/;

describe("The word arping (iputils 20221126)", () => {
  it("asks all, then the one who answered, and counts both", () => {
    const { stdout, status } = twoMachines().run("a", "arping -c 2 -I eth0 10.0.0.2");
    const lines = stdout.split("\n");
    expect(lines[0]).toBe("ARPING 10.0.0.2 from 10.0.0.1 eth0");
    expect(lines[1]).toMatch(/^Unicast reply from 10\.0\.0\.2 /);
    expect(lines[1]).toMatch(PEER);
    expect(lines.slice(3)).toEqual(["Sent 2 probes (1 broadcast(s))", "Received 2 response(s)", ""]);
    expect(status).toBe(0);
  });

  it("gives up on an address that nobody has", () => {
    const { stdout, status } = twoMachines().run("a", "arping -c 1 -w 1 -I eth0 10.0.0.9");
    expect(stdout).toBe("ARPING 10.0.0.9 from 10.0.0.1 eth0\nSent 1 probes (1 broadcast(s))\nReceived 0 response(s)\n");
    expect(status).toBe(1);
  });

  it("finds a duplicate of an address, and none where there is none", () => {
    const taken = twoMachines().run("a", "arping -D -c 1 -I eth0 10.0.0.2");
    expect(taken.stdout).toMatch(/^ARPING 10\.0\.0\.2 from 0\.0\.0\.0 eth0\nUnicast reply from 10\.0\.0\.2/);
    expect(taken.status).toBe(1);
    expect(twoMachines().run("a", "arping -D -c 1 -I eth0 10.0.0.9").status).toBe(0);
  });

  it("tells the neighbours of an address without waiting for an answer", () => {
    const machines = twoMachines();
    machines.run("b", "ip neigh add 10.0.0.1 lladdr 02:00:00:00:00:99 dev eth0 nud stale");
    expect(machines.run("a", "arping -q -U -c 1 -I eth0 10.0.0.1")).toMatchObject({
      stdout: "",
      stderr: "",
      status: 0,
    });
    expect(machines.run("b", "ip neigh show 10.0.0.1").stdout).not.toContain("02:00:00:00:00:99");
  });

  it.each([
    ["arping -I nope 10.0.0.2", "arping: Device nope not available.\n"],
    ["arping -I lo 10.0.0.2", 'Interface "lo" is not ARPable\n'],
    ["arping -s 1.2.3.4 -I eth0 10.0.0.2", "arping: bind: Cannot assign requested address\n"],
    ["arping 8.8.8.8", "arping: No suitable device could be determined, please use option -I.\n"],
  ])("refuses: %s", (line, stderr) => {
    expect(twoMachines().run("a", line)).toMatchObject({ stdout: "", stderr, status: 2 });
  });

  it("ends on SIGINT with its figures", () => {
    const machines = twoMachines();
    const running = machines.start("a", "exec arping -b -I eth0 10.0.0.2");
    machines.pass(2.5);
    running.process.kill("SIGINT");
    machines.pass(0.1);
    expect(running.stdout).toMatch(/Sent 3 probes \(3 broadcast\(s\)\)\nReceived 3 response\(s\)\n$/);
    expect(running.status).toBe(0);
  });
});

describe("What arping counts and refuses, as recorded from iputils 20221126", () => {
  it.each([
    ["-c 2 -w 3 10.0.0.77", 1, "10.0.0.77 from 10.0.0.1", 2, 2, 0],
    ["-b -c 3 10.0.0.2", 0, "10.0.0.2 from 10.0.0.1", 3, 3, 3],
    ["-f -c 5 10.0.0.2", 0, "10.0.0.2 from 10.0.0.1", 1, 1, 1],
    ["-w 2 10.0.0.2", 0, "10.0.0.2 from 10.0.0.1", 3, 1, 2],
    ["-c 3 -w 1 10.0.0.2", 1, "10.0.0.2 from 10.0.0.1", 2, 1, 1],
    ["-D -c 2 10.0.0.2", 1, "10.0.0.2 from 0.0.0.0", 1, 1, 1],
    ["-D -c 3 10.0.0.55", 0, "10.0.0.55 from 0.0.0.0", 3, 3, 0],
    ["-U -c 2 10.0.0.1", 0, "10.0.0.1 from 10.0.0.1", 2, 2, 0],
    ["-A -c 2 10.0.0.1", 0, "10.0.0.1 from 10.0.0.1", 2, 2, 0],
  ])("counts with %s", (options, status, heading, sent, broadcasts, received) => {
    const result = twoMachines().run("a", `arping -I eth0 ${options}`);
    const lines = result.stdout.split("\n");
    expect(lines[0]).toBe(`ARPING ${heading} eth0`);
    expect(lines.slice(-3)).toEqual([
      `Sent ${sent} probes (${broadcasts} broadcast(s))`,
      `Received ${received} response(s)`,
      "",
    ]);
    expect(result.status).toBe(status);
  });

  it.each([
    ["-c 1 -I eth0 nosuch", 2, "arping: nosuch: Name or service not known\n"],
    ["-c x -I eth0 10.0.0.2", 1, "arping: invalid argument: 'x'\n"],
    ["-c 0 -I eth0 10.0.0.2", 1, "arping: invalid argument: '0': out of range: 1 <= value <= 2147483647\n"],
    ["-i 0.5 -I eth0 10.0.0.2", 1, "arping: invalid argument: '0.5'\n"],
  ])("refuses: arping %s", (line, status, stderr) => {
    expect(twoMachines().run("a", `arping ${line}`)).toMatchObject({ status, stderr, stdout: "" });
  });

  it("explains itself to who types nonsense, and knows a device that is down", () => {
    const machines = twoMachines();
    expect(machines.run("a", "arping -z").stderr).toMatch(/^arping: invalid option -- 'z'\n\nUsage:\n {2}arping/);
    expect(machines.run("a", "arping").status).toBe(2);
    machines.run("a", "ip link set eth0 down");
    expect(machines.run("a", "arping -c 1 -I eth0 10.0.0.2")).toMatchObject({
      status: 2,
      stderr: 'Interface "eth0" is down\n',
    });
  });
});
