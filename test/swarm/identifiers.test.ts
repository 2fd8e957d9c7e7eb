import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Random } from "../../src/sim/random.ts";
import {
  formatJoinToken,
  formatUnlockKey,
  hex,
  idOf,
  newId,
  newJoinToken,
  parseJoinToken,
  parseUnlockKey,
} from "../../src/swarm/identifiers.ts";

const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });

describe("the swarm's identifiers", () => {
  it("are 25 characters of base 36, the same for the same stream of chance", () => {
    const a = new Random("ids");
    const b = new Random("ids");
    for (let count = 0; count < 100; count++) {
      const id = newId(a);
      expect(id).toMatch(/^[0-9a-z]{25}$/);
      expect(newId(b)).toBe(id);
    }
    expect(newId(a)).not.toBe(newId(a));
  });

  it("drop the first of 27 digits, and the last", () => {
    const low = new Uint8Array(17);
    const full = (0x80n << 128n).toString(36);
    expect(full).toHaveLength(27);
    expect(idOf(low)).toBe(full.slice(1, 26));
    expect(idOf(new Uint8Array(17).fill(0xff))).toBe(((1n << 136n) - 1n).toString(36).slice(1, 26));
  });
});

describe("a join token", () => {
  it("is read as Docker's manual prints one", () => {
    const digits = "49nj1cmql0jkz5s954yi3oex3nedyz0fb0xx14ie39trti4wxv";
    const parsed = parseJoinToken(`SWMTKN-1-${digits}-8vxv8rssmk743ojnwacrr2e7c`);
    expect(parsed?.secret).toBe("8vxv8rssmk743ojnwacrr2e7c");
    expect(BigInt(`0x${hex(parsed!.digest)}`).toString(36)).toBe(digits);
  });

  it("comes back from its text", () => {
    fc.assert(
      fc.property(bytes(32), bytes(16), (digest, secret) => {
        const text = formatJoinToken(digest, secret);
        expect(text).toMatch(/^SWMTKN-1-[0-9a-z]{50}-[0-9a-z]{25}$/);
        expect(parseJoinToken(text)?.digest).toEqual(digest);
      }),
    );
  });

  it("is refused when it is cut, too long, of another version, or its digest is no SHA-256", () => {
    const text = newJoinToken(new Uint8Array(32).fill(0x5a), new Random(1));
    for (const wrong of [text.slice(0, -1), `${text}0`, text.replace("-1-", "-3-"), text.toUpperCase(), "", "SWMTKN"])
      expect(parseJoinToken(wrong)).toBeUndefined();
    expect(parseJoinToken(`SWMTKN-1-${"z".repeat(50)}-${"0".repeat(25)}`)).toBeUndefined();
  });
});

describe("an unlock key", () => {
  it("is base 64 without padding", () => {
    const key = Uint8Array.from({ length: 32 }, (_, at) => at * 7);
    expect(formatUnlockKey(key)).toBe(`SWMKEY-1-${Buffer.from(key).toString("base64").replace(/=+$/, "")}`);
  });

  it("comes back from its text, and nothing else is read", () => {
    fc.assert(
      fc.property(bytes(32), (key) => {
        expect(parseUnlockKey(formatUnlockKey(key))).toEqual(key);
      }),
    );
    const printed = "SWMKEY-1-7c37Cc8654o6p38HnroywCi19pllOnGtbdZEgtKxZu8"; // in Docker's manual
    expect(formatUnlockKey(parseUnlockKey(printed)!)).toBe(printed);
    for (const wrong of ["", "SWMKEY-1-", "SWMKEY-2-7fVAo", `SWMKEY-1-${"A".repeat(42)}`, `SWMKEY-1-${"A".repeat(44)}`])
      expect(parseUnlockKey(wrong)).toBeUndefined();
  });
});

describe("hex", () => {
  it("has two digits for each byte", () => {
    expect(hex(Uint8Array.of(0, 1, 0xab))).toBe("0001ab");
  });
});
