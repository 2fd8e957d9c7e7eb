/** Handshake messages of TLS 1.3, RFC 8446 §4: one octet of type, three of length, and a body. */
import { concat, u16, VectorReader, vector8, vector16, vector24 } from "./tls-vector.ts";

export const HEADER_BYTES = 4;

export interface Extension {
  readonly type: number;
  readonly data: Uint8Array;
}

export type HandshakeMessage =
  | {
      readonly kind: "client-hello";
      readonly random: Uint8Array;
      readonly sessionId: Uint8Array;
      readonly cipherSuites: readonly number[];
      readonly extensions: readonly Extension[];
    }
  | {
      readonly kind: "server-hello";
      readonly random: Uint8Array;
      readonly sessionId: Uint8Array;
      readonly cipherSuite: number;
      readonly extensions: readonly Extension[];
    }
  | { readonly kind: "encrypted-extensions"; readonly extensions: readonly Extension[] }
  | { readonly kind: "certificate-request"; readonly context: Uint8Array; readonly extensions: readonly Extension[] }
  /** In DER, the sender's own first. Extensions of single certificates are not kept. */
  | { readonly kind: "certificate"; readonly context: Uint8Array; readonly certificates: readonly Uint8Array[] }
  | { readonly kind: "certificate-verify"; readonly scheme: number; readonly signature: Uint8Array }
  | { readonly kind: "finished"; readonly verifyData: Uint8Array }
  | { readonly kind: "key-update"; readonly requested: boolean }
  | { readonly kind: "other"; readonly type: number; readonly body: Uint8Array };

export type Malformed = "tls-bad-handshake";

const CLIENT_HELLO = 1;
const SERVER_HELLO = 2;
const ENCRYPTED_EXTENSIONS = 8;
const CERTIFICATE = 11;
const CERTIFICATE_REQUEST = 13;
const CERTIFICATE_VERIFY = 15;
const FINISHED = 20;
const KEY_UPDATE = 24;
const LEGACY_VERSION = 0x0303;
const RANDOM_BYTES = 32;

/** §4.1.3: a ServerHello with this random asks for another ClientHello. */
export const RETRY_RANDOM = Uint8Array.of(
  ...[0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91],
  ...[0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c],
);

/** One whole message, header included. */
export function emit(message: HandshakeMessage): Uint8Array {
  const [type, body] = typeAndBody(message);
  return concat(Uint8Array.of(type), vector24(body));
}

function typeAndBody(message: HandshakeMessage): readonly [number, Uint8Array] {
  switch (message.kind) {
    case "client-hello": {
      const { random, sessionId, cipherSuites, extensions } = message;
      const suites = vector16(u16(...cipherSuites));
      const compression = vector8(Uint8Array.of(0));
      const head = concat(u16(LEGACY_VERSION), random, vector8(sessionId), suites, compression);
      return [CLIENT_HELLO, concat(head, emitExtensions(extensions))];
    }
    case "server-hello": {
      const { random, sessionId, cipherSuite, extensions } = message;
      const head = concat(u16(LEGACY_VERSION), random, vector8(sessionId), u16(cipherSuite), Uint8Array.of(0));
      return [SERVER_HELLO, concat(head, emitExtensions(extensions))];
    }
    case "encrypted-extensions":
      return [ENCRYPTED_EXTENSIONS, emitExtensions(message.extensions)];
    case "certificate-request":
      return [CERTIFICATE_REQUEST, concat(vector8(message.context), emitExtensions(message.extensions))];
    case "certificate": {
      const entries = message.certificates.map((one) => concat(vector24(one), u16(0)));
      return [CERTIFICATE, concat(vector8(message.context), vector24(...entries))];
    }
    case "certificate-verify":
      return [CERTIFICATE_VERIFY, concat(u16(message.scheme), vector16(message.signature))];
    case "finished":
      return [FINISHED, message.verifyData];
    case "key-update":
      return [KEY_UPDATE, Uint8Array.of(message.requested ? 1 : 0)];
    case "other":
      return [message.type, message.body];
  }
}

/** One whole message, of which the header has been used to find its end. */
export function parse(bytes: Uint8Array): HandshakeMessage | Malformed {
  const reader = new VectorReader(bytes);
  const type = reader.u8();
  const body = reader.vector24();
  if (!reader.finished) return "tls-bad-handshake";
  const inside = new VectorReader(body);
  const message = parseBody(type, body, inside);
  return message === undefined || !inside.finished ? "tls-bad-handshake" : message;
}

function parseBody(type: number, body: Uint8Array, reader: VectorReader): HandshakeMessage | undefined {
  switch (type) {
    case CLIENT_HELLO: {
      reader.u16();
      const random = reader.take(RANDOM_BYTES);
      const sessionId = reader.vector8();
      const suites = new VectorReader(reader.vector16());
      const cipherSuites: number[] = [];
      while (suites.more) cipherSuites.push(suites.u16());
      reader.vector8();
      const extensions = readExtensions(reader);
      if (suites.malformed || extensions === undefined) return undefined;
      return { kind: "client-hello", random, sessionId, cipherSuites, extensions };
    }
    case SERVER_HELLO: {
      reader.u16();
      const random = reader.take(RANDOM_BYTES);
      const sessionId = reader.vector8();
      const cipherSuite = reader.u16();
      reader.u8();
      const extensions = readExtensions(reader);
      return extensions && { kind: "server-hello", random, sessionId, cipherSuite, extensions };
    }
    case ENCRYPTED_EXTENSIONS: {
      const extensions = readExtensions(reader);
      return extensions && { kind: "encrypted-extensions", extensions };
    }
    case CERTIFICATE_REQUEST: {
      const context = reader.vector8();
      const extensions = readExtensions(reader);
      return extensions && { kind: "certificate-request", context, extensions };
    }
    case CERTIFICATE: {
      const context = reader.vector8();
      const list = new VectorReader(reader.vector24());
      const certificates: Uint8Array[] = [];
      while (list.more) {
        certificates.push(list.vector24());
        list.vector16();
      }
      return list.malformed ? undefined : { kind: "certificate", context, certificates };
    }
    case CERTIFICATE_VERIFY:
      return { kind: "certificate-verify", scheme: reader.u16(), signature: reader.vector16() };
    case FINISHED:
      return { kind: "finished", verifyData: reader.take(body.length) };
    case KEY_UPDATE: {
      const request = reader.u8();
      return request > 1 ? undefined : { kind: "key-update", requested: request === 1 };
    }
    default:
      return { kind: "other", type, body: reader.take(body.length) };
  }
}

function emitExtensions(extensions: readonly Extension[]): Uint8Array {
  return vector16(...extensions.map(({ type, data }) => concat(u16(type), vector16(data))));
}

/** Undefined: malformed, or one kind twice (§4.2). */
function readExtensions(reader: VectorReader): Extension[] | undefined {
  const list = new VectorReader(reader.vector16());
  const extensions: Extension[] = [];
  while (list.more) extensions.push({ type: list.u16(), data: list.vector16() });
  const kinds = new Set(extensions.map(({ type }) => type));
  return list.malformed || kinds.size !== extensions.length ? undefined : extensions;
}
