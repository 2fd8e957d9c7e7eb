import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Ipv4Address, type MacAddress, parseIpv4, parseMac, type Vni } from "../../src/wire/address.ts";
import * as arp from "../../src/wire/arp.ts";
import { makeMemory } from "../../src/wire/checksum.ts";
import { describe as describeFrame } from "../../src/wire/describe.ts";
import * as ethernet from "../../src/wire/ethernet.ts";
import * as icmp from "../../src/wire/icmp.ts";
import * as ipv4 from "../../src/wire/ipv4.ts";
import * as tcp from "../../src/wire/tcp.ts";
import * as udp from "../../src/wire/udp.ts";
import * as vxlan from "../../src/wire/vxlan.ts";
import { anyIpv4, anyOctet, anyU16, anyU32, hex } from "./codec-laws.ts";

const line = (text: string) => {
  const bytes = hex(text);
  return describeFrame(bytes, 0, bytes.length);
};

// All frames below were recorded from kernel 6.18.
const VXLAN_ARP = `0201c0a8380c0201c0a8380b0800 4500004e832d00004011060ac0a8380bc0a8380c 964612b5003ab67c
  0800000000006400 ffffffffffff02420a0000020806 000108000604000102420a0000020a0000020000000000000a000003`;
const TCP_SYN = `02420a00000302420a0000020800 4500003c489140004006de260a0000020a000003
  4e210050052927a400000000a002fd5ca6f10000 020405820402080aff4715570000000001030309`;
const TCP_SACK = `02420a00000202420a0000030800 4500004033434000 4006f3700a0000030a000002
  13894e211b60484a00f06d68b01000955fc20000 0101080adc31018f2ec49e6f0101050a00f0731000f078b8`;
const BPDU = `0180c200000002cc000100010026 4242030000000000800002bb0001000000000000800002bb00010000 8002
  0000060001000200`;
const IGMP =
  "01005e0000160201c0a8380c0800 46c000280000400001020b45c0a8380ce000001694040000 2200e9fb0000000104000000ef010101";
const DNS = `02420a00000202420a0000030800 450000462ce240004011f9c00a0000030a000002 00354e210032f75d
  12348580000100010000000003776562 0464656d6f0000010001c00c00010001000002580004 0a000003`;

