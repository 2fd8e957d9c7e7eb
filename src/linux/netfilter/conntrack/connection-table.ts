/**
 * The connections of one namespace, a row of typed columns each, and the hash table that finds them by either of their two tuples.
 * Open addressing with the hash kept beside the handle: a lookup among
 * 100 000 connections touches one line of the table and one row.
 *
 * A handle is `row * 2 + direction`; row 0 is never used. Rows of connections that are not yet confirmed, or already deleted, stay until the packet in
 * hand is gone: `sweep` takes them back at a later time of the clock.
 */
import { assert } from "../../../sim/assert.ts";
import type { Nanoseconds } from "../../../sim/time.ts";
import type { Tuple } from "./tuple.ts";

/** Bits of a row's status (enum ip_conntrack_status). */
export const EXPECTED = 1;
export const SEEN_REPLY = 2;
export const ASSURED = 4;
export const CONFIRMED = 8;
export const SOURCE_NAT = 16;
export const DESTINATION_NAT = 32;
/** `masqueradeDevice` is set: asked first, so that other connections need not touch that column. */
export const MASQUERADED = 64;
export const SOURCE_NAT_DONE = 128;
export const DESTINATION_NAT_DONE = 256;
export const DYING = 512;

/** A row of `#words`: two tuples, then what every packet reads or writes, 64 bytes in all: one line of the cache. */
const ROW_WORDS = 16;
const SOURCE = 0;
const DESTINATION = 1;
const PORTS = 2;
const PROTOCOL = 3;
const REPLY = 4; // where the second tuple begins
const STATUS = 8;
/** The same row in `#times`: when the connection is over. */
const ROW_TIMES = ROW_WORDS / 2;
const EXPIRY = 5;

/** 32-bit words that a protocol may keep of a connection (TCP: tcp-tracking.ts). */
export const PROTOCOL_WORDS = 18;

const FIRST_ROWS = 16;
const MAXIMUM_ROWS = 0x100_0000;

export class ConnectionTable {
  /** Rows in use that are confirmed and not deleted. */
  count = 0;
  mark = new Int32Array(FIRST_ROWS);
  /** Index of the device that MASQUERADE chose the address of; 0: none. */
  masqueradeDevice = new Int32Array(FIRST_ROWS);
  /** Order of birth, for lists. */
  birth = new Float64Array(FIRST_ROWS);
  protocolState = new Int32Array(FIRST_ROWS * PROTOCOL_WORDS);

  #times = new Float64Array(FIRST_ROWS * ROW_TIMES);
  #words = new Int32Array(this.#times.buffer);
  #rows = FIRST_ROWS;
  #nextRow = 1;
  #births = 0;
  readonly #free: number[] = [];
  /** Pairs: handle + 1 (0: empty), and the hash of its tuple beside it, in one line of the cache. */
  #slots = new Int32Array(FIRST_ROWS * 8);
  #mask = FIRST_ROWS * 4 - 1;
  #used = 0;
  readonly #loose: number[] = []; // rows not (or no longer) in the table
  readonly #looseSinceNs: Nanoseconds[] = [];
  #scan = 1;

  source(handle: number): number {
    return this.#words[tupleAt(handle) + SOURCE]! >>> 0;
  }
  destination(handle: number): number {
    return this.#words[tupleAt(handle) + DESTINATION]! >>> 0;
  }
  ports(handle: number): number {
    return this.#words[tupleAt(handle) + PORTS]!;
  }
  protocol(row: number): number {
    return this.#words[row * ROW_WORDS + PROTOCOL]!;
  }
  /** The bits above. */
  status(row: number): number {
    return this.#words[row * ROW_WORDS + STATUS]!;
  }
  addStatus(row: number, bits: number): void {
    this.#words[row * ROW_WORDS + STATUS] = this.#words[row * ROW_WORDS + STATUS]! | bits;
  }
  /** When it is over, unless more is heard. */
  expiresNs(row: number): Nanoseconds {
    return this.#times[row * ROW_TIMES + EXPIRY]!;
  }
  setExpiry(row: number, timeNs: Nanoseconds): void {
    this.#times[row * ROW_TIMES + EXPIRY] = timeNs;
  }

  /** A row that is not yet confirmed, with its first tuple; undefined when 2^24 are in use. */
  create(original: Tuple, reply: Tuple, nowNs: Nanoseconds): number | undefined {
    this.sweep(nowNs);
    const row = this.#takeRow();
    if (row === undefined) return undefined;
    this.#words[row * ROW_WORDS + STATUS] = 0;
    this.setExpiry(row, 0);
    this.mark[row] = 0;
    this.masqueradeDevice[row] = 0;
    this.birth[row] = ++this.#births;
    this.protocolState.fill(0, row * PROTOCOL_WORDS, (row + 1) * PROTOCOL_WORDS);
    this.setTuple(row * 2, original);
    this.setTuple(row * 2 + 1, reply);
    this.#loose.push(row);
    this.#looseSinceNs.push(nowNs);
    return row;
  }

