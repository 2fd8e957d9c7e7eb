/** Records that came by gossip are the same bytes for all nodes of a world, which share them: each is read once. */

/** `parse` for bytes that nobody writes: the same array has the same record. */
export function readOnce<Parsed extends object>(
  parse: (bytes: Uint8Array) => Parsed | undefined,
): (bytes: Uint8Array) => Parsed | undefined {
  const records = new WeakMap<Uint8Array, Parsed>();
  return (bytes) => {
    const known = records.get(bytes);
    if (known !== undefined) return known;
    const record = parse(bytes);
    if (record !== undefined) records.set(bytes, record);
    return record;
  };
}
