/**
 * memberlist's transmit-limited queue, queue.go: rumours go out with the packets that have room, those sent least first, then the longest that
 * fits, then the newest; each a number of times that grows with the cluster. A newer rumour about a subject replaces the older.
 *
 * In a cluster of 1 000 that forms, every node has some hundred rumours at hand and 20 packets a second to fill, and no cache holds them all: so the
 * order stands in arrays of numbers, and rumours themselves are touched only when they go out. (8 us a packet; one sorted array of rumours: 21.)
 */
import { retransmitLimit } from "./settings.ts";

interface Rumour {
  /** Undefined: replaced by none. */
  readonly subject: string | undefined;
  readonly message: Uint8Array;
  /** Its place among those sent as often: the longer the higher, then the newer. */
  readonly rank: number;
  transmissions: number;
  readonly finished: (() => void) | undefined;
}

/** Rumours sent equally often, by rising rank: the last one is the first to go. */
interface Level {
  readonly ranks: number[];
  readonly rumours: Rumour[];
}

const LENGTH_UNIT = 0x1_0000_0000; // above 32 bits of age
/** Messages are copied into chunks: one buffer for some fifty of them instead of one each. */
const CHUNK_BYTES = 4_096;

export class BroadcastQueue {
  /** By how often they were sent. */
  readonly #levels: Level[] = [];
  readonly #bySubject = new Map<string, Rumour>();
  #chunk = new Uint8Array(0);
  #chunkAt = 0;
  #length = 0;
  #order = 0;
  readonly #multiplier: number;
  readonly #countNodes: () => number;

  /** `countNodes`: how many nodes the rumours are for. */
  constructor(multiplier: number, countNodes: () => number) {
    this.#multiplier = multiplier;
    this.#countNodes = countNodes;
  }

  get length(): number {
    return this.#length;
  }

  /** `finished` is called when the rumour was sent often enough, or replaced. */
  add(subject: string | undefined, message: Uint8Array, finished?: () => void): void {
    this.#queue(subject, this.#copy(message), finished);
  }

  /** As `add`, of bytes that are kept and never written. */
  addShared(subject: string, message: Uint8Array): void {
    this.#queue(subject, message, undefined);
  }

  /** The messages to send now: each costs its length and `overheadBytes`, all together no more than `limitBytes`. */
  take(overheadBytes: number, limitBytes: number): Uint8Array[] {
    const messages: Uint8Array[] = [];
    if (this.#length === 0) return messages;
    const taken: Rumour[] = [];
    let freeBytes = limitBytes - overheadBytes;
    for (const { ranks, rumours } of this.#levels) {
      while (freeBytes > 0) {
        const place = placeOf((freeBytes + 1) * LENGTH_UNIT, ranks) - 1;
        if (place < 0) break; // none here is short enough
        const rumour = rumours[place]!;
        takeOut(ranks, place);
        takeOut(rumours, place);
        freeBytes -= overheadBytes + rumour.message.length;
        messages.push(rumour.message);
        taken.push(rumour);
      }
    }
    this.#length -= taken.length;
    const limit = retransmitLimit(this.#multiplier, this.#countNodes());
    for (const rumour of taken) {
      rumour.transmissions++;
      if (rumour.transmissions < limit) this.#insert(rumour);
      else if (rumour.subject !== undefined) this.#bySubject.delete(rumour.subject);
    }
    for (const rumour of taken) if (rumour.transmissions >= limit) rumour.finished?.();
    return messages;
  }

  #queue(subject: string | undefined, message: Uint8Array, finished: (() => void) | undefined): void {
    const old = subject === undefined ? undefined : this.#bySubject.get(subject);
    if (old !== undefined) {
      this.#remove(old);
      old.finished?.();
    }
    const rank = message.length * LENGTH_UNIT + this.#order++;
    const rumour = { subject, message, rank, transmissions: 0, finished };
    if (subject !== undefined) this.#bySubject.set(subject, rumour);
    this.#insert(rumour);
  }

  #copy(message: Uint8Array): Uint8Array {
    if (this.#chunkAt + message.length > this.#chunk.length) {
      this.#chunk = new Uint8Array(Math.max(CHUNK_BYTES, message.length));
      this.#chunkAt = 0;
    }
    const copy = this.#chunk.subarray(this.#chunkAt, this.#chunkAt + message.length);
    copy.set(message);
    this.#chunkAt += message.length;
    return copy;
  }

  #insert(rumour: Rumour): void {
    while (this.#levels.length <= rumour.transmissions) this.#levels.push({ ranks: [], rumours: [] });
    const { ranks, rumours } = this.#levels[rumour.transmissions]!;
    const place = placeOf(rumour.rank, ranks);
    putIn(ranks, place, rumour.rank);
    putIn(rumours, place, rumour);
    this.#length++;
  }

  #remove(rumour: Rumour): void {
    const { ranks, rumours } = this.#levels[rumour.transmissions]!;
    const place = placeOf(rumour.rank, ranks);
    takeOut(ranks, place);
    takeOut(rumours, place);
    this.#length--;
  }
}

/** How many of `ranks` are below `rank`. */
function placeOf(rank: number, ranks: readonly number[]): number {
  let low = 0;
  let high = ranks.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (ranks[middle]! < rank) low = middle + 1;
    else high = middle;
  }
  return low;
}

// As `splice`, which makes an array each time; most places are near the end.

function putIn<Item>(items: Item[], place: number, item: Item): void {
  items.push(item);
  for (let index = items.length - 1; index > place; index--) items[index] = items[index - 1]!;
  items[place] = item;
}

function takeOut<Item>(items: Item[], place: number): void {
  for (let index = place + 1; index < items.length; index++) items[index - 1] = items[index]!;
  items.pop();
}
