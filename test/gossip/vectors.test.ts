/** memberlist's messages as bytes, computed from its format. */
import { describe, expect, it } from "vitest";
import { crc32 } from "../../src/gossip/crc32.ts";
import * as datagram from "../../src/gossip/datagram.ts";
import { compress, decompress } from "../../src/gossip/lzw.ts";
import { emit, type Message, parse } from "../../src/gossip/messages.ts";
import * as networkdb from "../../src/gossip/networkdb-messages.ts";
import { open, seal } from "../../src/gossip/seal.ts";
import { type Ipv4Address, parseIpv4 } from "../../src/wire/address.ts";
import { fromHex, toHex } from "../../src/wire/bytes.ts";

const A = "0a1b2c3d4e5f";
const B = "6a7b8c9d0e1f";
const ADDRESS_A = parseIpv4("192.168.1.11") as Ipv4Address;
const hex = (text: string): Uint8Array => fromHex(text.replaceAll(" ", ""))!;

const PING: Message = {
  kind: "ping",
  node: B,
  sequenceNumber: 1,
  source: { address: ADDRESS_A, port: 7946, node: A },
};
const SUSPECT: Message = { kind: "suspect", from: A, incarnation: 1, node: B };
const VECTORS: readonly (readonly [Message, string])[] = [
  [
    PING,
    "00 85 a44e6f6465 ac366137623863396430653166 a55365714e6f 01 aa536f7572636541646472 a4c0a8010b aa536f757263654e6f6465 ac306131623263336434653566 aa536f75726365506f7274 cd1f0a",
  ],
  [{ kind: "ack", sequenceNumber: 1, payload: null }, "02 82 a75061796c6f6164 c0 a55365714e6f 01"],
  [{ kind: "nack", sequenceNumber: 1 }, "0b 81 a55365714e6f 01"],
  [
    SUSPECT,
    "03 83 a446726f6d ac306131623263336434653566 ab496e6361726e6174696f6e 01 a44e6f6465 ac366137623863396430653166",
  ],
  [
    {
      kind: "alive",
      node: A,
      address: ADDRESS_A,
      port: 7946,
      incarnation: 1,
      meta: new Uint8Array(0),
      versions: hex("010502000000"),
    },
    "04 86 a441646472 a4c0a8010b ab496e6361726e6174696f6e 01 a44d657461 a0 a44e6f6465 ac306131623263336434653566 a4506f7274 cd1f0a a356736e a6010502000000",
  ],
];

describe("a memberlist message", () => {
  it.each(VECTORS)("of each kind has its known bytes (%o)", (message, text) => {
    expect(toHex(emit(message))).toBe(toHex(hex(text)));
    expect(parse(hex(text))).toEqual(message);
  });

  it("travels in a compound with a checksum", () => {
    const compound = datagram.emitCompound([emit(PING), emit(SUSPECT)]);
    expect(compound.length).toBe(138);
    expect(toHex(compound, 0, 6)).toBe("070200510033");
    const parsed = datagram.emit({
      hasChecksum: true,
      isCompressed: false,
      isCompound: true,
      parts: [emit(PING), emit(SUSPECT)],
    });
    expect(toHex(parsed, 0, 5)).toBe("0cc3dbe03d");
    expect(crc32(compound)).toBe(0xc3dbe03d);
  });

  it("is sealed with AES-GCM", () => {
    const key = hex("000102030405060708090a0b0c0d0e0f");
    const nonce = hex("101112131415161718191a1b");
    const sealed = seal(key, nonce, emit(PING));
    expect(toHex(sealed)).toBe(
      "01101112131415161718191a1bc4aba7e1602bd34321bc6a97ff44d25a0ad945e193a70ececba428bb346a64dfb1bc605be5d45fdc4ba1de6289bf2469eaddbf449da617d80a244f84e4a322ac3b6d740e71f808e9ade52a2fdfd5613e7cf0a0af3c414018020ab5969ebae607fb",
    );
    expect(open([new Uint8Array(16), key], sealed)).toEqual(emit(PING));
    expect(open([key], seal(key, nonce, emit(PING), undefined, 0))).toEqual(emit(PING));
  });

  it("is compressed as Go does", () => {
    const plain = new Uint8Array(20).fill(0x61);
    expect(toHex(compress(plain))).toBe("00c3081c48b060c180");
    expect(decompress(compress(plain), 100)).toEqual(plain);
  });

  it("of networkdb has its known bytes", () => {
    expect(toHex(networkdb.emit({ kind: "node-event", operation: "join", time: 3, node: A }))).toBe(
      toHex(hex("08 06 12 12 08 01 10 03 1a 0c 306131623263336434653566")),
    );
  });
});
