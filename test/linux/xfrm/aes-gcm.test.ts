import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { AesGcm } from "../../../src/linux/xfrm/aes-gcm.ts";
import { toHex } from "../../../src/wire/bytes.ts";
import { hex } from "../../wire/codec-laws.ts";

/** ESP header, IV, text, room for the integrity check value. */
function packet(associated: Uint8Array, iv: Uint8Array, text: Uint8Array, icvBytes: number, at = 0): Uint8Array {
  const bytes = new Uint8Array(at + 16 + text.length + icvBytes);
  bytes.set(associated, at);
  bytes.set(iv, at + 8);
  bytes.set(text, at + 16);
  return bytes;
}

describe("AES-GCM of ESP (RFC 4106)", () => {
  // draft-mcgrew-gcm-test-01, the vectors that go with RFC 4106: a DNS query in tunnel mode.
  const key = "feffe9928665731c6d6a8f9467308308";
  const associated = "0000a5f80000000a";
  const iv = "facedbaddecaf888";
  const clear =
    "4500003e698f000080114dccc0a80102c0a801010a980035002a2343b2d00100" +
    "0001000000000000037369700963796265726369747902646b00000100010001";
  const sealed =
    "deb22cd9b07c72c16e3a65beeb8df304a5a5897d33ae530f1ba76d5d114d2a5c" +
    "3de81827c10e9a4f51330d0eec416642cfbb85a5b47e48a4ec3b9ba95d918bd1";
  const icv = "83b70d3aa8bc6ee4c309e9d85a41ad4a";

  it.each([16, 12, 8])(
    "gives the ciphertext and the first %i bytes of the check value of the published vector",
    (icvBytes) => {
      const bytes = packet(hex(associated), hex(iv), hex(clear), icvBytes);
      new AesGcm(hex(`${key}cafebabe`), icvBytes).seal(bytes, 0, bytes.length - icvBytes);
      expect(toHex(bytes, 16)).toBe(sealed + icv.slice(0, icvBytes * 2));
    },
  );

  it("opens what it has sealed, with keys of 16, 24 and 32 bytes, at any offset", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(20, 28, 36).chain((length) => fc.uint8Array({ minLength: length, maxLength: length })),
        fc.constantFrom(8, 12, 16),
        fc.uint8Array({ minLength: 8, maxLength: 8 }),
        fc.uint8Array({ minLength: 8, maxLength: 8 }),
        fc.uint8Array({ maxLength: 100 }),
        fc.nat(20),
        (keyAndSalt, icvBytes, associatedBytes, ivBytes, text, at) => {
          const bytes = packet(associatedBytes, ivBytes, text, icvBytes, at);
          const before = bytes.slice(0, bytes.length - icvBytes);
          const cipher = new AesGcm(keyAndSalt, icvBytes);
          cipher.seal(bytes, at, bytes.length - icvBytes);
          expect(cipher.open(bytes, at, bytes.length - icvBytes)).toBe(true);
          expect(bytes.subarray(0, bytes.length - icvBytes)).toEqual(before);
        },
      ),
      { numRuns: 50 },
    );
  });

  it("refuses a packet with any one bit changed, and leaves it as it is", () => {
    fc.assert(
      fc.property(fc.nat(16 + 40 + 8 - 1), fc.nat(7), (index, bit) => {
        const bytes = packet(hex(associated), hex(iv), new Uint8Array(40), 8);
        const cipher = new AesGcm(hex(`${key}cafebabe`), 8);
        cipher.seal(bytes, 0, 56);
        bytes[index] = bytes[index]! ^ (1 << bit);
        const before = bytes.slice();
        expect(cipher.open(bytes, 0, 56)).toBe(false);
        expect(bytes).toEqual(before);
      }),
    );
  });
});
