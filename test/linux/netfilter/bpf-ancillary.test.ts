import { describe, expect, it } from "vitest";
import { ancillary, isAncillary, isKnownAncillary } from "../../../src/linux/netfilter/matches/bpf-ancillary.ts";
import { hex } from "../../wire/codec-laws.ts";

const PROTOCOL = 0xffff_f000;
const PAYLOAD_OFFSET = 0xffff_f034;

/** An IPv4 header of `words` words with this protocol and fragment field, and 20 bytes behind it. */
function packet(protocol: number, words = 5, fragment = 0): Uint8Array {
  const bytes = new Uint8Array(words * 4 + 20);
  bytes[0] = 0x40 | words;
  bytes[6] = fragment >>> 8;
  bytes[7] = fragment & 0xff;
  bytes[9] = protocol;
  return bytes;
}
const payloadOffset = (bytes: Uint8Array) => ancillary(bytes, 0, bytes.length, PAYLOAD_OFFSET);

describe("What a BPF program loads beside the packet", () => {
  it("is asked for by offsets that no packet reaches, of which two are known", () => {
    expect([0, 0xffff, 0xffff_efff].map(isAncillary)).toEqual([false, false, false]);
    expect([PROTOCOL, PAYLOAD_OFFSET, 0xffff_f008].map(isKnownAncillary)).toEqual([true, true, false]);
  });

  it("is where the payload begins: behind the transport's header, of whatever length IPv4's is", () => {
    expect([payloadOffset(packet(17)), payloadOffset(packet(17, 7)), payloadOffset(packet(1))]).toEqual([28, 36, 28]);
    const tcp = packet(6);
    tcp[20 + 12] = 0x80;
    expect(payloadOffset(tcp)).toBe(20 + 32);
    expect(payloadOffset(tcp.slice(0, 24))).toBe(20); // cut off in front of the data offset
    expect(payloadOffset(packet(89))).toBe(20);
  });

  it("is behind IPv4's header in a later fragment, and not in the first", () => {
    expect([payloadOffset(packet(17, 5, 0x2001)), payloadOffset(packet(17, 5, 0x2000))]).toEqual([20, 28]);
  });

  it("is IPv4 for the protocol", () => {
    expect(ancillary(hex("45"), 0, 1, PROTOCOL)).toBe(0x800);
  });
});
