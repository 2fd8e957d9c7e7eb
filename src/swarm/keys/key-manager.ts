/**
 * Makes and rotates the keys of gossip and of encrypted networks (swarmkit manager/keymanager): three a subsystem, each with the next
 * Lamport time; every twelve hours of a leader's life the oldest goes and a new one comes. Facts 2.9.
 */
import type { Random } from "../../sim/random.ts";
import type { Clock } from "../../sim/simulation.ts";
import { SECOND } from "../../sim/time.ts";
import { Timer } from "../../sim/timer.ts";
import type { Cluster, EncryptionKey } from "../api/objects.ts";
import { drawBytes } from "../identifiers.ts";
import type { Store } from "../store/store.ts";

export const GOSSIP_SUBSYSTEM = "networking:gossip";
export const IPSEC_SUBSYSTEM = "networking:ipsec";
const SUBSYSTEMS = [GOSSIP_SUBSYSTEM, IPSEC_SUBSYSTEM];
const KEYS_A_SUBSYSTEM = 3;
const KEY_BYTES = 16;
const ROTATION_NS = 12 * 3_600 * SECOND;

export class KeyManager {
  readonly #store: Store;
  readonly #random: Random;
  readonly #rotation: Timer;

  constructor(settings: { readonly store: Store; readonly clock: Clock; readonly random: Random }) {
    this.#store = settings.store;
    this.#random = settings.random;
    this.#rotation = new Timer(settings.clock, () => {
      this.#change((cluster) => this.#rotated(cluster));
      this.#rotation.set(ROTATION_NS);
    });
    this.#change((cluster) => (cluster.networkBootstrapKeys.length === 0 ? this.#firstKeys(cluster) : cluster));
    this.#rotation.set(ROTATION_NS);
  }

  stop(): void {
    this.#rotation.stop();
  }

  #change(change: (cluster: Cluster) => Cluster): void {
    this.#store.update((tx) => {
      const { cluster } = tx;
      const changed = cluster === undefined ? undefined : change(cluster);
      if (changed !== undefined && changed !== cluster) tx.update("cluster", changed);
    });
  }

  #firstKeys(cluster: Cluster): Cluster {
    let clock = this.#random.below(0x1_0000);
    const networkBootstrapKeys: EncryptionKey[] = [];
    for (const subsystem of SUBSYSTEMS)
      for (let count = 0; count < KEYS_A_SUBSYSTEM; count++)
        networkBootstrapKeys.push(this.#newKey(subsystem, ++clock));
    return { ...cluster, networkBootstrapKeys, encryptionKeyLamportClock: clock };
  }

  #rotated(cluster: Cluster): Cluster {
    let clock = cluster.encryptionKeyLamportClock;
    const networkBootstrapKeys = SUBSYSTEMS.flatMap((subsystem) => {
      const own = cluster.networkBootstrapKeys.filter((key) => key.subsystem === subsystem);
      const newestFirst = own.sort((a, b) => b.lamportTime - a.lamportTime);
      return [...newestFirst.slice(0, KEYS_A_SUBSYSTEM - 1), this.#newKey(subsystem, ++clock)];
    });
    return { ...cluster, networkBootstrapKeys, encryptionKeyLamportClock: clock };
  }

  #newKey(subsystem: string, lamportTime: number): EncryptionKey {
    return { subsystem, algorithm: "aes-128-gcm", key: drawBytes(this.#random, KEY_BYTES), lamportTime };
  }
}
