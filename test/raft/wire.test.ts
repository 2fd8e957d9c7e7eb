import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { drawId, type Entry, formatId, idOf, type Message, type RaftId } from "../../src/raft/messages.ts";
import * as wire from "../../src/raft/wire.ts";
import { Random } from "../../src/sim/random.ts";
import { toHex } from "../../src/wire/bytes.ts";

/** Two managers of the recorded Swarm. */
const LEADER = "11a0976795db7b3b";
const FOLLOWER = "406faa193302ddc7";

const anyId: fc.Arbitrary<RaftId> = fc
  .tuple(fc.nat(0x7fff_ffff), fc.integer({ min: 1, max: 0xffff_ffff }))
  .map(([high, low]) => idOf(high, low));
const anyNumber = fc.oneof(fc.nat(300), fc.maxSafeNat());
const anyData = fc.uint8Array({ maxLength: 300 });
const head = { from: anyId, to: anyId, term: anyNumber };
const flag = fc.boolean();
const kind = <Kind extends string>(...kinds: Kind[]) => fc.constantFrom(...kinds);

const anyAppend = fc
  .record({
    ...head,
    index: fc.nat(),
    logTerm: anyNumber,
    commit: anyNumber,
    datas: fc.array(anyData, { maxLength: 4 }),
  })
  .map(({ datas, ...rest }): Message => {
    const entries = datas.map(
      (data, at): Entry => ({ kind: at % 2 === 0 ? "normal" : "change", term: 3, index: rest.index + 1 + at, data }),
    );
    return { kind: "append", ...rest, entries };
  });
const anyMessage: fc.Arbitrary<Message> = fc.oneof(
  anyAppend,
  fc.record({
    ...head,
    kind: kind("append-response"),
    index: anyNumber,
    rejected: fc.option(fc.record({ index: anyNumber, logTerm: anyNumber }), { nil: undefined }),
  }),
  fc.record({ ...head, kind: kind("vote", "pre-vote"), index: anyNumber, logTerm: anyNumber, transfer: flag }),
  fc.record({ ...head, kind: kind("vote-response", "pre-vote-response"), granted: flag }),
  fc.record({ ...head, kind: kind("heartbeat"), commit: anyNumber }),
  fc.record({ ...head, kind: kind("heartbeat-response", "timeout-now") }),
  fc.record({
    ...head,
    kind: kind("snapshot"),
    snapshot: fc.record({
      index: fc.integer({ min: 1 }),
      term: anyNumber,
      voters: fc.array(anyId, { maxLength: 7 }),
      data: anyData,
    }),
  }),
);

describe("Raft's messages (raftpb of etcd 3.3)", () => {
  it("are, for a heartbeat, 45 bytes, and 44 for its answer: the recorded payloads differ by that byte", () => {
    const heartbeat: Message = { kind: "heartbeat", from: LEADER, to: FOLLOWER, term: 2, commit: 232 };
    const answer: Message = { kind: "heartbeat-response", from: FOLLOWER, to: LEADER, term: 2 };
    expect(toHex(wire.emit(heartbeat))).toBe(
      "0808" + // type MsgHeartbeat
        "10c7bb8b9893c3eab740" + // to
        "18bbf6edaef9eca5d011" + // from
        "2002" +
        "2800" +
        "3000" + // term, logTerm, index
        "40e801" + // commit 232
        "4a08" +
        "1206" +
        "0a00" +
        "1000" +
        "1800" + // snapshot: metadata: conf_state, index, term
        "5000" +
        "5800", // reject, rejectHint
    );
    expect(wire.emit(heartbeat)).toHaveLength(45);
    expect(wire.emit(answer)).toHaveLength(44);
    expect(wire.emitRequest(heartbeat)).toHaveLength(47);
  });

  it("come back from their own bytes", () => {
    fc.assert(
      fc.property(anyMessage, (message) => {
        expect(wire.parse(wire.emit(message))).toEqual(message);
        expect(wire.parseRequest(wire.emitRequest(message))).toEqual(message);
      }),
    );
  });

  it("are refused, never an exception, when cut short or damaged", () => {
    fc.assert(
      fc.property(anyMessage, fc.nat(), fc.nat(255), (message, position, value) => {
        const bytes = wire.emit(message);
        const at = position % bytes.length;
        wire.parse(bytes, 0, at);
        bytes[at] = value;
        wire.parse(bytes);
        wire.parseChange(bytes);
      }),
    );
    expect(wire.parse(new Uint8Array([0x08, 0xff]))).toBe("raft-malformed");
    expect(wire.parse(new Uint8Array([0x08, 0x02]))).toBe("raft-forwarded-proposal");
    expect(wire.parse(new Uint8Array([0x08, 0x17]))).toBe("raft-unknown-type");
    expect(wire.parse(new Uint8Array([0x08, 0x07]))).toBe("raft-malformed"); // a snapshot message without one
    expect(wire.parseRequest(new Uint8Array(0))).toBe("raft-malformed");
  });

  it("count an entry's bytes without writing them", () => {
    fc.assert(
      fc.property(anyNumber, anyNumber, anyData, (term, index, data) => {
        const entry: Entry = { kind: "normal", term, index, data };
        expect(wire.entryBytes(entry)).toBe(wire.emitEntry(entry).length);
      }),
    );
  });

  it("carry changes of membership that come back", () => {
    fc.assert(
      fc.property(anyId, anyId, anyData, kind("add", "remove", "update"), (member, request, context, kind) => {
        const change = { kind, member, request, context };
        expect(wire.parseChange(wire.emitChange(change))).toEqual(change);
      }),
    );
  });
});

describe("A manager's number", () => {
  it("is from 1 to 2^63 - 1 and printed as dockerd prints it", () => {
    const random = new Random("ids");
    for (let draw = 0; draw < 100; draw++) expect(drawId(random)).toMatch(/^[0-7][0-9a-f]{15}$/);
    expect(formatId(LEADER)).toBe("11a0976795db7b3b");
    expect(formatId("00000000000000a0")).toBe("a0");
  });
});
