/** Our own faults, never the user's and never the network's: an assertion is not caught, and the command line exits with 3. */
export class AssertionError extends Error {
  override readonly name = "AssertionError";
}

/** Throws `AssertionError` when `fact` is false: a fault of vxlab itself. */
export function assert(fact: boolean, message: string): asserts fact {
  if (!fact) throw new AssertionError(message);
}

/** Marks a place that the types say cannot be reached. */
export function unreachable(value: never): never {
  throw new AssertionError(`unreachable: ${String(value)}`);
}
