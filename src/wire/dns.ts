/** Domain Name System messages, RFC 1035 §4; AAAA is RFC 3596, SRV RFC 2782, EDNS RFC 6891, the bits AD and CD RFC 4035 §3. */
import { assert } from "../sim/assert.ts";
import type { Ipv4Address } from "./address.ts";
import { getU16, getU32 } from "./bytes.ts";
import { labelsOf, type MalformedName, readName } from "./dns-name.ts";

export const HEADER_BYTES = 12;
export const UDP_PORT = 53;
/** RFC 1035 §2.3.4: what a client takes by UDP that has not said otherwise. */
export const MINIMUM_UDP_BYTES = 512;
/** Over TCP a length of 16 bits stands before each message, RFC 1035 §4.2.2. */
export const MAXIMUM_BYTES = 0xffff;

export const TYPE_A = 1;
export const TYPE_NS = 2;
export const TYPE_CNAME = 5;
export const TYPE_SOA = 6;
export const TYPE_PTR = 12;
export const TYPE_MX = 15;
export const TYPE_TXT = 16;
export const TYPE_AAAA = 28;
export const TYPE_SRV = 33;
export const TYPE_OPT = 41;
export const TYPE_ANY = 255;
export const CLASS_INTERNET = 1;

export const RCODE_NO_ERROR = 0;
export const RCODE_FORMAT_ERROR = 1;
export const RCODE_SERVER_FAILURE = 2;
export const RCODE_NAME_ERROR = 3;
export const RCODE_NOT_IMPLEMENTED = 4;
export const RCODE_REFUSED = 5;

const QR = 0x8000;
const AA = 0x0400;
const TC = 0x0200;
const RD = 0x0100;
const RA = 0x0080;
const AD = 0x0020;
const CD = 0x0010;

export interface Question {
  readonly name: string;
  readonly type: number;
  readonly class: number;
}

/** RFC 1035 §3.3.13; times in seconds. */
export interface StartOfAuthority {
  readonly primary: string;
  readonly mailbox: string;
  readonly serial: number;
  readonly refreshS: number;
  readonly retryS: number;
  readonly expireS: number;
  readonly minimumS: number;
}

export type RecordData =
  | { readonly kind: "a"; readonly address: Ipv4Address }
  | { readonly kind: "aaaa"; readonly address: Uint8Array }
  | { readonly kind: "cname" | "ns" | "ptr"; readonly name: string }
  | { readonly kind: "mx"; readonly preference: number; readonly exchange: string }
  | ({ readonly kind: "soa" } & StartOfAuthority)
  | {
      readonly kind: "srv";
      readonly priority: number;
      readonly weight: number;
      readonly port: number;
      readonly target: string;
    }
  /** Character strings of up to 255 octets. */
  | { readonly kind: "txt"; readonly texts: readonly Uint8Array[] }
  | { readonly kind: "other"; readonly type: number; readonly bytes: Uint8Array };

export interface ResourceRecord {
  readonly name: string;
  readonly class: number;
  readonly timeToLiveS: number;
  readonly data: RecordData;
}

export interface Dns {
  readonly identifier: number;
  readonly response: boolean;
  /** 0 is a standard query. */
  readonly operation: number;
  readonly authoritative: boolean;
  readonly truncated: boolean;
  readonly recursionDesired: boolean;
  readonly recursionAvailable: boolean;
  readonly authenticData: boolean;
  readonly checkingDisabled: boolean;
  /** `RCODE_NAME_ERROR` and so on. */
  readonly responseCode: number;
  readonly questions: readonly Question[];
  readonly answers: readonly ResourceRecord[];
  readonly authorities: readonly ResourceRecord[];
  readonly additionals: readonly ResourceRecord[];
}

export type Malformed = MalformedName | "dns-bad-record";

/** Says why no message lies from `at` to `end`. */
export function check(bytes: Uint8Array, at: number, end: number): Malformed | undefined {
  const message = parse(bytes, at, end);
  return typeof message === "string" ? message : undefined;
}

export function identifier(bytes: Uint8Array, at: number): number {
  return getU16(bytes, at);
}

