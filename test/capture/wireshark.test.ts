import { describe, expect, it } from "vitest";
import { MemorySink } from "../../src/capture/byte-sink.ts";
import { PcapFileWriter } from "../../src/capture/pcap-file-writer.ts";
import { PcapngWriter } from "../../src/capture/pcapng-writer.ts";
import type { Ipv4Address } from "../../src/wire/address.ts";
import { fromHex } from "../../src/wire/bytes.ts";
import { missing, runTool, runToolOnFile } from "./external-tools.ts";

/** ICMP echo request, 10.0.0.1 to 10.0.0.2, right checksums. */
const PING = fromHex(
  `02420a00000202420a0000010800${"4500001c0001000040 0166de0a0000010a000002".replace(" ", "")}0800f7fd00010001`,
)!;
const START = 1_700_000_000;

const pcapng = (): Uint8Array => {
  const sink = new MemorySink();
  const writer = new PcapngWriter(sink, {
    comment: "vxlab run first-ping.yaml --seed 7",
    hardware: "emulated",
    operatingSystem: "any",
    application: "vxlab 0.1.0",
    startSeconds: START,
  });
  writer.addInterface("c1/eth0", "container c1");
  writer.addInterface("node1/br0");
  writer.addName(0x0a00_0001 as Ipv4Address, "c1.uber-net");
  writer.addName(0x0a00_0002 as Ipv4Address, "c2.uber-net");
  writer.frame(0, 1_000_000_001, PING, 0, PING.length, 2, 17);
  writer.frame(1, 1_000_001_001, PING, 0, PING.length, 1, 17, "DROP bridge-same-port at node1/br0");
  writer.addInterface("late/eth0");
  writer.addName(0x0a00_0003 as Ipv4Address, "c3.uber-net");
  writer.frame(2, 1_000_002_001, PING, 0, PING.length, 0, 2 ** 40);
  writer.close();
  return sink.toBytes();
};

describe.skipIf(missing("tshark", "capinfos"))("Wireshark", () => {
  it("shows interfaces, times, directions, packet ids and comments", () => {
    const fields = [
      "frame.interface_name",
      "frame.time_epoch",
      "frame.packet_flags_direction",
      "frame.packet_id",
      "frame.comment",
      "icmp.checksum.status",
      "ip.checksum.status",
    ];
    const run = runToolOnFile(
      "tshark",
      [
        "-r",
        "FILE",
        "-o",
        "ip.check_checksum:TRUE",
        "-T",
        "fields",
        "-E",
        "separator=|",
        ...fields.flatMap((field) => ["-e", field]),
      ],
      pcapng(),
    );
    expect(run.out.toString().trimEnd().split("\n")).toEqual([
      "c1/eth0|1700000001.000000001|0x00000002|17||1|1",
      "node1/br0|1700000001.000001001|0x00000001|17|DROP bridge-same-port at node1/br0|1|1",
      "late/eth0|1700000001.000002001||1099511627776||1|1",
    ]);
    expect(run.err.replace(/Running as user.*\n/, "")).toBe("");
    expect(run.status).toBe(0);
  });

  it("shows names in place of addresses", () => {
    const run = runToolOnFile(
      "tshark",
      ["-r", "FILE", "-N", "n", "-T", "fields", "-e", "ip.src_host", "-e", "ip.dst_host"],
      pcapng(),
    );
    expect(run.out.toString().split("\n")[0]).toBe("c1.uber-net\tc2.uber-net");
  });

  it("tells the section's comment and program, and no complaint", () => {
    const run = runToolOnFile("capinfos", ["FILE"], pcapng());
    const told = run.out.toString();
    expect(told).toContain("vxlab run first-ping.yaml --seed 7");
    expect(told).toContain("vxlab 0.1.0");
    expect(told).toMatch(/Number of packets:\s+3\n/);
    expect(told).toMatch(/Number of interfaces in file:\s+3\n/);
    expect(run.status).toBe(0);
  });

  it("reads classic pcap with nanoseconds", () => {
    const sink = new MemorySink();
    const writer = new PcapFileWriter(sink, { startSeconds: START });
    writer.frame(1, PING, 0, PING.length);
    writer.close();
    const run = runToolOnFile(
      "tshark",
      ["-r", "FILE", "-T", "fields", "-e", "frame.time_epoch", "-e", "_ws.col.Protocol"],
      sink.toBytes(),
    );
    expect(run.out.toString()).toBe("1700000000.000000001\tICMP\n");
  });
});

describe.skipIf(missing("tcpdump"))("tcpdump", () => {
  it("reads both formats", () => {
    const line = "IP 10.0.0.1 > 10.0.0.2: ICMP echo request, id 1, seq 1, length 8";
    const modern = runTool("tcpdump", ["-n", "-tt", "--nano", "-r", "-"], pcapng());
    expect(modern.status).toBe(0);
    expect(modern.out.toString().trimEnd().split("\n")).toEqual(
      ["001", "1001", "2001"].map((end) => `1700000001.${end.padStart(9, "0")} ${line}`),
    );
    for (const resolution of ["nanoseconds", "microseconds"] as const) {
      const sink = new MemorySink();
      const writer = new PcapFileWriter(sink, { startSeconds: START, resolution });
      writer.frame(1_234, PING, 0, PING.length);
      writer.close();
      const run = runTool("tcpdump", ["-n", "-tt", "--nano", "-r", "-"], sink.toBytes());
      expect(run.out.toString()).toBe(`1700000000.00000${resolution === "nanoseconds" ? "1234" : "1000"} ${line}\n`);
    }
  });
});
