/** A logical clock (Lamport 1978): it counts this node's events, and jumps to what it hears of others'. */
export class LamportClock {
  #time = 0;

  get time(): number {
    return this.#time;
  }

  /** The time of a new event of this node. */
  next(): number {
    return ++this.#time;
  }

  /** A time that another node knew. */
  witness(time: number): void {
    if (time > this.#time) this.#time = time;
  }
}