export function parse(bytes: Uint8Array, at: number, end: number): Dns | Malformed {
  if (end - at < HEADER_BYTES) return "dns-truncated";
  const flags = getU16(bytes, at + 2);
  let next = at + HEADER_BYTES;
  const questions: Question[] = [];
  for (let count = getU16(bytes, at + 4); count > 0; count--) {
    const read = readName(bytes, at, next, end);
    if (typeof read === "string") return read;
    if (read.next + 4 > end) return "dns-truncated";
    questions.push({ name: read.name, type: getU16(bytes, read.next), class: getU16(bytes, read.next + 2) });
    next = read.next + 4;
  }
  const sections: ResourceRecord[][] = [];
  for (let section = 0; section < 3; section++) {
    const records: ResourceRecord[] = [];
    for (let count = getU16(bytes, at + 6 + 2 * section); count > 0; count--) {
      const owner = readName(bytes, at, next, end);
      if (typeof owner === "string") return owner;
      const fixed = owner.next;
      if (fixed + 10 > end) return "dns-truncated";
      const dataAt = fixed + 10;
      const dataEnd = dataAt + getU16(bytes, fixed + 8);
      if (dataEnd > end) return "dns-truncated";
      const data = parseData(bytes, at, getU16(bytes, fixed), dataAt, dataEnd);
      if (typeof data === "string") return data;
      records.push({
        name: owner.name,
        class: getU16(bytes, fixed + 2),
        timeToLiveS: getU32(bytes, fixed + 4),
        data,
      });
      next = dataEnd;
    }
    sections.push(records);
  }
  return {
    identifier: getU16(bytes, at),
    response: (flags & QR) !== 0,
    operation: (flags >>> 11) & 15,
    authoritative: (flags & AA) !== 0,
    truncated: (flags & TC) !== 0,
    recursionDesired: (flags & RD) !== 0,
    recursionAvailable: (flags & RA) !== 0,
    authenticData: (flags & AD) !== 0,
    checkingDisabled: (flags & CD) !== 0,
    responseCode: flags & 15,
    questions,
    answers: sections[0]!,
    authorities: sections[1]!,
    additionals: sections[2]!,
  };
}

/**
 * Writes the whole message at `at` and says how many bytes it took. With `compress` a name that was written before becomes a pointer (not in SRV
 * data, which RFC 2782 forbids). Names have passed `isName`.
 */
export function emit(message: Dns, bytes: Uint8Array, at: number, compress = true): number {
  const whole = toBytes(message, compress);
  bytes.set(whole, at);
  return whole.length;
}

/** The message's bytes; see `emit`. */
export function toBytes(message: Dns, compress = true): Uint8Array {
  const writer = new Writer(compress);
  writer.u16(message.identifier);
  writer.u16(
    (message.response ? QR : 0) |
      (message.operation << 11) |
      (message.authoritative ? AA : 0) |
      (message.truncated ? TC : 0) |
      (message.recursionDesired ? RD : 0) |
      (message.recursionAvailable ? RA : 0) |
      (message.authenticData ? AD : 0) |
      (message.checkingDisabled ? CD : 0) |
      message.responseCode,
  );
  const sections = [message.answers, message.authorities, message.additionals];
  writer.u16(message.questions.length);
  for (const records of sections) writer.u16(records.length);
  for (const question of message.questions) {
    writer.name(question.name, compress);
    writer.u16(question.type);
    writer.u16(question.class);
  }
  for (const records of sections) for (const record of records) writer.record(record);
  return Uint8Array.from(writer.octets);
}

/** A query that asks one question. */
export function query(
  identifier: number,
  name: string,
  type: number,
  additionals: readonly ResourceRecord[] = [],
): Dns {
  return {
    identifier,
    response: false,
    operation: 0,
    authoritative: false,
    truncated: false,
    recursionDesired: true,
    recursionAvailable: false,
    authenticData: false,
    checkingDisabled: false,
    responseCode: RCODE_NO_ERROR,
    questions: [{ name, type, class: CLASS_INTERNET }],
    answers: [],
    authorities: [],
    additionals,
  };
}

/** The pseudo-record by which a client says what it takes by UDP, RFC 6891 §6.1. `data` holds the options. */
export function optRecord(udpBytes: number, data: Uint8Array = new Uint8Array(0)): ResourceRecord {
  return { name: "", class: udpBytes, timeToLiveS: 0, data: { kind: "other", type: TYPE_OPT, bytes: data } };
}

/** The message's OPT record. */
export function findOpt(message: Dns): ResourceRecord | undefined {
  return message.additionals.find((record) => typeOf(record.data) === TYPE_OPT);
}

/** How long a UDP answer may be that this query's sender can take. */
export function udpLimitBytes(query: Dns): number {
  return Math.max(findOpt(query)?.class ?? 0, MINIMUM_UDP_BYTES);
}

/** The record type that stands for this data on the wire. */
export function typeOf(data: RecordData): number {
  switch (data.kind) {
    case "a":
      return TYPE_A;
    case "aaaa":
      return TYPE_AAAA;
    case "cname":
      return TYPE_CNAME;
    case "ns":
      return TYPE_NS;
    case "ptr":
      return TYPE_PTR;
    case "mx":
      return TYPE_MX;
    case "soa":
      return TYPE_SOA;
    case "srv":
      return TYPE_SRV;
    case "txt":
      return TYPE_TXT;
    case "other":
      return data.type;
  }
}

