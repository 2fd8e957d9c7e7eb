import { describe, expect, it } from "vitest";
import type { Tap } from "../../src/linux/net-device.ts";
import { type Machines, type Running, twoMachines } from "./machines.ts";

const LISTENING =
  "tcpdump: verbose output suppressed, use -v[v]... for full protocol decode\n" +
  "listening on eth0, link-type EN10MB (Ethernet), snapshot length 262144 bytes\n";

function end(machines: Machines, running: Running): void {
  running.process.kill("SIGINT");
  machines.pass(0.1);
}

describe("The word tcpdump", () => {
  it("prints what passes, and counts at the end", () => {
    const machines = twoMachines();
    const running = machines.start("a", "tcpdump -ni eth0");
    machines.run("a", "ping -c 1 10.0.0.2");
    end(machines, running);
    const lines = running.stdout.split("\n");
    expect(lines.map((line) => line.replace(/^00:00:0\d\.\d{6} /, "").replace(/id \d+/, "id N"))).toEqual([
      "ARP who-has 10.0.0.2 tell 10.0.0.1",
      expect.stringMatching(/^ARP reply 10\.0\.0\.2 is-at /),
      expect.stringMatching(/^IP 10\.0\.0\.1 > 10\.0\.0\.2: ICMP echo request, id N, seq 1, length 64/),
      expect.stringMatching(/^IP 10\.0\.0\.2 > 10\.0\.0\.1: ICMP echo reply, id N, seq 1, length 64/),
      "",
      "",
    ]);
    expect(running.stderr).toBe(
      `${LISTENING}4 packets captured\n4 packets received by filter\n0 packets dropped by kernel\n`,
    );
    expect(running.status).toBe(0);
  });

  it("ends by itself with -c, and speaks of one packet", () => {
    const machines = twoMachines();
    const running = machines.start("a", "tcpdump -t -c 1 -i eth0 icmp");
    machines.run("a", "ping -c 1 10.0.0.2");
    expect(running.stdout).toMatch(/^IP 10\.0\.0\.1 > 10\.0\.0\.2: ICMP echo request, [^\n]*\n$/);
    expect(running.stderr).toContain("\n1 packet captured\n");
    expect(running.status).toBe(0);
  });

  it.each([
    [
      "-e arp",
      /^\S+ 02:00:00:00:00:01 > ff:ff:ff:ff:ff:ff, ethertype ARP \(0x0806\), length 42: who-has 10\.0\.0\.2 tell/,
    ],
    [
      "-v icmp",
      /^\S+ IP \(tos 0x0, ttl 64, id \d+, offset 0, flags \[DF\], proto ICMP \(1\), length 84\)\n {4}10\.0\.0\.1 > 10\.0\.0\.2: ICMP echo/,
    ],
    ["-q tcp", /^\S+ IP 10\.0\.0\.1\.\d+ > 10\.0\.0\.2\.82: tcp 0\n/],
    ["tcp", /^\S+ IP 10\.0\.0\.1\.\d+ > 10\.0\.0\.2\.82: Flags \[S\], seq \d+, win \d+, options \[/],
    ["-tt arp", /^17672256\d\d\.\d{6} ARP/],
    ["-ttt arp", /^ 00:00:00\.000000 ARP[^\n]*\n 00:00:00\.0000\d\d ARP/],
    ["-tttt arp", /^2026-01-01 00:00:\d\d\.\d{6} ARP/],
    ["--nano -ttttt arp", /^ 00:00:00\.000000000 ARP/],
    ["-# arp", /^ {4}1 {2}\S+ ARP/],
    ["-x arp", /\n\t0x0000: {2}0001 0800 0604 0001 0200 0000 0001 0a00\n\t0x0010: {2}0001 0000 0000 0000 0a00 0002\n/],
    ["-X arp", /\n\t0x0010: {2}0001 0000 0000 0000 0a00 0002 {12}\.{12}\n/],
    ["-XX arp", /\n\t0x0000: {2}ffff ffff ffff 0200 0000 0001 0806 0001 {2}\.{16}\n/],
    ["-Q in arp", /^\S+ ARP reply/],
    ["-Q out icmp", /^\S+ IP 10\.0\.0\.1 > 10\.0\.0\.2: ICMP echo request[^\n]*\n\n$/],
    ["src host 10.0.0.2 and icmp", /^\S+ IP 10\.0\.0\.2 > 10\.0\.0\.1: ICMP echo reply[^\n]*\n\n$/],
  ])("prints with %s", (options, expected) => {
    const machines = twoMachines();
    machines.run("a", "ip link set eth0 address 02:00:00:00:00:01");
    const running = machines.start("a", `tcpdump -i eth0 ${options}`);
    machines.run("a", "ping -c 1 10.0.0.2; nc 10.0.0.2 82");
    end(machines, running);
    expect(running.stdout).toMatch(expected);
  });

  it("names devices and directions with -i any, and shows a loopback's packets once", () => {
    const machines = twoMachines();
    const running = machines.start("b", "tcpdump -t -i any");
    machines.run("a", "ping -c 1 10.0.0.2");
    machines.run("b", "ping -c 1 127.0.0.1");
    end(machines, running);
    expect(running.stderr).toContain("listening on any, link-type LINUX_SLL2 (Linux cooked v2)");
    expect(running.stdout.split("\n").map((line) => line.slice(0, 17))).toEqual([
      "eth0  B   ARP who",
      "eth0  Out ARP rep",
      "eth0  In  IP 10.0",
      "eth0  Out IP 10.0",
      "lo    In  IP 127.",
      "lo    In  IP 127.",
      "",
      "",
    ]);
  });

  it("leaves other capture points and each other in peace", () => {
    const machines = twoMachines();
    const device = machines.host("a").namespace.device("eth0")!;
    let seen = 0;
    const tap: Tap = { frame: () => seen++ };
    device.tap = tap;
    const first = machines.start("a", "tcpdump -i eth0 icmp");
    const second = machines.start("a", "tcpdump -c 1 -i eth0 icmp");
    machines.run("a", "ping -c 1 10.0.0.2");
    expect(second.status).toBe(0);
    end(machines, first);
    expect(first.stderr).toContain("2 packets captured");
    expect(seen).toBe(4);
    expect(device.tap).toBe(tap);
    expect(device.promiscuous).toBe(false);
  });

  it("looks into VXLAN", () => {
    const machines = twoMachines();
    for (const [name, own, peer] of [
      ["a", 1, 2],
      ["b", 2, 1],
    ] as const)
      machines.run(
        name,
        `ip link add vx0 type vxlan id 42 dstport 4789 local 10.0.0.${own} remote 10.0.0.${peer} dev eth0; ` +
          `ip addr add 10.42.0.${own}/24 dev vx0; ip link set vx0 up`,
      );
    const running = machines.start("a", "tcpdump -t -c 1 -i eth0 'vxlan 42 and icmp'");
    machines.run("a", "ping -c 1 10.42.0.2");
    expect(running.stdout).toMatch(
      /^IP 10\.0\.0\.1\.\d+ > 10\.0\.0\.2\.4789: VXLAN vni 42: IP 10\.42\.0\.1 > 10\.42\.0\.2: ICMP echo request/,
    );
  });

  it.each([
    ["-i nope", "tcpdump: nope: No such device exists\n(No such device exists)\n"],
    ["-i eth0 foo bar", "tcpdump: can't parse filter expression: syntax error\n"],
    ["-i eth0 -c x", "tcpdump: invalid packet count x\n"],
    ["-i eth0 -c 0", "tcpdump: invalid packet count 0\n"],
    ["-i eth0 -Q up", "tcpdump: unknown capture direction `up'\n"],
    ["-w /tmp/x.pcap", "tcpdump: /tmp/x.pcap: Read-only file system\n"],
    ["-r x.pcap", "tcpdump: x.pcap: No such file or directory\n"],
  ])("refuses: tcpdump %s", (line, stderr) => {
    expect(twoMachines().run("a", `tcpdump ${line}`)).toMatchObject({ status: 1, stderr, stdout: "" });
  });

  it("explains itself, lists devices, and wants a device that is up", () => {
    const machines = twoMachines();
    expect(machines.run("a", "tcpdump -Y").stderr).toMatch(
      /^tcpdump: invalid option -- 'Y'\ntcpdump version 4\.99\.3\n/,
    );
    expect(machines.run("a", "tcpdump -D").stdout).toBe(
      "1.eth0 [Up, Running, Connected]\n2.any (Pseudo-device that captures on all interfaces) [Up, Running]\n" +
        "3.lo [Up, Running, Loopback]\n",
    );
    machines.run("a", "ip link set eth0 down");
    expect(machines.run("a", "tcpdump -i eth0")).toMatchObject({
      status: 1,
      stderr: "tcpdump: eth0: That device is not up\n",
    });
  });
});
