/** What is inside the extensions of TLS 1.3 that Swarm's connections use, RFC 8446 §4.2, RFC 6066 (server name), RFC 7301 (ALPN). */
import type { Extension } from "./tls-handshake.ts";
import { concat, u16, VectorReader, vector8, vector16 } from "./tls-vector.ts";

export const SERVER_NAME = 0;
export const STATUS_REQUEST = 5;
export const SUPPORTED_GROUPS = 10;
export const EC_POINT_FORMATS = 11;
export const SIGNATURE_ALGORITHMS = 13;
export const APPLICATION_PROTOCOLS = 16;
export const SIGNED_CERTIFICATE_TIMESTAMP = 18;
export const SUPPORTED_VERSIONS = 43;
export const CERTIFICATE_AUTHORITIES = 47;
export const KEY_SHARE = 51;
export const RENEGOTIATION_INFO = 0xff01;

export const TLS_1_3 = 0x0304;
export const TLS_1_2 = 0x0303;
export const X25519 = 0x001d;
export const ECDSA_P256_SHA256 = 0x0403;
const HOST_NAME = 0;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export function find(extensions: readonly Extension[], type: number): Uint8Array | undefined {
  return extensions.find((one) => one.type === type)?.data;
}

export function serverName(name: string): Extension {
  return { type: SERVER_NAME, data: vector16(Uint8Array.of(HOST_NAME), vector16(encoder.encode(name))) };
}

/** Numbers behind a length of two octets: groups, signature algorithms. */
export function numbers(type: number, values: readonly number[]): Extension {
  return { type, data: vector16(u16(...values)) };
}

/** Undefined: malformed. */
export function readNumbers(data: Uint8Array): number[] | undefined {
  const reader = new VectorReader(data);
  const list = new VectorReader(reader.vector16());
  const values: number[] = [];
  while (list.more) values.push(list.u16());
  return reader.finished && !list.malformed ? values : undefined;
}

export function applicationProtocols(names: readonly string[]): Extension {
  return { type: APPLICATION_PROTOCOLS, data: vector16(...names.map((name) => vector8(encoder.encode(name)))) };
}

export function readApplicationProtocols(data: Uint8Array): string[] | undefined {
  const reader = new VectorReader(data);
  const list = new VectorReader(reader.vector16());
  const names: string[] = [];
  while (list.more) names.push(decoder.decode(list.vector8()));
  return reader.finished && !list.malformed ? names : undefined;
}

/** A client's list of versions. */
export function offeredVersions(versions: readonly number[]): Extension {
  return { type: SUPPORTED_VERSIONS, data: vector8(u16(...versions)) };
}

export function readOfferedVersions(data: Uint8Array): number[] | undefined {
  const reader = new VectorReader(data);
  const list = new VectorReader(reader.vector8());
  const versions: number[] = [];
  while (list.more) versions.push(list.u16());
  return reader.finished && !list.malformed ? versions : undefined;
}

/** A client's one share. */
export function offeredShare(group: number, key: Uint8Array): Extension {
  return { type: KEY_SHARE, data: vector16(u16(group), vector16(key)) };
}

/** The key of a group among a client's shares; undefined: there is none, or they are malformed. */
export function readOfferedShare(data: Uint8Array, group: number): Uint8Array | undefined {
  const list = new VectorReader(new VectorReader(data).vector16());
  let found: Uint8Array | undefined;
  while (list.more) {
    const one = list.u16();
    const key = list.vector16();
    if (one === group) found ??= key;
  }
  return list.malformed ? undefined : found;
}

/** A server's share. */
export function chosenShare(group: number, key: Uint8Array): Extension {
  return { type: KEY_SHARE, data: concat(u16(group), vector16(key)) };
}

export function readChosenShare(data: Uint8Array, group: number): Uint8Array | undefined {
  const reader = new VectorReader(data);
  const chosen = reader.u16();
  const key = reader.vector16();
  return reader.finished && chosen === group ? key : undefined;
}

/** Names of authorities (DER) whose certificates a server takes. */
export function certificateAuthorities(names: readonly Uint8Array[]): Extension {
  return { type: CERTIFICATE_AUTHORITIES, data: vector16(...names.map((name) => vector16(name))) };
}
