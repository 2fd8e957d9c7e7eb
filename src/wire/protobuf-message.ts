/**
 * Messages of Protocol Buffers as shapes: one table of fields gives a message's bytes and its TypeScript type (protobuf.dev "Encoding", proto3).
 * A field that holds its default is not written; an unknown field is skipped; a field that comes twice counts the second time, lists
 * excepted. Values are plain read-only objects.
 */
import { type Hex64, ProtobufReader, ProtobufWriter } from "./protobuf.ts";

/** One field: its number, what it holds when it is absent, and how it is written and read. */
export interface Field<T> {
  readonly number: number;
  readonly initial: T;
  write(writer: ProtobufWriter, value: T): void;
  /** `before` is what the message holds so far. */
  read(reader: ProtobufReader, before: T): T;
}

/** A field of whatever type: `MessageOf` gives each back its own. */
interface SomeField {
  readonly number: number;
  readonly initial: unknown;
  write(writer: ProtobufWriter, value: never): void;
  read(reader: ProtobufReader, before: never): unknown;
}
type Fields = Readonly<Record<string, SomeField>>;
type FieldValue<F> = F extends Field<infer T> ? T : never;

/** The type of a message, from its shape. */
export type MessageOf<S> = S extends MessageShape<infer F> ? { readonly [Key in keyof F]: FieldValue<F[Key]> } : never;

export class MessageShape<F extends Fields> {
  readonly fields: F;
  readonly #names: readonly (keyof F & string)[];
  readonly #byNumber = new Map<number, keyof F & string>();

