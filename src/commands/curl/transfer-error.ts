/** Why a transfer failed: curl's exit status and the text behind `curl: (7)`. */
export class TransferError extends Error {
  override readonly name = "TransferError";
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}
