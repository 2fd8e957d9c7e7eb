/** The chunked transfer coding, RFC 9112 §7.1: taken apart as it comes. */
import { join } from "./message.ts";

const LINE_LIMIT = 4_096;

export class ChunkedReader {
  #left = new Uint8Array(0) as Uint8Array;
  #remaining = 0;
  #state: "size" | "data" | "data-end" | "trailer" | "ended" | "broken" = "size";

  get ended(): boolean {
    return this.#state === "ended";
  }

  get broken(): boolean {
    return this.#state === "broken";
  }

  /** The data in what has come. */
  push(bytes: Uint8Array): Uint8Array {
    this.#left = join(this.#left, bytes);
    let data = new Uint8Array(0) as Uint8Array;
    for (;;) {
      if (this.#state === "data") {
        const piece = this.#left.subarray(0, this.#remaining);
        data = join(data, piece.slice());
        this.#left = this.#left.subarray(piece.length);
        this.#remaining -= piece.length;
        if (this.#remaining > 0) return data;
        this.#state = "data-end";
      }
      if (this.#state === "ended" || this.#state === "broken") return data;
      const line = this.#line();
      if (line === undefined) return data;
      this.#take(line);
    }
  }

  #take(line: string): void {
    switch (this.#state) {
      case "size": {
        const match = /^([0-9a-fA-F]{1,8})\s*(;.*)?$/.exec(line);
        if (match === null) {
          this.#state = "broken";
          return;
        }
        this.#remaining = Number.parseInt(match[1]!, 16);
        this.#state = this.#remaining === 0 ? "trailer" : "data";
        return;
      }
      case "data-end":
        this.#state = line === "" ? "size" : "broken";
        return;
      case "trailer":
        if (line === "") this.#state = "ended";
        return;
      default:
        return;
    }
  }

  #line(): string | undefined {
    const end = this.#left.indexOf(0x0a);
    if (end < 0) {
      if (this.#left.length > LINE_LIMIT) this.#state = "broken";
      return undefined;
    }
    const line = new TextDecoder("latin1").decode(this.#left.subarray(0, end)).replace(/\r$/, "");
    this.#left = this.#left.subarray(end + 1);
    return line;
  }
}
