/** ACCEPT, DROP, RETURN: targets without options. */
import type { TargetExtension } from "../extension.ts";
import type { Target } from "../rule-parts.ts";
import { ACCEPT, DROP, RETURN, type Verdict } from "../verdict.ts";

class StandardTarget implements Target {
  readonly name: string;
  readonly #verdict: Verdict;

  constructor(name: string, verdict: Verdict) {
    this.name = name;
    this.#verdict = verdict;
  }

  run(): Verdict {
    return this.#verdict;
  }
  save(): string {
    return "";
  }
  list(): string {
    return "";
  }
}

function standard(name: string, verdict: Verdict): TargetExtension {
  return { name, options: [], build: () => new StandardTarget(name, verdict) };
}

export const ACCEPT_TARGET = standard("ACCEPT", ACCEPT);
export const DROP_TARGET = standard("DROP", DROP);
export const RETURN_TARGET = standard("RETURN", RETURN);
