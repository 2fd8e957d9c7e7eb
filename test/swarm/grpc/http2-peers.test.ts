/** Our HTTP/2 against nghttp2's, by way of Node, and against bytes that nobody should send. */
import * as http2 from "node:http2";
import { Duplex } from "node:stream";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Random } from "../../../src/sim/random.ts";
import { Simulation } from "../../../src/sim/simulation.ts";
import { SECOND } from "../../../src/sim/time.ts";
import { Http2Connection } from "../../../src/swarm/grpc/http2-connection.ts";
import type { StreamEvents } from "../../../src/swarm/grpc/http2-stream.ts";
import { type HeaderField, HpackEncoder } from "../../../src/wire/hpack.ts";
import * as wire from "../../../src/wire/http2.ts";
import { concat } from "../../../src/wire/tls-vector.ts";
import { hex } from "../../wire/codec-laws.ts";
import { bytes, pattern } from "./lab.ts";

interface Heard {
  readonly events: string[];
  readonly data: Uint8Array[];
}

/** One end of ours: what it writes, and what its streams hear. */
function endpoint(role: "client" | "server") {
  const simulation = new Simulation(new Random("endpoint"));
  let peer: Duplex | undefined;
  const output: Uint8Array[] = [];
  const heard: Heard = { events: [], data: [] };
  const streamEvents = (respond?: () => void, read: (count: number) => void = () => {}): StreamEvents => ({
    headers: (fields, end) => {
      heard.events.push(`headers ${fields.map(({ name, value }) => `${name}=${value}`).join(" ")}${end ? " end" : ""}`);
      if (end) respond?.();
    },
    data: (chunk, end) => {
      heard.data.push(chunk.slice());
      if (peer !== undefined) read(chunk.length);
      if (end) heard.events.push("end");
      if (end) respond?.();
    },
    reset: (code) => heard.events.push(`reset ${wire.ERROR_NAMES[code]}`),
    lost: (reason) => heard.events.push(`lost ${reason}`),
  });
  const transport = {
    unsentBytes: 0,
    write: (chunk: Uint8Array) => {
      output.push(chunk);
      peer?.push(chunk);
    },
    close: () => heard.events.push("closed"),
  };
  const connection: Http2Connection = new Http2Connection({
    role,
    clock: simulation,
    transport,
    keepalive: undefined,
    events: {
      ready: () => heard.events.push("ready"),
      requested: (stream) =>
        streamEvents(
          () => {
            stream.sendHeaders([{ name: ":status", value: "200" }]);
            stream.sendData(concat(...heard.data));
            stream.sendTrailers([{ name: "grpc-status", value: "0" }]);
          },
          (count) => stream.consumed(count),
        ),
      goingAway: () => heard.events.push("going away"),
      ended: (reason) => heard.events.push(`ended ${reason}`),
    },
  });
  const run = () => simulation.run(simulation.nowNs + SECOND);
  /** A stream to give to Node. */
  const pipe = () => {
    peer = new Duplex({
      read() {},
      write(chunk: Uint8Array, _encoding, done) {
        connection.received(Uint8Array.from(chunk));
        done();
      },
    });
    peer.push(concat(...output));
    return peer;
  };
  return { connection, heard, output, run, streamEvents, pipe };
}

const until = async (isTrue: () => boolean, run: () => void) => {
  for (let round = 0; round < 1_000 && !isTrue(); round++) {
    run();
    await new Promise((done) => setTimeout(done, 2));
  }
};

const REQUEST: HeaderField[] = [
  { name: ":method", value: "POST" },
  { name: ":scheme", value: "http" },
  { name: ":path", value: "/a.B/C" },
  { name: ":authority", value: "node1" },
];

describe("HTTP/2 with nghttp2", () => {
  it("stands between its client and our server", async () => {
    const ours = endpoint("server");
    const duplex = ours.pipe();
    const session = http2.connect("http://node1", { createConnection: () => duplex });
    const large = pattern(200_000);
    const received: Buffer[] = [];
    let trailers: unknown;
    const request = session.request({ ":method": "POST", ":path": "/a.B/C", "x-long": "y".repeat(20_000) });
    request.on("data", (chunk: Buffer) => received.push(chunk));
    request.on("trailers", (fields) => {
      trailers = fields;
    });
    request.end(large);
    await until(() => trailers !== undefined, ours.run);
    expect(Buffer.concat(received).equals(large)).toBe(true);
    expect(trailers).toMatchObject({ "grpc-status": "0" });
    session.destroy();
  });

  it("stands between our client and its server", async () => {
    const ours = endpoint("client");
    const duplex = ours.pipe();
    const server = http2.createServer({ settings: { maxConcurrentStreams: 2, initialWindowSize: 1_000 } });
    server.on("stream", (stream, headers) => {
      stream.respond({ ":status": 200, path: headers[":path"] }, { waitForTrailers: true });
      stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
      stream.pipe(stream);
    });
    server.emit("connection", duplex);
    await until(() => ours.heard.events.includes("ready"), ours.run);
    for (let call = 0; call < 5; call++) {
      const stream = ours.connection.createStream(ours.streamEvents());
      stream.sendHeaders(REQUEST);
      stream.sendData(pattern(30_000));
      stream.end();
    }
    const ends = () => ours.heard.events.filter((event) => event === "headers grpc-status=0 end").length;
    await until(() => ends() === 5, ours.run);
    expect(ends()).toBe(5);
    expect(ours.heard.data.reduce((sum, chunk) => sum + chunk.length, 0)).toBe(150_000);
    ours.connection.close("done");
  });
});

