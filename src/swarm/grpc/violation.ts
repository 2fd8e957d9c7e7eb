/** A peer that breaks the rules of HTTP/2: what ends a connection or a stream, RFC 9113 §5.4. Always a value, never an exception. */
import type { ErrorName } from "../../wire/http2.ts";

export interface Violation {
  readonly error: ErrorName;
  readonly text: string;
}

export function violation(error: ErrorName, text: string): Violation {
  return { error, text };
}
