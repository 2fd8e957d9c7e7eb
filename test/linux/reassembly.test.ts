import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fragment } from "../../src/linux/fragment.ts";
import { type FrameId, NO_FRAME } from "../../src/linux/frame-store.ts";
import { Reassembly } from "../../src/linux/reassembly.ts";
import { World } from "../../src/linux/world.ts";
import type { Ipv4Address } from "../../src/wire/address.ts";
import * as ipv4 from "../../src/wire/ipv4.ts";
import { pass } from "./two-hosts.ts";

function lab(seed: string | number = 1) {
  const world = new World({ seed });
  const host = world.createNamespace("host");
  const timeouts: FrameId[] = [];
  const settings = { timeoutSeconds: 30, limitBytes: 4_194_304 };
  const reassembly = new Reassembly(
    world.simulation,
    world.frames,
    host,
    () => settings,
    (first) => timeouts.push(first),
  );
  return { world, host, frames: world.frames, reassembly, timeouts };
}

/** A fragment of a packet whose payload byte n is n modulo 251. */
function piece(frames: World["frames"], offset: number, length: number, more: boolean, id = 7): FrameId {
  const frame = frames.make(20 + length);
  const at = frames.start(frame);
  for (let index = 0; index < length; index++) frames.bytes[at + 20 + index] = (offset + index) % 251;
  const flags = (more ? ipv4.MORE_FRAGMENTS : 0) | (offset >> 3);
  ipv4.write(frames.bytes, at, 20 + length, id, flags, 64, 17, 1 as Ipv4Address, 2 as Ipv4Address, 0);
  return frame;
}

function payload(frames: World["frames"], frame: FrameId): number[] {
  return [...frames.bytes.slice(frames.start(frame) + 20, frames.end(frame))];
}

describe("reassembly", () => {
  it("gives back what was cut, in any order and by any cut", () => {
    const anyCut = fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(anyCut, fc.integer({ min: 1, max: 8 }), fc.infiniteStream(fc.nat(0xffff)), (eighths, tail, order) => {
        const { frames, reassembly, host } = lab();
        const pieces: { frame: FrameId; key: number }[] = [];
        let offset = 0;
        for (const eighth of eighths) {
          pieces.push({ frame: piece(frames, offset, eighth * 8, true), key: order.next().value });
          offset += eighth * 8;
        }
        pieces.push({ frame: piece(frames, offset, tail, false), key: order.next().value });
        pieces.sort((a, b) => a.key - b.key);
        const results = pieces.map(({ frame }) => reassembly.add(frame, host.loopback));
        const whole = results.at(-1)!;
        expect(results.slice(0, -1).every((result) => result === NO_FRAME)).toBe(true);
        expect(payload(frames, whole)).toEqual(Array.from({ length: offset + tail }, (_, index) => index % 251));
        expect(ipv4.check(frames.bytes, frames.start(whole), frames.end(whole))).toBeUndefined();
        expect(ipv4.checksumOk(frames, frames.start(whole))).toBe(true);
        expect(frames.cuts(whole)).toEqual([...eighths.map((eighth) => eighth * 8), tail]);
        frames.consume(whole);
        expect(frames.inFlight).toBe(0);
        expect(reassembly.pending).toBe(0);
      }),
    );
  });

  it("undoes fragmentation at any MTU", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 9_000 }), fc.integer({ min: 68, max: 1_500 }), (length, mtu) => {
        const { frames, reassembly, host } = lab();
        const whole = piece(frames, 0, length, false);
        const before = payload(frames, whole);
        const pieces = fragment(frames, whole, mtu);
        expect(pieces.every((each) => frames.length(each) <= mtu)).toBe(true);
        frames.consume(whole);
        if (pieces.length === 1) {
          frames.consume(pieces[0]!);
          return;
        }
        const results = pieces.map((each) => reassembly.add(each, host.loopback));
        const again = results.at(-1)!;
        expect(payload(frames, again)).toEqual(before);
        frames.consume(again);
        expect(frames.inFlight).toBe(0);
      }),
    );
  });

  it("cuts a reassembled packet as it came, a copy of it to the longest size that came", () => {
    const { frames, reassembly, host } = lab();
    reassembly.add(piece(frames, 0, 1_000, true), host.loopback);
    reassembly.add(piece(frames, 1_000, 1_200, true), host.loopback);
    const whole = reassembly.add(piece(frames, 2_200, 808, false), host.loopback);
    const copy = frames.clone(whole);
    const lengths = (frame: FrameId) => fragment(frames, frame, 1_500).map((each) => frames.length(each));
    expect(lengths(whole)).toEqual([1_020, 1_220, 828]);
    expect(lengths(copy)).toEqual([1_220, 1_220, 628]);
  });

  it("drops the datagram when fragments overlap, but only the copy when one is repeated", () => {
    const { frames, reassembly, host } = lab();
    reassembly.add(piece(frames, 0, 64, true), host.loopback);
    reassembly.add(piece(frames, 0, 64, true), host.loopback);
    expect(reassembly.pending).toBe(1);
    expect(frames.dropsByReason.get("fragment-duplicate")).toBe(1);
    reassembly.add(piece(frames, 32, 64, true), host.loopback);
    expect(reassembly.pending).toBe(0);
    expect(frames.dropsByReason.get("fragment-overlap")).toBe(2);
    expect(frames.inFlight).toBe(0);
  });

  it("keeps datagrams of different identifications apart", () => {
    const { frames, reassembly, host } = lab();
    reassembly.add(piece(frames, 0, 64, true, 1), host.loopback);
    expect(reassembly.add(piece(frames, 64, 8, false, 2), host.loopback)).toBe(NO_FRAME);
    expect(reassembly.pending).toBe(2);
  });

  it("gives up after 30 s and says so when the first fragment came", () => {
    const { world, frames, reassembly, host, timeouts } = lab();
    reassembly.add(piece(frames, 0, 64, true, 1), host.loopback);
    reassembly.add(piece(frames, 64, 64, true, 2), host.loopback);
    pass(world, 29.9);
    expect(reassembly.pending).toBe(2);
    pass(world, 2.5);
    expect(reassembly.pending).toBe(0);
    expect(timeouts).toHaveLength(1);
    expect(frames.dropsByReason.get("fragment-timeout")).toBe(2);
    expect(frames.inFlight).toBe(0);
  });

  it("refuses what cannot be right", () => {
    const { frames, reassembly, host } = lab();
    reassembly.add(piece(frames, 65_528, 64, true), host.loopback);
    expect(frames.dropsByReason.get("fragment-too-long")).toBe(1);
    reassembly.add(piece(frames, 64, 8, false, 2), host.loopback);
    reassembly.add(piece(frames, 128, 8, true, 2), host.loopback);
    expect(frames.dropsByReason.get("fragment-malformed")).toBe(2);
    expect(reassembly.pending).toBe(0);
    expect(frames.inFlight).toBe(0);
  });
});
