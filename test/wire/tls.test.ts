import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { toHex } from "../../src/wire/bytes.ts";
import * as extension from "../../src/wire/tls-extension.ts";
import * as handshake from "../../src/wire/tls-handshake.ts";
import * as record from "../../src/wire/tls-record.ts";
import { anyU16, hex } from "./codec-laws.ts";

const anyBytes = (maxLength: number) => fc.uint8Array({ maxLength });
const anyExtensions = () =>
  fc.uniqueArray(fc.record({ type: anyU16(), data: anyBytes(20) }), { maxLength: 6, selector: ({ type }) => type });
const anyRandom = () => fc.uint8Array({ minLength: 32, maxLength: 32 });

const anyMessage = (): fc.Arbitrary<handshake.HandshakeMessage> =>
  fc.oneof(
    fc.record({
      kind: fc.constant("client-hello" as const),
      random: anyRandom(),
      sessionId: anyBytes(32),
      cipherSuites: fc.array(anyU16(), { maxLength: 20 }),
      extensions: anyExtensions(),
    }),
    fc.record({
      kind: fc.constant("server-hello" as const),
      random: anyRandom(),
      sessionId: anyBytes(32),
      cipherSuite: anyU16(),
      extensions: anyExtensions(),
    }),
    fc.record({ kind: fc.constant("encrypted-extensions" as const), extensions: anyExtensions() }),
    fc.record({
      kind: fc.constant("certificate-request" as const),
      context: anyBytes(10),
      extensions: anyExtensions(),
    }),
    fc.record({
      kind: fc.constant("certificate" as const),
      context: anyBytes(10),
      certificates: fc.array(anyBytes(400), { maxLength: 3 }),
    }),
    fc.record({ kind: fc.constant("certificate-verify" as const), scheme: anyU16(), signature: anyBytes(72) }),
    fc.record({ kind: fc.constant("finished" as const), verifyData: anyBytes(48) }),
    fc.record({ kind: fc.constant("key-update" as const), requested: fc.boolean() }),
    fc.record({ kind: fc.constant("other" as const), type: fc.constantFrom(4, 5, 254), body: anyBytes(40) }),
  );

describe("Handshake messages of TLS 1.3 (RFC 8446 §4)", () => {
  it("come back from their own bytes", () => {
    fc.assert(
      fc.property(anyMessage(), (message) => {
        expect(handshake.parse(handshake.emit(message))).toEqual(message);
      }),
    );
  });

  it("are refused when cut short or when more stands behind", () => {
    fc.assert(
      fc.property(anyMessage(), (message) => {
        const bytes = handshake.emit(message);
        for (let cut = 0; cut < bytes.length; cut++)
          expect(handshake.parse(bytes.subarray(0, cut))).toBe("tls-bad-handshake");
        expect(handshake.parse(Uint8Array.of(...bytes, 0))).toBe("tls-bad-handshake");
      }),
    );
  });

  it("are values or a reason, whatever the bytes", () => {
    fc.assert(
      fc.property(fc.nat(30), anyBytes(120), (type, body) => {
        handshake.parse(Uint8Array.of(type, 0, 0, body.length, ...body));
      }),
      { numRuns: 1_000 },
    );
  });

  it("are refused with the same extension twice", () => {
    expect(handshake.parse(hex("0800000a0008002b0000002b0000"))).toBe("tls-bad-handshake");
  });

  it("reads the ServerHello of RFC 8448 §3", () => {
    const hello = handshake.parse(
      hex(
        "020000560303a6af06a4121860dc5e6e60249cd34c95930c8ac5cb1434dac155772ed3e2692800130100002e00330024001d0020c9828876112095fe66762bdbf7c672e156d6cc253b833df1dd69b1b04e751f0f002b00020304",
      ),
    );
    expect(hello).toMatchObject({ kind: "server-hello", cipherSuite: 0x1301 });
    if (typeof hello === "string" || hello.kind !== "server-hello") return;
    const share = extension.readChosenShare(extension.find(hello.extensions, extension.KEY_SHARE)!, extension.X25519);
    expect(toHex(share!)).toBe("c9828876112095fe66762bdbf7c672e156d6cc253b833df1dd69b1b04e751f0f");
  });
});

describe("What is inside extensions of TLS", () => {
  it("comes back", () => {
    expect(toHex(extension.serverName("swarm-ca").data)).toBe("000b000008737761726d2d6361");
    expect(extension.readNumbers(extension.numbers(10, [29, 23]).data)).toEqual([29, 23]);
    expect(extension.readApplicationProtocols(extension.applicationProtocols(["h2"]).data)).toEqual(["h2"]);
    expect(extension.readOfferedVersions(extension.offeredVersions([0x0304]).data)).toEqual([0x0304]);
    expect(extension.readOfferedShare(extension.offeredShare(29, hex("aabb")).data, 29)).toEqual(hex("aabb"));
    expect(extension.readOfferedShare(extension.offeredShare(29, hex("aabb")).data, 23)).toBeUndefined();
  });

  it("is read without an exception, whatever the bytes", () => {
    fc.assert(
      fc.property(anyBytes(40), (data) => {
        extension.readNumbers(data);
        extension.readApplicationProtocols(data);
        extension.readOfferedVersions(data);
        extension.readOfferedShare(data, 29);
        extension.readChosenShare(data, 29);
      }),
    );
  });
});

describe("Records of TLS (RFC 8446 §5)", () => {
  const parse = (text: string) => record.parse(hex(text), 0, hex(text).length);

  it("are read where they are whole", () => {
    expect(parse("1503030002010000")).toEqual({ type: record.ALERT, content: hex("0100") });
    expect(parse("150303000201")).toBe("tls-truncated");
    expect(parse("1703")).toBe("tls-truncated");
  });

  it("are refused when they are none or too large", () => {
    expect(parse("474554202f")).toBe("tls-bad-record"); // GET /
    expect(parse("1603034101")).toBe("tls-record-too-large");
  });
});
