import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MILLISECOND, SECOND } from "../../../src/sim/time.ts";
import type { ServerCall, ServerStream } from "../../../src/swarm/grpc/server.ts";
import { OK, status } from "../../../src/swarm/grpc/status.ts";
import { missing, runToolOnFile } from "../../capture/external-tools.ts";
import { bytes, ECHO, Lab, pattern, text } from "./lab.ts";

const CHAT = "/docker.swarmkit.v1.Dispatcher/Chat";

describe("A unary call", () => {
  it("brings the request there and the answer back", () => {
    const lab = new Lab();
    expect(lab.server.listen()).toBeUndefined();
    expect(lab.channel.state).toBe("idle");
    expect(lab.call(ECHO, bytes("hello"))).toEqual(bytes("hello"));
    expect(lab.channel.state).toBe("ready");
    expect(lab.call(ECHO, new Uint8Array(0))).toEqual(new Uint8Array(0));
    expect(lab.server.connectionCount).toBe(1);
  });

  it("tells the handler who calls, with what beside the message, and until when", () => {
    const lab = new Lab();
    const calls: ServerCall[] = [];
    lab.server.unary("/a.B/C", (_request, call, answer) => {
      calls.push(call);
      answer({ status: status("NotFound", "node 100% gone: ü") });
    });
    lab.server.listen();
    let how = "";
    lab.channel.unary(
      "/a.B/C",
      bytes("x"),
      5 * SECOND,
      (result) => {
        how = "status" in result ? result.status.message : "answered";
      },
      { metadata: new Map([["redirect", "1"]]) },
    );
    lab.run(1);
    expect(how).toBe("node 100% gone: ü");
    expect(calls[0]?.metadata).toEqual(new Map([["redirect", "1"]]));
    expect(calls[0]?.peerAddress).toBe(0x0a000002);
    expect(Math.abs(calls[0]!.deadlineNs! - 5 * SECOND)).toBeLessThan(MILLISECOND);
  });

  it("has on the wire the sizes that a real heartbeat of a manager to a follower has, without TLS", () => {
    const lab = new Lab();
    const method = "/docker.swarmkit.v1.Raft/ProcessRaftMessage";
    lab.server.unary(method, (_request, _call, answer) => answer({ response: new Uint8Array(0) }));
    lab.server.listen();
    for (let beat = 0; beat < 3; beat++) {
      lab.seen.length = 0;
      lab.call(method, new Uint8Array(56), 2 * SECOND);
      lab.run(1);
    }
    // Recorded, less 22 octets of TLS: a call of 116, an answer of 88, credit, ping and its answer of 69, an answer of 39.
    expect(lab.payloads()).toEqual(["> 94", "< 66", "> 47", "< 17"]);
  });

  it("says Unimplemented to methods that the server lacks", () => {
    const lab = new Lab();
    lab.server.listen();
    expect(lab.call("/docker.swarmkit.v1.Raft/Nothing", bytes(""))).toBe(
      "rpc error: code = Unimplemented desc = unknown method Nothing for service docker.swarmkit.v1.Raft",
    );
    expect(lab.call("/a.B/C", bytes(""))).toBe("rpc error: code = Unimplemented desc = unknown service a.B");
    expect(lab.call("nothing", bytes(""))).toBe(
      'rpc error: code = Unimplemented desc = malformed method name: "nothing"',
    );
  });

  it("ends at its deadline when the handler does not answer, and the handler learns it", () => {
    const lab = new Lab();
    let seen: ServerCall | undefined;
    lab.server.unary("/a.B/Never", (_request, call) => {
      seen = call;
    });
    lab.server.listen();
    expect(lab.call("/a.B/Never", bytes(""), 2 * SECOND)).toBe(
      "rpc error: code = DeadlineExceeded desc = context deadline exceeded",
    );
    expect(lab.nowNs).toBe(2 * SECOND);
    lab.run(1);
    expect(seen?.cancelled).toBe(true);
    expect(lab.call(ECHO, bytes("still there"))).toEqual(bytes("still there"));
  });

  it("ends at its deadline when the network swallows everything", () => {
    const lab = new Lab({ link: { partitioned: true } });
    lab.server.listen();
    expect(lab.call(ECHO, bytes(""), 2 * SECOND)).toBe(
      "rpc error: code = DeadlineExceeded desc = context deadline exceeded",
    );
    expect(lab.nowNs).toBe(2 * SECOND);
  });

  it("says nothing after it was cancelled", () => {
    const lab = new Lab();
    lab.server.listen();
    lab.call(ECHO, bytes("warm"));
    let ends = 0;
    const cancel = lab.channel.unary(ECHO, bytes(""), undefined, () => ends++);
    cancel();
    lab.run(1);
    expect(ends).toBe(0);
  });

  it("carries a message of 1 MB each way, through windows of 64 KB", () => {
    const lab = new Lab({ link: { delayNs: 5 * MILLISECOND } });
    lab.server.listen();
    const large = pattern(1024 * 1024);
    const answer = lab.call(ECHO, large);
    expect(typeof answer !== "string" && Buffer.compare(answer, large) === 0).toBe(true);
  });

  it("refuses messages that are too large", () => {
    const lab = new Lab({ channel: { maximumMessageBytes: 1_000 } });
    lab.server.unary("/a.B/Large", (_request, _call, answer) => answer({ response: new Uint8Array(1_001) }));
    lab.server.listen();
    expect(lab.call("/a.B/Large", bytes(""))).toBe(
      "rpc error: code = ResourceExhausted desc = grpc: received message larger than max (1001 vs. 1000)",
    );
    expect(lab.call(ECHO, new Uint8Array(4 * 1024 * 1024 + 1))).toBe(
      "rpc error: code = ResourceExhausted desc = grpc: received message larger than max (4194305 vs. 4194304)",
    );
  });
});

