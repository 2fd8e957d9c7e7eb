/** The keys of a gossip ring, memberlist keyring.go: the first one seals, every one opens. */
import { assert } from "../sim/assert.ts";
import { type GossipKey, isKey } from "./seal.ts";

export class Keyring {
  #keys: GossipKey[] = [];

  /** `keys`: the primary first; at least one. */
  constructor(keys: readonly GossipKey[]) {
    assert(keys.length > 0, "a keyring without keys");
    for (const key of keys) this.add(key);
  }

  get primary(): GossipKey {
    return this.#keys[0]!;
  }

  get keys(): readonly GossipKey[] {
    return this.#keys;
  }

  /** Last in the ring; a key that is there already stays where it is. */
  add(key: GossipKey): void {
    assert(isKey(key), "a gossip key of 16, 24 or 32 bytes");
    if (!this.#keys.some((known) => equal(known, key))) this.#keys.push(key);
  }

  /** These alone from now on, the primary first: new ones come, the primary is set, old ones go (cluster.go SetPrimaryKey, RemoveKey). */
  replace(keys: readonly GossipKey[]): void {
    const [primary] = keys;
    assert(primary !== undefined, "a keyring without keys");
    for (const key of keys) this.add(key);
    this.use(primary);
    this.#keys = this.#keys.filter((known) => keys.some((key) => equal(key, known)));
  }

  /** To the front; false when it is not in the ring. */
  use(key: GossipKey): boolean {
    const known = this.#keys.find((other) => equal(other, key));
    if (known === undefined) return false;
    this.#keys = [known, ...this.#keys.filter((other) => other !== known)];
    return true;
  }

  /** False when it is the primary one, which stays. */
  remove(key: GossipKey): boolean {
    if (equal(this.primary, key)) return false;
    this.#keys = this.#keys.filter((other) => !equal(other, key));
    return true;
  }
}

/** networkdb's order, agent.go getKeys: by age, then the first two swapped, so that the middle one of three seals. */
export function inOrderOfUse<Key extends { readonly lamportTime: number }>(keys: readonly Key[]): Key[] {
  const byAge = [...keys].sort((one, other) => one.lamportTime - other.lamportTime);
  const [oldest, middle] = byAge;
  if (oldest === undefined || middle === undefined) return byAge;
  return [middle, oldest, ...byAge.slice(2)];
}

function equal(one: GossipKey, other: GossipKey): boolean {
  return one.length === other.length && one.every((byte, index) => byte === other[index]);
}
