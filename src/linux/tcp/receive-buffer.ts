/**
 * What has come and was not read yet: data in order, and data behind a hole (RFC 9293 §3.10.7.4, RFC 2018 §4). A byte is stored once, where its
 * sequence number says; which bytes behind the hole are there is a sorted list of ranges. Memory is counted as the kernel does,
 * by what its buffers take and not by their data (`truesize`), because the advertised window follows from it.
 */
import { ByteRing } from "./byte-ring.ts";
import { add, after, before, distance, later } from "./sequence.ts";

const BUFFER_OVERHEAD_BYTES = 256; // struct sk_buff
const SHARED_INFO_BYTES = 320;
const HEADER_ROOM_BYTES = 128;

/** The kernel memory that a received segment takes: its descriptor, and a power of two for headers, data and fragment list. */
export function truesize(payloadBytes: number): number {
  const need = payloadBytes + HEADER_ROOM_BYTES + SHARED_INFO_BYTES;
  let size = 512;
  while (size < need) size *= 2;
  return size + BUFFER_OVERHEAD_BYTES;
}

export class ReceiveBuffer {
  readonly #ring = new ByteRing();
  /** The next byte that the program will read. */
  readSequence = 0;
  /** Behind the last byte in order. */
  end = 0;
  /** Data behind a hole, sorted, neither touching nor overlapping. */
  #start = new Int32Array(4);
  #end = new Int32Array(4);
  #ranges = 0;
  /** Kernel memory of everything held. */
  memory = 0;
  /** Of that, for data behind a hole. */
  #outOfOrderMemory = 0;

  /** Begins at `sequence`, the first byte of data. */
  begin(sequence: number): void {
    this.readSequence = sequence;
    this.end = sequence;
  }

  /** Bytes that the program may read. */
  get readable(): number {
    return distance(this.readSequence, this.end);
  }

  get hasHole(): boolean {
    return this.#ranges > 0;
  }

  get ranges(): number {
    return this.#ranges;
  }

  rangeStart(index: number): number {
    return this.#start[index]!;
  }

  rangeEnd(index: number): number {
    return this.#end[index]!;
  }

  /** Behind the last byte held, in order or not. */
  get highest(): number {
    return this.#ranges === 0 ? this.end : this.#end[this.#ranges - 1]!;
  }

  /** Stores the data that follows `end` directly; what lay behind the hole joins. */
  append(bytes: Uint8Array, at: number, count: number): void {
    this.#ring.reserve(this.readSequence, this.highest, later(add(this.end, count), this.highest));
    this.#ring.write(this.end, bytes, at, count);
    this.memory += truesize(count);
    this.end = add(this.end, count);
    if (this.#ranges > 0) this.#join();
  }

  /** Index of the range that holds all of the bytes from `start` to `end`, or -1. */
  covering(start: number, end: number): number {
    for (let index = 0; index < this.#ranges; index++)
      if (!before(start, this.#start[index]!) && !after(end, this.#end[index]!)) return index;
    return -1;
  }

  /** Stores data behind a hole; says into which range it went. */
  insert(start: number, bytes: Uint8Array, at: number, count: number): number {
    const end = add(start, count);
    this.#ring.reserve(this.readSequence, this.highest, later(end, this.highest));
    this.#ring.write(start, bytes, at, count);
    const size = truesize(count);
    this.memory += size;
    this.#outOfOrderMemory += size;
    let index = this.#ranges;
    while (index > 0 && before(start, this.#start[index - 1]!)) index--;
    if (index > 0 && !after(start, this.#end[index - 1]!)) {
      index--;
      this.#end[index] = later(this.#end[index]!, end);
    } else {
      this.#makeRoom(index);
      this.#start[index] = start;
      this.#end[index] = end;
    }
    this.#mergeFrom(index);
    return index;
  }

  /** Moves up to `target.length` bytes into `target`; says how many. */
  read(target: Uint8Array): number {
    const available = this.readable;
    const count = Math.min(available, target.length);
    if (count === 0) return 0;
    this.#ring.read(this.readSequence, target, 0, count);
    const inOrder = this.memory - this.#outOfOrderMemory;
    this.memory -= count === available ? inOrder : Math.floor((inOrder * count) / available);
    this.readSequence = add(this.readSequence, count);
    return count;
  }

  /** Throws unread data away; says how many bytes. */
  discard(): number {
    const count = this.readable;
    this.memory = this.#outOfOrderMemory;
    this.readSequence = this.end;
    return count;
  }

  /** Copies small segments together, as the kernel does when memory runs short (tcp_collapse). */
  collapse(): void {
    let bytes = 0;
    for (let index = 0; index < this.#ranges; index++) bytes += distance(this.#start[index]!, this.#end[index]!);
    this.#outOfOrderMemory = Math.min(this.#outOfOrderMemory, bytes + (bytes >>> 3) + BUFFER_OVERHEAD_BYTES);
    const readable = this.readable;
    this.memory = Math.min(this.memory, readable + (readable >>> 3) + BUFFER_OVERHEAD_BYTES + this.#outOfOrderMemory);
  }

  /** Forgets everything and gives the memory back. */
  clear(): void {
    this.#ring.clear();
    this.readSequence = this.end;
    this.#ranges = 0;
    this.memory = 0;
    this.#outOfOrderMemory = 0;
  }

  #join(): void {
    while (this.#ranges > 0 && !after(this.#start[0]!, this.end)) {
      this.end = later(this.end, this.#end[0]!);
      this.#remove(0);
    }
    if (this.#ranges === 0) this.#outOfOrderMemory = 0;
  }

  #mergeFrom(index: number): void {
    while (index + 1 < this.#ranges && !before(this.#end[index]!, this.#start[index + 1]!)) {
      this.#end[index] = later(this.#end[index]!, this.#end[index + 1]!);
      this.#remove(index + 1);
    }
  }

  #makeRoom(index: number): void {
    if (this.#ranges === this.#start.length) {
      this.#start = widen(this.#start);
      this.#end = widen(this.#end);
    }
    this.#start.copyWithin(index + 1, index, this.#ranges);
    this.#end.copyWithin(index + 1, index, this.#ranges);
    this.#ranges++;
  }

  #remove(index: number): void {
    this.#start.copyWithin(index, index + 1, this.#ranges);
    this.#end.copyWithin(index, index + 1, this.#ranges);
    this.#ranges--;
  }
}

function widen(old: Int32Array<ArrayBuffer>): Int32Array<ArrayBuffer> {
  const wider = new Int32Array(old.length * 2);
  wider.set(old);
  return wider;
}
