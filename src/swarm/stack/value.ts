/** A normalised stack file as data. A structure's keys are the format's own, in the client's order; a dictionary is a `Map`. */

export type Value = string | number | bigint | boolean | null | Float | readonly Value[] | Dictionary | Structure;
export type Dictionary = ReadonlyMap<string, Value>;
export interface Structure {
  readonly [key: string]: Value;
}
/** A number that is printed as Go prints its kind of float. */
export interface Float {
  readonly float: number;
  readonly text: string;
}

export function isFloat(value: Value): value is Float {
  return typeof value === "object" && value !== null && !(value instanceof Map) && "float" in value;
}

export function isStructure(value: Value | undefined): value is Structure {
  if (typeof value !== "object" || value === null) return false;
  return !Array.isArray(value) && !(value instanceof Map) && !isFloat(value);
}