const PREFACE = bytes(wire.CLIENT_PREFACE);
const SETTINGS = hex("000000040000000000");

function frame(value: wire.Frame): Uint8Array {
  const content = new Uint8Array(wire.size(value));
  wire.emit(value, content, 0);
  return content;
}

function headers(streamId: number, more: Partial<wire.Frame & { kind: "headers" }> = {}): Uint8Array {
  return frame({
    kind: "headers",
    streamId,
    endStream: false,
    endHeaders: true,
    padding: undefined,
    priority: undefined,
    fragment: new HpackEncoder().encode(REQUEST),
    ...more,
  });
}

/** What a server of ours says to these bytes behind a right beginning: its last frame, and why it ended, if it did. */
function answerTo(...chunks: readonly Uint8Array[]) {
  const server = endpoint("server");
  for (const chunk of [PREFACE, SETTINGS, ...chunks]) server.connection.received(chunk);
  server.run();
  const output = concat(...server.output);
  const frames: wire.Frame[] = [];
  for (let at = 0; at < output.length; at += wire.sizeAt(output, at)) {
    const one = wire.parse(output, at, output.length);
    expect(typeof one).toBe("object");
    if (typeof one === "object") frames.push(one);
  }
  const ended = server.heard.events.find((event) => event.startsWith("ended"));
  const last = frames.at(-1);
  const error = last?.kind === "goaway" || last?.kind === "rst-stream" ? wire.ERROR_NAMES[last.errorCode] : undefined;
  return { ended, last, error, frames, heard: server.heard };
}

