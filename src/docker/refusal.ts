/**
 * Why an engine will not do something: the kinds of errors that moby's API tells apart (they become HTTP status codes there), and the words that people
 * see behind `Error response from daemon: `.
 */
export interface Refusal {
  readonly refused: "not-found" | "conflict" | "invalid" | "forbidden" | "unavailable" | "system";
  readonly message: string;
}

export function refuse(refused: Refusal["refused"], message: string): Refusal {
  return { refused, message };
}

/** Tells a refusal from what was asked for. */
export function isRefusal(answer: object | undefined): answer is Refusal {
  return answer !== undefined && "refused" in answer;
}
