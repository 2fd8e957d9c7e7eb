/** Why a command line was refused: what goes to standard error, and the status. Thrown while one is read, caught where its word begins. */
export class CommandError extends Error {
  override readonly name = "CommandError";
  readonly status: number;

  /** `message` is the whole text, without the last newline. */
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}
