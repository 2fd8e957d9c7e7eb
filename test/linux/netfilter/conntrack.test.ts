import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type FrameId, NO_FRAME } from "../../../src/linux/frame-store.ts";
import * as info from "../../../src/linux/netfilter/conntrack/connection-info.ts";
import { ConnectionTable } from "../../../src/linux/netfilter/conntrack/connection-table.ts";
import { formatConnection } from "../../../src/linux/netfilter/conntrack/format.ts";
import { invertTuple, type Tuple } from "../../../src/linux/netfilter/conntrack/tuple.ts";
import * as icmp from "../../../src/wire/icmp.ts";
import { ACK, FIN, RST, SYN } from "../../../src/wire/tcp.ts";
import { Bench, type TcpLike } from "./packets.ts";

const CLIENT = "10.0.0.1";
const SERVER = "10.0.0.2";

function tracking(): Bench {
  const bench = new Bench();
  bench.netfilter.requireConntrack();
  return bench;
}

const STATE_NAMES = new Map([
  [info.STATE_INVALID, "INVALID"],
  [info.STATE_NEW, "NEW"],
  [info.STATE_RELATED, "RELATED"],
  [info.STATE_ESTABLISHED, "ESTABLISHED"],
  [info.STATE_UNTRACKED, "UNTRACKED"],
]);

/** The packet's state, once it has gone through. */
function state(bench: Bench, frame: FrameId): string {
  const next = bench.through(frame);
  if (next === NO_FRAME) return "dropped";
  const name = STATE_NAMES.get(info.stateOf(bench.frames.connection[next]!)) ?? "?";
  bench.frames.consume(next);
  return name;
}

function list(bench: Bench): string[] {
  const { connections } = bench.netfilter;
  const nowNs = bench.simulation.nowNs;
  return connections.rows(nowNs).map((row) => formatConnection(connections, row, nowNs));
}

/** A conversation between ports 1000 and 80. */
const there = (bench: Bench, packet: Omit<TcpLike, "from" | "to">, bytes = 0) =>
  state(bench, bench.tcp({ from: CLIENT, to: SERVER, sport: 1000, dport: 80, ...packet }, bytes));
const back = (bench: Bench, packet: Omit<TcpLike, "from" | "to">, bytes = 0) =>
  state(bench, bench.tcp({ from: SERVER, to: CLIENT, sport: 80, dport: 1000, ...packet }, bytes));
const tcpState = (bench: Bench) =>
  list(bench)[0]
    ?.split(" ")
    .filter((word) => word !== "")[3];

function handshake(bench: Bench): void {
  expect(there(bench, { flags: SYN, seq: 100 })).toBe("NEW");
  expect(tcpState(bench)).toBe("SYN_SENT");
  expect(back(bench, { flags: SYN | ACK, seq: 500, ack: 101 })).toBe("ESTABLISHED");
  expect(tcpState(bench)).toBe("SYN_RECV");
  expect(there(bench, { flags: ACK, seq: 101, ack: 501 })).toBe("ESTABLISHED");
  expect(tcpState(bench)).toBe("ESTABLISHED");
}

