import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FrameStore } from "../../../src/linux/frame-store.ts";
import { mtuInside, unwrap, wrap, wrappedLength } from "../../../src/linux/xfrm/esp-packet.ts";
import { XfrmState } from "../../../src/linux/xfrm/state.ts";
import { Random } from "../../../src/sim/random.ts";
import { toHex } from "../../../src/wire/bytes.ts";
import * as ipv4 from "../../../src/wire/ipv4.ts";
import { hex } from "../../wire/codec-laws.ts";
import { ip } from "../two-hosts.ts";
import { stateRequest } from "./security.ts";

const frames = new FrameStore({ betweenEvents: () => undefined });

function frameOf(bytes: Uint8Array) {
  const frame = frames.make(bytes.length);
  frames.bytes.set(bytes, frames.start(frame));
  return frame;
}

function bytesOf(frame: ReturnType<typeof frameOf>): Uint8Array {
  return frames.bytes.slice(frames.start(frame), frames.end(frame));
}

// Recorded: a kernel's VXLAN packet with an ARP request, and the same in ESP made by an independent program.
const PLAIN =
  "4500004e53f4000040113543c0a8380bc0a8380c964612b5003ab67c0800000000006400ffffffffffff02420a000002" +
  "0806000108000604000102420a0000020a0000020000000000000a000003";
const ESP_8 =
  "4500006853f4000040323508c0a8380bc0a8380c0000100100000001000000000000000190d686d3a4a2a57d1e426791" +
  "27844dda7f20ac6fb8ec5d1e3a35c698b0f22ef3d9eb19caac477bdb9be2e5114b1d80713439676ceeaec3d07e61e96d05ef380b23e80c7a";
const ESP_16 =
  "4500007053f4000040323500c0a8380bc0a8380c00002001000000010000000000000001fb108c169e0e61c700442df7" +
  "e3b38308175702719995370c72ec16a448c4c266debce508c718e1f3177686619213b1885740a2004c171618598ee3e4ca10e1401cc63c1a871735d37a67fe7f";

function stateOf(icvBytes: number, salt = "00001001") {
  const keyAndSalt = hex(`000102030405060708090a0b0c0d0e0f${salt}`);
  const request = stateRequest("192.168.56.11", "192.168.56.12", { keyAndSalt, icvBytes });
  return new XfrmState(request, new Random("esp"), 0);
}

describe("ESP in transport mode (RFC 4303 §3.1.1)", () => {
  it.each([
    [8, "00001001", ESP_8],
    [16, "00002001", ESP_16],
  ])("with %i bytes of ICV opens a recorded packet to the very bytes that went in", (icvBytes, salt, recorded) => {
    const frame = frameOf(hex(recorded));
    expect(unwrap(frames, frame, stateOf(icvBytes, salt))).toBe(58);
    expect(toHex(bytesOf(frame))).toBe(PLAIN);
    frames.consume(frame);
  });

  it("has the recorded packet's length, headers and sequence number when it wraps the same", () => {
    const frame = frameOf(hex(PLAIN));
    expect(wrap(frames, frame, stateOf(8), 1)).toBe(true);
    const text = toHex(bytesOf(frame));
    expect(text.length).toBe(ESP_8.length);
    expect(text.slice(0, 56)).toBe(ESP_8.slice(0, 56)); // up to the IV, which is each sender's own
    frames.consume(frame);
  });

  it("gives back any packet, options and all, and is as long as it says", () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 1, maxLength: 1_480 }),
        fc.constantFrom(0, 4, 40),
        fc.constantFrom(8, 12, 16),
        fc.integer({ min: 1, max: 0xffff_ffff }),
        (payload, optionBytes, icvBytes, sequence) => {
          const packet = new Uint8Array(20 + optionBytes + payload.length);
          const header: ipv4.Ipv4 = {
            typeOfService: 3,
            totalLength: packet.length,
            identification: 77,
            dontFragment: true,
            moreFragments: false,
            fragmentOffsetBytes: 0,
            timeToLive: 9,
            protocol: 17,
            source: ip("1.2.3.4"),
            destination: ip("5.6.7.8"),
            options: new Uint8Array(optionBytes).fill(1),
          };
          ipv4.emit(header, packet, 0);
          packet.set(payload, 20 + optionBytes);
          const frame = frameOf(packet);
          const state = stateOf(icvBytes);
          expect(wrap(frames, frame, state, sequence)).toBe(true);
          const wrapped = bytesOf(frame);
          expect(wrapped.length).toBe(wrappedLength(packet.length, 20 + optionBytes, icvBytes));
          expect(ipv4.parse(wrapped, 0, wrapped.length)).toMatchObject({ protocol: 50, totalLength: wrapped.length });
          expect((wrapped.length - 20 - optionBytes - icvBytes) % 4).toBe(0);
          expect(unwrap(frames, frame, state)).toBe(payload.length);
          expect(bytesOf(frame)).toEqual(packet);
          frames.consume(frame);
        },
      ),
      { numRuns: 60 },
    );
  });

  it("leaves the most room that fits: one byte more would not", () => {
    fc.assert(
      fc.property(fc.integer({ min: 576, max: 9_000 }), fc.constantFrom(8, 12, 16), (mtu, icvBytes) => {
        const inside = mtuInside(mtu, icvBytes);
        expect(wrappedLength(inside, 20, icvBytes)).toBeLessThanOrEqual(mtu);
        expect(wrappedLength(inside + 1, 20, icvBytes)).toBeGreaterThan(mtu);
      }),
    );
    expect(mtuInside(1_500, 8)).toBe(1_474); // Docker's 1424 and 50 bytes of VXLAN
  });

  it("is malformed when the sealed part has no trailer or more padding than bytes", () => {
    const short = frameOf(hex(ESP_8).subarray(0, 20 + 16 + 9));
    expect(unwrap(frames, short, stateOf(8))).toBe("xfrm-malformed");
    frames.consume(short);
    const frame = frameOf(hex(PLAIN));
    const state = stateOf(8);
    wrap(frames, frame, state, 1);
    const at = frames.start(frame) + 20;
    const end = frames.end(frame) - 8;
    state.cipher.open(frames.bytes, at, end);
    frames.bytes[end - 2] = 200;
    state.cipher.seal(frames.bytes, at, end);
    expect(unwrap(frames, frame, state)).toBe("xfrm-malformed");
    frames.consume(frame);
  });
});
