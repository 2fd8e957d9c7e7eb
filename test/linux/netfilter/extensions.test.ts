import { describe, expect, it } from "vitest";
import { FRAME_FLAG_IPVS, FRAME_FLAG_SECURED } from "../../../src/linux/frame-flags.ts";
import { type FrameId, NO_FRAME } from "../../../src/linux/frame-store.ts";
import type { HookPoint } from "../../../src/linux/hooks.ts";
import { iptables } from "../../../src/linux/netfilter/iptables.ts";
import { MATCH_EXTENSIONS } from "../../../src/linux/netfilter/match-extensions.ts";
import { splitWords } from "../../../src/linux/netfilter/quoting.ts";
import { TARGET_EXTENSIONS } from "../../../src/linux/netfilter/target-extensions.ts";
import { getU16 } from "../../../src/wire/bytes.ts";
import * as ipv4 from "../../../src/wire/ipv4.ts";
import * as tcp from "../../../src/wire/tcp.ts";
import { ip } from "../two-hosts.ts";
import { Bench } from "./packets.ts";

const A = "10.0.0.1";
const B = "10.0.0.2";
const LOCAL = "192.0.2.1";

function run(bench: Bench, line: string): void {
  expect([line, iptables(bench.netfilter, splitWords(line) ?? [])]).toEqual([
    line,
    { status: 0, stdout: "", stderr: "" },
  ]);
}

/** Does a packet fit a rule of these words (at INPUT)? */
function fits(
  words: string,
  make: (bench: Bench) => FrameId,
  prepare: (bench: Bench, frame: FrameId) => void = () => {},
): boolean {
  const bench = new Bench();
  run(bench, `-A INPUT ${words} -j DROP`);
  const frame = make(bench);
  prepare(bench, frame);
  const passed = bench.passes("input", frame);
  expect(bench.frames.inFlight).toBe(0);
  return !passed;
}

const UDP = (bench: Bench) => bench.udp({ from: A, to: B, sport: 1000, dport: 2000, ttl: 9, tos: 0x10 });
const SYN = (bench: Bench) => bench.tcp({ from: A, to: B, sport: 1000, dport: 80, flags: tcp.SYN, mss: 1460 });
const PING = (bench: Bench) => bench.echo({ from: A, to: B }, 1);
/** VXLAN to VNI 4098: what Docker's rules for encrypted networks look for. */
const VXLAN = (bench: Bench, vni = 4098) => {
  const frame = bench.udp({ from: A, to: B, sport: 40_000, dport: 4789 }, 20);
  bench.frames.bytes.set([8, 0, 0, 0, vni >>> 16, vni >>> 8, vni & 255, 0], bench.frames.start(frame) + 28);
  return frame;
};
const U32 = '-p udp --dport 4789 -m u32 --u32 "0>>22&0x3C@12&0xFFFFFF00=0x100200"';
/** Load half a word at the IP header, then the VNI behind UDP. */
const BPF = '-m bpf --bytecode "6,177 0 0 0,64 0 0 12,21 0 2 1049088,6 0 0 1,6 0 0 0,6 0 0 0"';

