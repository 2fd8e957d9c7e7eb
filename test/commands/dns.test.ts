import { describe, expect, it } from "vitest";
import { candidates, sortAddresses } from "../../src/commands/stub-resolver.ts";
import { EMPTY_RESOLV_CONF, parseResolvConf } from "../../src/docker/resolver/resolv-conf.ts";
import { formatIpv4, parseIpv4 } from "../../src/wire/address.ts";
import { type Machines, twoMachines } from "./machines.ts";

const ZONE = [
  "'one.demo 300 A 10.0.0.3'",
  "'one.demo 0 A 10.0.0.4'",
  "'alias.demo 0 CNAME one.demo'",
  "'demo 0 MX 10 mail.demo'",
  "'demo 0 TXT \"hello world\"'",
  "'_http._tcp.demo 0 SRV 0 0 80 one.demo'",
  "'3.0.0.10.in-addr.arpa 0 PTR one.demo'",
  "web.lan=10.0.0.2",
].join(" ");

/** `a` asks, `b` (10.0.0.2) answers. */
function named(conf = "nameserver 10.0.0.2\nsearch lan\n"): Machines {
  const machines = twoMachines("dns");
  machines.start("b", `serve dns ${ZONE}`);
  machines.host("a").resolvConf = parseResolvConf(conf);
  return machines;
}

const blurred = (text: string) => text.replace(/id: \d+/g, "id: 1").replace(/Query time: \d+/g, "Query time: 0");

describe("dig", () => {
  it("prints what BIND's dig prints", () => {
    const { stdout, status } = named().run("a", "dig @10.0.0.2 one.demo");
    expect(status).toBe(0);
    expect(blurred(stdout)).toBe(`
; <<>> DiG 9.18.49 <<>> @10.0.0.2 one.demo
; (1 server found)
;; global options: +cmd
;; Got answer:
;; ->>HEADER<<- opcode: QUERY, status: NOERROR, id: 1
;; flags: qr aa rd ra; QUERY: 1, ANSWER: 2, AUTHORITY: 0, ADDITIONAL: 1

;; OPT PSEUDOSECTION:
; EDNS: version: 0, flags:; udp: 1232
;; QUESTION SECTION:
;one.demo.			IN	A

;; ANSWER SECTION:
one.demo.		300	IN	A	10.0.0.3
one.demo.		0	IN	A	10.0.0.4

;; Query time: 0 msec
;; SERVER: 10.0.0.2#53(10.0.0.2) (UDP)
;; WHEN: Thu Jan 01 00:00:00 UTC 2026
;; MSG SIZE  rcvd: 69

`);
  });

  it("lines up its columns by tabs, as BIND does", () => {
    const machines = named();
    expect(machines.run("a", "dig +noall +answer alias.demo demo MX _http._tcp.demo SRV").stdout).toBe(
      "alias.demo.\t\t0\tIN\tCNAME\tone.demo.\none.demo.\t\t300\tIN\tA\t10.0.0.3\none.demo.\t\t0\tIN\tA\t10.0.0.4\n" +
        "demo.\t\t\t0\tIN\tMX\t10 mail.demo.\n_http._tcp.demo.\t0\tIN\tSRV\t0 0 80 one.demo.\n",
    );
    expect(machines.run("a", "dig -x 10.0.0.3 +noall +question +answer").stdout).toBe(
      ";3.0.0.10.in-addr.arpa.\t\tIN\tPTR\n3.0.0.10.in-addr.arpa.\t0\tIN\tPTR\tone.demo.\n",
    );
  });

  it("is short when told so, and goes by TCP", () => {
    const machines = named();
    expect(machines.run("a", "dig +short alias.demo").stdout).toBe("one.demo.\n10.0.0.3\n10.0.0.4\n");
    expect(machines.run("a", "dig +short -t txt demo").stdout).toBe('"hello world"\n');
    const tcp = machines.run("a", "dig +tcp one.demo");
    expect(tcp.stdout).toContain(";; SERVER: 10.0.0.2#53(10.0.0.2) (TCP)\n");
    expect(machines.run("a", "dig nosuch.demo").stdout).toContain("status: NXDOMAIN");
  });

  it("says with 9 that nobody answered", () => {
    const machines = named();
    const refused = machines.run("a", "dig -p 5398 @10.0.0.2 web.demo");
    expect(refused.status).toBe(9);
    expect(refused.stdout).toBe(
      ";; communications error to 10.0.0.2#5398: connection refused\n".repeat(3) +
        "\n; <<>> DiG 9.18.49 <<>> -p 5398 @10.0.0.2 web.demo\n; (1 server found)\n;; global options: +cmd\n" +
        ";; no servers could be reached\n",
    );
    const silent = machines.run("a", "dig +time=1 +tries=2 +short @10.0.0.9 web.demo");
    expect([silent.status, silent.stdout]).toEqual([
      9,
      `${";; communications error to 10.0.0.9#53: timed out\n".repeat(2)};; no servers could be reached\n`,
    ]);
    expect(machines.run("a", "dig +tcp +tries=1 -p 5398 @10.0.0.2 x").stdout).toBe(
      ";; Connection to 10.0.0.2#5398(10.0.0.2) for x failed: connection refused.\n;; no servers could be reached\n",
    );
    expect(machines.run("a", "dig @nosuch.invalid x")).toMatchObject({
      status: 1,
      stderr: "dig: couldn't get address for 'nosuch.invalid': not found\n",
    });
    expect(machines.run("a", "dig +foo x").stderr).toContain("Invalid option: +foo\nUsage:  dig");
  });
});

