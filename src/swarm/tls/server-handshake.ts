/** A server's side of the TLS 1.3 handshake, RFC 8446 §2 and Appendix A.2. Clients may show a certificate, and then it must be good. */
import { x25519 } from "@noble/curves/ed25519.js";
import * as extension from "../../wire/tls-extension.ts";
import * as wire from "../../wire/tls-handshake.ts";
import * as x509 from "../../wire/x509.ts";
import { emitName } from "../../wire/x509-name.ts";
import { refuseChain } from "./certificates.ts";
import { sharedSecret, verifies } from "./client-handshake.ts";
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

const RANDOM_BYTES = 32;
const NOTHING = new Uint8Array(0);

export class ServerHandshake implements Handshake {
  readonly #security: TlsSecurity;
  readonly #host: HandshakeHost;
  readonly #transcript = new Transcript();
  #awaited: "client-hello" | "certificate" | "certificate-verify" | "finished" | "nothing" = "client-hello";
  #traffic: TrafficSecrets = { client: NOTHING, server: NOTHING };
  #application: TrafficSecrets = { client: NOTHING, server: NOTHING };
  #certificates: readonly Uint8Array[] = [];

  constructor(security: TlsSecurity, host: HandshakeHost) {
    this.#security = security;
    this.#host = host;
  }

  start(): void {}