const CASES: readonly [words: string, yes: ((bench: Bench) => FrameId)[], no: ((bench: Bench) => FrameId)[]][] = [
  ["-s 10.0.0.0/24", [UDP], [(b) => b.udp({ from: "10.0.1.1", to: B })]],
  ["! -d 10.0.0.2", [(b) => b.udp({ from: A, to: A })], [UDP]],
  ["-s 10.0.0.1/255.0.0.255", [(b) => b.udp({ from: "10.9.9.1", to: B })], [(b) => b.udp({ from: "10.9.9.2", to: B })]],
  ["-i eth0", [UDP], []],
  ["-i eth+", [UDP], []],
  ["! -i eth0", [], [UDP]],
  ["-i eth1", [], [UDP]],
  ["-p udp", [UDP], [SYN]],
  ["! -p udp", [SYN], [UDP]],
  ["-p udp --dport 2000", [UDP], [(b) => b.udp({ from: A, to: B, dport: 2001 })]],
  ["-p udp --sport 900:1000 ! --dport :1999", [UDP], [(b) => b.udp({ from: A, to: B, dport: 5 })]],
  ["-p tcp --dport 80 --syn", [SYN], [(b) => b.tcp({ from: A, to: B, dport: 80, flags: tcp.SYN | tcp.ACK })]],
  ["-p tcp --tcp-flags ALL SYN,FIN", [(b) => b.tcp({ from: A, to: B, flags: 3 })], [SYN]],
  ["-p tcp --tcp-option 2", [SYN], [(b) => b.tcp({ from: A, to: B, flags: tcp.SYN })]],
  ["-p tcp ! --tcp-option 2", [(b) => b.tcp({ from: A, to: B, flags: tcp.SYN })], [SYN]],
  ["-p sctp --dport 2905", [], [UDP]],
  ["-p icmp --icmp-type echo-request", [PING], [(b) => b.echo({ from: A, to: B }, 1, 0)]],
  [
    "-p icmp --icmp-type 3/4",
    [(b) => b.echo({ from: A, to: B }, 1, 3, 4)],
    [(b) => b.echo({ from: A, to: B }, 1, 3, 3)],
  ],
  ["-p icmp --icmp-type any", [PING], []],
  ["-m addrtype --dst-type LOCAL", [(b) => b.udp({ from: A, to: LOCAL })], [UDP]],
  ["-m addrtype ! --dst-type LOCAL", [UDP], [(b) => b.udp({ from: A, to: LOCAL })]],
  [
    "-m addrtype --dst-type LOCAL --limit-iface-in",
    [(b) => b.udp({ from: A, to: LOCAL })],
    [(b) => b.udp({ from: A, to: "172.17.0.1" })],
  ],
  [
    "-m addrtype --src-type UNICAST --dst-type MULTICAST,BROADCAST",
    [(b) => b.udp({ from: A, to: "224.0.0.1" })],
    [UDP],
  ],
  ["-p tcp -m multiport --dports 22,80:90", [SYN], [(b) => b.tcp({ from: A, to: B, dport: 91, flags: 2 })]],
  ["-p udp -m multiport ! --ports 1000,3", [(b) => b.udp({ from: A, to: B, sport: 1 })], [UDP]],
  ["-p udp -m multiport --sports 1000", [UDP], [(b) => b.udp({ from: A, to: B, sport: 1, dport: 1000 })]],
  ["-m length --length 36", [UDP], [SYN]],
  ["-m length ! --length 0:40", [SYN], [UDP]],
  ["-m tos --tos 0x10", [UDP], [SYN]],
  ["-m dscp --dscp 4", [UDP], [SYN]],
  ["-m dscp ! --dscp-class EF", [UDP], [(b) => b.udp({ from: A, to: B, tos: 0xb8 })]],
  ["-m ttl --ttl-lt 10", [UDP], [SYN]],
  ["-m ttl --ttl-gt 10", [SYN], [UDP]],
  ["-m ttl ! --ttl-eq 64", [UDP], [SYN]],
  ["-m mac --mac-source 02:00:00:00:00:02", [UDP], []],
  ["-m mac ! --mac-source 02:00:00:00:00:02", [], [UDP]],
  ["-m pkttype --pkt-type unicast", [UDP], []],
  [
    "-m iprange --src-range 10.0.0.0-10.0.0.1 ! --dst-range 10.0.0.3-10.0.0.9",
    [UDP],
    [(b) => b.udp({ from: A, to: "10.0.0.4" })],
  ],
  [U32, [VXLAN], [(b) => VXLAN(b, 4097), UDP]],
  [BPF, [VXLAN], [(b) => VXLAN(b, 4097)]],
  ['-m bpf --bytecode "4,48 0 0 9,21 0 1 6,6 0 0 1,6 0 0 0"', [SYN], [UDP]],
  ['-m comment --comment "a b"', [UDP], []],
  ["-m mark --mark 0", [UDP], []],
  ["-m policy --dir in --pol none", [UDP], []],
  ["-m policy --dir in --pol ipsec", [], [UDP]],
  ["-m ipvs ! --ipvs", [UDP], []],
  ["-m ipvs --ipvs", [], [UDP]],
  ["-m physdev --physdev-is-bridged", [], [UDP]],
  ["-m physdev ! --physdev-is-in", [UDP], []],
  ["-f", [], [UDP]],
  ["! -f", [UDP], []],
  ["-m state --state INVALID", [UDP], []],
  ["-m conntrack ! --ctstate INVALID", [], [UDP]],
  ["-m connmark --mark 0", [], [UDP]],
  ["-m limit --limit 1/hour --limit-burst 1", [UDP], []],
  ["-m statistic --mode random --probability 1", [UDP], []],
  ["-m statistic --mode random --probability 0.0", [], [UDP]],
  ["-m statistic --mode nth --every 2 --packet 1", [], [UDP]],
];