describe("description of a frame", () => {
  it("goes through VXLAN to the inner packet", () => {
    expect(line(VXLAN_ARP)).toBe(
      "IP 192.168.56.11.38470 > 192.168.56.12.4789: VXLAN vni 100: ARP who-has 10.0.0.3 tell 10.0.0.2",
    );
  });

  it("says of TCP what tcpdump -S says", () => {
    expect(line(TCP_SYN)).toBe(
      "IP 10.0.0.2.20001 > 10.0.0.3.80: Flags [S], seq 86583204, win 64860, " +
        "options [mss 1410,sackOK,TS val 4282848599 ecr 0,nop,wscale 9], length 0",
    );
    expect(line(TCP_SACK)).toBe(
      "IP 10.0.0.3.5001 > 10.0.0.2.20001: Flags [.], ack 15756648, win 149, " +
        "options [nop,nop,TS val 3694199183 ecr 784637551,nop,nop,sack 1 {15758096:15759544}], length 0",
    );
  });

  it("knows spanning tree, IGMP and DNS", () => {
    expect(line(BPDU)).toBe(
      "STP 802.1d, Config, Flags [none], bridge-id 8000.02:bb:00:01:00:00.8002, root 8000.02:bb:00:01:00:00, pathcost 0",
    );
    expect(line(IGMP)).toBe(
      "IP 192.168.56.12 > 224.0.0.22: igmp v3 report, 1 group record(s) [gaddr 239.1.1.1 to_ex, 0 source(s)]",
    );
    expect(line(DNS)).toBe("IP 10.0.0.3.53 > 10.0.0.2.20001: 4660* 1/0/0 A 10.0.0.3 (42)");
  });

  it("quotes in brief the packet that an ICMP error is about", () => {
    const memory = makeMemory(14 + 20 + 8 + 28);
    const { bytes } = memory;
    const host = parseIpv4("10.0.0.2")!;
    const router = parseIpv4("10.0.0.1")!;
    const far = parseIpv4("10.9.0.9")!;
    ethernet.write(bytes, 0, parseMac("02:00:00:00:00:02")!, parseMac("02:00:00:00:00:01")!, ethernet.ETHERTYPE_IPV4);
    ipv4.write(bytes, 14, 56, 1, 0, 64, ipv4.PROTOCOL_ICMP, router, host, 0xc0);
    icmp.emit({ kind: "unreachable", code: icmp.CODE_FRAGMENTATION_NEEDED, mtu: 1_400 }, bytes, 34);
    // The quoted packet is cut: its total length says more than is there.
    ipv4.write(bytes, 42, 1_500, 7, ipv4.DONT_FRAGMENT, 63, ipv4.PROTOCOL_UDP, host, far, 0);
    udp.write(bytes, 62, 5_000, 6_000, 1_480);
    icmp.finishChecksum(memory, 34, 70);
    expect(describeFrame(bytes, 0, 70)).toBe(
      "IP 10.0.0.1 > 10.0.0.2: ICMP 10.9.0.9 unreachable - need to frag (mtu 1400), " +
        "quoting 10.0.0.2.5000 > 10.9.0.9.6000 udp, length 36",
    );
  });

  it("names what is wrong with a frame", () => {
    const broken = (text: string, at: number, value: number) => {
      const bytes = hex(text);
      bytes[at] = value;
      return describeFrame(bytes, 0, bytes.length);
    };
    expect(line("ffff")).toBe("[ethernet-truncated] length 2");
    expect(broken(VXLAN_ARP, 42, 0)).toContain("VXLAN [vxlan-without-vni]");
    expect(broken(VXLAN_ARP, 49, 1)).toContain("VXLAN vni 100 [reserved bits set]: ARP who-has");
    expect(broken(TCP_SYN, 24, 1)).toBe("IP 10.0.0.2 > 10.0.0.3: [ipv4-bad-checksum]");
    expect(broken(TCP_SYN, 17, 0xff)).toBe("IP 10.0.0.2 > 10.0.0.3: [ipv4-truncated]");
  });

  it("is given for any bytes", () => {
    const starts = [VXLAN_ARP, TCP_SYN, BPDU, IGMP, DNS].map(hex);
    fc.assert(
      fc.property(
        fc.constantFrom(...starts, new Uint8Array(0)),
        fc.uint8Array({ maxLength: 200 }),
        fc.array(fc.tuple(fc.nat(), anyOctet()), { maxLength: 4 }),
        fc.nat(),
        (start, tail, damage, cut) => {
          const bytes = Uint8Array.from([...start, ...tail]);
          for (const [where, octet] of damage) if (bytes.length > 0) bytes[where % bytes.length] = octet;
          const end = bytes.length === 0 ? 0 : bytes.length - (cut % Math.min(bytes.length, 40));
          expect(describeFrame(bytes, 0, end).length).toBeGreaterThan(0);
        },
      ),
      { numRuns: 1_000 },
    );
  });

  it("ends at a fixed depth, however deep the frames are nested", () => {
    const layer = hex(VXLAN_ARP).slice(0, 50);
    const bytes = new Uint8Array(layer.length * 1_000);
    for (let depth = 0; depth < 1_000; depth++) {
      const at = depth * layer.length;
      const left = bytes.length - at;
      bytes.set(layer, at);
      ipv4.write(bytes, at + 14, left - 14, 0, 0, 64, 17, 1 as Ipv4Address, 2 as Ipv4Address, 0);
      udp.write(bytes, at + 34, 1, 4789, left - 34);
    }
    expect(describeFrame(bytes, 0, bytes.length).match(/VXLAN/g)).toHaveLength(5);
  });
});

