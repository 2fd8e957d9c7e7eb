import { describe, expect, it } from "vitest";
import { routedMachines, twoMachines } from "./machines.ts";

/** Times differ from any real network's. */
function timeless(text: string): string {
  return text.replaceAll(/\d+\.\d{3} ?ms/g, "T");
}

describe("The word traceroute", () => {
  it("tells the routers on the way", () => {
    const { stdout, stderr, status } = routedMachines().run("a", "traceroute -n -q 1 10.0.3.2 60");
    expect(timeless(stdout)).toBe(
      "traceroute to 10.0.3.2 (10.0.3.2), 30 hops max, 60 byte packets\n" +
        " 1  10.0.1.1  T\n 2  10.0.2.2  T\n 3  10.0.3.2  T\n",
    );
    expect({ stderr, status }).toEqual({ stderr: "", status: 0 });
  });

  it.each(["", "-I", "-T", "-U -p 5000", "-N 1", "-z 0.1", "--sport=20001", "-w 2,2,2"])(
    "finds the way with %s",
    (options) => {
      const { stdout } = routedMachines().run("a", `traceroute -n -q 2 ${options} 10.0.3.2`);
      expect(timeless(stdout).split("\n").slice(1)).toEqual([
        " 1  10.0.1.1  T  T",
        " 2  10.0.2.2  T  T",
        " 3  10.0.3.2  T  T",
        "",
      ]);
    },
  );

  it("tells names, hides what is repeated, and begins where it is told", () => {
    const machines = routedMachines();
    machines.host("a").hostsFile.set("far", 0x0a00_0302 as never);
    expect(timeless(machines.run("a", "traceroute -f 3 far").stdout)).toBe(
      "traceroute to far (10.0.3.2), 30 hops max, 60 byte packets\n 3  far (10.0.3.2)  T  T  T\n",
    );
  });

  it.each([
    ["unreachable", "!H"],
    ["prohibit", "!X"],
  ])("remarks on a router's %s route", (route, remark) => {
    const machines = routedMachines();
    machines.run("r2", `ip route add ${route} 10.0.9.0/24`);
    machines.run("r1", "ip route add 10.0.9.0/24 via 10.0.2.2");
    expect(timeless(machines.run("a", "traceroute -n -q 1 10.0.9.9").stdout)).toContain(` 2  10.0.2.2  T ${remark}\n`);
  });

  it("prints a star for each probe that nobody answers", () => {
    const machines = routedMachines();
    machines.run("r2", "ip route add blackhole 10.0.9.0/24");
    machines.run("r1", "ip route add 10.0.9.0/24 via 10.0.2.2");
    expect(timeless(machines.run("a", "traceroute -n -m 4 -w 0.5 10.0.9.9").stdout)).toBe(
      "traceroute to 10.0.9.9 (10.0.9.9), 4 hops max, 60 byte packets\n" +
        " 1  10.0.1.1  T  T  T\n 2  * * *\n 3  * * *\n 4  * * *\n",
    );
  });

  it("has its SYNs reset by the kernel when the port is open", () => {
    const machines = routedMachines();
    machines.start("b", "serve http 80");
    expect(timeless(machines.run("a", "traceroute -n -q 1 -T 10.0.3.2").stdout)).toContain(" 3  10.0.3.2  T\n");
  });

  it.each([
    ["-q 0 10.0.0.2", 2, "no more than 10 probes per hop\n"],
    ["-q 11 10.0.0.2", 2, "no more than 10 probes per hop\n"],
    ["-m 300 10.0.0.2", 2, "max hops cannot be more than 255\n"],
    ["-f 40 10.0.0.2", 2, "first hop out of range\n"],
    ["-w x 10.0.0.2", 2, "Cannot handle `-w' option with arg `x' (argc 2)\n"],
    ["-q", 2, "Option `-q' (argc 1) requires an argument: `-q nqueries'\n"],
    ["-x 10.0.0.2", 2, "Bad option `-x' (argc 1)\n"],
    ["10.0.0.2 70000", 2, "too big packetlen 70000 specified\n"],
    ["-n 10.0.0.2 abc", 2, 'Cannot handle "packetlen" cmdline arg `abc\' on position 2 (argc 3)\n'],
    ["-n 10.0.0.2 100 200", 2, "Extra arg `200' (position 3, argc 4)\n"],
    [
      "nosuch",
      2,
      'nosuch: Name or service not known\nCannot handle "host" cmdline arg `nosuch\' on position 1 (argc 1)\n',
    ],
    ["-s 1.2.3.4 10.0.0.2", 1, "\nbind: Cannot assign requested address\n"],
    ["-i nope 10.0.0.2", 1, "\nsetsockopt SO_BINDTODEVICE: No such device\n"],
    ["1.1.1.1", 1, "\nconnect: Network is unreachable\n"],
    ["-T 1.1.1.1", 1, "\nconnect: Network is unreachable\n"],
    ["-I 1.1.1.1", 1, "\nconnect: Network is unreachable\n"],
  ])("refuses: traceroute %s", (line, status, stderr) => {
    expect(twoMachines().run("a", `traceroute ${line}`)).toMatchObject({ status, stderr });
  });

  it("says the same every time", () => {
    const run = () => routedMachines().run("a", "traceroute 10.0.3.2").stdout;
    expect(run()).toBe(run());
  });

  it("ends at a signal", () => {
    const machines = twoMachines();
    const running = machines.start("a", "traceroute 10.0.0.9");
    machines.pass(1);
    running.process.kill("SIGINT");
    machines.pass(1);
    expect(running.status).toBe(130);
  });
});

