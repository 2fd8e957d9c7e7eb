/** HPACK's tables, RFC 7541 §2.3: the static one of Appendix A (1 to 61), and the dynamic one that two peers build alike (62 and on, newest first). */

/** Octets as characters 0 to 255: names are lower case on the wire. */
export interface HeaderField {
  readonly name: string;
  readonly value: string;
  /** Never to be indexed, by anyone on the way (§7.1.3). */
  readonly sensitive?: boolean;
}

/** RFC 7541 §4.1: what an entry counts beside its octets. */
const ENTRY_OVERHEAD_BYTES = 32;
export const STATIC_ENTRIES = 61;

const STATIC: readonly HeaderField[] = [
  ...fields(
    ":authority",
    ":method=GET",
    ":method=POST",
    ":path=/",
    ":path=/index.html",
    ":scheme=http",
    ":scheme=https",
  ),
  ...["200", "204", "206", "304", "400", "404", "500"].map((value) => ({ name: ":status", value })),
  ...fields("accept-charset", "accept-encoding=gzip, deflate", "accept-language", "accept-ranges", "accept"),
  ...fields("access-control-allow-origin", "age", "allow", "authorization", "cache-control", "content-disposition"),
  ...fields("content-encoding", "content-language", "content-length", "content-location", "content-range"),
  ...fields("content-type", "cookie", "date", "etag", "expect", "expires", "from", "host", "if-match"),
  ...fields("if-modified-since", "if-none-match", "if-range", "if-unmodified-since", "last-modified", "link"),
  ...fields("location", "max-forwards", "proxy-authenticate", "proxy-authorization", "range", "referer", "refresh"),
  ...fields("retry-after", "server", "set-cookie", "strict-transport-security", "transfer-encoding", "user-agent"),
  ...fields("vary", "via", "www-authenticate"),
];

const STATIC_FIELDS = new Map(STATIC.map((field, index) => [keyOf(field), index + 1]));
/** Of several entries of one name the last counts, as in Go's encoder. */
const STATIC_NAMES = new Map(STATIC.map((field, index) => [field.name, index + 1]));

function fields(...texts: readonly string[]): HeaderField[] {
  return texts.map((text) => {
    const [name, ...value] = text.split("=");
    return { name: name!, value: value.join("=") };
  });
}

function keyOf(field: HeaderField): string {
  return `${field.name}\n${field.value}`;
}

export function sizeOf(field: HeaderField): number {
  return field.name.length + field.value.length + ENTRY_OVERHEAD_BYTES;
}

/** Where a field was found in the tables; `whole`: its value is the same too. */
export interface Found {
  readonly index: number;
  readonly whole: boolean;
}

export class HeaderTable {
  readonly #entries: HeaderField[] = []; // oldest first
  #removed = 0;
  #sizeBytes = 0;
  #maximumBytes: number;
  /** Newest entry of each field and each name, counted from the first one ever added. */
  readonly #newestField = new Map<string, number>();
  readonly #newestName = new Map<string, number>();

  constructor(maximumBytes: number) {
    this.#maximumBytes = maximumBytes;
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  get maximumBytes(): number {
    return this.#maximumBytes;
  }

  set maximumBytes(bytes: number) {
    this.#maximumBytes = bytes;
    this.#evict(0);
  }

  /** The dynamic entries, newest first. */
  get dynamicFields(): readonly HeaderField[] {
    return this.#entries.toReversed();
  }

  /** By index of both tables; undefined: there is none. */
  field(index: number): HeaderField | undefined {
    if (index <= STATIC_ENTRIES) return STATIC[index - 1];
    return this.#entries[this.#entries.length - (index - STATIC_ENTRIES)];
  }

  /** Older entries make room; a field larger than the table leaves it empty (§4.4). */
  add(field: HeaderField): void {
    const sizeBytes = sizeOf(field);
    this.#evict(sizeBytes);
    if (sizeBytes > this.#maximumBytes) return;
    const number = this.#removed + this.#entries.push({ name: field.name, value: field.value }) - 1;
    this.#sizeBytes += sizeBytes;
    this.#newestField.set(keyOf(field), number);
    this.#newestName.set(field.name, number);
  }

  /** The whole field first, static before dynamic; else its name, likewise. */
  find(field: HeaderField): Found | undefined {
    const key = keyOf(field);
    if (field.sensitive !== true) {
      const fixed = STATIC_FIELDS.get(key);
      if (fixed !== undefined) return { index: fixed, whole: true };
      const dynamic = this.#newestField.get(key);
      if (dynamic !== undefined) return { index: this.#indexOf(dynamic), whole: true };
    }
    const fixedName = STATIC_NAMES.get(field.name);
    if (fixedName !== undefined) return { index: fixedName, whole: false };
    const dynamicName = this.#newestName.get(field.name);
    return dynamicName === undefined ? undefined : { index: this.#indexOf(dynamicName), whole: false };
  }

  #indexOf(number: number): number {
    return STATIC_ENTRIES + this.#entries.length - (number - this.#removed);
  }

  #evict(roomBytes: number): void {
    while (this.#entries.length > 0 && this.#sizeBytes + roomBytes > this.#maximumBytes) {
      const oldest = this.#entries.shift()!;
      const number = this.#removed++;
      this.#sizeBytes -= sizeOf(oldest);
      const key = keyOf(oldest);
      if (this.#newestField.get(key) === number) this.#newestField.delete(key);
      if (this.#newestName.get(oldest.name) === number) this.#newestName.delete(oldest.name);
    }
  }
}