  constructor(fields: F) {
    this.fields = fields;
    this.#names = Object.keys(fields);
    for (const name of this.#names) this.#byNumber.set(fields[name]!.number, name);
  }

  /** A message with the fields given; the others hold their defaults. */
  make(given: Partial<{ readonly [Key in keyof F]: FieldValue<F[Key]> }> = {}): {
    readonly [Key in keyof F]: FieldValue<F[Key]>;
  } {
    const message: Record<string, unknown> = {};
    for (const name of this.#names) message[name] = given[name] ?? this.fields[name]!.initial;
    return message as { readonly [Key in keyof F]: FieldValue<F[Key]> };
  }

  emit(message: { readonly [Key in keyof F]: FieldValue<F[Key]> }): Uint8Array {
    const writer = new ProtobufWriter();
    this.write(writer, message);
    return writer.finish();
  }

  /** The message's fields, without a length in front. */
  write(writer: ProtobufWriter, message: { readonly [Key in keyof F]: FieldValue<F[Key]> }): void {
    for (const name of this.#names) this.fields[name]!.write(writer, message[name] as never);
  }

  /** Undefined: the bytes are no such message. */
  parse(bytes: Uint8Array): { readonly [Key in keyof F]: FieldValue<F[Key]> } | undefined {
    return this.read(new ProtobufReader(bytes));
  }

  read(reader: ProtobufReader): { readonly [Key in keyof F]: FieldValue<F[Key]> } | undefined {
    const message: Record<string, unknown> = {};
    for (const name of this.#names) message[name] = this.fields[name]!.initial;
    while (reader.next()) {
      const name = this.#byNumber.get(reader.field);
      if (name !== undefined) message[name] = this.fields[name]!.read(reader, message[name] as never);
    }
    return reader.malformed ? undefined : (message as { readonly [Key in keyof F]: FieldValue<F[Key]> });
  }
}

export function message<F extends Fields>(fields: F): MessageShape<F> {
  return new MessageShape(fields);
}

/** `string` */
export function text(number: number): Field<string> {
  return {
    number,
    initial: "",
    write: (writer, value) => {
      if (value !== "") writer.text(number, value);
    },
    read: (reader) => reader.text(),
  };
}

/** `uint32`, `uint64`, `int64` that are never negative: 0 to 2^53 - 1. */
export function uint(number: number): Field<number> {
  return {
    number,
    initial: 0,
    write: (writer, value) => {
      if (value !== 0) writer.uint(number, value);
    },
    read: (reader) => reader.uint(),
  };
}

const ZERO64: Hex64 = "0000000000000000";

/** `uint64` that is an identifier. */
export function identifier64(number: number): Field<Hex64> {
  return {
    number,
    initial: ZERO64,
    write: (writer, value) => {
      if (value !== ZERO64) writer.hex64(number, value);
    },
    read: (reader) => reader.hex64(),
  };
}

export function flag(number: number): Field<boolean> {
  return {
    number,
    initial: false,
    write: (writer, value) => {
      if (value) writer.bool(number, true);
    },
    read: (reader) => reader.bool(),
  };
}

const NO_BYTES = new Uint8Array(0);

export function octets(number: number): Field<Uint8Array> {
  return {
    number,
    initial: NO_BYTES,
    write: (writer, value) => {
      if (value.length > 0) writer.bytes(number, value);
    },
    read: (reader) => reader.bytes(),
  };
}

/** `enum`: the names in the order of their values from 0. An unknown value makes the message malformed. */
export function choice<const Names extends readonly string[]>(number: number, names: Names): Field<Names[number]> {
  const first = names[0]!;
  return {
    number,
    initial: first,
    write: (writer, value) => {
      if (value !== first) writer.uint(number, names.indexOf(value));
    },
    read: (reader) => {
      const name = names[reader.uint()];
      if (name === undefined) reader.malformed = true;
      return name ?? first;
    },
  };
}

/** `float`, IEEE 754 single precision. */
export function float(number: number): Field<number> {
  return {
    number,
    initial: 0,
    write: (writer, value) => {
      if (value !== 0) writer.float(number, value);
    },
    read: (reader) => reader.float(),
  };
}

/** A message inside the message; undefined when it is absent. */
export function optional<F extends Fields>(
  number: number,
  shape: MessageShape<F>,
): Field<MessageOf<MessageShape<F>> | undefined> {
  return {
    number,
    initial: undefined,
    write: (writer, value) => {
      if (value !== undefined) writeInner(writer, number, shape, value);
    },
    read: (reader) => readInner(reader, shape),
  };
}

/** A message inside the message that is always there. */
export function embedded<F extends Fields>(number: number, shape: MessageShape<F>): Field<MessageOf<MessageShape<F>>> {
  const initial = shape.make();
  return {
    number,
    initial,
    write: (writer, value) => writeInner(writer, number, shape, value),
    read: (reader) => readInner(reader, shape) ?? initial,
  };
}

const NOTHING: readonly never[] = [];

export function repeated<F extends Fields>(
  number: number,
  shape: MessageShape<F>,
): Field<readonly MessageOf<MessageShape<F>>[]> {
  return {
    number,
    initial: NOTHING,
    write: (writer, values) => {
      for (const value of values) writeInner(writer, number, shape, value);
    },
    read: (reader, before) => {
      const value = readInner(reader, shape);
      return value === undefined ? before : appended(before, value);
    },
  };
}

export function texts(number: number): Field<readonly string[]> {
  return {
    number,
    initial: NOTHING,
    write: (writer, values) => {
      for (const value of values) writer.text(number, value);
    },
    read: (reader, before) => appended(before, reader.text()),
  };
}

/** Not packed, as gogo-proto writes it with `packed=false`. */
export function identifiers64(number: number): Field<readonly Hex64[]> {
  return {
    number,
    initial: NOTHING,
    write: (writer, values) => {
      for (const value of values) writer.hex64(number, value);
    },
    read: (reader, before) => appended(before, reader.hex64()),
  };
}

const NO_ENTRIES: ReadonlyMap<string, string> = new Map();
const ENTRY = message({ key: text(1), value: text(2) });

/** `map<string, string>`: entries in the order of their keys, so that equal maps have equal bytes. */
export function textMap(number: number): Field<ReadonlyMap<string, string>> {
  return {
    number,
    initial: NO_ENTRIES,
    write: (writer, entries) => {
      if (entries.size === 0) return;
      const keys = [...entries.keys()].sort();
      for (const key of keys) writeInner(writer, number, ENTRY, { key, value: entries.get(key)! });
    },
    read: (reader, before) => {
      const entry = readInner(reader, ENTRY);
      return entry === undefined ? before : new Map([...before, [entry.key, entry.value]]);
    },
  };
}

/** Wraps a field so that its value is of another type in the program. */
export function mapped<Wire, Value>(
  field: Field<Wire>,
  toWire: (value: Value) => Wire,
  fromWire: (wire: Wire) => Value,
): Field<Value> {
  return {
    number: field.number,
    initial: fromWire(field.initial),
    write: (writer, value) => field.write(writer, toWire(value)),
    read: (reader, before) => fromWire(field.read(reader, toWire(before))),
  };
}

/** Lists grow in place while their message is read: nobody else has them yet. */
function appended<T>(before: readonly T[], value: T): readonly T[] {
  if (before.length === 0) return [value];
  (before as T[]).push(value);
  return before;
}

function writeInner<F extends Fields>(
  writer: ProtobufWriter,
  number: number,
  shape: MessageShape<F>,
  value: { readonly [Key in keyof F]: FieldValue<F[Key]> },
): void {
  const start = writer.begin(number);
  shape.write(writer, value);
  writer.end(start);
}

function readInner<F extends Fields>(
  reader: ProtobufReader,
  shape: MessageShape<F>,
): MessageOf<MessageShape<F>> | undefined {
  const inner = reader.message();
  const value = shape.read(inner);
  if (value === undefined) reader.malformed = true;
  return value as MessageOf<MessageShape<F>> | undefined;
}