describe("nslookup and host", () => {
  it("print what BIND's print", () => {
    const machines = named();
    expect(machines.run("a", "nslookup one.demo").stdout).toBe(
      "Server:\t\t10.0.0.2\nAddress:\t10.0.0.2#53\n\nName:\tone.demo\nAddress: 10.0.0.3\nName:\tone.demo\nAddress: 10.0.0.4\n\n",
    );
    expect(machines.run("a", "nslookup alias.demo").stdout).toContain(
      "alias.demo\tcanonical name = one.demo.\nName:\tone.demo\n",
    );
    expect(machines.run("a", "nslookup nosuch.demo.")).toMatchObject({
      status: 1,
      stdout: "Server:\t\t10.0.0.2\nAddress:\t10.0.0.2#53\n\n** server can't find nosuch.demo: NXDOMAIN\n\n",
    });
    expect(machines.run("a", "nslookup 10.0.0.3").stdout).toBe("3.0.0.10.in-addr.arpa\tname = one.demo.\n\n");
    expect(machines.run("a", "nslookup -type=mx demo 10.0.0.2").stdout).toContain(
      "demo\tmail exchanger = 10 mail.demo.\n\n",
    );
    expect(machines.run("a", "host one.demo").stdout).toBe(
      "one.demo has address 10.0.0.3\none.demo has address 10.0.0.4\n",
    );
    expect(machines.run("a", "host alias.demo 10.0.0.2").stdout).toBe(
      "Using domain server:\nName: 10.0.0.2\nAddress: 10.0.0.2#53\nAliases: \n\n" +
        "alias.demo is an alias for one.demo.\none.demo has address 10.0.0.3\none.demo has address 10.0.0.4\n",
    );
    expect(machines.run("a", "host web").stdout).toBe("web.lan has address 10.0.0.2\n");
    expect(machines.run("a", "host 10.0.0.3").stdout).toBe("3.0.0.10.in-addr.arpa domain name pointer one.demo.\n");
    expect(machines.run("a", "host nosuch.demo")).toMatchObject({ status: 1 });
    expect(machines.run("a", "host -t aaaa one.demo").stdout).toBe("one.demo has no AAAA record\n");
  });
});

describe("a program's own name resolution", () => {
  it("asks A and AAAA at once from one port, and goes through the search list", () => {
    const machines = named();
    const heard = machines.start("b", "tcpdump -n -i eth0 udp port 53");
    expect(machines.run("a", "ping -c 1 web").status).toBe(0);
    heard.process.kill("SIGINT");
    machines.pass(1);
    const queries = heard.stdout.split("\n").filter((line) => line.includes("+"));
    expect(queries.map((line) => line.replace(/.*\+ /, "").replace(/ \(.*/, ""))).toEqual([
      "A? web.lan.",
      "AAAA? web.lan.",
    ]);
    expect(new Set(queries.map((line) => /10\.0\.0\.1\.(\d+) >/.exec(line)?.[1])).size).toBe(1);
  });

  it("tries every server twice, five seconds each for the first, before it gives up", () => {
    const machines = named("nameserver 10.0.0.9\noptions timeout:1\n");
    const began = machines.world.simulation.nowNs;
    expect(machines.run("a", "getent hosts one.demo").status).toBe(2);
    expect(Math.round((machines.world.simulation.nowNs - began) / 1e9)).toBe(2);
    machines.host("a").resolvConf = parseResolvConf("nameserver 10.0.0.9\nnameserver 10.0.0.2\n");
    expect(machines.run("a", "getent hosts one.demo").stdout).toBe(
      "10.0.0.3        one.demo\n10.0.0.4        one.demo\n",
    );
  });

  it("knows no names without a resolv.conf, but those of the hosts file", () => {
    const machines = named();
    machines.host("a").resolvConf = EMPTY_RESOLV_CONF;
    expect(machines.run("a", "getent hosts one.demo").status).toBe(2);
    expect(machines.run("a", "getent ahostsv4 localhost").stdout).toBe(
      "127.0.0.1       STREAM localhost\n127.0.0.1       DGRAM  \n127.0.0.1       RAW    \n",
    );
    expect(machines.run("a", "getent").stderr).toContain("getent: wrong number of arguments\n");
  });

  it("orders names as ndots says", () => {
    const conf = parseResolvConf("search lan example\noptions ndots:2\n");
    expect(candidates(conf, "web")).toEqual(["web.lan", "web.example", "web"]);
    expect(candidates(conf, "a.b.c")).toEqual(["a.b.c", "a.b.c.lan", "a.b.c.example"]);
    expect(candidates(conf, "web.")).toEqual(["web"]);
  });

  it("prefers the address of its own subnet that has most bits in common with its own", () => {
    // Recording 02: the client 10.0.1.11 always took the task 10.0.1.10 and not 10.0.1.9.
    const machines = twoMachines("order");
    machines.run("a", "ip addr add 10.0.1.11/24 dev eth0; ip route add default via 10.0.0.2");
    const sorted = (...texts: string[]) =>
      sortAddresses(
        machines.host("a").namespace,
        texts.map((text) => parseIpv4(text)!),
      ).map(formatIpv4);
    expect(sorted("10.0.1.9", "10.0.1.10")).toEqual(["10.0.1.10", "10.0.1.9"]);
    expect(sorted("192.0.2.9", "192.0.2.1")).toEqual(["192.0.2.9", "192.0.2.1"]);
  });
});
