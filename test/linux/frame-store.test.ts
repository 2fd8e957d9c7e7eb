import { describe, expect, it } from "vitest";
import { FrameStore, SMALL_FRAME_BYTES } from "../../src/linux/frame-store.ts";

const HERE = { place: "here" };

/** A store whose maintenance runs when the test says so. */
function store(small = 8, large = 2): { frames: FrameStore; maintain: () => void } {
  let pending: (() => void) | undefined;
  const frames = new FrameStore({ betweenEvents: (work) => (pending = work) }, small, large);
  return { frames, maintain: () => pending?.() };
}

describe("The frame store", () => {
  it("counts every holder once in and once out", () => {
    const { frames } = store();
    const frame = frames.make(60);
    frames.hold(frame, 2);
    expect(frames.inFlight).toBe(3);
    frames.deliver(frame);
    frames.consume(frame);
    frames.drop(frame, "not-for-us", HERE);
    expect(frames.inFlight).toBe(0);
    expect([frames.made, frames.delivered, frames.consumed, frames.dropped]).toEqual([3, 1, 1, 1]);
    expect(frames.dropsByReason.get("not-for-us")).toBe(1);
  });

  it("asserts that a frame ends once", () => {
    const { frames } = store();
    const frame = frames.make(60);
    frames.consume(frame);
    expect(() => frames.consume(frame)).toThrow("a frame ended twice");
  });

  it("gives the last holder the frame itself and any other a copy of the same life", () => {
    const { frames } = store();
    const frame = frames.make(4);
    frames.bytes.set([1, 2, 3, 4], frames.start(frame));
    frames.mark[frame] = 5;
    expect(frames.writable(frame)).toBe(frame);
    frames.hold(frame);
    const copy = frames.writable(frame);
    expect(copy).not.toBe(frame);
    expect(frames.inFlight).toBe(2);
    expect([...frames.bytes.slice(frames.start(copy), frames.end(copy))]).toEqual([1, 2, 3, 4]);
    expect(frames.mark[copy]).toBe(5);
    expect(frames.packetId[copy]).toBe(frames.packetId[frame]);
    expect(frames.holders(frame)).toBe(1);
  });

  it("moves the start over headers, starts at even offsets and refuses to move a shared frame", () => {
    const { frames } = store();
    const frame = frames.make(100);
    const start = frames.start(frame);
    expect(start % 2).toBe(0);
    frames.push(frame, 50);
    expect([frames.start(frame), frames.length(frame)]).toEqual([start - 50, 150]);
    frames.pull(frame, 64);
    expect([frames.start(frame), frames.length(frame)]).toEqual([start + 14, 86]);
    frames.hold(frame);
    expect(() => frames.pull(frame, 1)).toThrow("shared");
  });

  it("finds room for more headers than the headroom takes, as long as the slot has any", () => {
    const { frames } = store();
    const frame = frames.make(101);
    frames.bytes.fill(7, frames.start(frame), frames.end(frame));
    for (let count = 1; count <= 20; count++) {
      frames.push(frame, 50);
      const start = frames.start(frame);
      expect(start % 2).toBe(0);
      frames.bytes.fill(count, start, start + 50);
      expect([...frames.bytes.slice(frames.end(frame) - 101, frames.end(frame))]).toEqual(new Array(101).fill(7));
      frames.resize(frame, frames.length(frame) + 60); // there is room for a trailer still
      frames.resize(frame, frames.length(frame) - 60);
    }
    expect(frames.length(frame)).toBe(1_101);
    expect(() => {
      for (;;) frames.push(frame, 50);
    }).toThrow("no headroom left");
  });

  it("takes frames up to 64 KiB", () => {
    const { frames } = store();
    const frame = frames.make(65_550);
    expect(frames.length(frame)).toBe(65_550);
    frames.bytes[frames.end(frame) - 1] = 7;
    frames.consume(frame);
    expect(frames.inFlight).toBe(0);
  });

  it("grows between events and keeps every frame's bytes and number", () => {
    const { frames, maintain } = store(8, 2);
    const held = Array.from({ length: 6 }, (_, index) => {
      const frame = frames.make(SMALL_FRAME_BYTES);
      frames.bytes.fill(index + 1, frames.start(frame), frames.end(frame));
      return frame;
    });
    const large = frames.make(60_000);
    frames.bytes.fill(99, frames.start(large), frames.end(large));
    const before = frames.bytes;
    maintain();
    expect(frames.bytes).not.toBe(before);
    for (const [index, frame] of held.entries())
      expect(frames.bytes.slice(frames.start(frame), frames.end(frame)).every((byte) => byte === index + 1)).toBe(true);
    expect(frames.bytes[frames.end(large) - 1]).toBe(99);
    for (let count = 0; count < 10; count++) held.push(frames.make(60));
    expect(new Set(held).size).toBe(16);
    for (const frame of [...held, large]) frames.consume(frame);
    expect(frames.inFlight).toBe(0);
  });

  it("tells its observer of a drop while the bytes can still be read", () => {
    const { frames } = store();
    const seen: string[] = [];
    frames.observer = {
      dropped: (frame, reason, where) => seen.push(`${reason} at ${where.place}: ${frames.bytes[frames.start(frame)]}`),
    };
    const frame = frames.make(1);
    frames.bytes[frames.start(frame)] = 42;
    frames.drop(frame, "ipv4-no-route", HERE);
    expect(seen).toEqual(["ipv4-no-route at here: 42"]);
  });
});