/** Frames of every kind that has a checksum, each plain or inside VXLAN. */
const anyFrame = () =>
  fc.record({
    kind: fc.constantFrom("arp" as const, "icmp" as const, "udp" as const, "tcp" as const),
    inVxlan: fc.boolean(),
    // Host addresses of 10.0.0.0/8: others make the dissector complain about addresses, not about bytes.
    source: anyIpv4().map((address) => (0x0a00_0000 + (address & 0xff_ffff)) as Ipv4Address),
    destination: anyIpv4().map((address) => (0x0a00_0000 + (address & 0xff_ffff)) as Ipv4Address),
    ports: fc.tuple(fc.integer({ min: 20_000, max: 29_999 }), fc.integer({ min: 20_000, max: 29_999 })),
    vni: fc.nat(0xff_ffff).map((value) => value as Vni),
    sequence: anyU32(),
    identifier: anyU16(),
    payload: fc.uint8Array({ maxLength: 90 }),
  });
type AnyFrame = ReturnType<typeof anyFrame> extends fc.Arbitrary<infer T> ? T : never;

function build(frame: AnyFrame): Uint8Array {
  const memory = makeMemory(400);
  const { bytes } = memory;
  const at = frame.inVxlan ? 50 : 0;
  const { source, destination, payload } = frame;
  const from = 0x0200_0000_0001 as MacAddress;
  const to = 0x0200_0000_0002 as MacAddress;
  const type = frame.kind === "arp" ? ethernet.ETHERTYPE_ARP : ethernet.ETHERTYPE_IPV4;
  ethernet.write(bytes, at, to, from, type);
  const body = at + 34;
  let end = at + 14 + arp.HEADER_BYTES;
  if (frame.kind === "arp") {
    arp.write(bytes, at + 14, arp.OPERATION_REPLY, from, source, to, destination);
  } else {
    const header = frame.kind === "tcp" ? 32 : 8;
    end = body + header + payload.length;
    bytes.set(payload, body + header);
    const protocol = { icmp: ipv4.PROTOCOL_ICMP, udp: ipv4.PROTOCOL_UDP, tcp: ipv4.PROTOCOL_TCP }[frame.kind];
    ipv4.write(bytes, at + 14, end - at - 14, frame.identifier, 0, 64, protocol, source, destination, 0);
    if (frame.kind === "icmp") {
      icmp.emit({ kind: "echo-request", identifier: frame.identifier, sequence: 1 }, bytes, body);
      icmp.finishChecksum(memory, body, end);
    } else if (frame.kind === "udp") {
      udp.write(bytes, body, frame.ports[0], frame.ports[1], end - body);
      udp.finishChecksum(memory, body, source, destination);
    } else {
      const options = [
        { kind: "no-operation" } as const,
        { kind: "no-operation" } as const,
        { kind: "timestamps", value: frame.sequence, echoReply: 7 } as const,
      ];
      const [sourcePort, destinationPort] = frame.ports;
      const fields = { sequence: frame.sequence, acknowledgement: 9, flags: tcp.ACK | tcp.PSH, window: 500 };
      tcp.emit({ sourcePort, destinationPort, ...fields, urgentPointer: 0, options }, bytes, body);
      tcp.finishChecksum(memory, body, end, source, destination);
    }
  }
  if (frame.inVxlan) {
    ethernet.write(bytes, 0, to, from, ethernet.ETHERTYPE_IPV4);
    ipv4.write(bytes, 14, end - 14, 1, 0, 64, ipv4.PROTOCOL_UDP, source, destination, 0);
    udp.write(bytes, 34, 50_000, vxlan.UDP_PORT, end - 34);
    vxlan.write(bytes, 42, frame.vni);
    udp.finishChecksum(memory, 34, source, destination);
  }
  return bytes.slice(0, end);
}

