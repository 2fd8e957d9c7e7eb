/** The reader of our standard output went away (`vxlab … | head`): no mistake of anybody's, the program ends quietly. */
export class ClosedPipeError extends Error {
  override readonly name = "ClosedPipeError";
}
