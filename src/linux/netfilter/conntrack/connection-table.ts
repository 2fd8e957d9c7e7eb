/**
 * The connections of one namespace, a row of typed columns each, and the hash table that finds them by either of their two tuples.
 * Open addressing with the hash kept beside the handle: a lookup among 100 000 connections touches one line of the table and one row.
 *
 * A handle is `row * 2 + direction`; row 0 is never used. Rows of connections that are not yet confirmed, or already deleted, stay until the packet in
 * hand is gone: `sweep` takes them back at a later time of the clock.
 */
import { assert } from "../../../sim/assert.ts";
import type { Nanoseconds } from "../../../sim/time.ts";
import type { Tuple } from "./tuple.ts";

/** Bits of `status` (enum ip_conntrack_status). */
export const EXPECTED = 1;
export const SEEN_REPLY = 2;
export const ASSURED = 4;
export const CONFIRMED = 8;
export const SOURCE_NAT = 16;
export const DESTINATION_NAT = 32;
export const SOURCE_NAT_DONE = 128;
export const DESTINATION_NAT_DONE = 256;
export const DYING = 512;

/** Words of a tuple in `tuples`. */
const SOURCE = 0;
const DESTINATION = 1;
const PORTS = 2;
const PROTOCOL = 3;
const TUPLE_WORDS = 4;

/** 32-bit words that a protocol may keep of a connection (TCP: tcp-tracking.ts). */
export const PROTOCOL_WORDS = 18;

const FIRST_ROWS = 16;
const MAXIMUM_ROWS = 0x100_0000;

export class ConnectionTable {
  /** Rows in use that are confirmed and not deleted. */
  count = 0;
  tuples = new Int32Array(FIRST_ROWS * 2 * TUPLE_WORDS);
  status = new Uint16Array(FIRST_ROWS);
  expiresNs = new Float64Array(FIRST_ROWS);
  mark = new Int32Array(FIRST_ROWS);
  /** Index of the device that MASQUERADE chose the address of; 0: none. */
  masqueradeDevice = new Int32Array(FIRST_ROWS);
  /** Order of birth, for lists. */
  birth = new Float64Array(FIRST_ROWS);
  protocolState = new Int32Array(FIRST_ROWS * PROTOCOL_WORDS);

  #rows = FIRST_ROWS;
  #nextRow = 1;
  #births = 0;
  readonly #free: number[] = [];
  /** Handle + 1, or 0 for an empty slot; and its tuple's hash. */
  #slots = new Int32Array(FIRST_ROWS * 4);
  #hashes = new Int32Array(FIRST_ROWS * 4);
  #used = 0;
  readonly #loose: number[] = []; // rows not (or no longer) in the table
  readonly #looseSinceNs: Nanoseconds[] = [];
  #scan = 1;

  source(handle: number): number {
    return this.tuples[handle * TUPLE_WORDS + SOURCE]! >>> 0;
  }
  destination(handle: number): number {
    return this.tuples[handle * TUPLE_WORDS + DESTINATION]! >>> 0;
  }
  ports(handle: number): number {
    return this.tuples[handle * TUPLE_WORDS + PORTS]!;
  }
  protocol(row: number): number {
    return this.tuples[row * 2 * TUPLE_WORDS + PROTOCOL]!;
  }

  /** A row that is not yet confirmed, with its first tuple; undefined when 2^24 are in use. */
  create(original: Tuple, reply: Tuple, nowNs: Nanoseconds): number | undefined {
    this.sweep(nowNs);
    const row = this.#takeRow();
    if (row === undefined) return undefined;
    this.status[row] = 0;
    this.expiresNs[row] = 0;
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
    const at = handle * TUPLE_WORDS;
    this.tuples[at + SOURCE] = tuple.source | 0;
    this.tuples[at + DESTINATION] = tuple.destination | 0;
    this.tuples[at + PORTS] = tuple.ports;
    this.tuples[at + PROTOCOL] = tuple.protocol;
  }

  getTuple(handle: number, tuple: Tuple): void {
    tuple.source = this.source(handle);
    tuple.destination = this.destination(handle);
    tuple.ports = this.ports(handle);
    tuple.protocol = this.tuples[handle * TUPLE_WORDS + PROTOCOL]!;
  }

  /** The handle of a live connection with this tuple, or -1. One whose time is over is deleted on the way. */
  find(source: number, destination: number, ports: number, protocol: number, nowNs: Nanoseconds): number {
    const slot = this.#slotOf(source | 0, destination | 0, ports, protocol);
    if (slot < 0) return -1;
    const handle = this.#slots[slot]! - 1;
    if (this.expiresNs[handle >> 1]! > nowNs) return handle;
    this.delete(handle >> 1, nowNs);
    return -1;
  }

