/** A client's side of the TLS 1.3 handshake, RFC 8446 §2 and Appendix A.1; its first message is that of Go 1.19, as recorded. */
import { x25519 } from "@noble/curves/ed25519.js";
import * as extension from "../../wire/tls-extension.ts";
import * as wire from "../../wire/tls-handshake.ts";
import * as x509 from "../../wire/x509.ts";
import { refuseChain } from "./certificates.ts";
import {
  BAD_CERTIFICATE,
  DECRYPT_ERROR,
  equal,
  type Fault,
  fault,
  HANDSHAKE_FAILURE,
  type Handshake,
  type HandshakeHost,
  ILLEGAL_PARAMETER,
  NO_APPLICATION_PROTOCOL,
  type Parsed,
  PROTOCOL,
  PROTOCOL_VERSION,
  parseMessage,
  SIGNATURE_SCHEMES,
  TLS_AES_128_GCM_SHA256,
  Transcript,
  unexpected,
  verifiedContent,
} from "./handshake.ts";
import { finishedData, KeySchedule, type TrafficSecrets } from "./key-schedule.ts";
import * as p256 from "./p256.ts";
import type { TlsSecurity } from "./tls-security.ts";

/** Go's list; the three of TLS 1.3 stand last. */
// biome-ignore format: eight a line
const CIPHER_SUITES: readonly number[] = [
  0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0xc009, 0xc013,
  0xc00a, 0xc014, 0x009c, 0x009d, 0x002f, 0x0035, 0xc012, 0x000a,
  0x1301, 0x1302, 0x1303,
];
/** x25519, P-256, P-384, P-521; we have a share for the first. */
const GROUPS = [extension.X25519, 0x0017, 0x0018, 0x0019];
const RANDOM_BYTES = 32;

type Awaited =
  | "server-hello"
  | "encrypted-extensions"
  | "certificate-request"
  | "certificate"
  | "certificate-verify"
  | "finished"
  | "nothing";

export class ClientHandshake implements Handshake {
  readonly #security: TlsSecurity;
  readonly #host: HandshakeHost;
  readonly #transcript = new Transcript();
  readonly #privateKey: Uint8Array;
  readonly #clientRandom: Uint8Array;
  readonly #sessionId: Uint8Array;
  #awaited: Awaited = "server-hello";
  #schedule: KeySchedule | undefined;
  #traffic: TrafficSecrets | undefined;
  /** The context of the server's request for our certificate; undefined: it did not ask. */
  #requested: Uint8Array | undefined;
  #certificates: readonly Uint8Array[] = [];

  constructor(security: TlsSecurity, host: HandshakeHost) {
    this.#security = security;
    this.#host = host;
    this.#clientRandom = p256.drawBytes(security.random, RANDOM_BYTES);
    this.#sessionId = p256.drawBytes(security.random, RANDOM_BYTES);
    this.#privateKey = p256.drawBytes(security.random, RANDOM_BYTES);
  }

