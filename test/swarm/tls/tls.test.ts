import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MemorySink } from "../../../src/capture/byte-sink.ts";
import { PcapngWriter } from "../../../src/capture/pcapng-writer.ts";
import { TcpSocket } from "../../../src/linux/tcp/tcp-socket.ts";
import { Random } from "../../../src/sim/random.ts";
import { MILLISECOND } from "../../../src/sim/time.ts";
import { toHex } from "../../../src/wire/bytes.ts";
import { missing, runToolOnFile } from "../../capture/external-tools.ts";
import { bytes, ECHO, Lab, type LabOptions, pattern } from "../grpc/lab.ts";
import { authority, LIFE, NOW, security } from "./credentials.ts";

const swarm = authority();
const roots = [swarm.root];
const TLS_KEY_LOG = 0x544c534b;

function sealed(options: LabOptions = {}): Lab {
  return new Lab({
    clientSecurity: security({ credentials: swarm.worker, roots, serverName: "swarm-manager" }),
    serverSecurity: security({ credentials: swarm.manager, roots, random: new Random("server") }),
    ...options,
  });
}

describe("gRPC under TLS 1.3", () => {
  it("brings calls there and back, each side knowing the other's certificate", () => {
    const lab = sealed();
    let shown: Uint8Array | undefined;
    lab.server.unary("/a.B/Who", (_request, call, answer) => {
      shown = call.peerCertificate;
      answer({ response: bytes("you") });
    });
    lab.server.listen();
    expect(lab.call("/a.B/Who", bytes("?"))).toEqual(bytes("you"));
    expect(shown).toEqual(swarm.worker.certificates[0]);
    expect(lab.channel.peerCertificate).toEqual(swarm.manager.certificates[0]);
    const large = pattern(300_000);
    expect(lab.call(ECHO, large)).toEqual(large);
  });

  it("has the sizes on the wire that the joining of a real worker has", () => {
    const lab = sealed();
    lab.server.listen();
    lab.call(ECHO, bytes("x"));
    lab.run(1);
    const payloads = lab.payloads();
    // Recorded: 270, 1029, 758, 46 and 31, 37. Signatures and certificates differ by an octet or two.
    expect(payloads[0]).toBe("> 270");
    expect(Math.abs(Number(payloads[1]!.slice(2)) - 1029)).toBeLessThanOrEqual(4);
    expect(Math.abs(Number(payloads[2]!.slice(2)) - 758)).toBeLessThanOrEqual(4);
    expect(payloads.slice(3, 6)).toEqual(["> 46", "> 31", "< 37"]);
  });

  it("has the sizes of a real heartbeat of a manager to a follower", () => {
    const lab = sealed();
    const method = "/docker.swarmkit.v1.Raft/ProcessRaftMessage";
    lab.server.unary(method, (_request, _call, answer) => answer({ response: new Uint8Array(0) }));
    lab.server.listen();
    for (let beat = 0; beat < 3; beat++) {
      lab.seen.length = 0;
      lab.call(method, new Uint8Array(56), 2_000 * MILLISECOND);
      lab.run(1);
    }
    expect(lab.payloads()).toEqual(["> 116", "< 88", "> 69", "< 39"]);
  });

  it("lets a node without a certificate or an authority in, unverified, as one that joins", () => {
    const client = security({ credentials: undefined, roots: [], verifiesServer: false });
    const lab = sealed({ clientSecurity: client });
    let shown: Uint8Array | undefined | "nobody asked" = "nobody asked";
    lab.server.unary("/a.B/Who", (_request, call, answer) => {
      shown = call.peerCertificate;
      answer({ response: bytes("?") });
    });
    lab.server.listen();
    expect(lab.call("/a.B/Who", bytes(""))).toEqual(bytes("?"));
    expect(shown).toBeUndefined();
    expect(lab.payloads().slice(0, 1)).toEqual(["> 248"]);
    expect(lab.payloads()[2]).toBe("> 94");
  });

  it("refuses servers of another cluster, of another name, or of another time", () => {
    const prefix =
      'rpc error: code = Unavailable desc = connection error: desc = "transport: authentication handshake failed: tls: failed to verify certificate: x509: ';
    const attempt = (client: Parameters<typeof security>[0]) => {
      const lab = sealed({ clientSecurity: security(client) });
      lab.server.listen();
      return lab.call(ECHO, bytes(""));
    };
    const credentials = swarm.worker;
    expect(attempt({ credentials, roots: [authority("other").root] })).toBe(
      `${prefix}certificate signed by unknown authority"`,
    );
    expect(attempt({ credentials, roots, serverName: "swarm-worker" })).toMatch(/is valid for .*, not swarm-worker"$/);
    expect(attempt({ credentials, roots, nowSeconds: () => LIFE.notAfterSeconds + 1 })).toMatch(
      /certificate has expired or is not yet valid: current time 2027-02-20T17:22:21Z is after 2027-02-20T17:22:20Z"$/,
    );
  });

  it("refuses clients of another cluster", () => {
    const lab = sealed({ clientSecurity: security({ credentials: authority("other").worker, roots }) });
    lab.server.listen();
    expect(lab.call(ECHO, bytes(""))).toMatch(/remote error: tls: bad certificate"$/);
    expect(lab.server.connectionCount).toBe(0);
  });

  it("says so when the other side does not speak TLS", () => {
    const plainServer = new Lab({ clientSecurity: security({ credentials: swarm.worker, roots }) });
    plainServer.server.listen();
    expect(plainServer.call(ECHO, bytes(""))).toMatch(/first record does not look like a TLS handshake|EOF/);
    const plainClient = new Lab({ serverSecurity: security({ credentials: swarm.manager, roots }) });
    plainClient.server.listen();
    expect(plainClient.call(ECHO, bytes(""))).toMatch(/error reading server preface/);
  });

  it("comes out the same, octet for octet, for the same seed", () => {
    const run = () => {
      const lab = sealed({
        clientSecurity: security({ credentials: swarm.worker, roots, random: new Random("same") }),
        serverSecurity: security({ credentials: swarm.manager, roots, random: new Random("same too") }),
      });
      lab.server.listen();
      lab.call(ECHO, bytes("x"));
      return toHex(lab.capture());
    };
    expect(run()).toBe(run());
  });

  it("works over links that lose and double frames", () => {
    fc.assert(
      fc.property(fc.nat(), fc.nat(120_000), (seed, partsPerMillion) => {
        const link = { delayNs: MILLISECOND, loss: { kind: "random" as const, partsPerMillion } };
        const lab = sealed({ seed, link: { ...link, duplicatePartsPerMillion: 20_000 } });
        lab.server.listen();
        const results: number[] = [];
        lab.channel.unary(
          ECHO,
          pattern(20_000),
          undefined,
          (result) => {
            results.push("response" in result ? result.response.length : -1);
          },
          { waitForReady: true },
        );
        lab.run(300);
        expect(results).toEqual([20_000]);
      }),
      { numRuns: 10 },
    );
  });

  it("ends, without an exception, when an octet of any frame is turned behind TCP's back", () => {
    fc.assert(
      fc.property(fc.nat(3), fc.nat(1_000), fc.integer({ min: 1, max: 255 }), (flight, at, turn) => {
        const lab = sealed();
        lab.server.listen();
        let seen = 0;
        // A message of the handshake, damaged where it is taken from the socket.
        const socketRead = damage(() => seen++ === flight, at, turn);
        const results: string[] = [];
        lab.channel.unary(ECHO, bytes("x"), 5_000 * MILLISECOND, (result) => results.push(Object.keys(result).join()));
        lab.run(6);
        socketRead();
        expect(results).toHaveLength(1);
      }),
    );
  });
});

/** Damages one of the reads of all sockets; the answer ends that. */
function damage(isIt: () => boolean, at: number, turn: number): () => void {
  const read = TcpSocket.prototype.read;
  TcpSocket.prototype.read = function (this: TcpSocket, max: number) {
    const result = read.call(this, max);
    if (result instanceof Uint8Array && isIt()) result[at % result.length]! ^= turn;
    return result;
  };
  return () => {
    TcpSocket.prototype.read = read;
  };
}

describe.skipIf(missing("tshark"))("Wireshark", () => {
  it("opens the capture with the keys inside it, and sees the calls", () => {
    const lines: string[] = [];
    const keyLog = (line: string) => lines.push(line);
    const lab = sealed({
      clientSecurity: security({ credentials: swarm.worker, roots, serverName: "swarm-manager", keyLog }),
    });
    lab.server.listen();
    lab.call(ECHO, Uint8Array.of(0x08, 0x07));
    lab.call("/a.B/None", bytes(""));
    lab.channel.close();
    lab.run(1);
    const sink = new MemorySink();
    const writer = new PcapngWriter(sink, { startSeconds: NOW });
    writer.addInterface("c1/eth0");
    writer.addDecryptionSecrets(TLS_KEY_LOG, bytes(`${lines.join("\n")}\n`));
    for (const { timeNs, direction, bytes: frame } of lab.seen)
      writer.frame(0, timeNs, frame, 0, frame.length, direction === "in" ? 1 : 2, 0);
    writer.close();
    const words = ["-r", "FILE", "-d", "tcp.port==2377,tls"];
    const fields = ["http2.headers.path", "grpc.message_length", "tls.handshake.extensions_server_name"];
    const shown = runToolOnFile(
      "tshark",
      [...words, "-T", "fields", ...fields.flatMap((one) => ["-e", one])],
      sink.toBytes(),
    );
    const text = shown.out.toString();
    expect(text).toContain(ECHO);
    expect(text).toContain("/a.B/None");
    expect(text).toContain("swarm-manager");
    const types = ["-T", "fields", "-e", "tls.handshake.type"];
    const handshakes = runToolOnFile("tshark", [...words, ...types], sink.toBytes()).out.toString();
    expect([...handshakes.matchAll(/\d+/g)].map(Number)).toEqual([1, 2, 8, 13, 11, 15, 20, 11, 15, 20]);
    const wrong = [...words, "-Y", "(_ws.malformed || _ws.expert.severity >= 6291456) && !tcp.flags.reset"];
    expect(runToolOnFile("tshark", wrong, sink.toBytes()).out.toString()).toBe("");
  });
});