describe("A channel", () => {
  it("says why it cannot connect, as grpc-go does, at once while it waits to try again", () => {
    const lab = new Lab();
    const refused =
      'rpc error: code = Unavailable desc = connection error: desc = "transport: Error while dialing: dial tcp 10.0.0.3:2377: connect: connection refused"';
    expect(lab.call(ECHO, bytes(""))).toBe(refused);
    expect(lab.channel.state).toBe("transient-failure");
    const before = lab.nowNs;
    expect(lab.call(ECHO, bytes(""))).toBe(refused);
    expect(lab.nowNs).toBe(before);
  });

  it("tries again after 1 s, then after times that grow by 1.6, give or take 20 %", () => {
    const lab = new Lab();
    lab.channel.connect();
    lab.run(30);
    const syns = lab.seen.filter(({ bytes: frame, direction }) => direction === "out" && frame[47] === 0x02);
    const times = syns.map(({ timeNs }) => timeNs / SECOND);
    const waits = times.slice(1).map((time, index) => time - times[index]!);
    expect(waits[0]).toBeCloseTo(1, 2);
    waits.slice(1).forEach((wait, index) => {
      expect(Math.abs(wait / 1.6 ** (index + 1) - 1)).toBeLessThan(0.21);
    });
    expect(waits.length).toBeGreaterThanOrEqual(5);
    lab.server.listen();
    lab.run(20);
    expect(lab.channel.state).toBe("ready");
    expect(lab.call(ECHO, bytes("back"))).toEqual(bytes("back"));
  });

  it("gives a connection up that has not come about in 20 s", () => {
    const lab = new Lab({ link: { partitioned: true } });
    // The neighbour is known, so that no ICMP error comes first.
    lab.setLink({});
    lab.server.listen();
    lab.call(ECHO, bytes(""));
    lab.server.close();
    lab.run(1);
    lab.setLink({ partitioned: true });
    const before = lab.nowNs;
    expect(lab.call(ECHO, bytes(""))).toMatch(/i\/o timeout|no route to host/);
    expect(lab.nowNs - before).toBeLessThanOrEqual(20 * SECOND);
  });

  it("fails the calls in hand when the server goes, and connects anew for the next", () => {
    const lab = new Lab();
    lab.server.unary("/a.B/Never", () => {});
    lab.server.listen();
    const results: string[] = [];
    lab.channel.unary("/a.B/Never", bytes(""), undefined, (result) => {
      results.push("status" in result ? result.status.message : "answered");
    });
    lab.run(1);
    lab.server.close();
    lab.run(1);
    expect(results).toEqual(["error reading from server: EOF"]);
    expect(lab.channel.state).toBe("idle");
    lab.run(60); // TIME-WAIT
    expect(lab.server.listen()).toBeUndefined();
    expect(lab.call(ECHO, bytes("again"))).toEqual(bytes("again"));
  });

  it("loses no call when the server stops gracefully", () => {
    const lab = new Lab();
    let answerLate = () => {};
    lab.server.unary("/a.B/Late", (_request, _call, answer) => {
      answerLate = () => answer({ response: bytes("late") });
    });
    lab.server.listen();
    const results: string[] = [];
    lab.channel.unary("/a.B/Late", bytes(""), undefined, (result) => {
      results.push("response" in result ? text(result.response) : result.status.message);
    });
    lab.run(1);
    lab.server.shutdown();
    lab.run(1);
    expect(lab.channel.state).toBe("idle");
    expect(lab.call(ECHO, bytes("new"))).toMatch(/connection refused/);
    expect(results).toEqual([]);
    answerLate();
    lab.run(1);
    expect(results).toEqual(["late"]);
    expect(lab.server.connectionCount).toBe(0);
  });

  it("lets calls wait for a server that is not there yet, when they say so", () => {
    const lab = new Lab();
    const results: string[] = [];
    const done = (result: object) => results.push(Object.keys(result).join());
    lab.channel.unary(ECHO, bytes(""), undefined, done, { waitForReady: true });
    lab.run(3);
    expect(results).toEqual([]);
    lab.server.listen();
    lab.run(10);
    expect(results).toEqual(["response"]);
  });

  it("ends its calls when it is closed, and takes none after", () => {
    const lab = new Lab();
    lab.server.unary("/a.B/Never", () => {});
    lab.server.listen();
    const { statuses } = lab.open("/a.B/Never");
    lab.run(1);
    lab.channel.close();
    expect(statuses).toEqual([status("Canceled", "grpc: the client connection is closing")]);
    expect(lab.call(ECHO, bytes(""))).toBe("rpc error: code = Canceled desc = grpc: the client connection is closing");
    lab.run(1);
    expect(lab.server.connectionCount).toBe(0);
  });

  it("leaves no timer behind", () => {
    const lab = new Lab();
    lab.server.listen();
    lab.call(ECHO, bytes("x"), SECOND);
    lab.channel.close();
    lab.run(10);
    lab.server.close();
    lab.run(8_000);
    expect(lab.hosts.world.simulation.pendingEvents).toBe(0);
  });
});

