/** Numbers given out one after the other, round and round, skipping those in use (libnetwork idm, swarmkit portallocator): VNIs, published ports. */
export class SerialNumbers {
  readonly #first: number;
  readonly #last: number;
  readonly #taken = new Set<number>();
  #next: number;

  constructor(first: number, last: number) {
    this.#first = first;
    this.#last = last;
    this.#next = first;
  }

  /** A free number; undefined when there is none. */
  choose(): number | undefined {
    const size = this.#last - this.#first + 1;
    for (let tried = 0; tried < size; tried++) {
      const number = this.#next;
      this.#next = number === this.#last ? this.#first : number + 1;
      if (this.claim(number)) return number;
    }
    return undefined;
  }

  /** Takes a number that somebody names, also outside the range; false: it is in use. */
  claim(number: number): boolean {
    if (this.#taken.has(number)) return false;
    this.#taken.add(number);
    return true;
  }

  release(number: number): void {
    this.#taken.delete(number);
  }
}