/** A classic capture, microseconds, Ethernet. */
function pcap(frames: readonly Uint8Array[]): Uint8Array {
  const size = frames.reduce((sum, frame) => sum + 16 + frame.length, 24);
  const file = new Uint8Array(size);
  const view = new DataView(file.buffer);
  view.setUint32(0, 0xa1b2_c3d4);
  view.setUint16(4, 2);
  view.setUint16(6, 4);
  view.setUint32(16, 65_535);
  view.setUint32(20, 1);
  let at = 24;
  for (const frame of frames) {
    view.setUint32(at + 8, frame.length);
    view.setUint32(at + 12, frame.length);
    file.set(frame, at + 16);
    at += 16 + frame.length;
  }
  return file;
}

/** What tshark reads from these frames, one list of fields a frame; inner values come last. */
function dissect(frames: readonly Uint8Array[], fields: readonly string[]): string[][] {
  const folder = mkdtempSync(join(tmpdir(), "vxlab-describe-"));
  try {
    const file = join(folder, "frames.pcap");
    writeFileSync(file, pcap(frames));
    const checks = ["ip", "udp", "tcp"].flatMap((layer) => ["-o", `${layer}.check_checksum:TRUE`]);
    const wanted = fields.flatMap((field) => ["-e", field]);
    const options = ["-n", "-r", file, "-T", "fields", "-E", "separator=;", ...checks, ...wanted];
    const text = execFileSync("tshark", options, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
    return text
      .trimEnd()
      .split("\n")
      .map((row) => row.split(";"));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function hasTshark(): boolean {
  try {
    execFileSync("tshark", ["--version"], { stdio: "ignore" });
    return true;
  } catch {
    if (process.env.CI === "true") throw new Error("tshark is missing: CI must hold our bytes against it");
    console.warn("tshark is not installed: our bytes are not held against it");
    return false;
  }
}

describe("frames as an independent dissector reads them", () => {
  it.skipIf(!hasTshark())("have right checksums, and the description says what tshark says", () => {
    const specimens = fc.sample(anyFrame(), { numRuns: 300, seed: 7 });
    const frames = specimens.map(build);
    const rows = dissect(frames, [
      "ip.checksum.status",
      "udp.checksum.status",
      "tcp.checksum.status",
      "icmp.checksum.status",
      "vxlan.vni",
      "arp.src.proto_ipv4",
      "ip.src",
      "ip.dst",
      "tcp.seq_raw",
      "tcp.len",
      "icmp.ident",
      "_ws.malformed",
    ]);
    expect(rows).toHaveLength(frames.length);
    for (const [index, row] of rows.entries()) {
      const specimen = specimens[index]!;
      const text = describeFrame(frames[index]!, 0, frames[index]!.length);
      const [ip, udpStatus, tcpStatus, icmpStatus, vni, sender, source, destination, sequence, length, ident, bad] =
        row;
      // 1 is "good"; a frame in a frame has two.
      const statuses = (...present: readonly boolean[]) => present.flatMap((is) => (is ? ["1"] : [])).join(",");
      expect(ip).toBe(statuses(specimen.inVxlan, specimen.kind !== "arp"));
      expect(udpStatus).toBe(statuses(specimen.inVxlan, specimen.kind === "udp"));
      expect(tcpStatus).toBe(specimen.kind === "tcp" ? "1" : "");
      expect(icmpStatus).toBe(specimen.kind === "icmp" ? "1" : "");
      expect(bad ?? "").toBe("");
      if (specimen.inVxlan) expect(text).toContain(`VXLAN vni ${Number(vni)}: `);
      if (specimen.kind === "arp") {
        expect(text).toContain(`ARP reply ${sender} is-at 02:00:00:00:00:01`);
        continue;
      }
      const last = (list: string | undefined) => (list ?? "").split(",").at(-1)!;
      expect(text).toContain(`IP ${last(source)}`);
      expect(text).toContain(`> ${last(destination)}`);
      if (specimen.kind === "icmp") expect(text).toContain(`ICMP echo request, id ${Number(last(ident))}, seq 1`);
      if (specimen.kind === "tcp") {
        if (Number(length) > 0) expect(text).toContain(`seq ${sequence}:`);
        expect(text).toContain(`TS val ${sequence} ecr 7], length ${length}`);
      }
    }
  });
});
