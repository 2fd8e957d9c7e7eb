/** What a scenario expects, held against what happened: each with what was found, in words. */
import { compileFilter, type FrameFilter } from "../capture/filter.ts";
import type { Count, Expectation, ResultSpec } from "./format.ts";

/** A command that a step ran, as it ended. */
export interface CommandResult {
  readonly as: string | undefined;
  readonly host: string;
  readonly line: string;
  readonly atNs: number;
  readonly stdout: string;
  readonly stderr: string;
  /** Undefined: it was still running when the run ended. */
  readonly status: number | undefined;
  /** Of the last HTTP answer; undefined: there was none. */
  readonly httpStatus?: number | undefined;
}

export interface ExpectationResult {
  readonly expected: string;
  readonly holds: boolean;
  readonly found: string;
}

type HowMany = Pick<Extract<Expectation, { kind: "capture" }>, "exactly" | "at-least" | "at-most">;

/** Holds a command's end and output against what was expected of it. */
export function checkResult(
  expected: ResultSpec,
  result: CommandResult | undefined,
  name: string,
): ExpectationResult[] {
  if (result === undefined) return [{ expected: `${name}: to run`, holds: false, found: "it did not run" }];
  const checks: ExpectationResult[] = [];
  const count = (what: string, wanted: Count | undefined, found: number | undefined): void => {
    if (wanted === undefined) return;
    const holds = found !== undefined && compares(found, wanted);
    checks.push({
      expected: `${name}: ${what} ${countText(wanted)}`,
      holds,
      found: found === undefined ? "no such figure in its output" : String(found),
    });
  };
  count("transmitted", expected.transmitted, figure(result.stdout, /(\d+) packets transmitted|Sent (\d+) probes/));
  count("received", expected.received, figure(result.stdout, /(\d+) (?:packets )?received|Received (\d+) response/));
  count(
    "errors",
    expected.errors,
    figure(result.stdout, /\+(\d+) errors/) ?? (/packets transmitted/.test(result.stdout) ? 0 : undefined),
  );
  count("exit", expected.exit, result.status);
  count("status", expected.status, result.httpStatus);
  const output = result.stdout + result.stderr;
  const texts =
    expected.output === undefined ? [] : typeof expected.output === "string" ? [expected.output] : expected.output;
  for (const text of texts) {
    const pattern = /^\/(.*)\/$/s.exec(text);
    const holds = pattern === null ? output.includes(text) : new RegExp(pattern[1]!, "m").test(output);
    checks.push({
      expected: `${name}: output with ${pattern === null ? JSON.stringify(text) : text}`,
      holds,
      found: output === "" ? "no output" : `\n${output.trimEnd()}`,
    });
  }
  return checks;
}

export function checkCount(what: string, wanted: HowMany, found: number): ExpectationResult {
  const parts = [
    wanted.exactly !== undefined ? `exactly ${wanted.exactly}` : "",
    wanted["at-least"] !== undefined ? `at least ${wanted["at-least"]}` : "",
    wanted["at-most"] !== undefined ? `at most ${wanted["at-most"]}` : "",
  ].filter((part) => part !== "");
  const least = wanted["at-least"] ?? (parts.length === 0 ? 1 : 0);
  const holds =
    (wanted.exactly === undefined || found === wanted.exactly) &&
    found >= least &&
    found <= (wanted["at-most"] ?? Number.POSITIVE_INFINITY);
  return {
    expected: `${what}: ${parts.length === 0 ? "at least 1" : parts.join(" and ")}`,
    holds,
    found: String(found),
  };
}

/** Counts the frames that a filter takes; every frame without one. */
export class FrameCounter {
  readonly #filter: FrameFilter | undefined;
  count = 0;

  /** `expression` has been checked when the scenario was read. */
  constructor(expression: string | undefined) {
    const filter = expression === undefined ? undefined : compileFilter(expression);
    this.#filter = typeof filter === "function" ? filter : undefined;
  }

  see(bytes: Uint8Array, at: number, end: number): void {
    if (this.#filter === undefined || this.#filter(bytes, at, end)) this.count++;
  }
}

function figure(text: string, pattern: RegExp): number | undefined {
  const match = pattern.exec(text);
  const digits = match?.slice(1).find((group) => group !== undefined);
  return digits === undefined ? undefined : Number(digits);
}

export function compares(found: number, { relation, value }: Count): boolean {
  switch (relation) {
    case "==":
      return found === value;
    case "!=":
      return found !== value;
    case ">=":
      return found >= value;
    case "<=":
      return found <= value;
    case ">":
      return found > value;
    case "<":
      return found < value;
  }
}

export function countText({ relation, value }: Count): string {
  return relation === "==" ? String(value) : `${relation} ${value}`;
}