describe("Matches (iptables-extensions(8))", () => {
  it.each(CASES)("%s", (words, yes, no) => {
    for (const make of yes) expect(fits(words, make)).toBe(true);
    for (const make of no) expect(fits(words, make)).toBe(false);
  });

  it("are all tried here", () => {
    const tried = CASES.map(([words]) => words).join(" ");
    for (const name of MATCH_EXTENSIONS.keys())
      expect(
        ["tcp", "udp", "sctp", "icmp"].includes(name) ? tried.includes(`-p ${name}`) : tried.includes(`-m ${name}`),
      ).toBe(true);
  });

  it("look at marks with their masks", () => {
    const mark = (value: number) => (bench: Bench, frame: FrameId) => {
      bench.frames.mark[frame] = value | 0;
    };
    expect(fits("-m mark --mark 0x10/0xf0", UDP, mark(0x1f))).toBe(true);
    expect(fits("-m mark --mark 0x10/0xf0", UDP, mark(0x2f))).toBe(false);
    expect(fits("-m mark --mark 0xffffffff", UDP, mark(0xffff_ffff))).toBe(true);
    expect(fits("-m mark ! --mark 0xd0c4e3", UDP, mark(0xd0_c4e3))).toBe(false);
  });

  it("know what IPsec and the load balancer did with a packet", () => {
    const flag = (bit: number) => (bench: Bench, frame: FrameId) => {
      bench.frames.flags[frame] = bit;
    };
    expect(fits("-m policy --dir in --pol ipsec", UDP, flag(FRAME_FLAG_SECURED))).toBe(true);
    expect(fits("-m policy --dir in --pol none", UDP, flag(FRAME_FLAG_SECURED))).toBe(false);
    expect(fits("-m ipvs --ipvs", UDP, flag(FRAME_FLAG_IPVS))).toBe(true);
  });

  it("fit no later fragment where ports are asked for", () => {
    const later = (bench: Bench, frame: FrameId) => {
      bench.frames.bytes[bench.frames.start(frame) + 7] = 100;
    };
    expect(fits("-p udp --dport 2000", UDP, later)).toBe(false);
    expect(fits("-f", UDP, later)).toBe(true);
  });

  it("count: statistic takes every n-th packet, limit so many and more as time passes", () => {
    const bench = new Bench();
    run(bench, "-A INPUT -p tcp -m statistic --mode nth --every 3 --packet 0 -j DROP");
    run(bench, "-A INPUT -p udp -m limit --limit 1/second --limit-burst 2 -j DROP");
    expect([0, 1, 2, 3, 4, 5, 6].map(() => bench.passes("input", SYN(bench)))).toEqual([
      false,
      true,
      true,
      false,
      true,
      true,
      false,
    ]);
    expect([0, 1, 2].map(() => bench.passes("input", UDP(bench)))).toEqual([false, false, true]);
    bench.wait(1);
    expect([0, 1].map(() => bench.passes("input", UDP(bench)))).toEqual([false, true]);
  });

  it("end a program that reads outside the packet, or divides by zero", () => {
    expect(fits('-m bpf --bytecode "2,32 0 0 5000,6 0 0 1"', UDP)).toBe(false);
    expect(fits('-m bpf --bytecode "2,52 0 0 0,6 0 0 1"', UDP)).toBe(false);
    expect(fits('-m u32 --u32 "4000=0:0xffffffff"', UDP)).toBe(false);
  });
});

/** The packet behind a rule of table and chain. */
function behind(line: string, point: HookPoint, make: (bench: Bench) => FrameId) {
  const bench = new Bench();
  run(bench, line);
  const frame = bench.hook(point, make(bench));
  return { bench, frame, at: frame === NO_FRAME ? 0 : bench.frames.start(frame) };
}

