/** Ctrl-C during a run: the run ends between two slices of its events, nothing half-written stays, the exit code is 130. */
import { setImmediate as nextTurn } from "node:timers/promises";

export class InterruptedError extends Error {
  override readonly name = "InterruptedError";
}

export class Interruption {
  #caught = false;
  readonly #handler = (): void => {
    this.#caught = true;
  };

  constructor() {
    process.once("SIGINT", this.#handler);
  }

  /** Gives the signal a chance to be heard; throws `InterruptedError` when it was. */
  async check(): Promise<void> {
    await nextTurn();
    if (this.#caught) throw new InterruptedError("interrupted");
  }

  release(): void {
    process.off("SIGINT", this.#handler);
  }
}
