/** Which objects of a list a request means (swarmkit manager/controlapi/common.go): values of one filter are alternatives, all filters must hold. */

export interface ObjectFilters {
  readonly names: readonly string[];
  readonly idPrefixes: readonly string[];
  readonly labels: ReadonlyMap<string, string>;
  readonly namePrefixes: readonly string[];
}

/** What is compared: the name of a service is that of its spec, of a node its hostname. */
export interface Described {
  readonly id: string;
  readonly name: string;
  readonly labels: ReadonlyMap<string, string>;
}

export function matchesFilters(filters: ObjectFilters | undefined, object: Described): boolean {
  if (filters === undefined) return true;
  const { names, idPrefixes, labels, namePrefixes } = filters;
  if (names.length > 0 && !names.some((name) => name.toLowerCase() === object.name.toLowerCase())) return false;
  if (namePrefixes.length > 0 && !namePrefixes.some((prefix) => object.name.startsWith(prefix))) return false;
  if (idPrefixes.length > 0 && !idPrefixes.some((prefix) => object.id.startsWith(prefix))) return false;
  // A label without a value asks only that it be there.
  for (const [key, value] of labels) {
    const found = object.labels.get(key);
    if (found === undefined || (value !== "" && value !== found)) return false;
  }
  return true;
}

interface Annotated {
  readonly id: string;
  readonly spec: { readonly annotations: { readonly name: string; readonly labels: ReadonlyMap<string, string> } };
}

/** Those of `objects` that have names and labels in their specs. */
export function selectAnnotated<T extends Annotated>(objects: Iterable<T>, filters: ObjectFilters | undefined): T[] {
  return [...objects].filter(({ id, spec: { annotations } }) => matchesFilters(filters, { id, ...annotations }));
}
