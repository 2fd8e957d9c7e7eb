import { describe, expect, it } from "vitest";
import { type Machines, twoMachines } from "./machines.ts";

const TBF_USAGE =
  "Usage: ... tbf limit BYTES burst BYTES[/BYTES] rate KBPS [ mtu BYTES[/BYTES] ]\n" +
  "\t[ peakrate KBPS ] [ latency TIME ] [ overhead BYTES ] [ linklayer TYPE ]\n";

function show(machines: Machines): string {
  return machines.run("a", "tc qdisc show dev eth0").stdout;
}

describe("The word tc", () => {
  it("shows what stands, as iproute2 6.1 does", () => {
    const machines = twoMachines();
    expect(machines.run("a", "tc qdisc").stdout).toBe(
      "qdisc noqueue 0: dev lo root refcnt 2 \nqdisc noqueue 0: dev eth0 root refcnt 2 \n",
    );
    machines.run("a", "tc qdisc add dev eth0 root tbf rate 10mbit burst 2000 limit 400000");
    expect(show(machines)).toBe("qdisc tbf 8001: root refcnt 3 rate 10Mbit burst 2000b lat 318ms \n");
    machines.run("a", "tc qdisc replace dev eth0 root handle 5: tbf rate 5mbit burst 4k latency 50ms");
    expect(show(machines)).toBe("qdisc tbf 5: root refcnt 3 rate 5Mbit burst 4Kb lat 50ms \n");
    machines.run("a", "tc qdisc change dev eth0 root tbf rate 6mbit burst 4k latency 50ms");
    expect(show(machines)).toBe("qdisc tbf 5: root refcnt 3 rate 6Mbit burst 4Kb lat 50ms \n");
    machines.run("a", "tc qdisc del dev eth0 root");
    expect(show(machines)).toBe("qdisc noqueue 0: root refcnt 2 \n");
    machines.run("a", "tc qdisc add dev eth0 root tbf rate 1mbit burst 2k limit 3k peakrate 2mbit mtu 1500");
    expect(show(machines)).toBe(
      "qdisc tbf 8001: root refcnt 3 rate 1Mbit burst 2Kb peakrate 2Mbit minburst 1500b lat 8.19ms \n",
    );
  });

  it.each([
    ["pfifo_fast", "qdisc pfifo_fast 8001: root refcnt 3 bands 3 priomap 1 2 2 2 1 2 0 0 1 1 1 1 1 1 1 1\n"],
    ["pfifo limit 5", "qdisc pfifo 8001: root refcnt 3 limit 5p\n"],
    ["bfifo", "qdisc bfifo 8001: root refcnt 3 limit 1514000b\n"],
    ["noqueue", "qdisc noqueue 8001: root refcnt 3 \n"],
    ["netem delay 100ms", "qdisc netem 8001: root refcnt 3 limit 1000 delay 100ms\n"],
    [
      "netem limit 50 delay 10ms 2ms 25% distribution normal loss 1% 25% duplicate 0.5%",
      "qdisc netem 8001: root refcnt 3 limit 50 delay 10ms  2ms 25% loss 1% 25% duplicate 0.5%\n",
    ],
    [
      "netem delay 10ms reorder 20% 50% gap 5",
      "qdisc netem 8001: root refcnt 3 limit 1000 delay 10ms reorder 20% 50% gap 5\n",
    ],
    [
      "netem loss gemodel 1% 10% 70% 0.1%",
      "qdisc netem 8001: root refcnt 3 limit 1000 loss gemodel p 1% r 10% 1-h 70% 1-k 0.1%\n",
    ],
    ["netem loss gemodel 5", "qdisc netem 8001: root refcnt 3 limit 1000 loss gemodel p 5% r 95% 1-h 100% 1-k 0%\n"],
    [
      "netem loss state 2%",
      "qdisc netem 8001: root refcnt 3 limit 1000 loss state p13 2% p31 98% p32 0% p23 100% p14 0%\n",
    ],
    ["netem corrupt 1% rate 1mbit", "qdisc netem 8001: root refcnt 3 limit 1000 corrupt 1% rate 1Mbit\n"],
  ])("takes %s", (options, shown) => {
    const machines = twoMachines();
    expect(machines.run("a", `tc qdisc add dev eth0 root ${options}`)).toMatchObject({ status: 0, stderr: "" });
    expect(show(machines)).toBe(shown);
  });

  it.each([
    // Recorded from iproute2 6.1 on Linux 6.18.
    ["add dev nope root tbf rate 1mbit burst 2k limit 10k", 1, 'Cannot find device "nope"\n'],
    ["add root tbf rate 1mbit burst 2k limit 10k", 2, "RTNETLINK answers: No such device\n"],
    ["add dev eth0 root foo", 2, "Error: Specified qdisc kind is unknown.\n"],
    ["add dev eth0 root", 2, "Error: Specified qdisc kind is unknown.\n"],
    ["add dev eth0", 2, "Error: Handle cannot be zero.\n"],
    ["add dev eth0 root tbf rate", 255, 'Command line is not complete. Try option "help"\n'],
    [
      "add dev eth0 root tbf rate 1mbit",
      1,
      `tbf: the "burst" parameter is mandatory.\ntbf: either "limit" or "latency" is required.\n${TBF_USAGE}`,
    ],
    ["add dev eth0 root tbf rate foo burst 2k", 1, 'tbf: illegal value for "rate": "foo"\n'],
    ["add dev eth0 root tbf rate 1mbit burst foo", 1, 'tbf: illegal value for "burst": "foo"\n'],
    [
      "add dev eth0 root tbf rate 1mbit burst 2k limit 1k latency 3ms",
      1,
      'tbf: specifying both "limit" and "/latency" is not allowed\n',
    ],
    ["add dev eth0 root tbf rate 1mbit rate 2mbit", 1, 'tbf: duplicate "rate" specification\n'],
    [
      "add dev eth0 root tbf rate 1mbit burst 2k limit 3k peakrate 2mbit",
      1,
      `tbf: when "peakrate" is specified, "mtu" must also be specified.\n${TBF_USAGE}`,
    ],
    ["add dev eth0 root tbf rate 1mbit burst 2k limit 3k bar", 1, `tbf: unknown parameter "bar"\n${TBF_USAGE}`],
    ["add dev eth0 root handle x: tbf rate 1mbit", 255, 'Error: argument "x:" is wrong: invalid qdisc ID\n\n'],
    [
      "add dev eth0 parent 1:1 handle 10: tbf rate 1mbit burst 2k limit 3k",
      2,
      "Error: Failed to find specified qdisc.\n",
    ],
    ["add dev eth0 handle 1: tbf rate 1mbit burst 2k limit 3k", 2, "Error: Specified qdisc not found.\n"],
    [
      "change dev eth0 root tbf rate 6mbit burst 4k latency 50ms",
      2,
      "Error: Qdisc not found. To create specify NLM_F_CREATE flag.\n",
    ],
    ["del dev eth0 root", 2, "Error: Cannot delete qdisc with handle of zero.\n"],
    ["del dev eth0 handle 1:", 2, "Error: Failed to find qdisc with specified handle.\n"],
    ["add dev eth0 dev eth0 root", 255, 'Error: duplicate "dev": "eth0" is the second value.\n'],
    ["add dev eth0 root root", 255, 'Error: "root" is duplicate parent ID\n'],
    ["add dev eth0 root noqueue foo", 1, 'Unknown qdisc "noqueue", hence option "foo" is unparsable\n'],
    ["add dev eth0 root pfifo_fast foo", 255, "qdisc 'pfifo_fast' does not support option parsing\n"],
    ["add dev eth0 root pfifo limit foo", 1, 'pfifo: Illegal value for "limit": "foo"\n'],
    ["add dev eth0 root netem delay foo", 1, 'Illegal "latency"\n'],
    ["add dev eth0 root netem loss foo", 1, "Unknown loss parameter: foo\n"],
    ["add dev eth0 root netem loss random", 255, 'Command line is not complete. Try option "help"\n'],
    ["add dev eth0 root netem loss 200%", 1, 'Illegal "loss percent"\n'],
    ["add dev eth0 root netem loss gemodel foo", 1, 'Illegal "loss gemodel p"\n'],
    ["add dev eth0 root netem loss state foo", 1, 'Illegal "loss p13"\n'],
    ["add dev eth0 root netem duplicate foo", 1, 'Illegal "duplicate"\n'],
    [
      "add dev eth0 root netem delay 10ms 2ms distribution foo",
      1,
      "No distribution data for foo (/usr/lib/x86_64-linux-gnu/tc//foo.dist: No such file or directory)\n",
    ],
    ["show dev nope", 1, 'Cannot find device "nope"\n'],
    ["show foo", 255, 'What is "foo"? Try "tc qdisc help".\n'],
    ["foo", 255, 'Command "foo" is unknown, try "tc qdisc help".\n'],
  ])("refuses: tc qdisc %s", (line, status, stderr) => {
    const machines = twoMachines();
    expect(machines.run("a", `tc qdisc ${line}`)).toMatchObject({ status, stderr, stdout: "" });
    expect(show(machines)).toBe("qdisc noqueue 0: root refcnt 2 \n"); // and nothing has changed
  });

  it.each([
    ["netem reorder 10%", "reordering not possible without specifying some delay"],
    ["netem gap 5", "gap specified without reorder probability"],
    ["netem distribution normal", "distribution specified but no latency and jitter values"],
    ["netem delay 10ms foo", 'What is "foo"?'],
  ])("explains itself after: %s", (options, first) => {
    const { status, stderr } = twoMachines().run("a", `tc qdisc add dev eth0 root ${options}`);
    expect(status).toBe(1);
    expect(stderr.split("\n").slice(0, 2)).toEqual([first, "Usage: ... netem [ limit PACKETS ]"]);
  });

  it("refuses a second discipline, and knows the one that stands", () => {
    const machines = twoMachines();
    const tbf = "tbf rate 1mbit burst 2k limit 3k";
    machines.run("a", `tc qdisc add dev eth0 root ${tbf}`);
    const shown = show(machines);
    for (const [line, text] of [
      [`add dev eth0 root ${tbf}`, "Exclusivity flag on, cannot modify"],
      [`change dev eth0 root handle 9: ${tbf}`, "NLM_F_REPLACE needed to override"],
      ["del dev eth0 root handle 7:", "Invalid handle"],
      ["del dev eth0 root pfifo", "Invalid qdisc name: must match existing qdisc"],
    ] as const)
      expect(machines.run("a", `tc qdisc ${line}`)).toMatchObject({ status: 2, stderr: `Error: ${text}.\n` });
    expect(show(machines)).toBe(shown);
    expect(machines.run("a", "tc foo")).toMatchObject({
      status: 255,
      stderr: 'Object "foo" is unknown, try "tc help".\n',
    });
  });

  it("counts what leaves, what waits and what is dropped", () => {
    const machines = twoMachines();
    machines.run("a", "ping -c 1 10.0.0.2"); // ARP
    machines.run("a", "tc qdisc add dev eth0 root tbf rate 8kbit burst 200 limit 250");
    machines.run("a", "ping -c 5 -i 0.002 -W 2 10.0.0.2", 1);
    const text = machines.run("a", "tc -s qdisc show dev eth0").stdout;
    expect(text).toMatch(/Sent 392 bytes 4 pkt \(dropped 1, overlimits \d+ requeues 0\) \n backlog 0b 0p requeues 0\n/);
  });

  it("keeps waiting frames when it is changed, and drops them when it goes", () => {
    const machines = twoMachines();
    machines.run("a", "ping -c 1 10.0.0.2");
    machines.run("a", "tc qdisc add dev eth0 root netem delay 1s");
    const ping = machines.start("a", "ping -c 1 10.0.0.2");
    machines.pass(0.5);
    machines.run("a", "tc qdisc change dev eth0 root netem delay 2s");
    expect(machines.run("a", "tc -s qdisc show dev eth0").stdout).toContain("backlog 98b 1p requeues 0");
    machines.pass(2);
    expect(ping.stdout).toContain("time=1000 ms");
    const lost = machines.start("a", "ping -c 1 -W 1 10.0.0.2");
    machines.pass(0.5);
    machines.run("a", "tc qdisc del dev eth0 root");
    machines.pass(20);
    expect(lost.stdout).toContain("100% packet loss");
  });
});