describe("Targets", () => {
  it("MARK sets, clears and turns bits", () => {
    for (const [words, mark] of [
      ["--set-mark 0x102", 0x102],
      ["--set-xmark 0x5/0xf", 0x5],
      ["--or-mark 0x80000000", 0x8000_0000],
      ["--xor-mark 0x3", 3],
      ["--and-mark 0xf", 0],
    ] as const) {
      const { bench, frame } = behind(`-t mangle -A INPUT -j MARK ${words}`, "input", UDP);
      expect([words, bench.frames.mark[frame]! >>> 0]).toEqual([words, mark]);
    }
  });

  it("MARK leaves other holders of a shared frame as they were", () => {
    const bench = new Bench();
    run(bench, "-t mangle -A INPUT -j MARK --set-mark 7");
    const frame = UDP(bench);
    bench.frames.hold(frame);
    const own = bench.hook("input", frame);
    expect(own).not.toBe(frame);
    expect([bench.frames.mark[frame], bench.frames.mark[own]]).toEqual([0, 7]);
  });

  it("CONNMARK keeps a mark with the connection", () => {
    const bench = new Bench();
    run(bench, "-t mangle -A PREROUTING -j CONNMARK --restore-mark");
    run(bench, "-t mangle -A POSTROUTING -j MARK --set-mark 9");
    run(bench, "-t mangle -A POSTROUTING -j CONNMARK --save-mark");
    bench.frames.consume(bench.through(UDP(bench)));
    const answer = bench.hook("prerouting", bench.udp({ from: B, to: A, sport: 2000, dport: 1000 }));
    expect(bench.frames.mark[answer]).toBe(9);
  });

  it("TOS, DSCP and TTL rewrite the header and its checksum", () => {
    for (const [words, offset, value] of [
      ["TOS --set-tos 0x08", 1, 0x08],
      ["DSCP --set-dscp-class EF", 1, 0xb8],
      ["TTL --ttl-set 33", 8, 33],
      ["TTL --ttl-dec 4", 8, 5],
      ["TTL --ttl-inc 250", 8, 255],
    ] as const) {
      const { bench, frame, at } = behind(`-t mangle -A INPUT -j ${words}`, "input", UDP);
      expect([words, bench.frames.bytes[at + offset]]).toEqual([words, value]);
      expect(ipv4.checksumOk(bench.frames, bench.frames.start(frame))).toBe(true);
    }
  });

  it("TCPMSS lowers a SYN's segment size, never raises it, and mends the checksum", () => {
    for (const [words, size] of [
      ["--set-mss 1300", 1300],
      ["--set-mss 9000", 1460],
    ] as const) {
      const { bench, at } = behind(`-t mangle -A FORWARD -p tcp --syn -j TCPMSS ${words}`, "forward", SYN);
      expect(getU16(bench.frames.bytes, at + 42)).toBe(size);
      expect(tcp.checksumOk(bench.frames, at + 20, at + 44, ip(A), ip(B))).toBe(true);
    }
    const { bench, at } = behind("-t mangle -A FORWARD -p tcp -j TCPMSS --clamp-mss-to-pmtu", "forward", SYN);
    expect(getU16(bench.frames.bytes, at + 42)).toBe(1460);
  });

  it("REJECT ends the packet and answers by the error that was asked for", () => {
    for (const [words, error] of [
      ["", "3/3"],
      ["--reject-with icmp-net-unreachable", "3/0"],
      ["--reject-with icmp-host-unreachable", "3/1"],
      ["--reject-with icmp-proto-unreachable", "3/2"],
      ["--reject-with icmp-net-prohibited", "3/9"],
      ["--reject-with icmp-host-prohibited", "3/10"],
      ["--reject-with icmp-admin-prohibited", "3/13"],
    ]) {
      const { bench, frame } = behind(`-A INPUT -j REJECT ${words}`, "input", UDP);
      expect(frame).toBe(NO_FRAME);
      expect(bench.errors).toEqual([error]);
      expect(bench.frames.dropsByReason.get("netfilter-reject")).toBe(1);
    }
  });

  it("REJECT resets a TCP connection, but never answers a reset", () => {
    const { bench } = behind("-A INPUT -p tcp -j REJECT --reject-with tcp-reset", "input", SYN);
    const [answer] = bench.sent;
    const at = bench.frames.start(answer!);
    const reset = tcp.parse(bench.frames.bytes, at + 20, bench.frames.end(answer!));
    expect(reset).toMatchObject({
      sourcePort: 80,
      destinationPort: 1000,
      flags: tcp.RST | tcp.ACK,
      sequence: 0,
      acknowledgement: 1,
    });
    expect(tcp.checksumOk(bench.frames, at + 20, at + 40, ip(B), ip(A))).toBe(true);
    bench.hook("input", bench.tcp({ from: A, to: B, flags: tcp.RST }));
    expect(bench.sent).toHaveLength(1);
    bench.hook("input", bench.tcp({ from: A, to: B, flags: tcp.ACK, ack: 77 }));
    const second = tcp.parse(
      bench.frames.bytes,
      bench.frames.start(bench.sent[1]!) + 20,
      bench.frames.end(bench.sent[1]!),
    );
    expect(second).toMatchObject({ flags: tcp.RST, sequence: 77, acknowledgement: 0 });
  });

  it("LOG writes the kernel's line and lets the packet go on", () => {
    const { bench, frame } = behind('-A INPUT -j LOG --log-prefix "in: " --log-level info', "input", SYN);
    expect(frame).not.toBe(NO_FRAME);
    expect(bench.netfilter.log.lines).toEqual([
      {
        timeNs: 0,
        level: 6,
        text: "in: IN=eth0 OUT= MAC=02:00:00:00:00:01:02:00:00:00:00:02:08:00 SRC=10.0.0.1 DST=10.0.0.2 LEN=44 TOS=0x00 PREC=0x00 TTL=64 ID=7 PROTO=TCP SPT=1000 DPT=80 WINDOW=65535 RES=0x00 SYN URGP=0 ",
      },
    ]);
    bench.hook("input", PING(bench));
    expect(bench.netfilter.log.lines[1]?.text).toContain("PROTO=ICMP TYPE=8 CODE=0 ID=1 SEQ=1 ");
  });

  it("NOTRACK and CT --notrack leave a packet untracked", () => {
    for (const words of ["NOTRACK", "CT --notrack"]) {
      const bench = new Bench();
      run(bench, `-t raw -A PREROUTING -j ${words}`);
      run(bench, "-A FORWARD -m conntrack --ctstate UNTRACKED -j DROP");
      expect(bench.through(UDP(bench))).toBe(NO_FRAME);
      expect(bench.netfilter.connections.count).toBe(0);
    }
  });

  it("DNAT, SNAT, MASQUERADE, REDIRECT and NETMAP choose what they were told", () => {
    const cases: [line: string, source: string, destination: string, sport: number, dport: number][] = [
      ["PREROUTING -p udp -j DNAT --to-destination 172.17.0.9:53", A, "172.17.0.9", 1000, 53],
      ["PREROUTING -p udp -j DNAT --to-destination :53", A, B, 1000, 53],
      ["PREROUTING -j DNAT --to-destination 172.17.0.9", A, "172.17.0.9", 1000, 2000],
      ["PREROUTING -p udp -j DNAT --to-destination 172.17.0.9:5000-5999/2000", A, "172.17.0.9", 1000, 5000],
      ["PREROUTING -p udp -j REDIRECT --to-ports 80", A, LOCAL, 1000, 80],
      ["PREROUTING -j REDIRECT", A, LOCAL, 1000, 2000],
      ["PREROUTING -j NETMAP --to 172.20.5.0/24", A, "172.20.5.2", 1000, 2000],
      ["POSTROUTING -j SNAT --to-source 9.9.9.9", "9.9.9.9", B, 1000, 2000],
      ["POSTROUTING -p udp -j SNAT --to-source :53", A, B, 53, 2000],
      ["POSTROUTING -o eth1 -j MASQUERADE", "172.17.0.1", B, 1000, 2000],
      ["POSTROUTING -p udp -j MASQUERADE --to-ports 7000", "172.17.0.1", B, 7000, 2000],
      ["POSTROUTING -j NETMAP --to 172.20.5.0/24", "172.20.5.1", B, 1000, 2000],
    ];
    for (const [line, source, destination, sport, dport] of cases) {
      const bench = new Bench();
      run(bench, `-t nat -A ${line}`);
      const frame = bench.through(UDP(bench));
      const { bytes } = bench.frames;
      const at = bench.frames.start(frame);
      expect([
        line,
        ipv4.source(bytes, at),
        ipv4.destination(bytes, at),
        getU16(bytes, at + 20),
        getU16(bytes, at + 22),
      ]).toEqual([line, ip(source), ip(destination), sport, dport]);
    }
  });

  it("are all tried here", () => {
    const tried = [
      "ACCEPT",
      "DROP",
      "RETURN",
      "MARK",
      "CONNMARK",
      "TOS",
      "DSCP",
      "TTL",
      "TCPMSS",
      "REJECT",
      "LOG",
      "NOTRACK",
      "CT",
      "DNAT",
      "SNAT",
      "MASQUERADE",
      "REDIRECT",
      "NETMAP",
    ];
    expect([...TARGET_EXTENSIONS.keys()].sort()).toEqual(tried.sort());
  });
});