  /** Puts a row into the table; false when one of its tuples is there already. */
  confirm(row: number, nowNs: Nanoseconds): boolean {
    assert((this.status[row]! & CONFIRMED) === 0, "a connection confirmed twice");
    for (let handle = row * 2; handle <= row * 2 + 1; handle++) {
      const at = handle * TUPLE_WORDS;
      const tuples = this.tuples;
      if (this.find(tuples[at]!, tuples[at + 1]!, tuples[at + 2]!, tuples[at + 3]!, nowNs) >= 0) return false;
    }
    this.#collectSome(nowNs);
    if ((this.#used + 2) * 2 > this.#slots.length) this.#rehash(this.#slots.length * 2);
    this.#insert(row * 2);
    this.#insert(row * 2 + 1);
    this.status[row] = this.status[row]! | CONFIRMED;
    this.count++;
    return true;
  }

  /** Takes a confirmed row out of the table; the packet in hand may still read it. */
  delete(row: number, nowNs: Nanoseconds): void {
    const status = this.status[row]!;
    if ((status & DYING) !== 0) return;
    this.status[row] = status | DYING;
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
      const status = this.status[row]!;
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
      if (this.#lives(row) && this.expiresNs[row]! <= nowNs) this.delete(row, nowNs);
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
      if (!this.#lives(row) || (this.status[row]! & ASSURED) !== 0) continue;
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
    return this.birth[row]! !== 0 && (this.status[row]! & (CONFIRMED | DYING)) === CONFIRMED;
  }

  /** A few rows a new connection: expired ones do not pile up though nobody asks for them. */
  #collectSome(nowNs: Nanoseconds): void {
    for (let tries = 0; tries < 4; tries++) {
      const row = this.#nextScan();
      if (this.#lives(row) && this.expiresNs[row]! <= nowNs) this.delete(row, nowNs);
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
    this.tuples = widened(this.tuples, new Int32Array(rows * 2 * TUPLE_WORDS));
    this.status = widened(this.status, new Uint16Array(rows));
    this.expiresNs = widened(this.expiresNs, new Float64Array(rows));
    this.mark = widened(this.mark, new Int32Array(rows));
    this.masqueradeDevice = widened(this.masqueradeDevice, new Int32Array(rows));
    this.birth = widened(this.birth, new Float64Array(rows));
    this.protocolState = widened(this.protocolState, new Int32Array(rows * PROTOCOL_WORDS));
  }

  #slotOf(source: number, destination: number, ports: number, protocol: number): number {
    const hash = hashOf(source, destination, ports, protocol);
    const mask = this.#slots.length - 1;
    const tuples = this.tuples;
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const value = this.#slots[slot]!;
      if (value === 0) return -1;
      if (this.#hashes[slot] !== hash) continue;
      const at = (value - 1) * TUPLE_WORDS;
      if (
        tuples[at] === source &&
        tuples[at + 1] === destination &&
        tuples[at + 2] === ports &&
        tuples[at + 3] === protocol
      )
        return slot;
    }
  }

  #insert(handle: number): void {
    const at = handle * TUPLE_WORDS;
    const tuples = this.tuples;
    this.#place(handle + 1, hashOf(tuples[at]!, tuples[at + 1]!, tuples[at + 2]!, tuples[at + 3]!));
    this.#used++;
  }

  #place(value: number, hash: number): void {
    const mask = this.#slots.length - 1;
    let slot = hash & mask;
    while (this.#slots[slot] !== 0) slot = (slot + 1) & mask;
    this.#slots[slot] = value;
    this.#hashes[slot] = hash;
  }

  /** Linear probing without tombstones: later entries of the run move up (Knuth, vol. 3, algorithm 6.4R). */
  #remove(handle: number): void {
    const at = handle * TUPLE_WORDS;
    const tuples = this.tuples;
    let hole = this.#slotOf(tuples[at]!, tuples[at + 1]!, tuples[at + 2]!, tuples[at + 3]!);
    assert(hole >= 0, "a connection is missing from its table");
    const mask = this.#slots.length - 1;
    for (let slot = (hole + 1) & mask; this.#slots[slot] !== 0; slot = (slot + 1) & mask) {
      const home = this.#hashes[slot]! & mask;
      if (((slot - home) & mask) < ((slot - hole) & mask)) continue;
      this.#slots[hole] = this.#slots[slot]!;
      this.#hashes[hole] = this.#hashes[slot]!;
      hole = slot;
    }
    this.#slots[hole] = 0;
    this.#used--;
  }

  #rehash(size: number): void {
    const slots = this.#slots;
    const hashes = this.#hashes;
    this.#slots = new Int32Array(size);
    this.#hashes = new Int32Array(size);
    for (let slot = 0; slot < slots.length; slot++) if (slots[slot] !== 0) this.#place(slots[slot]!, hashes[slot]!);
  }
}

function hashOf(source: number, destination: number, ports: number, protocol: number): number {
  let hash = Math.imul(source, 0x9e37_79b1) ^ protocol;
  hash = Math.imul(hash ^ (hash >>> 15) ^ destination, 0x85eb_ca6b);
  hash = Math.imul(hash ^ (hash >>> 13) ^ ports, 0xc2b2_ae35);
  return hash ^ (hash >>> 16); // high bits down: the slot is taken from the low ones
}

function widened<T extends Int32Array | Uint16Array | Float64Array>(old: T, wider: T): T {
  wider.set(old);
  return wider;
}
