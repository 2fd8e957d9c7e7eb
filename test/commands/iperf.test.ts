import { describe, expect, it } from "vitest";
import { type Machines, twoMachines } from "./machines.ts";

const RULE = "------------------------------------------------------------\n";

/** Both directions are held to `rate`. */
function shaped(rate = "10mbit"): Machines {
  const machines = twoMachines();
  for (const name of ["a", "b"])
    machines.run(name, `tc qdisc add dev eth0 root tbf rate ${rate} burst 10k latency 50ms`);
  return machines;
}

describe("The word iperf", () => {
  it("measures what TCP carries, at both ends", () => {
    const machines = shaped();
    const server = machines.start("b", "iperf -s");
    const { stdout, status } = machines.run("a", "iperf -c 10.0.0.2 -t 2 -i 1");
    expect(stdout).toMatch(
      new RegExp(
        [
          `^${RULE}Client connecting to 10\\.0\\.0\\.2, TCP port 5001`,
          `TCP window size: 16\\.0 KByte \\(default\\)`,
          `${RULE}\\[ {2}1\\] local 10\\.0\\.0\\.1 port \\d+ connected with 10\\.0\\.0\\.2 port 5001 \\(icwnd/mss/irtt=14/1448/\\d+\\)`,
          "\\[ ID\\] Interval {7}Transfer {5}Bandwidth",
          "\\[ {2}1\\] 0\\.0000-1\\.0000 sec {2}1\\.\\d\\d MBytes {2}(9\\.\\d\\d|1[0-2]\\.\\d) Mbits/sec",
          "\\[ {2}1\\] 1\\.0000-2\\.0000 sec {2}1\\.\\d\\d MBytes {2}(9\\.\\d\\d|1[0-2]\\.\\d) Mbits/sec",
          "\\[ {2}1\\] 0\\.0000-2\\.\\d{4} sec {2}2\\.\\d\\d MBytes {2}9\\.\\d\\d Mbits/sec\n$",
        ].join("\n"),
      ),
    );
    expect(status).toBe(0);
    expect(server.stdout).toMatch(/Server listening on TCP port 5001\nTCP window size: {2}128 KByte \(default\)\n/);
    expect(server.stdout).toMatch(/\n\[ {2}1\] 0\.0000-2\.\d{4} sec {2}2\.\d\d MBytes {2}9\.\d\d Mbits\/sec\n$/);
    server.process.kill("SIGINT");
    machines.pass(1);
    expect(server.status).toBe(0);
  });

  it("sends an amount, from several streams, and sums up", () => {
    const machines = shaped();
    machines.start("b", "iperf -s");
    const { stdout } = machines.run("a", "iperf -c 10.0.0.2 -n 100K -P 2 -f k");
    expect(stdout.match(/^\[ {2}[12]\] 0\.0000-\d\.\d{4} sec {3}100 KBytes {2}\s*\d+ Kbits\/sec$/gm)).toHaveLength(2);
    expect(stdout).toMatch(/\n\[SUM\] 0\.0000-\d\.\d{4} sec {3}200 KBytes {2}\s*\d+ Kbits\/sec\n$/);
  });

  it("counts what UDP loses", () => {
    const machines = shaped("1mbit");
    const server = machines.start("b", "iperf -s -u");
    const { stdout, stderr } = machines.run("a", "iperf -c 10.0.0.2 -u -b 2m -t 1");
    expect(stdout).toContain(
      "Sending 1470 byte datagrams, IPG target: 5880.00 us (kalman adjust)\nUDP buffer size:  208 KByte (default)\n",
    );
    expect(stdout).toMatch(
      /\n\[ {2}1\] 0\.0000-1\.\d{4} sec {3}24\d KBytes {2}2\.0\d Mbits\/sec\n\[ {2}1\] Sent 17[12] datagrams\n/,
    );
    const report =
      /\[ {2}1\] 0\.0000-1\.\d{4} sec {3}1\d\d KBytes {2}1\.0\d Mbits\/sec {3}\d\.\d{3} ms (\d+)\/17[01] \((\d+)%\)\n/;
    expect(stdout).toMatch(report);
    expect(server.stdout).toMatch(report);
    expect(Number(report.exec(stdout)![1])).toBeGreaterThan(50);
    expect(stderr).toBe("");
  });

  it("loses nothing where there is room", () => {
    const machines = twoMachines();
    machines.start("b", "iperf -s -u");
    expect(machines.run("a", "iperf -c 10.0.0.2 -u -t 1").stdout).toMatch(
      / 1\.06 Mbits\/sec {3}0\.000 ms 0\/90 \(0%\)\n$/,
    );
  });

  it.each([
    ["-c 10.0.0.2 -p 5099", 0, "tcp connect failed: Connection refused\n"],
    ["-c 1.1.1.1", 0, "tcp connect failed: Network is unreachable\n"],
    ["-c nosuch", 1, "nosuch: Host name lookup failure\n"],
    ["", 0, "Usage: iperf [-s|-c host] [options]\nTry `iperf --help' for more information.\n"],
    ["-s -c 10.0.0.2", 0, "Usage: iperf [-s|-c host] [options]\nTry `iperf --help' for more information.\n"],
    ["-c 10.0.0.2 -t x", 1, "iperf: time x: seconds above 0 were expected\n"],
    ["-c 10.0.0.2 -p 0", 1, "iperf: port 0: 1 to 65535 was expected\n"],
  ])("fails: iperf %s", (line, status, stderr) => {
    expect(twoMachines().run("a", `iperf ${line}`)).toMatchObject({ status, stderr });
  });

  it("warns when no UDP server answers", () => {
    const { stderr } = twoMachines().run("a", "iperf -c 10.0.0.2 -u -t 1");
    expect(stderr).toMatch(
      /read failed: Connection refused\n.*did not receive ack of last datagram after 10 tries\.\n$/s,
    );
  });

  it("says which port is taken", () => {
    const machines = twoMachines();
    machines.start("b", "iperf -s");
    expect(machines.run("b", "iperf -s")).toMatchObject({ status: 1, stderr: "bind failed: Address already in use\n" });
  });

  it("sums up at a signal, and says the same every time", () => {
    const run = () => {
      const machines = shaped();
      machines.start("b", "iperf -s");
      const running = machines.start("a", "iperf -c 10.0.0.2");
      machines.pass(1);
      running.process.kill("SIGINT");
      machines.pass(1);
      expect(running.status).toBe(130);
      return running.stdout;
    };
    expect(run()).toMatch(/\[ {2}1\] 0\.0000-1\.0\d{3} sec {2}1\.\d\d MBytes/);
    expect(run()).toBe(run());
  });
});
