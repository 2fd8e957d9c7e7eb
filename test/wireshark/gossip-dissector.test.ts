/** The dissector of gossip, run by tshark over what emulated engines sent and over what real ones did. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { MemorySink } from "../../src/capture/byte-sink.ts";
import { PcapFileWriter } from "../../src/capture/pcap-file-writer.ts";
import { fromHex, putU16, putU32 } from "../../src/wire/bytes.ts";
import { missing, runToolOnFile } from "../capture/external-tools.ts";
import { GossipLab } from "../docker/gossip-lab.ts";

const SCRIPT = fileURLToPath(new URL("../../wireshark/vxlab-gossip.lua", import.meta.url));
const KEYS = [2, 1, 3].map((fill) => new Uint8Array(16).fill(fill));
const INGRESS = "1acqcenrj8c1w3v5u0k2m9pqr";

/** Rows of fields; several values of one field are parted by commas. `keys`: the text of a key log. */
function rows(capture: Uint8Array, filter: string, fields: readonly string[], keys = ""): string[][] {
  const folder = mkdtempSync(join(tmpdir(), "gossip-"));
  try {
    const keyLog = join(folder, "keys.txt");
    writeFileSync(keyLog, keys);
    const run = runToolOnFile(
      "tshark",
      [
        ...["-2", "-X", `lua_script:${SCRIPT}`, "-o", `memberlist.keylog:${keyLog}`, "-r", "FILE", "-Y", filter],
        ...["-T", "fields", "-E", "separator=|", "-E", "occurrence=a", ...fields.flatMap((field) => ["-e", field])],
      ],
      capture,
    );
    expect(run.err.replace(/^Running as user.*\n/, "")).toBe("");
    const text = run.out.toString("utf8");
    return text === ""
      ? []
      : text
          .trimEnd()
          .split("\n")
          .map((line) => line.split("|"));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const UNREAD = [
  "udp.port == 7946 && !icmp && !memberlist",
  "tcp.port == 7946 && tcp.len > 0 && !memberlist && !tcp.reassembled_in",
  "memberlist.undecoded || networkdb.undecoded || _ws.malformed || _ws.lua.error",
].join(" || ");

/** Three nodes meet, share tables, one is cut off and comes back, one leaves. */
function eventful(keys?: readonly Uint8Array[]): { capture: Uint8Array; keys: string } {
  const lab = new GossipLab(3, keys === undefined ? {} : { keys });
  lab.form(INGRESS);
  for (const [index, { agent }] of lab.nodes.entries()) {
    const name = (field: number, text: string): number[] => [
      field * 8 + 2,
      text.length,
      ...new TextEncoder().encode(text),
    ];
    const record = [
      ...name(1, `10.0.0.${index + 3}/24`),
      ...name(2, `02:42:0a:00:00:0${index + 3}`),
      ...name(3, `192.168.50.${index + 11}`),
    ];
    agent.createEntry(INGRESS, "overlay_peer_table", `${index}`.repeat(64), Uint8Array.from(record));
  }
  lab.pass(35);
  lab.cut(2, true);
  lab.pass(15);
  lab.cut(2, false);
  lab.pass(10);
  lab.nodes[1]!.agent.deleteEntry(INGRESS, "overlay_peer_table", "1".repeat(64));
  lab.nodes[1]!.agent.leave(() => {});
  lab.pass(8);
  const sink = new MemorySink();
  const writer = new PcapFileWriter(sink);
  for (const { timeNs, bytes } of lab.nodes[0]!.seen) writer.frame(timeNs, bytes, 0, bytes.length);
  writer.close();
  return { capture: sink.toBytes(), keys: lab.nodes[0]!.agent.keysText() };
}

/** The recorded packets in frames of our own: what was a datagram in UDP, what was a stream in one TCP segment. */
function recorded(): { capture: Uint8Array; keys: string; datagrams: number; streams: number } {
  const lines = readFileSync(new URL("../gossip/recorded.txt", import.meta.url), "utf8").split("\n");
  const of = (kind: string): string[] =>
    lines.filter((line) => line.startsWith(`${kind} `)).map((line) => line.slice(kind.length + 1));
  const sink = new MemorySink();
  const writer = new PcapFileWriter(sink);
  let port = 40_000;
  for (const kind of ["datagram", "stream"]) {
    for (const hex of of(kind)) {
      const payload = fromHex(hex)!;
      const transportBytes = kind === "datagram" ? 8 : 20;
      const frame = new Uint8Array(34 + transportBytes + payload.length);
      putU16(frame, 12, 0x0800);
      frame[14] = 0x45;
      putU16(frame, 16, frame.length - 14);
      frame[22] = 64;
      frame[23] = kind === "datagram" ? 17 : 6;
      putU32(frame, 26, 0xc0a8_320b);
      putU32(frame, 30, 0xc0a8_320c);
      putU16(frame, 34, kind === "datagram" ? 7946 : port++);
      putU16(frame, 36, 7946);
      if (kind === "datagram") putU16(frame, 38, 8 + payload.length);
      else putU16(frame, 46, 0x5018);
      frame.set(payload, 34 + transportBytes);
      writer.frame(0, frame, 0, frame.length);
    }
  }
  writer.close();
  const keys = of("key").join("\n");
  return { capture: sink.toBytes(), keys, datagrams: of("datagram").length, streams: of("stream").length };
}

describe.skipIf(missing("tshark"))("Wireshark with the dissector of gossip", () => {
  it("reads all gossip in clear, every kind of it", () => {
    const { capture } = eventful();
    expect(rows(capture, UNREAD, ["frame.number", "_ws.col.Info"])).toEqual([]);
    const read = rows(capture, "memberlist", ["memberlist.type", "networkdb.type"]);
    const kinds = new Set(read.flatMap(([types = ""]) => types.split(",")));
    // ping, indirect ping, ack, suspect, alive, dead, push-pull, compound, user, compressed, nack, checksum
    for (const kind of [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12]) expect(kinds).toContain(`${kind}`);
    const news = new Set(read.flatMap(([, types = ""]) => types.split(",")));
    for (const kind of [1, 2, 3, 4, 5, 6]) expect(news).toContain(`${kind}`);
    expect(rows(capture, "memberlist.sealed", ["frame.number"])).toEqual([]);
    const peers = rows(capture, "networkdb.operation == 1", ["networkdb.peer.address", "networkdb.peer.mac"]);
    expect(peers.flatMap(([address = ""]) => address.split(","))).toContain("10.0.0.4/24");
    expect(peers.flatMap(([, mac = ""]) => mac.split(","))).toContain("02:42:0a:00:00:04");
  });

  it("opens sealed gossip with the keys of the run's key log", () => {
    const { capture, keys } = eventful(KEYS);
    expect(rows(capture, UNREAD, ["frame.number", "_ws.col.Info"], keys)).toEqual([]);
    expect(rows(capture, "memberlist.sealed && !memberlist.key", ["frame.number"], keys)).toEqual([]);
    const pings = rows(capture, "memberlist.type == 0 && udp", ["udp.length", "memberlist.key"], keys);
    expect(pings.length).toBeGreaterThan(40);
    for (const [length, key] of pings) {
      expect(Number(length)).toBeGreaterThanOrEqual(118);
      expect(key).toBe("02".repeat(16));
    }
    expect(rows(capture, "networkdb", ["frame.number"], keys).length).toBeGreaterThan(20);
    // without the keys there is no more to see than that it is sealed
    expect(rows(capture, UNREAD, ["frame.number", "_ws.col.Info"])).toEqual([]);
    expect(rows(capture, "memberlist.type == 0", ["frame.number"])).toEqual([]);
  });

  it("opens and reads what a real Swarm sent", () => {
    const { capture, keys, datagrams, streams } = recorded();
    expect(rows(capture, UNREAD, ["frame.number", "_ws.col.Info"], keys)).toEqual([]);
    expect(rows(capture, "memberlist.key", ["frame.number"], keys)).toHaveLength(datagrams + streams);
    expect(rows(capture, "memberlist.crc.good == 0", ["frame.number"], keys)).toEqual([]);
    const services = rows(capture, "networkdb.endpoint.service", ["networkdb.endpoint.service"], keys);
    expect(services.flatMap(([names = ""]) => names.split(","))).toContain("web");
    const ports = rows(capture, "networkdb.endpoint.port.published", ["networkdb.endpoint.port.published"], keys);
    expect(ports.flatMap(([numbers = ""]) => numbers.split(","))).toContain("8080");
  });

  it("says why of what it cannot read", () => {
    const sink = new MemorySink();
    const writer = new PcapFileWriter(sink);
    const bodies = [
      "0c00000000",
      "0cdeadbeef02820000",
      "0702ffffffff",
      "09",
      "0981a3427566a101",
      "ee",
      "0481a44e6f6465c1",
      "0808ff",
    ];
    for (const hex of bodies) {
      const payload = fromHex(hex)!;
      const frame = new Uint8Array(42 + payload.length);
      putU16(frame, 12, 0x0800);
      frame.set([0x45, 0, 0, frame.length - 14, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2], 14);
      putU16(frame, 34, 7946);
      putU16(frame, 36, 7946);
      putU16(frame, 38, 8 + payload.length);
      frame.set(payload, 42);
      writer.frame(0, frame, 0, frame.length);
    }
    writer.close();
    expect(rows(sink.toBytes(), "memberlist", ["memberlist.undecoded", "_ws.lua.error"])).toEqual([
      ["nothing after a checksum", ""],
      ["a wrong checksum", ""],
      ["a part of a compound is cut short", ""],
      ["a compressed message is cut short", ""],
      ["compression other than LZW", ""],
      ["a message of type 238", ""],
      ["no MessagePack scalar: 0xc1", ""],
      ["a varint without end", ""],
    ]);
  });
});
