/** Command line options as getopt(3) reads them: letters may be joined, a value may be attached, options may follow operands. */
import { CommandError } from "./command-error.ts";

export interface Option {
  readonly letter: string;
  /** Empty for a letter that takes none. */
  readonly value: string;
}

export class OptionReader {
  readonly #program: string;
  readonly #argv: readonly string[];
  readonly #letters: string;
  readonly #usage: string;
  readonly #status: number;
  /** What is no option; complete once `options` has been read. */
  readonly operands: string[] = [];

  /** `letters` as getopt has them: `c:n` takes `-c VALUE` and `-n`. */
  constructor(program: string, argv: readonly string[], letters: string, usage = "", status = 2) {
    this.#program = program;
    this.#argv = argv;
    this.#letters = letters;
    this.#usage = usage;
    this.#status = status;
  }

  options(): Option[] {
    const found: Option[] = [];
    for (let at = 0; at < this.#argv.length; at++) {
      const argument = this.#argv[at]!;
      if (argument === "--") {
        this.operands.push(...this.#argv.slice(at + 1));
        break;
      }
      if (!argument.startsWith("-") || argument === "-") {
        this.operands.push(argument);
        continue;
      }
      for (let index = 1; index < argument.length; index++) {
        const letter = argument[index]!;
        const place = letter === ":" ? -1 : this.#letters.indexOf(letter);
        if (place < 0) throw this.#problem(`invalid option -- '${letter}'`);
        if (this.#letters[place + 1] !== ":") {
          found.push({ letter, value: "" });
          continue;
        }
        const attached = argument.slice(index + 1);
        const value = attached === "" ? this.#argv[++at] : attached;
        if (value === undefined) throw this.#problem(`option requires an argument -- '${letter}'`);
        found.push({ letter, value });
        break;
      }
    }
    return found;
  }

  #problem(text: string): CommandError {
    return new CommandError(this.#status, `${this.#program}: ${text}${this.#usage === "" ? "" : `\n${this.#usage}`}`);
  }
}