describe("Connections (nf_conntrack)", () => {
  it("begin NEW, are ESTABLISHED by an answer, and end when nothing is heard for 30 s (UDP)", () => {
    const bench = tracking();
    const ask = () => bench.udp({ from: CLIENT, to: SERVER });
    const answer = () => bench.udp({ from: SERVER, to: CLIENT, sport: 2000, dport: 1000 });
    expect(state(bench, ask())).toBe("NEW");
    expect(list(bench)[0]).toContain("udp      17 30 ");
    expect(state(bench, ask())).toBe("NEW");
    expect(state(bench, answer())).toBe("ESTABLISHED");
    expect(state(bench, ask())).toBe("ESTABLISHED");
    bench.wait(3);
    expect(state(bench, ask())).toBe("ESTABLISHED");
    expect(list(bench)[0]).toMatch(/^udp {6}17 120 .*\[ASSURED\]/);
    bench.wait(121);
    expect(list(bench)).toEqual([]);
    expect(state(bench, answer())).toBe("NEW");
    expect(bench.frames.inFlight).toBe(0);
  });

  it("follow a TCP connection from SYN to TIME_WAIT", () => {
    const bench = tracking();
    handshake(bench);
    expect(list(bench)[0]).toMatch(/^tcp {6}6 431999|432000 ESTABLISHED .*\[ASSURED\]/);
    expect(there(bench, { flags: FIN | ACK, seq: 101, ack: 501 })).toBe("ESTABLISHED");
    expect(tcpState(bench)).toBe("FIN_WAIT");
    expect(back(bench, { flags: ACK, seq: 501, ack: 102 })).toBe("ESTABLISHED");
    expect(tcpState(bench)).toBe("CLOSE_WAIT");
    expect(back(bench, { flags: FIN | ACK, seq: 501, ack: 102 })).toBe("ESTABLISHED");
    expect(tcpState(bench)).toBe("LAST_ACK");
    expect(there(bench, { flags: ACK, seq: 102, ack: 502 })).toBe("ESTABLISHED");
    expect(list(bench)[0]).toContain("tcp      6 120 TIME_WAIT");
    // A new SYN opens a connection of its own in its place.
    expect(there(bench, { flags: SYN, seq: 90_000 })).toBe("NEW");
    expect(tcpState(bench)).toBe("SYN_SENT");
    expect(list(bench)).toHaveLength(1);
  });

  it("forget a TCP connection that was refused at once", () => {
    const bench = tracking();
    expect(there(bench, { flags: SYN, seq: 100 })).toBe("NEW");
    expect(back(bench, { flags: RST | ACK, seq: 0, ack: 101 })).toBe("ESTABLISHED");
    expect(list(bench)).toEqual([]);
  });

  it("call INVALID what lies outside the window, and nothing when told to be liberal", () => {
    const far = { flags: ACK, seq: 5_000_000, ack: 501 };
    const strict = tracking();
    handshake(strict);
    expect(there(strict, far, 10)).toBe("INVALID");
    expect(back(strict, { flags: ACK, seq: 501, ack: 9_000 })).toBe("INVALID"); // acknowledges what was not sent
    expect(there(strict, { flags: ACK, seq: 101, ack: 501 }, 1000)).toBe("ESTABLISHED");
    expect(back(strict, { flags: RST, seq: 400 })).toBe("INVALID"); // below what the other side has acknowledged
    expect(tcpState(strict)).toBe("ESTABLISHED");
    expect(back(strict, { flags: RST, seq: 501 })).toBe("ESTABLISHED");
    expect(tcpState(strict)).toBe("CLOSE");
    const liberal = tracking();
    liberal.sysctl.set("net.netfilter.nf_conntrack_tcp_be_liberal", 1);
    handshake(liberal);
    expect(there(liberal, far, 10)).toBe("ESTABLISHED");
  });

  it("are picked up in the middle when loose, and not otherwise", () => {
    const loose = tracking();
    expect(there(loose, { flags: ACK, seq: 7, ack: 9 }, 5)).toBe("NEW");
    expect(back(loose, { flags: ACK, seq: 9, ack: 12 })).toBe("ESTABLISHED");
    const strict = tracking();
    strict.sysctl.set("net.netfilter.nf_conntrack_tcp_loose", 0);
    expect(there(strict, { flags: ACK, seq: 7, ack: 9 }, 5)).toBe("INVALID");
    for (const flags of [SYN | FIN, SYN | RST, 0, FIN]) expect(there(strict, { flags })).toBe("INVALID");
    expect(there(strict, { flags: SYN | ACK })).toBe("INVALID");
  });

  it("are begun by echo requests, answered by replies, and by nothing else of ICMP", () => {
    const bench = tracking();
    expect(state(bench, bench.echo({ from: SERVER, to: CLIENT }, 5, 0))).toBe("INVALID");
    expect(state(bench, bench.echo({ from: CLIENT, to: SERVER }, 5))).toBe("NEW");
    expect(state(bench, bench.echo({ from: SERVER, to: CLIENT }, 6, 0))).toBe("INVALID");
    expect(state(bench, bench.echo({ from: SERVER, to: CLIENT }, 5, 0))).toBe("ESTABLISHED");
    expect(state(bench, bench.echo({ from: CLIENT, to: SERVER }, 5))).toBe("ESTABLISHED");
    expect(list(bench)[0]).toBe(
      "icmp     1 30 src=10.0.0.1 dst=10.0.0.2 type=8 code=0 id=5 src=10.0.0.2 dst=10.0.0.1 type=0 code=0 id=5 mark=0 use=1",
    );
    expect(state(bench, bench.other({ from: CLIENT, to: SERVER }, 50))).toBe("NEW");
    expect(list(bench)[1]).toBe(
      "unknown  50 600 src=10.0.0.1 dst=10.0.0.2 [UNREPLIED] src=10.0.0.2 dst=10.0.0.1 mark=0 use=1",
    );
  });

  it("own the ICMP errors about their packets, and only those for the right host", () => {
    const bench = tracking();
    const quoted = bench.udp({ from: CLIENT, to: SERVER });
    const at = bench.frames.start(quoted);
    const quote = bench.frames.bytes.slice(at, at + 28);
    expect(state(bench, quoted)).toBe("NEW");
    const error = (to: string) => {
      const frame = bench.other({ from: "10.0.0.254", to, size: 56 }, 1);
      const start = bench.frames.start(frame);
      icmp.write(bench.frames.bytes, start + 20, 3, 3, 0);
      bench.frames.bytes.set(quote, start + 28);
      icmp.finishChecksum(bench.frames, start + 20, start + 56);
      return state(bench, frame);
    };
    expect(error(CLIENT)).toBe("RELATED");
    expect(error("10.0.0.77")).toBe("INVALID");
    bench.wait(31);
    expect(error(CLIENT)).toBe("INVALID");
  });

  it("do not come from packets with wrong checksums", () => {
    const bench = tracking();
    const frame = bench.udp({ from: CLIENT, to: SERVER });
    const byte = bench.frames.start(frame) + 30;
    bench.frames.bytes[byte] = 1;
    expect(state(bench, frame)).toBe("INVALID");
    expect(list(bench)).toEqual([]);
  });

  it("are as many as nf_conntrack_max allows: unanswered ones make room, assured ones do not", () => {
    const bench = tracking();
    bench.sysctl.set("net.netfilter.nf_conntrack_max", 2);
    handshake(bench);
    expect(state(bench, bench.udp({ from: CLIENT, to: SERVER, sport: 1 }))).toBe("NEW");
    expect(state(bench, bench.udp({ from: CLIENT, to: SERVER, sport: 2 }))).toBe("NEW");
    expect(list(bench).map((line) => line.slice(0, 3))).toEqual(["tcp", "udp"]);
    bench.sysctl.set("net.netfilter.nf_conntrack_max", 1);
    bench.netfilter.conntrack.forgetSettings();
    bench.wait(31);
    expect(state(bench, bench.udp({ from: CLIENT, to: SERVER, sport: 3 }))).toBe("dropped");
    expect(bench.frames.dropsByReason.get("conntrack-full")).toBe(1);
  });

  it("leave nothing behind when their first packet is dropped by a rule", () => {
    const bench = tracking();
    bench.netfilter.table("filter").setPolicy(bench.netfilter.table("filter").forward!, "DROP");
    for (let turn = 0; turn < 1_000; turn++) {
      expect(bench.through(bench.udp({ from: CLIENT, to: SERVER, sport: turn }))).toBe(NO_FRAME);
      bench.wait(0.001);
    }
    expect(bench.netfilter.connections.count).toBe(0);
    expect(bench.netfilter.connections.loose.length).toBeLessThan(3);
    expect(bench.netfilter.connections.mark.length).toBeLessThan(64);
  });
});

