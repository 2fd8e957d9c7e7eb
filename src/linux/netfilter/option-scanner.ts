/** Splits a command line into options and words as getopt_long does for iptables: clusters of short ones, `--name=value`, `!` before an option. */

/** How many words follow a short option: none, one, or one that may be missing. */
export type ArgumentKind = "none" | "one" | "maybe";

export type Token =
  | {
      readonly kind: "short";
      readonly letter: string;
      readonly attached: string | undefined;
      readonly inverted: boolean;
    }
  | { readonly kind: "long"; readonly name: string; readonly attached: string | undefined; readonly inverted: boolean }
  | { readonly kind: "word"; readonly text: string }
  | { readonly kind: "double-inversion" };

export class OptionScanner {
  readonly #argv: readonly string[];
  readonly #argumentOf: (letter: string) => ArgumentKind | undefined;
  #at = 0;
  #cluster = "";

  constructor(argv: readonly string[], argumentOf: (letter: string) => ArgumentKind | undefined) {
    this.#argv = argv;
    this.#argumentOf = argumentOf;
  }

  next(): Token | undefined {
    if (this.#cluster !== "") return this.#short(false);
    let word = this.#argv[this.#at++];
    let inverted = false;
    if (word === "!") {
      inverted = true;
      word = this.#argv[this.#at++];
      if (word === "!") return { kind: "double-inversion" };
    }
    if (word === undefined) return inverted ? { kind: "word", text: "!" } : undefined;
    if (word.startsWith("--") && word.length > 2) {
      const equals = word.indexOf("=");
      return equals < 0
        ? { kind: "long", name: word.slice(2), attached: undefined, inverted }
        : { kind: "long", name: word.slice(2, equals), attached: word.slice(equals + 1), inverted };
    }
    if (word.startsWith("-") && word.length > 1) {
      this.#cluster = word.slice(1);
      return this.#short(inverted);
    }
    return { kind: "word", text: word };
  }

  /** The word that an option takes, whatever it looks like. */
  take(): string | undefined {
    const word = this.#argv[this.#at];
    if (word !== undefined) this.#at++;
    return word;
  }

  /** The next word when it is no option. */
  takeWord(): string | undefined {
    const word = this.#argv[this.#at];
    if (word === undefined || word.startsWith("-") || word === "!") return undefined;
    this.#at++;
    return word;
  }

  #short(inverted: boolean): Token {
    const letter = this.#cluster[0]!;
    const rest = this.#cluster.slice(1);
    const kind = this.#argumentOf(letter);
    // What takes an argument takes the rest of its word.
    if (kind === "one" || kind === "maybe") {
      this.#cluster = "";
      return { kind: "short", letter, attached: rest === "" ? undefined : rest, inverted };
    }
    this.#cluster = rest;
    return { kind: "short", letter, attached: undefined, inverted };
  }
}
