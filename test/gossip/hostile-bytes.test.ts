/** Whatever comes to port 7946 is read or refused; nothing throws, and what is read comes back. */
import { readFileSync } from "node:fs";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import * as datagram from "../../src/gossip/datagram.ts";
import * as lzw from "../../src/gossip/lzw.ts";
import * as messages from "../../src/gossip/messages.ts";
import { MsgpackWriter, parseMap } from "../../src/gossip/msgpack.ts";
import { NetworkDb } from "../../src/gossip/networkdb.ts";
import * as networkdb from "../../src/gossip/networkdb-messages.ts";
import { open } from "../../src/gossip/seal.ts";
import * as streamMessages from "../../src/gossip/stream-messages.ts";
import { Random } from "../../src/sim/random.ts";
import { MILLISECOND, SECOND } from "../../src/sim/time.ts";
import type { Ipv4Address } from "../../src/wire/address.ts";
import { fromHex } from "../../src/wire/bytes.ts";

const lines = readFileSync(new URL("./recorded.txt", import.meta.url), "utf8")
  .trim()
  .split("\n");
const keys = lines.filter((line) => line.startsWith("key ")).map((line) => fromHex(line.slice(4))!);
const plaintexts = lines
  .filter((line) => line.startsWith("datagram "))
  .map((line) => open(keys, fromHex(line.slice(9))!) as Uint8Array);
const streams = lines
  .filter((line) => line.startsWith("stream "))
  .map((line) => fromHex(line.slice(7))!)
  .map((bytes) => open(keys, bytes.subarray(5), bytes.subarray(0, 5)) as Uint8Array);

function readAll(plaintext: Uint8Array): void {
  const parsed = datagram.parse(plaintext);
  if (typeof parsed === "string") return;
  for (const part of parsed.parts) {
    const message = messages.parse(part);
    if (typeof message !== "string" && message.kind === "user") networkdb.parse(message.payload);
  }
}

function readStream(bytes: Uint8Array): void {
  streamMessages.measure(bytes);
  const message = streamMessages.parse(bytes);
  if (typeof message === "string") return;
  if (message.kind === "push-pull") networkdb.parse(message.userState);
  if (message.kind === "stream-user") networkdb.parse(message.payload);
}

/** Without it a changed byte would be noticed at once. */
function withoutChecksum(plaintext: Uint8Array): Uint8Array {
  return plaintext[0] === messages.HAS_CRC ? plaintext.subarray(5) : plaintext;
}

describe("gossip from anywhere", () => {
  it("may be any bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        readAll(bytes);
        readStream(bytes);
        messages.parse(bytes);
        networkdb.parse(bytes);
        lzw.decompress(bytes, 10_000);
        open(keys, bytes);
      }),
      { numRuns: 1_000 },
    );
  });

  it("may be a recorded packet cut anywhere", () => {
    for (const plaintext of plaintexts.filter((bytes) => bytes.length < 300))
      for (let length = 0; length < plaintext.length; length++) readAll(plaintext.subarray(0, length));
    for (const bytes of streams.slice(0, 5)) {
      for (let length = 0; length < bytes.length; length++) {
        readStream(bytes.subarray(0, length));
        expect(streamMessages.measure(bytes.subarray(0, length))).toBe(undefined); // a stream waits for the rest
      }
    }
  });

  it("may be a recorded packet with bytes changed", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...plaintexts, ...streams),
        fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 5 }),
        (bytes, changes) => {
          const broken = bytes.slice();
          for (const [at, value] of changes) broken[at % broken.length] = value;
          readAll(broken);
          readStream(broken);
        },
      ),
      { numRuns: 500 },
    );
  });

  it("leaves a running node on its feet, whatever it heard", () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.record({
            bytes: fc.constantFrom(...plaintexts, ...streams),
            changes: fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 3 }),
          }),
          { maxLength: 40 },
        ),
        (packets) => {
          const address = 0xc0a8_320b as Ipv4Address;
          const db = new NetworkDb({
            identity: { name: "89ec919cff0e", address, port: 7946 }, // one of those the packets are about
            keyring: undefined,
            random: new Random(1),
            nowNs: 0,
          });
          db.start();
          db.joinNetwork("1acqcenrj8c1hx86udzyl7l1v");
          for (const [index, { bytes, changes }] of packets.entries()) {
            const heard = bytes.slice();
            for (const [at, value] of changes) heard[at % heard.length] = value;
            db.advance(index * 200 * MILLISECOND);
            db.receiveDatagram({ address, port: 7946 }, withoutChecksum(heard));
            db.receiveStream(heard);
            for (const send of db.takeOutput()?.sends ?? []) {
              if (send.kind === "stream") db.streamFailed(send.stream);
              else expect(typeof datagram.parse(send.bytes)).toBe("object");
            }
          }
          db.advance(120 * SECOND);
          expect(db.members.find((member) => member.name === "89ec919cff0e")?.state).toBe("alive");
        },
      ),
    );
  });

  it("is refused when a checksum is wrong", () => {
    const checked = plaintexts.filter((bytes) => bytes[0] === messages.HAS_CRC);
    expect(checked.length).toBeGreaterThan(5);
    for (const bytes of checked) {
      const broken = bytes.slice();
      broken[broken.length - 1]! ^= 0x40;
      expect(datagram.parse(broken)).toBe("gossip-checksum");
    }
  });
});