describe("A connection", () => {
  const window = (streamId: number, increment: number) => frame({ kind: "window-update", streamId, increment });
  const data = (streamId: number, count: number) =>
    frame({ kind: "data", streamId, endStream: false, padding: undefined, data: new Uint8Array(count) });
  const continuation = (streamId: number) =>
    frame({ kind: "continuation", streamId, endHeaders: false, fragment: new Uint8Array(0) });

  it.each<[string, string, Uint8Array[]]>([
    ["a frame that is too large", "FRAME_SIZE_ERROR", [hex("004001000000000001")]],
    ["a ping of seven octets", "FRAME_SIZE_ERROR", [hex("00000706000000000000000000000000")]],
    ["data on an idle stream", "PROTOCOL_ERROR", [data(1, 1)]],
    ["headers on an even stream", "PROTOCOL_ERROR", [headers(2)]],
    ["a continuation of nothing", "PROTOCOL_ERROR", [continuation(1)]],
    ["a header block that another frame interrupts", "PROTOCOL_ERROR", [headers(1, { endHeaders: false }), SETTINGS]],
    [
      "continuations without end",
      "ENHANCE_YOUR_CALM",
      [headers(1, { endHeaders: false }), ...Array.from({ length: 40 }, () => continuation(1))],
    ],
    ["a header block that cannot be read", "COMPRESSION_ERROR", [headers(1, { fragment: hex("ff") })]],
    ["a header bomb", "ENHANCE_YOUR_CALM", [headers(1, { fragment: new Uint8Array(4_000).fill(0x82) })]],
    ["a promise", "PROTOCOL_ERROR", [headers(1), hex("00000405000000000100000002")]],
    ["an empty credit for the connection", "PROTOCOL_ERROR", [window(0, 0)]],
    ["too much credit for the connection", "FLOW_CONTROL_ERROR", [window(0, 0x7fff_ffff)]],
    ["credit for an idle stream", "PROTOCOL_ERROR", [window(5, 1)]],
    ["a reset of an idle stream", "PROTOCOL_ERROR", [frame({ kind: "rst-stream", streamId: 3, errorCode: 8 })]],
    ["a window that is too large", "FLOW_CONTROL_ERROR", [hex("000006040000000000" + "0004ffffffff")]],
    ["a frame size that is too small", "PROTOCOL_ERROR", [hex("000006040000000000" + "000500003fff")]],
    ["a setting that is neither on nor off", "PROTOCOL_ERROR", [hex("000006040000000000" + "000200000002")]],
  ])("ends with GOAWAY at %s: %s", (_what, error, chunks) => {
    const answer = answerTo(...chunks);
    expect(answer.ended).toContain(`ended ${error}`);
    expect(answer.last?.kind).toBe("goaway");
    expect(answer.error).toBe(error);
  });

  it("ends at a bogus greeting, and at a first frame that is not SETTINGS", () => {
    const server = endpoint("server");
    server.connection.received(bytes("GET / HTTP/1.1\r\n\r\n"));
    expect(server.heard.events).toEqual(["closed", "ended PROTOCOL_ERROR: bogus greeting from client"]);
    const client = endpoint("client");
    client.connection.received(frame({ kind: "ping", ack: false, opaque: new Uint8Array(8) }));
    expect(client.heard.events).toContain("ended PROTOCOL_ERROR: the first frame is not SETTINGS");
  });

  it("loses but one stream at what is wrong with one stream", () => {
    const answer = answerTo(headers(1), window(1, 0));
    expect([answer.ended, answer.error]).toEqual([undefined, "PROTOCOL_ERROR"]);
    const flood = answerTo(headers(1), ...Array.from({ length: 5 }, () => data(1, 16_384)));
    expect(flood.ended).toBeUndefined();
    expect(flood.heard.events.at(-1)).toBe("reset FLOW_CONTROL_ERROR");
    expect(flood.frames).toContainEqual({ kind: "rst-stream", streamId: 1, errorCode: 3 });
    const late = answerTo(headers(1, { endStream: true }), data(1, 5));
    expect(late.ended).toBeUndefined();
  });

  it("refuses streams beyond a thousand, and serves the others", () => {
    const many = Array.from({ length: 1_001 }, (_, index) => headers(2 * index + 1));
    const answer = answerTo(...many);
    expect([answer.ended, answer.error]).toEqual([undefined, "REFUSED_STREAM"]);
  });

  it("tells a client that pings without end to go away", () => {
    const ping = frame({ kind: "ping", ack: false, opaque: new Uint8Array(8) });
    const answer = answerTo(...Array.from({ length: 10 }, () => ping));
    expect(answer.ended).toBe("ended ENHANCE_YOUR_CALM: too_many_pings");
  });

  it("passes over frames and settings that nobody knows yet", () => {
    const unknown = frame({ kind: "unknown", type: 0x42, flags: 0xff, streamId: 7, payload: new Uint8Array(30) });
    const answer = answerTo(unknown, hex("000006040000000000" + "abcd00000001"), headers(1, { endStream: true }));
    expect(answer.ended).toBeUndefined();
    expect(answer.heard.events.at(-1)).toMatch(/^headers :method=POST/);
  });

  it("reads the same however the bytes are cut", () => {
    const all = concat(PREFACE, SETTINGS, headers(1), data(1, 3_000), headers(3, { endStream: true }));
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1 }), (sizes) => {
        const server = endpoint("server");
        for (let at = 0, turn = 0; at < all.length; turn++) {
          const size = sizes[turn % sizes.length]!;
          server.connection.received(all.subarray(at, at + size));
          at += size;
        }
        expect(server.heard.events.filter((event) => event.startsWith("headers"))).toHaveLength(2);
        expect(server.heard.data.reduce((sum, chunk) => sum + chunk.length, 0)).toBe(3_000);
      }),
    );
  });

  it("answers any bytes without an exception", () => {
    const anyFrame = fc.record({
      type: fc.nat(11),
      flags: fc.nat(255),
      streamId: fc.nat(9),
      payload: fc.oneof(fc.uint8Array({ maxLength: 40 }), fc.constant(new HpackEncoder().encode(REQUEST))),
    });
    fc.assert(
      fc.property(fc.constantFrom("client" as const, "server" as const), fc.array(anyFrame), (role, frames) => {
        const one = endpoint(role);
        if (role === "server") one.connection.received(PREFACE);
        one.connection.received(SETTINGS);
        const stream = role === "client" ? one.connection.createStream(one.streamEvents()) : undefined;
        stream?.sendHeaders(REQUEST);
        for (const value of frames) one.connection.received(frame({ kind: "unknown", ...value }));
        one.run();
        expect(one.heard.events.filter((event) => event.startsWith("ended")).length).toBeLessThanOrEqual(1);
      }),
      { numRuns: 1_000 },
    );
  });
});
