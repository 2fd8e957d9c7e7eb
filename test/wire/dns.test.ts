import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseIpv4 } from "../../src/wire/address.ts";
import * as dns from "../../src/wire/dns.ts";
import { isName, labelsOf, readName } from "../../src/wire/dns-name.ts";
import { anyIpv4, anyOctet, anyU16, anyU32, hex, neverThrows } from "./codec-laws.ts";

const QUERY = "123401000001000000000000 0377656204 64656d6f0000010001";
const ANSWER = "123485800001000100000000 037765620464656d6f0000010001 c00c00010001000002580004 0a000003";

/** Few different labels, so that names share tails and compression has work; odd octets among them. */
const anyName = () =>
  fc
    .array(fc.constantFrom("web", "demo", "tasks", "WEB", "_http", "a\\.b", "\\000\\255", "\\\\", "x".repeat(63)), {
      maxLength: 3,
    })
    .map((labels) => labels.join("."));
const KNOWN = [
  dns.TYPE_MX,
  dns.TYPE_SOA,
  dns.TYPE_A,
  dns.TYPE_AAAA,
  dns.TYPE_CNAME,
  dns.TYPE_NS,
  dns.TYPE_PTR,
  dns.TYPE_SRV,
  dns.TYPE_TXT,
];
const anyData = (): fc.Arbitrary<dns.RecordData> =>
  fc.oneof(
    fc.record({ kind: fc.constant("a" as const), address: anyIpv4() }),
    fc.record({ kind: fc.constant("aaaa" as const), address: fc.uint8Array({ minLength: 16, maxLength: 16 }) }),
    fc.record({ kind: fc.constantFrom("cname" as const, "ns" as const, "ptr" as const), name: anyName() }),
    fc.record({ kind: fc.constant("mx" as const), preference: anyU16(), exchange: anyName() }),
    fc.record({
      kind: fc.constant("soa" as const),
      primary: anyName(),
      mailbox: anyName(),
      serial: anyU32(),
      refreshS: anyU32(),
      retryS: anyU32(),
      expireS: anyU32(),
      minimumS: anyU32(),
    }),
    fc.record({
      kind: fc.constant("srv" as const),
      priority: anyU16(),
      weight: anyU16(),
      port: anyU16(),
      target: anyName(),
    }),
    fc.record({
      kind: fc.constant("txt" as const),
      texts: fc.array(fc.uint8Array({ maxLength: 9 }), { maxLength: 3 }),
    }),
    fc.record({
      kind: fc.constant("other" as const),
      type: anyU16().filter((type) => !KNOWN.includes(type)),
      bytes: fc.uint8Array({ maxLength: 9 }),
    }),
  );
const anyRecords = () =>
  fc.array(fc.record({ name: anyName(), class: anyU16(), timeToLiveS: anyU32(), data: anyData() }), { maxLength: 3 });
const anyMessage = (): fc.Arbitrary<dns.Dns> =>
  fc.record({
    identifier: anyU16(),
    response: fc.boolean(),
    operation: fc.nat(15),
    authoritative: fc.boolean(),
    truncated: fc.boolean(),
    recursionDesired: fc.boolean(),
    recursionAvailable: fc.boolean(),
    authenticData: fc.boolean(),
    checkingDisabled: fc.boolean(),
    responseCode: fc.nat(15),
    questions: fc.array(fc.record({ name: anyName(), type: anyU16(), class: anyU16() }), { maxLength: 2 }),
    answers: anyRecords(),
    authorities: anyRecords(),
    additionals: anyRecords(),
  });

describe("DNS message (RFC 1035 §4)", () => {
  it("reads a query and its answer from the wire, and writes the same bytes", () => {
    const query = dns.parse(hex(QUERY), 0, hex(QUERY).length);
    expect(query).toMatchObject({ identifier: 0x1234, response: false, recursionDesired: true });
    expect(query).toMatchObject({ questions: [{ name: "web.demo", type: dns.TYPE_A, class: dns.CLASS_INTERNET }] });
    expect(dns.toBytes(query as dns.Dns)).toEqual(hex(QUERY));
    const answer = dns.parse(hex(ANSWER), 0, hex(ANSWER).length);
    expect(answer).toMatchObject({
      response: true,
      authoritative: true,
      answers: [{ name: "web.demo", timeToLiveS: 600, data: { kind: "a", address: parseIpv4("10.0.0.3") } }],
    });
    expect(dns.toBytes(answer as dns.Dns)).toEqual(hex(ANSWER));
  });

  it("comes back from its own bytes, compressed or not, at any offset", () => {
    fc.assert(
      fc.property(anyMessage(), fc.boolean(), anyOctet(), fc.nat(64), (message, compress, dirt, at) => {
        const size = dns.toBytes(message, compress).length;
        const bytes = new Uint8Array(at + size + 8).fill(dirt);
        expect(dns.emit(message, bytes, at, compress)).toBe(size);
        expect(dns.parse(bytes, at, at + size)).toEqual(message);
        expect(bytes.every((octet, index) => (index >= at && index < at + size) || octet === dirt)).toBe(true);
      }),
    );
  });

  it("is never longer when compressed", () => {
    fc.assert(
      fc.property(anyMessage(), (message) => {
        expect(dns.toBytes(message, true).length).toBeLessThanOrEqual(dns.toBytes(message, false).length);
      }),
    );
  });

  it("is refused when cut", () => {
    fc.assert(
      fc.property(anyMessage(), (message) => {
        const bytes = dns.toBytes(message);
        for (let end = 0; end < bytes.length; end++) expect(typeof dns.parse(bytes, 0, end)).toBe("string");
      }),
    );
  });

  it("never throws on random bytes, nor on a message with random damage", () => {
    neverThrows(dns.parse);
    fc.assert(
      fc.property(anyMessage(), fc.array(fc.tuple(fc.nat(), anyOctet()), { maxLength: 5 }), (message, damage) => {
        const bytes = dns.toBytes(message);
        for (const [where, octet] of damage) bytes[where % bytes.length] = octet;
        dns.parse(bytes, 0, bytes.length);
      }),
    );
  });
});

describe("domain name (RFC 1035 §4.1.4)", () => {
  it("refuses a pointer to itself, forward, or in a circle", () => {
    expect(readName(hex("c000"), 0, 0, 2)).toBe("dns-bad-pointer");
    expect(readName(hex("c00200"), 0, 0, 3)).toBe("dns-bad-pointer");
    expect(readName(hex("0161c000"), 0, 2, 4)).toBe("dns-bad-pointer");
    expect(readName(hex("016100 c000"), 0, 3, 5)).toEqual({ name: "a", next: 5 });
  });

  it("is at most 255 octets long on the wire, its labels at most 63", () => {
    const label = "x".repeat(63);
    const longest = `${label}.${label}.${label}.${"x".repeat(61)}`;
    expect(isName(longest)).toBe(true);
    expect(isName(`${longest}x`)).toBe(false);
    expect(isName(`${label}x`)).toBe(false);
    expect(isName("a..b")).toBe(false);
    expect(isName("a\\")).toBe(false);
    expect(labelsOf("")).toEqual([]);
    const long = hex(`${`3f${"78".repeat(63)}`.repeat(4)}00`);
    expect(readName(long, 0, 0, long.length)).toBe("dns-name-too-long");
    expect(readName(hex("40"), 0, 0, 1)).toBe("dns-bad-label");
  });
});
