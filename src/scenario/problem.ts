/** What is wrong with a file that a user wrote: always with its place, what was found, what was expected. */

export interface Problem {
  /** From 1. 0 when the input is no text (an object handed in by code); then `path` tells where. */
  readonly line: number;
  /** From 1, in characters. */
  readonly column: number;
  /** How many characters the caret marks. */
  readonly length: number;
  /** Keys from the document's root: `steps[2].at`. */
  readonly path: string;
  readonly found: string;
  readonly expected: string;
  /** `did you mean "driver"?` and the like. */
  readonly hint?: string | undefined;
}

/** A scenario that cannot be run: every problem of the file at once. */
export class ScenarioError extends Error {
  override readonly name = "ScenarioError";
  readonly problems: readonly Problem[];
  /** The file's name as the user gave it. */
  readonly file: string;
  readonly #text: string;

  constructor(file: string, text: string, problems: readonly Problem[]) {
    super(problems.map((problem) => headline(file, problem)).join("\n"));
    this.file = file;
    this.#text = text;
    this.problems = problems;
  }

  /** For people: each problem with its line of the source and a caret below it. */
  report(): string {
    const lines = this.#text.split("\n");
    return this.problems
      .map((problem) => {
        const source = lines[problem.line - 1];
        if (source === undefined) return headline(this.file, problem);
        // A line too long for a terminal is shown around the place.
        const from = source.length > MOST_COLUMNS ? Math.max(0, problem.column - 1 - MOST_COLUMNS / 2) : 0;
        const shown = printable(source.slice(from, from + MOST_COLUMNS));
        const column = problem.column - 1 - from;
        const caret = " ".repeat(column) + "^".repeat(Math.max(1, Math.min(problem.length, shown.length - column)));
        return `${headline(this.file, problem)}\n  ${shown}\n  ${caret}`;
      })
      .join("\n");
  }
}

/** Of a source line, in a report. */
const MOST_COLUMNS = 160;

function headline(file: string, problem: Problem): string {
  const place = problem.line > 0 ? `${file}:${problem.line}:${problem.column}` : `${file}: ${problem.path}`;
  const hint = problem.hint === undefined ? "" : `, ${problem.hint}`;
  return printable(`${place}: error: found ${problem.found}, expected ${problem.expected}${hint}`);
}

/** A file must not speak to the terminal that shows it: control characters lose their power, and their width becomes one. */
function printable(text: string): string {
  return text.replaceAll("\t", " ").replace(/\p{Cc}/gu, "\u00b7");
}

/** The candidate nearest to `word` when it is near enough to be a slip of the keyboard. */
export function nearest(word: string, candidates: Iterable<string>): string | undefined {
  let best: string | undefined;
  let least = Math.max(1, Math.floor(word.length / 3)) + 1;
  for (const candidate of candidates) {
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase(), least);
    if (distance < least) {
      least = distance;
      best = candidate;
    }
  }
  return best;
}

/** Damerau-Levenshtein distance (optimal string alignment), cut off at `limit`. */
function editDistance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) >= limit) return limit;
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let row = 1; row <= a.length; row++) {
    const next = [row];
    for (let column = 1; column <= b.length; column++) {
      const cost = a[row - 1] === b[column - 1] ? 0 : 1;
      let best = Math.min(last[column]! + 1, next[column - 1]! + 1, last[column - 1]! + cost);
      if (row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1])
        best = Math.min(best, beforeLast[column - 2]! + 1);
      next.push(best);
    }
    beforeLast = last;
    last = next;
  }
  return last[b.length]!;
}
