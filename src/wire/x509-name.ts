/** Names of X.509, RFC 5280 §4.1.2.4: the three attributes that Swarm's certificates have, in the order in which Go writes them. */
import * as der from "./der.ts";

export interface Name {
  readonly organization: string | undefined;
  readonly organizationalUnit: string | undefined;
  readonly commonName: string | undefined;
}

const ATTRIBUTES: readonly (readonly [keyof Name, string])[] = [
  ["organization", "2.5.4.10"],
  ["organizationalUnit", "2.5.4.11"],
  ["commonName", "2.5.4.3"],
];

export function emitName(name: Name): Uint8Array {
  const sets = ATTRIBUTES.flatMap(([key, identifier]) => {
    const value = name[key];
    if (value === undefined) return [];
    return [der.element(der.SET, der.sequence(der.objectIdentifier(identifier), der.text(value)))];
  });
  return der.sequence(...sets);
}

/** Other attributes are passed over; of several of one kind the last counts. */
export function readName(reader: der.DerReader): Name {
  const found = new Map<string, string>();
  const sets = reader.inside(der.SEQUENCE);
  while (sets.more) {
    const set = sets.inside(der.SET);
    while (set.more) {
      const attribute = set.inside(der.SEQUENCE);
      const identifier = attribute.objectIdentifier();
      found.set(identifier, attribute.text());
      if (attribute.malformed) reader.malformed = true;
    }
    if (set.malformed) reader.malformed = true;
  }
  if (sets.malformed) reader.malformed = true;
  return {
    organization: found.get("2.5.4.10"),
    organizationalUnit: found.get("2.5.4.11"),
    commonName: found.get("2.5.4.3"),
  };
}