describe("The word tracepath", () => {
  it("tells hops and the path's MTU as iputils does", () => {
    const machines = routedMachines();
    machines.run("r1", "ip link set eth1 mtu 1400");
    machines.run("r2", "ip link set eth0 mtu 1400");
    const { stdout, status } = machines.run("a", "tracepath -n 10.0.3.2");
    const lines = stdout.split("\n");
    expect(lines[0]).toBe(" 1?: [LOCALHOST]                      pmtu 1500");
    expect(lines[1]).toMatch(/^ 1: {2}10\.0\.1\.1 {41,} \d\.\d{3}ms $/);
    expect(lines[1]).toHaveLength(66);
    expect(lines[2]).toMatch(/^ 1: {2}10\.0\.1\.1 /); // asked again, since the first was too long
    expect(lines[3]).toMatch(/^ 2: {2}10\.0\.1\.1 .* pmtu 1400$/);
    expect(lines[4]).toMatch(/^ 2: {2}10\.0\.2\.2 /);
    expect(lines[5]).toMatch(/^ 3: {2}10\.0\.3\.2 .* reached$/);
    expect(lines[6]).toBe("     Resume: pmtu 1400 hops 3 back 3 ");
    expect(status).toBe(0);
  });

  it("gives up at the last hop, and tells what cannot be reached", () => {
    const machines = routedMachines();
    expect(machines.run("a", "tracepath -n -m 1 10.0.3.2").stdout).toContain("     Too many hops: pmtu 1500\n");
    expect(twoMachines().run("a", "tracepath -n 10.0.0.77").stdout).toMatch(
      /\n 1: {2}10\.0\.0\.1 .* !H\n {5}Resume: pmtu 1500 \n$/,
    );
  });

  it.each([
    ["", 255, "Usage"],
    ["-z", 255, "tracepath: invalid option -- 'z'"],
    ["nosuch", 1, "tracepath: nosuch: Name or service not known"],
    ["-p x 10.0.0.2", 1, "tracepath: invalid argument: 'x'"],
    ["-m 300 10.0.0.2", 1, "tracepath: invalid argument: '300': out of range: 0 <= value <= 255"],
  ])("refuses: tracepath %s", (line, status, first) => {
    const result = twoMachines().run("a", `tracepath ${line}`);
    expect(result.status).toBe(status);
    expect(result.stderr.trimStart().split("\n")[0]).toBe(first);
  });

  it("says when it cannot send at all", () => {
    expect(twoMachines().run("a", "tracepath 1.1.1.1")).toMatchObject({
      status: 0,
      stdout: " 1:  send failed\n     Resume: pmtu 65535 \n",
    });
  });
});