  start(): void {
    const { serverName } = this.#security;
    const hello = wire.emit({
      kind: "client-hello",
      random: this.#clientRandom,
      sessionId: this.#sessionId,
      cipherSuites: CIPHER_SUITES,
      extensions: [
        ...(serverName === undefined ? [] : [extension.serverName(serverName)]),
        { type: extension.STATUS_REQUEST, data: Uint8Array.of(1, 0, 0, 0, 0) },
        extension.numbers(extension.SUPPORTED_GROUPS, GROUPS),
        { type: extension.EC_POINT_FORMATS, data: Uint8Array.of(1, 0) },
        extension.numbers(extension.SIGNATURE_ALGORITHMS, SIGNATURE_SCHEMES),
        { type: extension.RENEGOTIATION_INFO, data: Uint8Array.of(0) },
        extension.applicationProtocols([PROTOCOL]),
        { type: extension.SIGNED_CERTIFICATE_TIMESTAMP, data: new Uint8Array(0) },
        extension.offeredVersions([extension.TLS_1_3, extension.TLS_1_2]),
        extension.offeredShare(extension.X25519, x25519.getPublicKey(this.#privateKey)),
      ],
    });
    this.#transcript.add(hello);
    this.#host.send(hello);
    this.#host.flush();
  }

  message(bytes: Uint8Array): Fault | undefined {
    const message = parseMessage(bytes);
    if ("alert" in message) return message;
    const before = this.#transcript.hash();
    this.#transcript.add(bytes);
    const awaited = this.#awaited;
    if (awaited === "server-hello" && message.kind === awaited) return this.#serverHello(message);
    if (awaited === "encrypted-extensions" && message.kind === awaited) return this.#extensions(message);
    if (awaited === "certificate-request" && message.kind === awaited) {
      this.#requested = message.context;
      this.#awaited = "certificate";
      return undefined;
    }
    if ((awaited === "certificate-request" || awaited === "certificate") && message.kind === "certificate")
      return this.#certificate(message);
    if (awaited === "certificate-verify" && message.kind === awaited) return this.#certificateVerify(message, before);
    if (awaited === "finished" && message.kind === awaited) return this.#finished(message, before);
    return unexpected(message.kind);
  }

  #serverHello(hello: Parsed<"server-hello">): Fault | undefined {
    const version = extension.find(hello.extensions, extension.SUPPORTED_VERSIONS);
    if (version === undefined || !equal(version, Uint8Array.of(3, 4)))
      return fault(PROTOCOL_VERSION, "tls: server selected unsupported protocol version 303");
    if (equal(hello.random, wire.RETRY_RANDOM))
      return fault(HANDSHAKE_FAILURE, "tls: server selected unsupported group");
    if (hello.cipherSuite !== TLS_AES_128_GCM_SHA256)
      return fault(ILLEGAL_PARAMETER, "tls: server chose an unconfigured cipher suite");
    if (!equal(hello.sessionId, this.#sessionId))
      return fault(ILLEGAL_PARAMETER, "tls: server did not echo the legacy session ID");
    const share = extension.readChosenShare(
      extension.find(hello.extensions, extension.KEY_SHARE) ?? new Uint8Array(0),
      extension.X25519,
    );
    const shared = share === undefined ? undefined : sharedSecret(this.#privateKey, share);
    if (shared === undefined) return fault(ILLEGAL_PARAMETER, "tls: invalid server key share");
    const schedule = new KeySchedule(shared);
    const traffic = schedule.handshakeTraffic(this.#transcript.hash());
    this.#schedule = schedule;
    this.#traffic = traffic;
    this.#host.logSecret("CLIENT_HANDSHAKE_TRAFFIC_SECRET", this.#clientRandom, traffic.client);
    this.#host.logSecret("SERVER_HANDSHAKE_TRAFFIC_SECRET", this.#clientRandom, traffic.server);
    this.#host.protectReading(traffic.server);
    this.#awaited = "encrypted-extensions";
    return undefined;
  }

  #extensions({ extensions }: Parsed<"encrypted-extensions">): Fault | undefined {
    const data = extension.find(extensions, extension.APPLICATION_PROTOCOLS);
    const chosen = data === undefined ? undefined : extension.readApplicationProtocols(data);
    if (chosen?.length !== 1 || chosen[0] !== PROTOCOL)
      return fault(NO_APPLICATION_PROTOCOL, "tls: server did not select an application protocol");
    this.#awaited = "certificate-request";
    return undefined;
  }

  #certificate({ certificates }: Parsed<"certificate">): Fault | undefined {
    if (certificates.length === 0) return fault(DECRYPT_ERROR, "tls: received empty certificates message");
    const { roots, serverName, verifiesServer, nowSeconds } = this.#security;
    const refusal = verifiesServer ? refuseChain(certificates, roots, nowSeconds(), serverName) : undefined;
    if (refusal !== undefined) return fault(BAD_CERTIFICATE, `tls: failed to verify certificate: ${refusal}`);
    this.#certificates = certificates;
    this.#awaited = "certificate-verify";
    return undefined;
  }

  #certificateVerify(verify: Parsed<"certificate-verify">, before: Uint8Array): Fault | undefined {
    if (!verifies(verify, this.#certificates[0], verifiedContent("server", before)))
      return fault(DECRYPT_ERROR, "tls: invalid signature by the server certificate");
    this.#awaited = "finished";
    return undefined;
  }

  #finished({ verifyData }: Parsed<"finished">, before: Uint8Array): Fault | undefined {
    const schedule = this.#schedule;
    const traffic = this.#traffic;
    if (schedule === undefined || traffic === undefined || !equal(verifyData, finishedData(traffic.server, before)))
      return fault(DECRYPT_ERROR, "tls: invalid server finished hash");
    const application = schedule.applicationTraffic(this.#transcript.hash());
    this.#host.logSecret("CLIENT_TRAFFIC_SECRET_0", this.#clientRandom, application.client);
    this.#host.logSecret("SERVER_TRAFFIC_SECRET_0", this.#clientRandom, application.server);
    this.#host.sendChangeCipherSpec();
    this.#host.protectWriting(traffic.client);
    if (this.#requested !== undefined) this.#showCertificate(this.#requested);
    this.#say({ kind: "finished", verifyData: finishedData(traffic.client, this.#transcript.hash()) });
    this.#host.flush();
    this.#host.protectWriting(application.client);
    this.#host.protectReading(application.server);
    this.#awaited = "nothing";
    this.#host.established(this.#certificates);
    return undefined;
  }

  #showCertificate(context: Uint8Array): void {
    const credentials = this.#security.credentials;
    this.#say({ kind: "certificate", context, certificates: credentials?.certificates ?? [] });
    if (credentials === undefined) return;
    const content = verifiedContent("client", this.#transcript.hash());
    const signature = p256.sign(content, credentials.privateKey);
    this.#say({ kind: "certificate-verify", scheme: extension.ECDSA_P256_SHA256, signature });
  }

  #say(message: wire.HandshakeMessage): void {
    const bytes = wire.emit(message);
    this.#transcript.add(bytes);
    this.#host.send(bytes);
  }
}

/** Undefined: the peer's key is none (RFC 7748 §6.1: the result is all zeros). */
export function sharedSecret(privateKey: Uint8Array, publicKey: Uint8Array): Uint8Array | undefined {
  if (publicKey.length !== 32) return undefined;
  try {
    return x25519.getSharedSecret(privateKey, publicKey);
  } catch {
    return undefined; // the library's way to say so
  }
}

/** Did the key of that certificate sign the content? */
export function verifies(
  { scheme, signature }: Parsed<"certificate-verify">,
  certificate: Uint8Array | undefined,
  content: Uint8Array,
): boolean {
  const parsed = certificate === undefined ? "x509-malformed" : x509.parse(certificate);
  if (typeof parsed === "string" || scheme !== extension.ECDSA_P256_SHA256) return false;
  return p256.verify(signature, content, parsed.publicKey);
}
