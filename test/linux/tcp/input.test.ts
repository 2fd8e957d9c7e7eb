import { describe, expect, it } from "vitest";
import { MILLISECOND, SECOND } from "../../../src/sim/time.ts";
import * as tcp from "../../../src/wire/tcp.ts";
import { connected, hand } from "./craft.ts";
import { Link, line, pattern } from "./two-hosts.ts";

describe("A segment in SYN-SENT (RFC 9293 §3.10.7.3)", () => {
  function opening(): Link {
    const link = new Link();
    link.fate = () => [];
    link.a.connect();
    link.run(MILLISECOND);
    return link;
  }

  it("with an ACK of nothing that was sent is answered by a reset with that number, and dropped", () => {
    const link = opening();
    const { verdict, seen } = hand(link, link.a, { flags: tcp.SYN | tcp.ACK, acknowledgement: 5 });
    expect(verdict).toBe("tcp-invalid");
    expect(seen.map((segment) => [segment.flags, segment.sequence])).toEqual([["R", 6]]);
    expect(link.a.connection!.state).toBe("syn-sent");
  });

  it("that resets is believed only with an acceptable ACK", () => {
    const link = opening();
    expect(hand(link, link.a, { flags: tcp.RST }).verdict).toBe("tcp-invalid");
    expect(hand(link, link.a, { flags: tcp.RST | tcp.ACK, acknowledgement: 1 }).verdict).toBe("tcp-invalid");
    expect(link.a.connection!.state).toBe("syn-sent");
    hand(link, link.a, { flags: tcp.RST | tcp.ACK });
    expect(link.a.connection!.state).toBe("closed");
    expect(link.a.connection!.error).toBe("ECONNREFUSED");
  });

  it("with neither SYN nor RST is dropped", () => {
    const link = opening();
    expect(hand(link, link.a, { flags: tcp.ACK }).verdict).toBe("tcp-invalid");
    expect(link.a.connection!.state).toBe("syn-sent");
  });

  it("with SYN alone opens from both sides at once: SYN,ACK answers, an ACK completes", () => {
    const link = opening();
    const { sent } = hand(link, link.a, { flags: tcp.SYN });
    expect(sent).toEqual(["a SA seq 0 ack 1 len 0"]);
    expect(link.a.connection!.state).toBe("syn-received");
    expect(hand(link, link.a, { flags: tcp.ACK }).verdict).toBe("consume");
    expect(link.a.connection!.state).toBe("established");
  });
});