describe("gossip's codecs", () => {
  it("undo their compression for any bytes, also when the code table fills", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 3_000 }), (bytes) => {
        expect(lzw.decompress(lzw.compress(bytes), bytes.length)).toEqual(bytes);
      }),
    );
    const long = Uint8Array.from({ length: 60_000 }, (_, index) => (index * index * 31) >>> (index % 13));
    expect(lzw.decompress(lzw.compress(long), long.length)).toEqual(long);
    expect(lzw.decompress(lzw.compress(long), long.length - 1)).toBe(undefined);
  });

  it("bring every message back from its own bytes", () => {
    const name = fc.string({ maxLength: 40, unit: "grapheme-ascii" });
    const u32 = fc.nat(0xffff_ffff);
    const address = u32.map((value) => value as Ipv4Address);
    const port = fc.integer({ min: 1, max: 0xffff });
    const source = fc.option(fc.record({ address, port, node: name }), { nil: undefined });
    const meta = fc.option(fc.uint8Array({ maxLength: 300 }), { nil: null });
    const versions = fc.uint8Array({ minLength: 6, maxLength: 6 });
    const message: fc.Arbitrary<messages.Message> = fc.oneof(
      fc.record({ kind: fc.constant("ping" as const), node: name, sequenceNumber: u32, source }),
      fc.record({
        kind: fc.constant("indirect-ping" as const),
        node: name,
        sequenceNumber: u32,
        target: address,
        port,
        nack: fc.boolean(),
        source,
      }),
      fc.record({ kind: fc.constant("ack" as const), sequenceNumber: u32, payload: meta }),
      fc.record({
        kind: fc.constantFrom("suspect" as const, "dead" as const),
        from: name,
        incarnation: u32,
        node: name,
      }),
      fc.record({ kind: fc.constant("alive" as const), node: name, address, port, incarnation: u32, meta, versions }),
      fc.record({ kind: fc.constant("user" as const), payload: fc.uint8Array({ maxLength: 50 }) }),
      fc.record({ kind: fc.constant("error" as const), error: name }),
    );
    fc.assert(
      fc.property(message, (value) => {
        expect(messages.parse(messages.emit(value))).toEqual(value);
      }),
    );
  });

  it("take raw bytes of every length class, and never a map of 65 fields", () => {
    for (const length of [0, 31, 32, 255, 256, 65_535, 65_536]) {
      const writer = new MsgpackWriter();
      writer.map(1);
      writer.text("Buf");
      writer.raw(new Uint8Array(length).fill(7));
      const bytes = writer.finish();
      const parsed = parseMap(bytes, 0, bytes.length);
      expect(typeof parsed !== "string" && parsed.fields.get("Buf")).toHaveLength(length);
      expect(parseMap(bytes, 0, bytes.length - 1)).toBe("gossip-truncated");
    }
    expect(parseMap(Uint8Array.of(0xde, 0, 65), 0, 3)).toBe("gossip-fields");
  });
});