describe("The table of connections", () => {
  const anyTuple = fc.record({
    source: fc.nat(3),
    destination: fc.nat(3),
    ports: fc.nat(7),
    protocol: fc.constantFrom(6, 17),
  });

  it("finds what a map would find, by either tuple, through growth, deletion and expiry", () => {
    const operations = fc.array(
      fc.oneof(
        fc.record({ do: fc.constant("add" as const), tuple: anyTuple, livesS: fc.integer({ min: 1, max: 50 }) }),
        fc.record({ do: fc.constant("delete" as const), tuple: anyTuple }),
        fc.record({ do: fc.constant("wait" as const), seconds: fc.nat(5) }),
      ),
      { maxLength: 200 },
    );
    fc.assert(
      fc.property(operations, (steps) => {
        const table = new ConnectionTable();
        const model = new Map<string, { tuple: Tuple; dies: number }>();
        const keyOf = (tuple: Tuple) => `${tuple.source} ${tuple.destination} ${tuple.ports} ${tuple.protocol}`;
        let now = 0;
        const alive = (tuple: Tuple) =>
          [...model.values()].find(({ tuple: known, dies }) => {
            const other = { ...known };
            invertTuple(other);
            return dies > now && (keyOf(known) === keyOf(tuple) || keyOf(other) === keyOf(tuple));
          });
        const find = (tuple: Tuple) =>
          table.find(tuple.source, tuple.destination, tuple.ports, tuple.protocol, now * 1e9);
        for (const step of steps) {
          if (step.do === "wait") now += step.seconds;
          else {
            const known = alive(step.tuple);
            const handle = find(step.tuple);
            expect(handle >= 0).toBe(known !== undefined);
            if (step.do === "add" && known === undefined) {
              const reply = { ...step.tuple };
              invertTuple(reply);
              const row = table.create(step.tuple, reply, now * 1e9)!;
              table.setExpiry(row, (now + step.livesS) * 1e9);
              const palindrome = keyOf(reply) === keyOf(step.tuple);
              expect(table.confirm(row, now * 1e9)).toBe(true);
              expect(find(reply) >> 1).toBe(row);
              if (!palindrome) expect(find(reply) & 1).toBe(1);
              model.set(keyOf(step.tuple), { tuple: step.tuple, dies: now + step.livesS });
            } else if (step.do === "delete" && known !== undefined) {
              table.delete(handle >> 1, now * 1e9);
              model.delete(keyOf(known.tuple));
            }
          }
          for (const [key, { dies }] of model) if (dies <= now) model.delete(key);
          expect(table.rows(now * 1e9)).toHaveLength(model.size);
        }
      }),
    );
  });

  it("holds 100 000 connections and finds each", () => {
    const table = new ConnectionTable();
    for (let index = 0; index < 100_000; index++) {
      const tuple = {
        source: 0x0a00_0000 + (index >>> 4),
        destination: 0x0a00_0002,
        ports: ((index & 15) << 16) | 80,
        protocol: 6,
      };
      const reply = { ...tuple };
      invertTuple(reply);
      const row = table.create(tuple, reply, index)!;
      table.setExpiry(row, 1e15);
      expect(table.confirm(row, index)).toBe(true);
    }
    expect(table.count).toBe(100_000);
    for (let index = 0; index < 100_000; index += 997)
      expect(table.find(0x0a00_0002, 0x0a00_0000 + (index >>> 4), (80 << 16) | (index & 15), 6, 0) & 1).toBe(1);
  });
});