  message(bytes: Uint8Array): Fault | undefined {
    const message = parseMessage(bytes);
    if ("alert" in message) return message;
    const before = this.#transcript.hash();
    this.#transcript.add(bytes);
    const awaited = this.#awaited;
    if (awaited === "client-hello" && message.kind === awaited) return this.#clientHello(message);
    if (awaited === "certificate" && message.kind === awaited) return this.#certificate(message);
    if (awaited === "certificate-verify" && message.kind === awaited) {
      if (!verifies(message, this.#certificates[0], verifiedContent("client", before)))
        return fault(DECRYPT_ERROR, "tls: invalid signature by the client certificate");
      this.#awaited = "finished";
      return undefined;
    }
    if (awaited === "finished" && message.kind === awaited) return this.#finished(message, before);
    return unexpected(message.kind);
  }

  #clientHello(hello: Parsed<"client-hello">): Fault | undefined {
    const of = (type: number) => extension.find(hello.extensions, type) ?? NOTHING;
    const versions = extension.readOfferedVersions(of(extension.SUPPORTED_VERSIONS));
    if (versions?.includes(extension.TLS_1_3) !== true)
      return fault(PROTOCOL_VERSION, "tls: client offered only unsupported versions");
    if (!hello.cipherSuites.includes(TLS_AES_128_GCM_SHA256))
      return fault(HANDSHAKE_FAILURE, "tls: no cipher suite supported by both client and server");
    const schemes = extension.readNumbers(of(extension.SIGNATURE_ALGORITHMS));
    if (schemes?.includes(extension.ECDSA_P256_SHA256) !== true)
      return fault(HANDSHAKE_FAILURE, "tls: peer doesn't support any of the certificate's signature algorithms");
    const protocols = extension.readApplicationProtocols(of(extension.APPLICATION_PROTOCOLS));
    if (protocols?.includes(PROTOCOL) !== true)
      return fault(NO_APPLICATION_PROTOCOL, "tls: client requested unsupported application protocols");
    const credentials = this.#security.credentials;
    if (credentials === undefined) return fault(HANDSHAKE_FAILURE, "tls: no certificates configured");
    const theirs = extension.readOfferedShare(of(extension.KEY_SHARE), extension.X25519);
    if (theirs === undefined)
      return fault(HANDSHAKE_FAILURE, "tls: no ECDHE curve supported by both client and server");
    const { random } = this.#security;
    const serverRandom = p256.drawBytes(random, RANDOM_BYTES);
    const privateKey = p256.drawBytes(random, RANDOM_BYTES);
    const shared = sharedSecret(privateKey, theirs);
    if (shared === undefined) return fault(ILLEGAL_PARAMETER, "tls: invalid client key share");
    this.#say({
      kind: "server-hello",
      random: serverRandom,
      sessionId: hello.sessionId,
      cipherSuite: TLS_AES_128_GCM_SHA256,
      extensions: [
        { type: extension.SUPPORTED_VERSIONS, data: Uint8Array.of(3, 4) },
        extension.chosenShare(extension.X25519, x25519.getPublicKey(privateKey)),
      ],
    });
    this.#host.sendChangeCipherSpec();
    const schedule = new KeySchedule(shared);
    this.#traffic = schedule.handshakeTraffic(this.#transcript.hash());
    this.#host.logSecret("CLIENT_HANDSHAKE_TRAFFIC_SECRET", hello.random, this.#traffic.client);
    this.#host.logSecret("SERVER_HANDSHAKE_TRAFFIC_SECRET", hello.random, this.#traffic.server);
    this.#host.protectWriting(this.#traffic.server);
    this.#host.protectReading(this.#traffic.client);
    this.#introduce(credentials.certificates, credentials.privateKey);
    this.#say({ kind: "finished", verifyData: finishedData(this.#traffic.server, this.#transcript.hash()) });
    this.#host.flush();
    this.#application = schedule.applicationTraffic(this.#transcript.hash());
    this.#host.logSecret("CLIENT_TRAFFIC_SECRET_0", hello.random, this.#application.client);
    this.#host.logSecret("SERVER_TRAFFIC_SECRET_0", hello.random, this.#application.server);
    this.#host.protectWriting(this.#application.server);
    this.#awaited = "certificate";
    return undefined;
  }

  /** EncryptedExtensions to CertificateVerify, with Go's extensions in the request. */
  #introduce(certificates: readonly Uint8Array[], privateKey: Uint8Array): void {
    this.#say({ kind: "encrypted-extensions", extensions: [extension.applicationProtocols([PROTOCOL])] });
    const authorities = this.#security.roots.flatMap((root) => {
      const parsed = x509.parse(root);
      return typeof parsed === "string" ? [] : [emitName(parsed.subject)];
    });
    this.#say({
      kind: "certificate-request",
      context: NOTHING,
      extensions: [
        { type: extension.STATUS_REQUEST, data: NOTHING },
        { type: extension.SIGNED_CERTIFICATE_TIMESTAMP, data: NOTHING },
        extension.numbers(extension.SIGNATURE_ALGORITHMS, SIGNATURE_SCHEMES),
        ...(authorities.length === 0 ? [] : [extension.certificateAuthorities(authorities)]),
      ],
    });
    this.#say({ kind: "certificate", context: NOTHING, certificates });
    const signature = p256.sign(verifiedContent("server", this.#transcript.hash()), privateKey);
    this.#say({ kind: "certificate-verify", scheme: extension.ECDSA_P256_SHA256, signature });
  }

  #certificate({ certificates }: Parsed<"certificate">): Fault | undefined {
    if (certificates.length === 0) {
      this.#awaited = "finished";
      return undefined;
    }
    const refusal = refuseChain(certificates, this.#security.roots, this.#security.nowSeconds(), undefined);
    if (refusal !== undefined) return fault(BAD_CERTIFICATE, `tls: failed to verify certificate: ${refusal}`);
    this.#certificates = certificates;
    this.#awaited = "certificate-verify";
    return undefined;
  }

  #finished({ verifyData }: Parsed<"finished">, before: Uint8Array): Fault | undefined {
    if (!equal(verifyData, finishedData(this.#traffic.client, before)))
      return fault(DECRYPT_ERROR, "tls: invalid client finished hash");
    this.#host.protectReading(this.#application.client);
    this.#awaited = "nothing";
    this.#host.established(this.#certificates);
    return undefined;
  }

  #say(message: wire.HandshakeMessage): void {
    const bytes = wire.emit(message);
    this.#transcript.add(bytes);
    this.#host.send(bytes);
  }
}
