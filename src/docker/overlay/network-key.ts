/**
 * The keys that a swarm's leader makes and every agent is told (swarmkit's key manager): three for each use. In the order of their Lamport times the eldest
 * still opens what is on its way, the second is the one to send with, and the youngest is there ahead of its turn.
 */

export interface NetworkKey {
  readonly subsystem: "gossip" | "ipsec";
  /** 16 bytes: AES-128. */
  readonly key: Uint8Array;
  readonly lamportTime: number;
}

/** A key of IPsec: packets name it by the low 32 bits of its time. */
export interface EncryptionKey {
  readonly tag: number;
  readonly key: Uint8Array;
}

/** Those for IPsec, the one to send with in front, then the others by age. */
export function encryptionKeys(keys: readonly NetworkKey[]): EncryptionKey[] {
  const sorted = keys
    .filter(({ subsystem }) => subsystem === "ipsec")
    .sort((a, b) => a.lamportTime - b.lamportTime)
    .map(({ key, lamportTime }) => ({ tag: lamportTime % 0x1_0000_0000, key }));
  const [eldest, second] = sorted;
  if (eldest === undefined || second === undefined) return sorted;
  return [second, eldest, ...sorted.slice(2)];
}
