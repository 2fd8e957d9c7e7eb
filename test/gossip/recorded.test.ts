/** One packet of every shape that a real Swarm's gossip was seen to take: it opens, reads, and comes back from what was read. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import * as datagram from "../../src/gossip/datagram.ts";
import { Keyring } from "../../src/gossip/keyring.ts";
import * as messages from "../../src/gossip/messages.ts";
import * as networkdb from "../../src/gossip/networkdb-messages.ts";
import { open, seal } from "../../src/gossip/seal.ts";
import * as stream from "../../src/gossip/stream.ts";
import { fromHex, toHex } from "../../src/wire/bytes.ts";

const lines = readFileSync(new URL("./recorded.txt", import.meta.url), "utf8")
  .trim()
  .split("\n");
function recorded(kind: string): Uint8Array[] {
  return lines.filter((line) => line.startsWith(`${kind} `)).map((line) => fromHex(line.slice(kind.length + 1))!);
}
const keys = recorded("key");
const keyring = new Keyring(keys);

function expectNetworkDb(bytes: Uint8Array): void {
  const message = networkdb.parse(bytes);
  if (typeof message === "string") throw new Error(message);
  expect(toHex(networkdb.emit(message))).toBe(toHex(bytes));
  if (message.kind === "compound") for (const inner of message.messages) expectNetworkDb(inner);
  if (message.kind === "bulk-sync") expectNetworkDb(message.payload);
}

describe("recorded gossip", () => {
  it("of datagrams reads and comes back byte for byte", () => {
    const sealed = recorded("datagram");
    expect(sealed.length).toBeGreaterThan(50);
    for (const bytes of sealed) {
      const plaintext = open(keys, bytes);
      if (typeof plaintext === "string") throw new Error(plaintext);
      const parsed = datagram.parse(plaintext);
      if (typeof parsed === "string") throw new Error(parsed);
      const parts = parsed.parts.map((part) => {
        const message = messages.parse(part);
        if (typeof message === "string") throw new Error(message);
        if (message.kind === "user") expectNetworkDb(message.payload);
        return messages.emit(message);
      });
      // `wrap` decides itself about compression and compound, as the recorded sender did
      const again = seal(keyring.primary, bytes.subarray(1, 13), datagram.wrap(parts, parsed.hasChecksum));
      expect(toHex(again)).toBe(toHex(bytes));
      expect(toHex(datagram.emit(parsed))).toBe(toHex(plaintext));
    }
  });

  it("of streams reads and comes back byte for byte", () => {
    const sealed = recorded("stream");
    expect(sealed.length).toBeGreaterThan(10);
    for (const bytes of sealed) {
      expect(stream.measure(bytes, keyring)).toBe(bytes.length);
      const message = stream.parse(bytes, keyring);
      if (typeof message === "string") throw new Error(message);
      if (message.kind === "push-pull") expectNetworkDb(message.userState);
      if (message.kind === "stream-user") expectNetworkDb(message.payload);
      expect(toHex(stream.emit(message, keyring, bytes.subarray(6, 18)))).toBe(toHex(bytes));
    }
  });

  it("is refused whenever one of its bits is wrong", () => {
    for (const bytes of recorded("datagram").slice(0, 20)) {
      const broken = bytes.slice();
      broken[broken.length >> 1]! ^= 1;
      expect(open(keys, broken)).toBe("gossip-undecryptable");
    }
  });

  it("is refused by those who lack the key", () => {
    const stranger = [new Uint8Array(16)];
    for (const bytes of recorded("datagram").slice(0, 20)) expect(open(stranger, bytes)).toBe("gossip-undecryptable");
  });
});