function parseData(bytes: Uint8Array, start: number, type: number, at: number, end: number): RecordData | Malformed {
  switch (type) {
    case TYPE_A:
      if (end - at !== 4) return "dns-bad-record";
      return { kind: "a", address: getU32(bytes, at) as Ipv4Address };
    case TYPE_AAAA:
      if (end - at !== 16) return "dns-bad-record";
      return { kind: "aaaa", address: bytes.slice(at, end) };
    case TYPE_CNAME:
    case TYPE_NS:
    case TYPE_PTR: {
      const read = readName(bytes, start, at, end);
      if (typeof read === "string") return read;
      if (read.next !== end) return "dns-bad-record";
      return { kind: type === TYPE_CNAME ? "cname" : type === TYPE_NS ? "ns" : "ptr", name: read.name };
    }
    case TYPE_MX: {
      if (end - at < 3) return "dns-bad-record";
      const read = readName(bytes, start, at + 2, end);
      if (typeof read === "string") return read;
      if (read.next !== end) return "dns-bad-record";
      return { kind: "mx", preference: getU16(bytes, at), exchange: read.name };
    }
    case TYPE_SOA: {
      const primary = readName(bytes, start, at, end);
      if (typeof primary === "string") return primary;
      const mailbox = readName(bytes, start, primary.next, end);
      if (typeof mailbox === "string") return mailbox;
      const numbers = mailbox.next;
      if (numbers + 20 !== end) return "dns-bad-record";
      return {
        kind: "soa",
        primary: primary.name,
        mailbox: mailbox.name,
        serial: getU32(bytes, numbers),
        refreshS: getU32(bytes, numbers + 4),
        retryS: getU32(bytes, numbers + 8),
        expireS: getU32(bytes, numbers + 12),
        minimumS: getU32(bytes, numbers + 16),
      };
    }
    case TYPE_SRV: {
      if (end - at < 7) return "dns-bad-record";
      const read = readName(bytes, start, at + 6, end);
      if (typeof read === "string") return read;
      if (read.next !== end) return "dns-bad-record";
      return {
        kind: "srv",
        priority: getU16(bytes, at),
        weight: getU16(bytes, at + 2),
        port: getU16(bytes, at + 4),
        target: read.name,
      };
    }
    case TYPE_TXT: {
      const texts: Uint8Array[] = [];
      for (let index = at; index < end; ) {
        const next = index + 1 + bytes[index]!;
        if (next > end) return "dns-bad-record";
        texts.push(bytes.slice(index + 1, next));
        index = next;
      }
      return { kind: "txt", texts };
    }
    default:
      return { kind: "other", type, bytes: bytes.slice(at, end) };
  }
}

class Writer {
  readonly octets: number[] = [];
  readonly #compress: boolean;
  /** Where each name, and each tail of a name, was first written. */
  readonly #offsets = new Map<string, number>();

  constructor(compress: boolean) {
    this.#compress = compress;
  }

  u16(value: number): void {
    this.octets.push(value >>> 8, value & 255);
  }

  u32(value: number): void {
    this.u16(value >>> 16);
    this.u16(value & 0xffff);
  }

  name(name: string, compress: boolean): void {
    const labels = labelsOf(name);
    assert(labels !== undefined, `no domain name: ${name}`);
    for (const [index, label] of labels.entries()) {
      const tail = labels
        .slice(index)
        .map((octets) => octets.join(" "))
        .join(".");
      const earlier = this.#offsets.get(tail);
      if (compress && earlier !== undefined) {
        this.u16(0xc000 | earlier);
        return;
      }
      // A pointer has 14 bits.
      if (earlier === undefined && this.octets.length < 0x4000) this.#offsets.set(tail, this.octets.length);
      this.octets.push(label.length, ...label);
    }
    this.octets.push(0);
  }

  record(record: ResourceRecord): void {
    this.name(record.name, this.#compress);
    this.u16(typeOf(record.data));
    this.u16(record.class);
    this.u32(record.timeToLiveS);
    const lengthAt = this.octets.length;
    this.u16(0);
    this.#data(record.data);
    const length = this.octets.length - lengthAt - 2;
    this.octets[lengthAt] = length >>> 8;
    this.octets[lengthAt + 1] = length & 255;
  }

  #data(data: RecordData): void {
    switch (data.kind) {
      case "a":
        this.u32(data.address);
        break;
      case "cname":
      case "ns":
      case "ptr":
        this.name(data.name, this.#compress);
        break;
      case "mx":
        this.u16(data.preference);
        this.name(data.exchange, this.#compress);
        break;
      case "soa":
        this.name(data.primary, this.#compress);
        this.name(data.mailbox, this.#compress);
        for (const number of [data.serial, data.refreshS, data.retryS, data.expireS, data.minimumS]) this.u32(number);
        break;
      case "srv":
        this.u16(data.priority);
        this.u16(data.weight);
        this.u16(data.port);
        this.name(data.target, false);
        break;
      case "txt":
        for (const text of data.texts) this.octets.push(text.length, ...text);
        break;
      case "aaaa":
        this.octets.push(...data.address);
        break;
      case "other":
        this.octets.push(...data.bytes);
        break;
    }
  }
}
