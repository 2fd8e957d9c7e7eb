/** Distinguished encoding rules, ITU-T X.690: as much of them as certificates use. */

export const BOOLEAN = 0x01;
export const INTEGER = 0x02;
export const BIT_STRING = 0x03;
export const OCTET_STRING = 0x04;
export const OBJECT_IDENTIFIER = 0x06;
export const UTF8_STRING = 0x0c;
export const PRINTABLE_STRING = 0x13;
export const UTC_TIME = 0x17;
export const GENERALIZED_TIME = 0x18;
export const SEQUENCE = 0x30;
export const SET = 0x31;
/** Context-specific tags: `CONTEXT | n` for a plain value, `CONTEXT_CONSTRUCTED | n` around others. */
export const CONTEXT = 0x80;
export const CONTEXT_CONSTRUCTED = 0xa0;

// ---- Writing

/** One element; the parts of its content in their order. */
export function element(tag: number, ...parts: readonly Uint8Array[]): Uint8Array {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const head = [tag, ...lengthOctets(length)];
  const bytes = new Uint8Array(head.length + length);
  bytes.set(head);
  let at = head.length;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

function lengthOctets(length: number): number[] {
  if (length < 0x80) return [length];
  const octets: number[] = [];
  for (let rest = length; rest > 0; rest = Math.floor(rest / 0x100)) octets.unshift(rest % 0x100);
  return [0x80 | octets.length, ...octets];
}

export function sequence(...parts: readonly Uint8Array[]): Uint8Array {
  return element(SEQUENCE, ...parts);
}

/** An unsigned number, highest octet first; leading zeros do not matter. */
export function unsigned(octets: Uint8Array): Uint8Array {
  let from = 0;
  while (from < octets.length - 1 && octets[from] === 0) from++;
  const shown = octets.length === 0 ? Uint8Array.of(0) : octets.subarray(from);
  return shown[0]! >= 0x80 ? element(INTEGER, Uint8Array.of(0), shown) : element(INTEGER, shown);
}

export function smallInteger(value: number): Uint8Array {
  return unsigned(Uint8Array.of(value));
}

export function truth(): Uint8Array {
  return element(BOOLEAN, Uint8Array.of(0xff));
}

/** Whole octets; `unusedBits` of the last one do not count. */
export function bitString(bytes: Uint8Array, unusedBits = 0): Uint8Array {
  return element(BIT_STRING, Uint8Array.of(unusedBits), bytes);
}

/** `2.5.4.3`. */
export function objectIdentifier(text: string): Uint8Array {
  const [first = 0, second = 0, ...rest] = text.split(".").map(Number);
  const octets: number[] = [];
  for (const arc of [first * 40 + second, ...rest]) {
    const groups = [arc % 0x80];
    for (let left = Math.floor(arc / 0x80); left > 0; left = Math.floor(left / 0x80))
      groups.unshift(0x80 | (left % 0x80));
    octets.push(...groups);
  }
  return element(OBJECT_IDENTIFIER, Uint8Array.from(octets));
}

/** PrintableString where its alphabet suffices, as Go chooses, else UTF8String. */
export function text(content: string): Uint8Array {
  const tag = /^[A-Za-z0-9 '()+,\-./:=?]*$/.test(content) ? PRINTABLE_STRING : UTF8_STRING;
  return element(tag, new TextEncoder().encode(content));
}

/** A second since 1970, of the years 0 to 9999: UTCTime until 2049 (RFC 5280 §4.1.2.5). */
export function time(seconds: number): Uint8Array {
  const { year, rest } = civil(seconds);
  const utc = year >= 1950 && year < 2050;
  const shown = utc ? String(year % 100).padStart(2, "0") : String(year).padStart(4, "0");
  return element(utc ? UTC_TIME : GENERALIZED_TIME, new TextEncoder().encode(`${shown}${rest}Z`));
}

const DAY_SECONDS = 86_400;
/** `2026-11-22T17:22:20Z`, RFC 3339. */
export function formatTime(seconds: number): string {
  const { year, rest } = civil(seconds);
  const digits = rest.match(/../g) ?? [];
  return `${String(year).padStart(4, "0")}-${digits.slice(0, 2).join("-")}T${digits.slice(2).join(":")}Z`;
}

/** Days of 400 years, and those from 0000-03-01 to 1970-01-01, in the Gregorian calendar. */
const ERA_DAYS = 146_097;
const EPOCH_DAYS = 719_468;

function civil(seconds: number): { readonly year: number; readonly rest: string } {
  const days = Math.floor(seconds / DAY_SECONDS) + EPOCH_DAYS;
  const second = seconds - Math.floor(seconds / DAY_SECONDS) * DAY_SECONDS;
  const era = Math.floor(days / ERA_DAYS);
  const dayOfEra = days - era * ERA_DAYS;
  const leapless =
    dayOfEra - Math.floor(dayOfEra / 1_460) + Math.floor(dayOfEra / 36_524) - Math.floor(dayOfEra / 146_096);
  const yearOfEra = Math.floor(leapless / 365);
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const month = Math.floor((5 * dayOfYear + 2) / 153); // 0: March
  const day = dayOfYear - Math.floor((153 * month + 2) / 5) + 1;
  const numbers = [
    month < 10 ? month + 3 : month - 9,
    day,
    Math.floor(second / 3_600),
    Math.floor(second / 60) % 60,
    second % 60,
  ];
  const year = era * 400 + yearOfEra + (month >= 10 ? 1 : 0);
  return { year, rest: numbers.map((number) => String(number).padStart(2, "0")).join("") };
}

// ---- Reading

/** An element that was read: its content lies from `from` to `to`, and the whole from `at` to `to`. */
export interface Element {
  readonly tag: number;
  readonly at: number;
  readonly from: number;
  readonly to: number;
}

/** Reads elements one behind the other. A read that fails makes `malformed` true, and all that follow fail too. */
export class DerReader {
  readonly bytes: Uint8Array;
  readonly #end: number;
  #at: number;
  malformed = false;

  constructor(bytes: Uint8Array, at = 0, end = bytes.length) {
    this.bytes = bytes;
    this.#at = at;
    this.#end = end;
  }

  get more(): boolean {
    return !this.malformed && this.#at < this.#end;
  }

  /** The next tag, without reading on. */
  get tag(): number | undefined {
    return this.more ? this.bytes[this.#at] : undefined;
  }

  /** The next element, which must have that tag. */
  next(tag: number): Element | undefined {
    const at = this.#at;
    if (this.tag !== tag || this.#end - at < 2) return this.#refuse();
    let from = at + 2;
    let length = this.bytes[at + 1]!;
    if (length >= 0x80) {
      const octets = length - 0x80;
      if (octets < 1 || octets > 3 || this.#end - from < octets) return this.#refuse();
      length = 0;
      for (let index = 0; index < octets; index++) length = length * 0x100 + this.bytes[from++]!;
      if (length < 0x80 || length < 2 ** (8 * (octets - 1))) return this.#refuse(); // not the shortest form
    }
    if (length > this.#end - from) return this.#refuse();
    this.#at = from + length;
    return { tag, at, from, to: from + length };
  }

  /** Any element. */
  any(): Element | undefined {
    return this.tag === undefined ? this.#refuse() : this.next(this.tag);
  }

  /** The inside of the next element. */
  inside(tag: number): DerReader {
    const found = this.next(tag);
    if (found !== undefined) return new DerReader(this.bytes, found.from, found.to);
    const nothing = new DerReader(this.bytes, 0, 0);
    nothing.malformed = true;
    return nothing;
  }

  content(tag: number): Uint8Array {
    const found = this.next(tag);
    return found === undefined ? new Uint8Array(0) : this.bytes.slice(found.from, found.to);
  }

  objectIdentifier(): string {
    const octets = this.content(OBJECT_IDENTIFIER);
    const arcs: number[] = [];
    let arc = 0;
    for (const octet of octets) {
      if (arc > 2 ** 40) this.malformed = true;
      arc = arc * 0x80 + (octet & 0x7f);
      if (octet >= 0x80) continue;
      arcs.push(arc);
      arc = 0;
    }
    const [first = 0, ...rest] = arcs;
    const top = Math.min(Math.floor(first / 40), 2);
    return [top, first - top * 40, ...rest].join(".");
  }

  /** A string of any of the usual kinds. */
  text(): string {
    const found = this.any();
    return found === undefined ? "" : new TextDecoder().decode(this.bytes.subarray(found.from, found.to));
  }

  /** Seconds since 1970. */
  time(): number {
    const short = this.tag === UTC_TIME;
    const shown = new TextDecoder().decode(this.content(short ? UTC_TIME : GENERALIZED_TIME));
    const match = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/.exec(short ? century(shown) + shown : shown);
    if (match === null) {
      this.malformed = true;
      return 0;
    }
    const [year, month, day, hour, minute, second] = match.slice(1).map(Number) as [
      number,
      number,
      number,
      number,
      number,
      number,
    ];
    return daysOf(year, month, day) * DAY_SECONDS + hour * 3_600 + minute * 60 + second;
  }

  #refuse(): undefined {
    this.malformed = true;
    return undefined;
  }
}

/** RFC 5280 §4.1.2.5.1. */
function century(shown: string): string {
  return Number(shown.slice(0, 2)) >= 50 ? "19" : "20";
}

function daysOf(year: number, month: number, day: number): number {
  const from = month > 2 ? year : year - 1; // years begin in March
  const era = Math.floor(from / 400);
  const yearOfEra = from - era * 400;
  const dayOfYear = Math.floor((153 * (month > 2 ? month - 3 : month + 9) + 2) / 5) + day - 1;
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
  return era * ERA_DAYS + dayOfEra - EPOCH_DAYS;
}
