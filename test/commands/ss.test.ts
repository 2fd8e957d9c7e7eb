import { describe, expect, it } from "vitest";
import { type Machines, twoMachines } from "./machines.ts";

/** A conversation from port 40000 of a to 8080 of b, whose program listens on. */
function talking(): Machines {
  const machines = twoMachines();
  machines.start("b", "nc -lk 8080");
  machines.start("b", "nc -lu -s 10.0.0.2 53");
  machines.start("a", "nc -p 40000 10.0.0.2 8080");
  machines.pass(1);
  return machines;
}

describe("The word ss", () => {
  it("lists listeners in the columns of iproute2", () => {
    expect(talking().run("b", "ss -ltn").stdout).toBe(
      "State  Recv-Q Send-Q Local Address:Port Peer Address:PortProcess\n" +
        "LISTEN 0      1            0.0.0.0:8080      0.0.0.0:*          \n",
    );
  });

  it("lists conversations, with names of ports unless told otherwise", () => {
    const machines = talking();
    expect(machines.run("a", "ss -tn").stdout).toBe(
      "State Recv-Q Send-Q Local Address:Port  Peer Address:PortProcess\n" +
        "ESTAB 0      0           10.0.0.1:40000     10.0.0.2:8080       \n",
    );
    expect(machines.run("a", "ss -t").stdout).toBe(
      "State Recv-Q Send-Q Local Address:Port  Peer Address:Port    Process\n" +
        "ESTAB 0      0           10.0.0.1:40000     10.0.0.2:http-alt       \n",
    );
    expect(machines.run("b", "ss -ant").stdout).toBe(
      "State  Recv-Q Send-Q Local Address:Port Peer Address:Port Process\n" +
        "LISTEN 0      1            0.0.0.0:8080      0.0.0.0:*           \n" +
        "ESTAB  0      0           10.0.0.2:8080     10.0.0.1:40000       \n",
    );
    expect(machines.run("b", "ss -H -tn").stdout).toBe("ESTAB 0      0      10.0.0.2:8080 10.0.0.1:40000\n");
    expect(
      machines
        .run("b", "ss -lntu")
        .stdout.split("\n")
        .map((line) => line.slice(0, 12)),
    ).toEqual(["Netid State ", "udp   UNCONN", "tcp   LISTEN", ""]);
  });

  it.each([
    ["state established", 1],
    ["state time-wait", 0],
    ["dst 10.0.0.1", 1],
    ["dst 10.9.0.0/16", 0],
    ["sport = :8080", 1],
    ["sport = :http-alt and dport != :40000", 0],
    ["dport gt :39999", 1],
  ])("chooses by %s", (filter, count) => {
    const { stdout, status } = talking().run("b", `ss -Htn '${filter.split(" ").join("' '")}'`);
    expect(stdout.split("\n").length - 1).toBe(count);
    expect(status).toBe(0);
  });

  it("hides the state where only one was asked for", () => {
    expect(talking().run("b", "ss -tn state established").stdout).toBe(
      "Recv-Q Send-Q Local Address:Port Peer Address:Port Process\n" +
        "0      0           10.0.0.2:8080     10.0.0.1:40000       \n",
    );
  });

  it("tells what TCP knows with -i", () => {
    expect(talking().run("a", "ss -tni").stdout.split("\n")[2]).toMatch(
      /^\t cubic wscale:\d+,\d+ rto:\d+ rtt:[\d.]+\/[\d.]+ mss:1448 pmtu:1500 rcvmss:536 advmss:1448 cwnd:10 .*snd_wnd:\d+$/,
    );
  });

  it("shows data that nobody reads, connections that nobody accepts, and who has left", () => {
    const machines = twoMachines();
    machines.start("b", "nc -l 8080");
    machines.run("a", "nc -N 10.0.0.2 8080 <<< x; nc -z 10.0.0.2 8080");
    machines.pass(1);
    expect(machines.run("a", "ss -Htan").stdout).toMatch(/^TIME-WAIT 0 {6}0 {6}10\.0\.0\.1:\d+ 10\.0\.0\.2:8080\n$/);
    machines.start("a", "nc 10.0.0.77 80");
    machines.pass(0.5);
    expect(machines.run("a", "ss -Htn state syn-sent").stdout).toMatch(/^0 {6}1 {6}10\.0\.0\.1:\d+ 10\.0\.0\.77:80\n$/);
  });

  it("counts with -s", () => {
    expect(talking().run("b", "ss -s").stdout).toBe(
      "Total: 3\nTCP:   2 (estab 1, closed 0, orphaned 0, timewait 0)\n\nTransport Total     IP        IPv6\n" +
        "RAW\t  0         0         0        \nUDP\t  1         1         0        \n" +
        "TCP\t  2         2         0        \nINET\t  3         3         0        \n" +
        "FRAG\t  0         0         0        \n\n",
    );
  });

  it("lists a tunnel's port", () => {
    const machines = twoMachines();
    machines.run("a", "ip link add vx0 type vxlan id 1 dstport 4789 local 10.0.0.1 dev eth0; ip link set vx0 up");
    expect(machines.run("a", "ss -Hlun").stdout).toBe("UNCONN 0      0      0.0.0.0:4789 0.0.0.0:*\n");
  });

  it.each([
    ["--foo", 255, "ss: unrecognized option '--foo'\nUsage: ss [ OPTIONS ]"],
    ["-q", 255, "ss: invalid option -- 'q'\nUsage: ss [ OPTIONS ]"],
    ["-tn state foo", 255, "ss: wrong state name: foo"],
    ["-tn sport = :foo", 1, 'Error: "foo" does not look like a port.\nCannot parse dst/src address.'],
    ["-tn src foo", 1, 'Error: an inet prefix is expected rather than "foo".\nCannot parse dst/src address.'],
  ])("refuses: ss %s", (line, status, stderr) => {
    const result = twoMachines().run("a", `ss ${line}`);
    expect(result.status).toBe(status);
    expect(result.stderr).toContain(stderr);
    expect(result.stdout).toBe("");
  });
});
