/** `-m comment`: words for people; fits every packet (xt_comment). */
import { type MatchExtension, option, RuleError } from "../extension.ts";
import { quoted } from "../quoting.ts";
import type { Match } from "../rule-parts.ts";

const MAXIMUM_LENGTH = 255;

class CommentMatch implements Match {
  readonly name = "comment";
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  matches(): boolean {
    return true;
  }
  save(): string {
    return `--comment ${quoted(this.#text)}`;
  }
  list(): string {
    return `/* ${this.#text} */`;
  }
}

export const COMMENT_MATCH: MatchExtension = {
  name: "comment",
  options: [option("comment")],
  build(uses) {
    const text = uses.required("comment");
    if (text.length > MAXIMUM_LENGTH)
      throw new RuleError(`comment: option "--comment" must be shorter than ${MAXIMUM_LENGTH + 1} characters`);
    return new CommentMatch(text);
  },
};
