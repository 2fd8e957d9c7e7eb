/** The part of JSON Schema (draft 4) that the schemas of stack files use, and short ways to write it. */

export type SchemaType = "string" | "number" | "integer" | "boolean" | "object" | "array" | "null";
export type Format = "duration" | "ports" | "expose";

export interface Schema {
  readonly types?: readonly SchemaType[];
  readonly properties?: ReadonlyMap<string, Schema>;
  readonly patterns?: readonly (readonly [RegExp, Schema])[];
  /** Undefined: further keys are free. */
  readonly closed?: boolean;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly unique?: boolean;
  readonly oneOf?: readonly Schema[];
  readonly format?: Format;
  readonly choices?: readonly string[];
  readonly minimum?: number;
}

/** A key's schema, or undefined in versions that do not have the key. */
export type Keys = Readonly<Record<string, Schema | undefined>>;

export const STRING: Schema = { types: ["string"] };
export const NUMBER: Schema = { types: ["number"] };
export const INTEGER: Schema = { types: ["integer"] };
export const BOOLEAN: Schema = { types: ["boolean"] };
export const ANYTHING: Schema = {};
export const DURATION: Schema = { types: ["string"], format: "duration" };

export function anyOfTypes(...types: readonly SchemaType[]): Schema {
  return { types };
}

export function oneOf(...alternatives: readonly Schema[]): Schema {
  return { oneOf: alternatives };
}

export function list(items: Schema): Schema {
  return { types: ["array"], items };
}

export function uniqueList(items: Schema): Schema {
  return { types: ["array"], items, unique: true };
}

/** A mapping that takes these keys only. */
export function closed(keys: Keys, more: Schema = {}): Schema {
  return { types: ["object"], properties: present(keys), closed: true, ...more };
}

/** A mapping that knows these keys and does not mind others. */
export function open(keys: Keys, more: Schema = {}): Schema {
  return { types: ["object"], properties: present(keys), ...more };
}

/** A mapping from names that match. */
export function named(pattern: RegExp, schema: Schema, more: Schema = {}): Schema {
  return { types: ["object"], patterns: [[pattern, schema]], ...more };
}

function present(keys: Keys): ReadonlyMap<string, Schema> {
  const result = new Map<string, Schema>();
  for (const [key, schema] of Object.entries(keys)) if (schema !== undefined) result.set(key, schema);
  return result;
}