describe("A segment of an established connection (RFC 9293 §3.10.7.4)", () => {
  it("that is all old is acknowledged and its range reported as a duplicate (RFC 2883)", () => {
    const link = connected();
    hand(link, link.b, { bytes: 100 });
    const { verdict, sent } = hand(link, link.b, { sequence: -100, bytes: 100 });
    expect(verdict).toBe("tcp-old-duplicate");
    expect(sent).toEqual(["b A seq 1 ack 101 len 0 sack 1-101"]);
  });

  it("beyond the window is dropped and answered with an ACK", () => {
    const link = connected();
    const { verdict, sent } = hand(link, link.b, { sequence: 3_000_000, bytes: 10 });
    expect(verdict).toBe("tcp-out-of-window");
    expect(sent).toEqual(["b A seq 1 ack 1 len 0"]);
  });

  it("without data and outside of the window is answered at most twice a second", () => {
    const link = connected();
    expect(hand(link, link.b, { sequence: -5 }).sent).toHaveLength(1);
    expect(hand(link, link.b, { sequence: -5 }).sent).toHaveLength(0);
    link.run(501 * MILLISECOND);
    expect(hand(link, link.b, { sequence: -5 }).sent).toHaveLength(1);
  });

  it("that resets at exactly the next number ends the connection", () => {
    const link = connected();
    expect(hand(link, link.b, { flags: tcp.RST }).verdict).toBe("consume");
    expect(link.b.connection!.state).toBe("closed");
    expect(link.b.connection!.error).toBe("ECONNRESET");
    expect(link.b.hasEnded).toBe(true);
  });

  it("that resets elsewhere in the window gets a challenge (RFC 5961 §3.2)", () => {
    const link = connected();
    const { verdict, sent } = hand(link, link.b, { flags: tcp.RST, sequence: 7 });
    expect(verdict).toBe("tcp-invalid");
    expect(sent).toEqual(["b A seq 1 ack 1 len 0"]);
    expect(link.b.connection!.state).toBe("established");
  });

  it("that resets outside of the window is ignored in silence", () => {
    const link = connected();
    expect(hand(link, link.b, { flags: tcp.RST, sequence: -9 })).toMatchObject({
      verdict: "tcp-out-of-window",
      sent: [],
    });
  });

  it("with SYN gets a challenge (RFC 5961 §4.2)", () => {
    const link = connected();
    expect(hand(link, link.b, { flags: tcp.SYN | tcp.ACK, sequence: 3 })).toMatchObject({
      verdict: "tcp-invalid",
      sent: ["b A seq 1 ack 1 len 0"],
    });
  });

  it("without ACK is dropped", () => {
    const link = connected();
    expect(hand(link, link.b, { flags: tcp.PSH, bytes: 5 })).toMatchObject({ verdict: "tcp-invalid", sent: [] });
  });

  it("that acknowledges what was never sent is dropped without an answer, as Linux does", () => {
    const link = connected();
    expect(hand(link, link.b, { acknowledgement: 1 })).toMatchObject({ verdict: "tcp-invalid", sent: [] });
  });

  it("with an older timestamp is dropped and answered (PAWS, RFC 7323 §5.3)", () => {
    const link = connected();
    const { verdict, sent } = hand(link, link.b, { bytes: 5, timestamp: -5 });
    expect(verdict).toBe("tcp-paws");
    expect(sent).toEqual(["b A seq 1 ack 1 len 0"]);
    expect(link.b.connection!.receive.readable).toBe(0);
  });

  it("behind a hole is kept and reported; filling the hole is acknowledged at once", () => {
    const link = connected();
    expect(hand(link, link.b, { sequence: 100, bytes: 50 })).toMatchObject({
      verdict: "deliver",
      sent: ["b A seq 1 ack 1 len 0 sack 101-151"],
    });
    expect(hand(link, link.b, { sequence: 200, bytes: 50 }).sent).toEqual([
      "b A seq 1 ack 1 len 0 sack 201-251 sack 101-151",
    ]);
    expect(hand(link, link.b, { bytes: 100 }).sent).toEqual(["b A seq 1 ack 151 len 0 sack 201-251"]);
    expect(hand(link, link.b, { bytes: 60 }).sent).toEqual(["b A seq 1 ack 251 len 0"]);
  });

  it("that carries FIN behind a hole closes only when the hole is filled", () => {
    const link = connected();
    hand(link, link.b, { sequence: 10, bytes: 5, flags: tcp.ACK | tcp.FIN });
    expect(link.b.connection!.state).toBe("established");
    hand(link, link.b, { bytes: 10 });
    expect(link.b.connection!.state).toBe("close-wait");
    expect(link.b.connection!.finReceived).toBe(true);
  });
});

describe("Closing (RFC 9293 §3.6)", () => {
  it("from both sides at once goes through CLOSING to TIME-WAIT, which lasts 60 s", () => {
    const link = connected();
    link.a.finish();
    link.b.finish();
    expect([link.a.connection!.state, link.b.connection!.state]).toEqual(["fin-wait-1", "fin-wait-1"]);
    link.run(15 * MILLISECOND);
    expect(link.a.connection!.state).toBe("closing");
    link.run(15 * MILLISECOND);
    expect([link.a.connection!.state, link.b.connection!.state]).toEqual(["time-wait", "time-wait"]);
    link.run(59 * SECOND);
    expect(link.a.hasEnded).toBe(false);
    link.run(4 * SECOND);
    expect([link.a.hasEnded, link.b.hasEnded]).toEqual([true, true]);
  });

  it("by one side leaves the other free to send: half closed", () => {
    const link = connected();
    link.a.finish();
    link.run(100 * MILLISECOND);
    expect([link.a.connection!.state, link.b.connection!.state]).toEqual(["fin-wait-2", "close-wait"]);
    link.b.write(pattern(5_000));
    link.run(200 * MILLISECOND);
    expect(link.a.received.length).toBe(5_000);
    link.b.finish();
    link.run(100 * MILLISECOND);
    expect([link.a.connection!.state, link.b.connection!.state]).toEqual(["time-wait", "closed"]);
  });

  it("acknowledges a repeated FIN in TIME-WAIT", () => {
    const link = connected();
    link.a.finish();
    link.run(50 * MILLISECOND);
    link.b.finish();
    link.run(50 * MILLISECOND);
    expect(link.a.connection!.state).toBe("time-wait");
    const { sent } = hand(link, link.a, { flags: tcp.FIN | tcp.ACK, sequence: -1 });
    expect(sent).toEqual(["a A seq 2 ack 2 len 0"]);
  });

  it("an orphan that gets data resets the peer", () => {
    const link = connected();
    link.a.connection!.orphaned = true;
    link.a.finish();
    link.run(50 * MILLISECOND);
    link.b.write(pattern(10));
    link.run(50 * MILLISECOND);
    expect(link.a.connection!.state).toBe("closed");
    expect(link.b.connection!.error).toBe("EPIPE");
    expect(link.log.filter((seen) => seen.flags.includes("R")).map(line)).toEqual(["a R seq 2 ack 0 len 0"]);
  });
});
