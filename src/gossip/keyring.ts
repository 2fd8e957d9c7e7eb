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

function equal(one: GossipKey, other: GossipKey): boolean {
  return one.length === other.length && one.every((byte, index) => byte === other[index]);
}
