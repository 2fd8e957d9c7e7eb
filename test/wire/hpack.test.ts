import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { toHex } from "../../src/wire/bytes.ts";
import { type HeaderField, HpackDecoder, HpackEncoder } from "../../src/wire/hpack.ts";
import * as huffman from "../../src/wire/hpack-huffman.ts";
import { HeaderTable } from "../../src/wire/hpack-table.ts";
import { hex } from "./codec-laws.ts";

const LIMIT = 65_536;

/** `name: value` lines, as the RFC prints lists. */
function list(...lines: readonly string[]): HeaderField[] {
  return lines.map((line) => {
    const colon = line.indexOf(": ");
    return { name: line.slice(0, colon), value: line.slice(colon + 2) };
  });
}

const REQUESTS = [
  list(":method: GET", ":scheme: http", ":path: /", ":authority: www.example.com"),
  list(":method: GET", ":scheme: http", ":path: /", ":authority: www.example.com", "cache-control: no-cache"),
  list(
    ":method: GET",
    ":scheme: https",
    ":path: /index.html",
    ":authority: www.example.com",
    "custom-key: custom-value",
  ),
];
const DATES = ["Mon, 21 Oct 2013 20:13:21 GMT", "Mon, 21 Oct 2013 20:13:22 GMT"];
const COOKIE = "foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1";
const RESPONSES = [
  list(":status: 302", "cache-control: private", `date: ${DATES[0]}`, "location: https://www.example.com"),
  list(":status: 307", "cache-control: private", `date: ${DATES[0]}`, "location: https://www.example.com"),
  list(
    ":status: 200",
    "cache-control: private",
    `date: ${DATES[1]}`,
    "location: https://www.example.com",
    "content-encoding: gzip",
    `set-cookie: ${COOKIE}`,
  ),
];