describe("A call with streams", () => {
  /** Answers every message, and ends with the client. */
  const chat = (call: ServerStream) => ({
    message: (message: Uint8Array) => call.send(bytes(`re: ${text(message)}`)),
    halfClosed: () => call.end(OK),
    cancelled() {},
  });

  it("carries messages both ways in their order, for as long as both like", () => {
    const lab = new Lab();
    lab.server.stream(CHAT, chat);
    lab.server.listen();
    const { stream, messages, statuses } = lab.open(CHAT);
    stream.send(bytes("a"));
    stream.send(bytes("b"));
    lab.run(100);
    stream.send(bytes("c"));
    lab.run(1);
    expect(messages).toEqual(["re: a", "re: b", "re: c"]);
    expect(statuses).toEqual([]);
    stream.closeSend();
    lab.run(1);
    expect(statuses).toEqual([OK]);
  });

  it("tells the server that the client gave up, and that the connection is gone", () => {
    const lab = new Lab();
    const ends: string[] = [];
    lab.server.stream(CHAT, () => ({
      message() {},
      halfClosed: () => ends.push("half closed"),
      cancelled: () => ends.push("cancelled"),
    }));
    lab.server.listen();
    const first = lab.open(CHAT);
    const second = lab.open(CHAT);
    lab.run(1);
    first.stream.cancel();
    lab.run(1);
    expect(ends).toEqual(["cancelled"]);
    lab.channel.close();
    lab.run(1);
    expect(ends).toEqual(["cancelled", "cancelled"]);
    expect(first.statuses).toEqual([]);
    expect(second.statuses.map(({ code }) => code)).toEqual([1]);
  });

  it("may be ended by the server at any time", () => {
    const lab = new Lab();
    lab.server.stream(CHAT, (call) => {
      call.send(bytes("go away"));
      call.end(status("FailedPrecondition", "not the leader"));
      return { message() {}, halfClosed() {}, cancelled() {} };
    });
    lab.server.listen();
    const { messages, statuses, stream } = lab.open(CHAT);
    lab.run(1);
    expect(messages).toEqual(["go away"]);
    expect(statuses).toEqual([status("FailedPrecondition", "not the leader")]);
    stream.send(bytes("nobody hears"));
    lab.run(1);
    expect(lab.call(ECHO, bytes("fine"))).toEqual(bytes("fine"));
  });

  it("does not keep others waiting while a large message is under way", () => {
    const lab = new Lab({ link: { delayNs: MILLISECOND, rateBitsPerSecond: 8_000_000 } });
    lab.server.listen();
    const ends: string[] = [];
    lab.channel.unary(ECHO, pattern(1_000_000), undefined, () => ends.push("large"));
    lab.channel.unary(ECHO, bytes("small"), undefined, () => ends.push("small"));
    lab.run(10);
    expect(ends).toEqual(["small", "large"]);
  });

  it("brings every message, whole and in order, over links that lose, double and reorder frames", () => {
    const anyLink = fc.record({
      loss: fc.nat(150_000).map((partsPerMillion) => ({ kind: "random" as const, partsPerMillion })),
      duplicatePartsPerMillion: fc.nat(50_000),
      jitterNs: fc.nat(2 * MILLISECOND),
    });
    const anySizes = fc.array(fc.oneof(fc.nat(100), fc.nat(40_000)), { minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(fc.nat(), anyLink, anySizes, (seed, link, sizes) => {
        const lab = new Lab({ seed, link: { delayNs: 2 * MILLISECOND, ...link } });
        lab.server.stream(CHAT, (call) => ({
          message: (message) => call.send(message),
          halfClosed: () => call.end(OK),
          cancelled() {},
        }));
        lab.server.listen();
        const received: Uint8Array[] = [];
        let end = "";
        const stream = lab.channel.stream(
          CHAT,
          {
            message: (message) => received.push(message),
            ended: (how) => {
              end = `${how.code} ${how.message}`;
            },
          },
          undefined,
          { waitForReady: true },
        );
        const messages = sizes.map((size, index) => pattern(size + index).subarray(index));
        for (const message of messages) stream.send(message);
        stream.closeSend();
        lab.hosts.world.simulation.run(600 * SECOND, () => end !== "");
        expect(end).toBe("0 ");
        expect(received.map((one) => one.length)).toEqual(sizes);
        expect(received.every((one, index) => Buffer.compare(one, messages[index]!) === 0)).toBe(true);
      }),
      { numRuns: 30 },
    );
  });
});

describe.skipIf(missing("tshark"))("Wireshark", () => {
  it("reads the connection as HTTP/2 and gRPC, with nothing malformed", () => {
    const lab = new Lab();
    lab.server.listen();
    lab.call(ECHO, Uint8Array.of(0x08, 0x07), 5 * SECOND);
    const large = pattern(100_000); // one field of protobuf
    large.set([0x0a, 0x9c, 0x8d, 0x06]);
    lab.call(ECHO, large);
    lab.call("/a.B/None", bytes(""));
    const fields = ["http2.header.value", "grpc.message_length", "_ws.malformed", "http2.type"];
    const words = ["-r", "FILE", "-d", "tcp.port==2377,http2", "-T", "fields"];
    const run = runToolOnFile("tshark", [...words, ...fields.flatMap((field) => ["-e", field])], lab.capture());
    const lines = run.out.toString();
    expect(lines).toContain(ECHO);
    expect(lines).toContain("application/grpc,grpc-go/");
    expect(lines).toContain("unknown service a.B");
    expect(lines).toContain("\t100000\t");
    const expert = [
      "-r",
      "FILE",
      "-d",
      "tcp.port==2377,http2",
      "-Y",
      "_ws.malformed || _ws.expert.severity >= 6291456",
    ];
    expect(runToolOnFile("tshark", expert, lab.capture()).out.toString()).toBe("");
  });
});
