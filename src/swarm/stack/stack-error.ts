/** Why a stack file is refused: the Docker client's own words, and the place in the file that they are about. */

export interface Place {
  /** As the user named it. */
  readonly file: string;
  /** From 1; 0 when the file as a whole is meant. */
  readonly line: number;
  /** From 1, in characters. */
  readonly column: number;
}

export class StackError extends Error {
  override readonly name = "StackError";
  readonly place: Place;

  /** `message` is what `docker stack config` (28.2) prints. */
  constructor(message: string, place: Place) {
    super(message);
    this.place = place;
  }
}

/** What the client says on the side, and where in the file it comes from. */
export interface StackWarning {
  readonly message: string;
  readonly place: Place;
}

/** `file:line:column`, as compilers write it. */
export function placeText(place: Place): string {
  return place.line === 0 ? place.file : `${place.file}:${place.line}:${place.column}`;
}
