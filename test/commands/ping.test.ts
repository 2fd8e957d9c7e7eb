import { describe, expect, it } from "vitest";
import { roundTripText } from "../../src/commands/ping/ping-text.ts";
import { type Machines, routedMachines, twoMachines } from "./machines.ts";

describe("The word ping (iputils 20221126)", () => {
  it("prints replies and the statistics, and ends with 0", () => {
    const { stdout, status } = twoMachines().run("a", "ping -c 2 -i 0.2 10.0.0.2");
    expect(status).toBe(0);
    expect(stdout).toMatch(
      new RegExp(
        "^PING 10\\.0\\.0\\.2 \\(10\\.0\\.0\\.2\\) 56\\(84\\) bytes of data\\.\n" +
          "64 bytes from 10\\.0\\.0\\.2: icmp_seq=1 ttl=64 time=0\\.\\d{3} ms\n" +
          "64 bytes from 10\\.0\\.0\\.2: icmp_seq=2 ttl=64 time=0\\.\\d{3} ms\n\n" +
          "--- 10\\.0\\.0\\.2 ping statistics ---\n" +
          "2 packets transmitted, 2 received, 0% packet loss, time 200ms\n" +
          "rtt min/avg/max/mdev = 0\\.\\d{3}/0\\.\\d{3}/0\\.\\d{3}/0\\.\\d{3} ms\n$",
      ),
    );
  });

  it("counts errors, tells how many were on their way, and ends with 1", () => {
    const { stdout, status } = twoMachines().run("a", "ping -n -c 3 -i 0.2 -W 4 10.0.0.99");
    expect(status).toBe(1);
    expect(stdout).toContain("From 10.0.0.1 icmp_seq=2 Destination Host Unreachable\n");
    expect(stdout).toMatch(/3 packets transmitted, 0 received, \+3 errors, 100% packet loss, time 400ms\npipe 3\n$/);
  });

  it("waits for the last reply as long as it was told", () => {
    const machines = twoMachines();
    machines.run("b", "sysctl -qw net.ipv4.icmp_echo_ignore_all=1");
    const before = machines.world.simulation.nowNs;
    const running = machines.start("a", "ping -c 1 -W 3 10.0.0.2");
    machines.pass(2.9);
    expect(running.status).toBeUndefined();
    machines.pass(0.3);
    expect(running.status).toBe(1);
    expect(machines.world.simulation.nowNs - before).toBeLessThan(3.5e9);
    expect(running.stdout).toMatch(/1 packets transmitted, 0 received, 100% packet loss, time 0ms\n\n$/);
  });

  it("keeps to a deadline", () => {
    const { stdout, status } = twoMachines().run("a", "ping -w 1 -i 0.3 10.0.0.2");
    expect(stdout).toContain("4 packets transmitted, 4 received, 0% packet loss");
    expect(status).toBe(0);
  });

  it.each([
    ["ping", "ping: usage error: Destination address required\n", 1],
    ["ping -c 0 10.0.0.2", "ping: invalid argument: '0': out of range: 1 <= value <= 9223372036854775807\n", 1],
    ["ping -c x 10.0.0.2", "ping: invalid argument: 'x'\n", 1],
    ["ping -M foo 10.0.0.2", "ping: invalid -M argument: foo\n", 1],
    ["ping -Q 300 10.0.0.2", "ping: the decimal value of TOS bits must be in range 0-255: 300\n", 2],
    [
      "ping -c 1 10.0.0.255",
      "ping: Do you want to ping broadcast? Then -b. If not, check your local firewall rules\n",
      2,
    ],
    ["ping -c 1 8.8.8.8", "ping: connect: Network is unreachable\n", 2],
    ["ping -c 1 -I nope 10.0.0.2", "ping: SO_BINDTODEVICE nope: No such device\n", 2],
    ["ping -c 1 -I 1.2.3.4 10.0.0.2", "ping: bind: Cannot assign requested address\n", 2],
  ])("refuses: %s", (line, stderr, status) => {
    const machines = twoMachines();
    const made = machines.world.frames.made;
    expect(machines.run("a", line)).toMatchObject({ stdout: "", stderr, status });
    expect(machines.world.frames.made).toBe(made);
  });

  it("says on a wrong option how it is used", () => {
    const { stderr, status } = twoMachines().run("a", "ping -Z 10.0.0.2");
    expect(stderr).toMatch(/^ping: invalid option -- 'Z'\n\nUsage\n {2}ping \[options\] <destination>\n/);
    expect(status).toBe(2);
  });

  it("says that a packet does not fit", () => {
    const { stdout, stderr, status } = twoMachines().run("a", "ping -M do -s 1473 -c 2 -i 0.2 10.0.0.2");
    expect(stderr).toBe("ping: local error: message too long, mtu=1500\n".repeat(2));
    expect(stdout).toContain("2 packets transmitted, 0 received, +2 errors, 100% packet loss");
    expect(status).toBe(1);
  });

  it("names who let the time to live run out", () => {
    const { stdout } = routedMachines().run("a", "ping -n -c 1 -t 1 10.0.3.2");
    expect(stdout).toContain("From 10.0.1.1 icmp_seq=1 Time to live exceeded\n");
  });

  it("pings names of the hosts file and says which address that is", () => {
    const machines = twoMachines();
    machines.host("a").hostsFile.set("web", machines.host("b").namespace.devices[1]!.addresses[0]!.address);
    const { stdout } = machines.run("a", "ping -c 1 web");
    expect(stdout).toContain("PING web (10.0.0.2) 56(84) bytes of data.\n64 bytes from web (10.0.0.2): icmp_seq=1");
    expect(machines.run("a", "ping -c 1 nobody")).toMatchObject({
      stderr: "ping: nobody: Name or service not known\n",
      status: 2,
    });
  });

  it("floods quietly with dots that replies take away", () => {
    const { stdout, status } = twoMachines().run("a", "ping -f -c 5 10.0.0.2");
    expect(stdout).toContain(
      `${".\b \b".repeat(5)}\n--- 10.0.0.2 ping statistics ---\n5 packets transmitted, 5 received`,
    );
    expect(stdout).toMatch(/ipg\/ewma \d+\.\d{3}\/\d+\.\d{3} ms\n$/);
    expect(status).toBe(0);
  });

  it("gives the same text for the same seed", () => {
    const session = () => routedMachines("s").run("a", "ping -c 3 -i 0.1 10.0.3.2").stdout;
    expect(session()).toBe(session());
  });

  it("shortens times as the real one does", () => {
    expect([84, 1_234, 12_345, 123_456].map(roundTripText)).toEqual(["0.084", "1.23", "12.3", "123"]);
  });

  it("ends on SIGINT with its summary", () => {
    const machines: Machines = twoMachines();
    const running = machines.start("a", "exec ping -i 0.5 10.0.0.2");
    machines.pass(1.2);
    running.process.kill("SIGINT");
    machines.pass(0.1);
    expect(running.stdout).toContain("3 packets transmitted, 3 received, 0% packet loss, time 1000ms");
    expect(running.status).toBe(0);
  });
});
