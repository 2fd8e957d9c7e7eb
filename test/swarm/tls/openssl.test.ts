/** Our TLS against OpenSSL's, by way of Node. */
import { Duplex } from "node:stream";
import * as tls from "node:tls";
import { describe, expect, it } from "vitest";
import type { ByteStream, ByteStreamEvents } from "../../../src/swarm/grpc/byte-stream.ts";
import { ClientHandshake } from "../../../src/swarm/tls/client-handshake.ts";
import { emitPrivateKey } from "../../../src/swarm/tls/ec-private-key.ts";
import { ServerHandshake } from "../../../src/swarm/tls/server-handshake.ts";
import { TlsStream } from "../../../src/swarm/tls/tls-stream.ts";
import { emitPem } from "../../../src/wire/pem.ts";
import { bytes, pattern, text } from "../grpc/lab.ts";
import { authority, security } from "./credentials.ts";

const swarm = authority();
const roots = [swarm.root];
const ca = emitPem("CERTIFICATE", swarm.root);
const pemOf = (one: typeof swarm.manager) => ({
  cert: emitPem("CERTIFICATE", one.certificates[0]!),
  key: emitPrivateKey(one.privateKey),
});

/** Our side of a pipe, and the stream that Node has at the other end. */
function pipe(make: (open: (events: ByteStreamEvents) => ByteStream, events: ByteStreamEvents) => TlsStream) {
  const heard: string[] = [];
  let inner: ByteStreamEvents | undefined;
  const duplex = new Duplex({
    read() {},
    write(chunk: Uint8Array, _encoding, done) {
      inner?.received(Uint8Array.from(chunk));
      done();
    },
    final(done) {
      inner?.closed("EOF");
      done();
    },
  });
  const ours = make(
    (events) => {
      inner = events;
      return { unsentBytes: 0, write: (chunk) => void duplex.push(chunk), close: () => void duplex.push(null) };
    },
    {
      opened: () => heard.push("opened"),
      received: (chunk) => heard.push(text(chunk)),
      drained() {},
      closed: (reason) => heard.push(reason),
    },
  );
  return { ours, duplex, heard, start: () => inner?.opened() };
}

const until = async (isTrue: () => boolean) => {
  for (let round = 0; round < 500 && !isTrue(); round++) await new Promise((done) => setTimeout(done, 5));
};

describe("TLS 1.3 with OpenSSL", () => {
  it("stands between our client and its server", async () => {
    const client = security({ credentials: swarm.worker, roots, serverName: "swarm-manager" });
    const { ours, duplex, heard, start } = pipe(
      (open, events) =>
        new TlsStream({ events, keyLog: undefined, open, handshake: (host) => new ClientHandshake(client, host) }),
    );
    const theirs = new tls.TLSSocket(duplex, {
      isServer: true,
      ...pemOf(swarm.manager),
      ca,
      requestCert: true,
      ALPNProtocols: ["h2"],
      minVersion: "TLSv1.3",
      ciphers: "TLS_AES_128_GCM_SHA256",
    });
    theirs.on("error", (error) => heard.push(String(error)));
    theirs.on("data", (chunk: Buffer) => theirs.write(chunk));
    start();
    await until(() => heard.length > 0);
    expect(heard).toEqual(["opened"]);
    ours.write(bytes("over and back"));
    await until(() => heard.length > 1);
    expect(heard).toEqual(["opened", "over and back"]);
    expect(theirs.getPeerCertificate().subject.OU).toBe("swarm-worker");
    expect(ours.peerCertificate).toEqual(swarm.manager.certificates[0]);
    theirs.end();
    await until(() => heard.length > 2);
    expect(heard[2]).toBe("EOF");
  });

  it("stands between its client and our server, with a large answer", async () => {
    const server = security({ credentials: swarm.manager, roots });
    const { ours, duplex, heard, start } = pipe(
      (open, events) =>
        new TlsStream({ events, keyLog: undefined, open, handshake: (host) => new ServerHandshake(server, host) }),
    );
    start();
    const theirs = tls.connect({
      socket: duplex,
      ...pemOf(swarm.worker),
      ca,
      servername: "swarm-manager",
      // The lab's clock is not this machine's.
      rejectUnauthorized: false,
      ALPNProtocols: ["h2"],
      ecdhCurve: "X25519",
      minVersion: "TLSv1.3",
    });
    const received: Buffer[] = [];
    theirs.on("error", (error) => heard.push(String(error)));
    theirs.on("data", (chunk: Buffer) => received.push(chunk));
    await until(() => heard.length > 0);
    expect(heard).toEqual(["opened"]);
    expect(theirs.alpnProtocol).toBe("h2");
    expect(theirs.getCipher().standardName).toBe("TLS_AES_128_GCM_SHA256");
    expect(theirs.getPeerCertificate().subject.OU).toBe("swarm-manager");
    expect(ours.peerCertificate).toEqual(swarm.worker.certificates[0]);
    theirs.write("question");
    await until(() => heard.length > 1);
    expect(heard[1]).toBe("question");
    const large = pattern(400_000);
    ours.write(large);
    ours.close();
    await until(() => Buffer.concat(received).length >= large.length);
    expect(Buffer.concat(received).equals(large)).toBe(true);
  });
});