  /** Only while the row is not confirmed. */
  setTuple(handle: number, tuple: Tuple): void {
    const at = tupleAt(handle);
    const words = this.#words;
    words[at + SOURCE] = tuple.source | 0;
    words[at + DESTINATION] = tuple.destination | 0;
    words[at + PORTS] = tuple.ports;
    words[at + PROTOCOL] = tuple.protocol;
  }

  getTuple(handle: number, tuple: Tuple): void {
    const at = tupleAt(handle);
    const words = this.#words;
    tuple.source = words[at + SOURCE]! >>> 0;
    tuple.destination = words[at + DESTINATION]! >>> 0;
    tuple.ports = words[at + PORTS]!;
    tuple.protocol = words[at + PROTOCOL]!;
  }

  /** The handle of a live connection with this tuple, or -1. One whose time is over is deleted on the way. */
  find(source: number, destination: number, ports: number, protocol: number, nowNs: Nanoseconds): number {
    const slot = this.#slotOf(source | 0, destination | 0, ports, protocol);
    if (slot < 0) return -1;
    const handle = this.#slots[slot * 2]! - 1;
    if (this.expiresNs(handle >> 1) > nowNs) return handle;
    this.delete(handle >> 1, nowNs);
    return -1;
  }

  /** Puts a row into the table; false when one of its tuples is there already. */
  confirm(row: number, nowNs: Nanoseconds): boolean {
    assert((this.status(row) & CONFIRMED) === 0, "a connection confirmed twice");
    for (let handle = row * 2; handle <= row * 2 + 1; handle++) {
      const at = tupleAt(handle);
      const words = this.#words;
      if (this.find(words[at]!, words[at + 1]!, words[at + 2]!, words[at + 3]!, nowNs) >= 0) return false;
    }
    this.#collectSome(nowNs);
    if ((this.#used + 2) * 2 > this.#mask) this.#rehash();
    this.#insert(row * 2);
    this.#insert(row * 2 + 1);
    this.addStatus(row, CONFIRMED);
    this.count++;
    return true;
  }

  /** Takes a confirmed row out of the table; the packet in hand may still read it. */
  delete(row: number, nowNs: Nanoseconds): void {
    const status = this.status(row);
    if ((status & DYING) !== 0) return;
    this.addStatus(row, DYING);
    if ((status & CONFIRMED) === 0) return; // loose already
    this.#remove(row * 2);
    this.#remove(row * 2 + 1);
    this.count--;
    const index = this.#loose.indexOf(row); // born at this very moment, perhaps
    if (index >= 0) {
      this.#looseSinceNs[index] = nowNs;
    } else {
      this.#loose.push(row);
      this.#looseSinceNs.push(nowNs);
    }
  }

  /** Frees what earlier moments left behind, and deletes nothing that a packet may hold. */
  sweep(nowNs: Nanoseconds): void {
    const loose = this.#loose;
    if (loose.length === 0 || this.#looseSinceNs[0] === nowNs) return;
    let kept = 0;
    for (let index = 0; index < loose.length; index++) {
      const row = loose[index]!;
      const sinceNs = this.#looseSinceNs[index]!;
      const status = this.status(row);
      if ((status & (CONFIRMED | DYING)) === CONFIRMED) continue; // it lives in the table now
      if (sinceNs === nowNs) {
        loose[kept] = row;
        this.#looseSinceNs[kept++] = sinceNs;
      } else {
        this.birth[row] = 0;
        this.#free.push(row);
      }
    }
    loose.length = kept;
    this.#looseSinceNs.length = kept;
  }

  /** Deletes every connection whose time is over. */
  expire(nowNs: Nanoseconds): void {
    for (let row = 1; row < this.#nextRow; row++)
      if (this.#lives(row) && this.expiresNs(row) <= nowNs) this.delete(row, nowNs);
  }

  /** Rows of live connections, oldest first. */
  rows(nowNs: Nanoseconds): number[] {
    this.expire(nowNs);
    const rows: number[] = [];
    for (let row = 1; row < this.#nextRow; row++) if (this.#lives(row)) rows.push(row);
    return rows.sort((a, b) => this.birth[a]! - this.birth[b]!);
  }

  /** A confirmed connection that could go when the table is full: one that is not assured. */
  deleteUnassured(nowNs: Nanoseconds): boolean {
    for (let tries = 0; tries < 64 && tries < this.#nextRow; tries++) {
      const row = this.#nextScan();
      if (!this.#lives(row) || (this.status(row) & ASSURED) !== 0) continue;
      this.delete(row, nowNs);
      return true;
    }
    return false;
  }

  /** Rows that wait for their first packet's end: few. */
  get loose(): readonly number[] {
    return this.#loose;
  }

  #lives(row: number): boolean {
    return this.birth[row]! !== 0 && (this.status(row) & (CONFIRMED | DYING)) === CONFIRMED;
  }

  /** A few rows a new connection: expired ones do not pile up though nobody asks for them. */
  #collectSome(nowNs: Nanoseconds): void {
    for (let tries = 0; tries < 4; tries++) {
      const row = this.#nextScan();
      if (this.#lives(row) && this.expiresNs(row) <= nowNs) this.delete(row, nowNs);
    }
  }

  #nextScan(): number {
    const row = this.#scan < this.#nextRow ? this.#scan : 1;
    this.#scan = row + 1;
    return row;
  }

  #takeRow(): number | undefined {
    const free = this.#free.pop();
    if (free !== undefined) return free;
    if (this.#nextRow === MAXIMUM_ROWS) return undefined;
    if (this.#nextRow === this.#rows) this.#widen();
    return this.#nextRow++;
  }

  #widen(): void {
    const rows = this.#rows * 2;
    this.#rows = rows;
    const times = new Float64Array(rows * ROW_TIMES);
    const words = new Int32Array(times.buffer);
    words.set(this.#words); // as words: a time may look like a NaN, which need not be copied bit by bit
    this.#times = times;
    this.#words = words;
    this.mark = widened(this.mark, new Int32Array(rows));
    this.masqueradeDevice = widened(this.masqueradeDevice, new Int32Array(rows));
    this.birth = widened(this.birth, new Float64Array(rows));
    this.protocolState = widened(this.protocolState, new Int32Array(rows * PROTOCOL_WORDS));
  }

  #slotOf(source: number, destination: number, ports: number, protocol: number): number {
    const hash = hashOf(source, destination, ports, protocol);
    const mask = this.#mask;
    const slots = this.#slots;
    const words = this.#words;
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const value = slots[slot * 2]!;
      if (value === 0) return -1;
      if (slots[slot * 2 + 1] !== hash) continue;
      const at = tupleAt(value - 1);
      if (
        words[at] === source &&
        words[at + 1] === destination &&
        words[at + 2] === ports &&
        words[at + 3] === protocol
      )
        return slot;
    }
  }

  #insert(handle: number): void {
    const at = tupleAt(handle);
    const words = this.#words;
    this.#place(handle + 1, hashOf(words[at]!, words[at + 1]!, words[at + 2]!, words[at + 3]!));
    this.#used++;
  }

  #place(value: number, hash: number): void {
    const mask = this.#mask;
    let slot = hash & mask;
    while (this.#slots[slot * 2] !== 0) slot = (slot + 1) & mask;
    this.#slots[slot * 2] = value;
    this.#slots[slot * 2 + 1] = hash;
  }

  /** Linear probing without tombstones: later entries of the run move up (Knuth, vol. 3, algorithm 6.4R). */
  #remove(handle: number): void {
    const at = tupleAt(handle);
    const words = this.#words;
    let hole = this.#slotOf(words[at]!, words[at + 1]!, words[at + 2]!, words[at + 3]!);
    assert(hole >= 0, "a connection is missing from its table");
    const mask = this.#mask;
    const slots = this.#slots;
    for (let slot = (hole + 1) & mask; slots[slot * 2] !== 0; slot = (slot + 1) & mask) {
      const home = slots[slot * 2 + 1]! & mask;
      if (((slot - home) & mask) < ((slot - hole) & mask)) continue;
      slots[hole * 2] = slots[slot * 2]!;
      slots[hole * 2 + 1] = slots[slot * 2 + 1]!;
      hole = slot;
    }
    slots[hole * 2] = 0;
    this.#used--;
  }

  #rehash(): void {
    const old = this.#slots;
    this.#slots = new Int32Array(old.length * 2);
    this.#mask = this.#mask * 2 + 1;
    for (let at = 0; at < old.length; at += 2) if (old[at] !== 0) this.#place(old[at]!, old[at + 1]!);
  }
}

function tupleAt(handle: number): number {
  return (handle >> 1) * ROW_WORDS + (handle & 1) * REPLY;
}

function hashOf(source: number, destination: number, ports: number, protocol: number): number {
  let hash = Math.imul(source, 0x9e37_79b1) ^ protocol;
  hash = Math.imul(hash ^ (hash >>> 15) ^ destination, 0x85eb_ca6b);
  hash = Math.imul(hash ^ (hash >>> 13) ^ ports, 0xc2b2_ae35);
  return hash ^ (hash >>> 16); // high bits down: the slot is taken from the low ones
}

function widened<T extends Int32Array | Float64Array>(old: T, wider: T): T {
  wider.set(old);
  return wider;
}