describe("HPACK (RFC 7541)", () => {
  it("reads the single fields of Appendix C.2", () => {
    const custom = new HpackDecoder(LIMIT);
    expect(custom.decode(hex("400a637573746f6d2d6b65790d637573746f6d2d686561646572"))).toEqual(
      list("custom-key: custom-header"),
    );
    expect(custom.table).toEqual({ fields: list("custom-key: custom-header"), sizeBytes: 55 });
    const plain = new HpackDecoder(LIMIT);
    expect(plain.decode(hex("040c2f73616d706c652f70617468"))).toEqual(list(":path: /sample/path"));
    expect(plain.decode(hex("100870617373776f726406736563726574"))).toEqual([
      { name: "password", value: "secret", sensitive: true },
    ]);
    expect(plain.decode(hex("82"))).toEqual(list(":method: GET"));
    expect(plain.table.sizeBytes).toBe(0);
  });

  it("reads the requests of Appendix C.3, without Huffman code", () => {
    const decoder = new HpackDecoder(LIMIT);
    const blocks = [
      "828684410f7777772e6578616d706c652e636f6d",
      "828684be58086e6f2d6361636865",
      "828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565",
    ];
    expect(blocks.map((block) => decoder.decode(hex(block)))).toEqual(REQUESTS);
    expect(decoder.table).toEqual({
      fields: list("custom-key: custom-value", "cache-control: no-cache", ":authority: www.example.com"),
      sizeBytes: 164,
    });
  });

  it("reads and writes the requests of Appendix C.4, with Huffman code", () => {
    const decoder = new HpackDecoder(LIMIT);
    const encoder = new HpackEncoder();
    const blocks = [
      "828684418cf1e3c2e5f23a6ba0ab90f4ff",
      "828684be5886a8eb10649cbf",
      "828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf",
    ];
    expect(blocks.map((block) => decoder.decode(hex(block)))).toEqual(REQUESTS);
    expect(REQUESTS.map((request) => toHex(encoder.encode(request)))).toEqual(blocks);
  });

  it("reads the responses of Appendix C.5, in a table of 256 octets that is too small for them", () => {
    const decoder = new HpackDecoder(LIMIT, 256);
    const blocks = [
      "4803333032580770726976617465611d4d6f6e2c203231204f637420323031332032303a31333a323120474d546e1768747470733a2f2f7777772e6578616d706c652e636f6d",
      "4803333037c1c0bf",
      "88c1611d4d6f6e2c203231204f637420323031332032303a31333a323220474d54c05a04677a69707738666f6f3d4153444a4b48514b425a584f5157454f50495541585157454f49553b206d61782d6167653d333630303b2076657273696f6e3d31",
    ];
    expect(blocks.map((block) => decoder.decode(hex(block)))).toEqual(RESPONSES);
    expect(decoder.table).toEqual({
      fields: list(`set-cookie: ${COOKIE}`, "content-encoding: gzip", `date: ${DATES[1]}`),
      sizeBytes: 215,
    });
  });

  it("reads the responses of Appendix C.6, with Huffman code", () => {
    const decoder = new HpackDecoder(LIMIT, 256);
    const blocks = [
      "488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff6e919d29ad171863c78f0b97c8e9ae82ae43d3",
      "4883640effc1c0bf",
      "88c16196d07abe941054d444a8200595040b8166e084a62d1bffc05a839bd9ab77ad94e7821dd7f2e6c7b335dfdfcd5b3960d5af27087f3672c1ab270fb5291f9587316065c003ed4ee5b1063d5007",
    ];
    expect(blocks.map((block) => decoder.decode(hex(block)))).toEqual(RESPONSES);
    expect(decoder.table.sizeBytes).toBe(215);
  });

  it("reads back what it has written, list after list, whatever the table's size is set to", () => {
    const anyText = fc.string({ unit: fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)) });
    const anyField = fc.record({
      name: fc.oneof(fc.constantFrom(":path", ":status", "te", "user-agent", "grpc-timeout"), anyText),
      value: fc.oneof(fc.constantFrom("", "/", "200", "trailers"), anyText),
    });
    const anyStep = fc.record({ limit: fc.option(fc.nat(5_000)), fields: fc.array(anyField, { maxLength: 8 }) });
    fc.assert(
      fc.property(fc.array(anyStep, { maxLength: 12 }), (steps) => {
        const encoder = new HpackEncoder();
        const decoder = new HpackDecoder(LIMIT);
        for (const { limit, fields } of steps) {
          if (limit !== null) encoder.limitTable(limit);
          expect(decoder.decode(encoder.encode(fields))).toEqual(fields);
        }
      }),
    );
  });

  it("keeps sensitive fields out of the table, and says so", () => {
    const encoder = new HpackEncoder();
    const decoder = new HpackDecoder(LIMIT);
    const secret = { name: "authorization", value: "a token", sensitive: true };
    for (let round = 0; round < 2; round++) expect(decoder.decode(encoder.encode([secret]))).toEqual([secret]);
    expect(decoder.table.sizeBytes).toBe(0);
  });

  it("gives each field the index of RFC 7541 Appendix A", () => {
    const table = new HeaderTable(0);
    expect(table.field(1)).toEqual({ name: ":authority", value: "" });
    expect(table.field(14)).toEqual({ name: ":status", value: "500" });
    expect(table.field(16)).toEqual({ name: "accept-encoding", value: "gzip, deflate" });
    expect(table.field(31)).toEqual({ name: "content-type", value: "" });
    expect(table.field(45)).toEqual({ name: "link", value: "" });
    expect(table.field(58)).toEqual({ name: "user-agent", value: "" });
    expect(table.field(61)).toEqual({ name: "www-authenticate", value: "" });
    expect(table.field(62)).toBeUndefined();
    expect(table.field(0)).toBeUndefined();
  });

  it.each([
    ["hpack-bad-index", "80"],
    ["hpack-bad-index", "be"],
    ["hpack-bad-index", "7f01"],
    ["hpack-truncated", "41"],
    ["hpack-truncated", "418cf1e3"],
    ["hpack-truncated", "ff"],
    ["hpack-truncated", "ff8080"],
    ["hpack-integer-too-large", "ffffffffffff7f"],
    ["hpack-integer-too-large", "ff80808080808080808000"],
    ["hpack-bad-table-size", "3fe21f"], // 4097
    ["hpack-bad-table-size", "8220"], // behind a field
    ["hpack-bad-huffman", "4182ffff"], // padding of more than 7 bits
    ["hpack-bad-huffman", "4181f0"], // padding with a zero
    ["hpack-bad-huffman", "4184ffffffff"], // EOS
  ])("refuses with %s the block %s", (reason, block) => {
    expect(new HpackDecoder(LIMIT).decode(hex(block))).toBe(reason);
  });

  it("refuses a list that is longer than allowed, even of one octet a field", () => {
    const decoder = new HpackDecoder(1_000);
    expect(decoder.decode(new Uint8Array(23).fill(0x82))).toHaveLength(23);
    expect(decoder.decode(new Uint8Array(24).fill(0x82))).toBe("hpack-list-too-large");
  });

  it("answers any bytes with fields or a reason", () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 60 }), { maxLength: 4 }), (blocks) => {
        const decoder = new HpackDecoder(LIMIT);
        for (const block of blocks) if (typeof decoder.decode(block) === "string") break;
      }),
      { numRuns: 1_000 },
    );
  });
});

describe("The Huffman code of HPACK (RFC 7541 Appendix B)", () => {
  it("is complete: every string of 30 bits begins with exactly one code", () => {
    let share = 0; // in units of 2^-30
    for (let octet = 0; octet < 256; octet++) {
      // Eight times the same octet take as many octets as its code has bits.
      share += 2 ** (30 - huffman.encodedLength(String.fromCharCode(octet).repeat(8)));
    }
    expect(share + 1).toBe(2 ** 30); // EOS has 30 bits
  });

  it("brings every text back", () => {
    fc.assert(
      fc.property(fc.uint8Array(), (octets) => {
        const text = String.fromCharCode(...octets);
        const bytes = new Uint8Array(huffman.encodedLength(text));
        huffman.encode(text, bytes, 0);
        expect(huffman.decode(bytes, 0, bytes.length)).toBe(text);
      }),
    );
  });
});
