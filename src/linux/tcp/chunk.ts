/**
 * What was written and is not yet acknowledged, in the pieces in which it is sent: Linux's sk_buffs of the write queue and of the retransmit
 * queue, one list in sequence order. A chunk is one or several segments that leave together; acknowledgements, losses and
 * retransmissions split it. The bytes themselves lie in the send buffer.
 */
import { assert } from "../../sim/assert.ts";
import { FIN, PSH, SYN } from "../../wire/tcp.ts";
import { add, distance } from "./sequence.ts";

/** Bits of `Chunk.marks`: the scoreboard of RFC 6675 and 8985. */
export const SACKED = 1;
export const LOST = 2;
/** Retransmitted, and the retransmission is thought to be on its way. */
export const RETRANSMITTED = 4;
export const EVER_RETRANSMITTED = 8;

export class Chunk {
  sequence = 0;
  /** Behind the last byte; SYN and FIN count one each. */
  end = 0;
  /** FIN, SYN, PSH. */
  flags = 0;
  /** Segments that it takes at `mss`, the size it was last cut for. */
  segments = 1;
  mss = 0;
  marks = 0;
  /** When it was last sent, in microseconds. */
  sentUs = 0;
  /** Counts transmissions: tells apart what was sent in the same microsecond. */
  order = 0;
  previous: Chunk | undefined = undefined;
  next: Chunk | undefined = undefined;
}

export class ChunkQueue {
  head: Chunk | undefined = undefined;
  tail: Chunk | undefined = undefined;
  /** The first that was never sent. */
  unsent: Chunk | undefined = undefined;
  #spare: Chunk | undefined = undefined; // a list by `next`
  #spares = 0;

  get empty(): boolean {
    return this.head === undefined;
  }

  /** The last that was sent. */
  get lastSent(): Chunk | undefined {
    return this.unsent === undefined ? this.tail : this.unsent.previous;
  }

  /** Adds an unsent chunk at the end. */
  append(sequence: number, end: number, flags: number): Chunk {
    const chunk = this.#take();
    chunk.sequence = sequence;
    chunk.end = end;
    chunk.flags = flags;
    chunk.previous = this.tail;
    if (this.tail === undefined) this.head = chunk;
    else this.tail.next = chunk;
    this.tail = chunk;
    if (this.unsent === undefined) this.unsent = chunk;
    return chunk;
  }

  /** Cuts `chunk` `count` bytes behind its start; the rest becomes the next chunk, which gets PSH and FIN. */
  split(chunk: Chunk, count: number, mss: number): Chunk {
    assert(count > 0 && count < distance(chunk.sequence, chunk.end), "a split outside of the chunk");
    const rest = this.#take();
    rest.sequence = add(chunk.sequence, count);
    rest.end = chunk.end;
    rest.flags = chunk.flags;
    rest.marks = chunk.marks;
    rest.sentUs = chunk.sentUs;
    rest.order = chunk.order;
    chunk.end = rest.sequence;
    chunk.flags &= ~(FIN | PSH);
    countSegments(chunk, mss);
    countSegments(rest, mss);
    rest.previous = chunk;
    rest.next = chunk.next;
    if (chunk.next === undefined) this.tail = rest;
    else chunk.next.previous = rest;
    chunk.next = rest;
    return rest;
  }

  /** Takes the acknowledged head out. It has been sent. */
  removeHead(): void {
    const chunk = this.head!;
    assert(chunk !== this.unsent, "an acknowledgement of what was never sent");
    this.head = chunk.next;
    if (this.head === undefined) this.tail = undefined;
    else this.head.previous = undefined;
    this.#give(chunk);
  }

  /** Moves `count` bytes from the next chunk into this one; both were never sent. */
  pull(chunk: Chunk, count: number, mss: number): void {
    const next = chunk.next!;
    if (count >= dataBytes(next)) {
      this.absorbNext(chunk, mss);
      return;
    }
    chunk.end = add(chunk.end, count);
    next.sequence = chunk.end;
    countSegments(chunk, mss);
    countSegments(next, mss);
  }

  /** Joins `chunk` with the next one, whose bytes it takes over. */
  absorbNext(chunk: Chunk, mss: number): void {
    const next = chunk.next!;
    chunk.end = next.end;
    chunk.flags |= next.flags;
    chunk.marks |= next.marks & EVER_RETRANSMITTED;
    chunk.next = next.next;
    if (next.next === undefined) this.tail = chunk;
    else next.next.previous = chunk;
    if (this.unsent === next) this.unsent = next.next;
    countSegments(chunk, mss);
    this.#give(next);
  }

  clear(): void {
    this.head = undefined;
    this.tail = undefined;
    this.unsent = undefined;
    this.#spare = undefined;
    this.#spares = 0;
  }

  #take(): Chunk {
    const chunk = this.#spare;
    if (chunk === undefined) return new Chunk();
    this.#spare = chunk.next;
    this.#spares--;
    chunk.flags = 0;
    chunk.segments = 1;
    chunk.marks = 0;
    chunk.sentUs = 0;
    chunk.order = 0;
    chunk.previous = undefined;
    chunk.next = undefined;
    return chunk;
  }

  #give(chunk: Chunk): void {
    chunk.previous = undefined;
    chunk.next = undefined;
    if (this.#spares >= 64) return;
    chunk.next = this.#spare;
    this.#spare = chunk;
    this.#spares++;
  }
}

/** Bytes of data, without SYN and FIN. */
export function dataBytes(chunk: Chunk): number {
  const length = distance(chunk.sequence, chunk.end);
  return (chunk.flags & (SYN | FIN)) === 0 ? length : length - 1;
}

/** Sets how many segments of `mss` bytes the chunk takes. */
export function countSegments(chunk: Chunk, mss: number): void {
  const bytes = dataBytes(chunk);
  chunk.mss = mss;
  chunk.segments = bytes <= mss ? 1 : Math.ceil(bytes / mss);
}
