/** The user's doing on the command line: one clear message, exit 2. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}
