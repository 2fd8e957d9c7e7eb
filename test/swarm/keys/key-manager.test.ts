import { beforeEach, describe, expect, it } from "vitest";
import { Random } from "../../../src/sim/random.ts";
import { Simulation } from "../../../src/sim/simulation.ts";
import { SECOND } from "../../../src/sim/time.ts";
import { clusterShape } from "../../../src/swarm/api/objects.ts";
import { GOSSIP_SUBSYSTEM, IPSEC_SUBSYSTEM, KeyManager } from "../../../src/swarm/keys/key-manager.ts";
import { ImmediateProposer, Store } from "../../../src/swarm/store/store.ts";

const HOUR = 3_600 * SECOND;
let simulation: Simulation;
let store: Store;
let manager: KeyManager;

const lead = () => new KeyManager({ store, clock: simulation, random: new Random("keys") });
const timesOf = (subsystem: string) =>
  store
    .cluster!.networkBootstrapKeys.filter((key) => key.subsystem === subsystem)
    .map(({ lamportTime }) => lamportTime)
    .sort((a, b) => a - b);

beforeEach(() => {
  simulation = new Simulation(new Random(1));
  store = new Store({ clock: simulation, proposer: new ImmediateProposer() });
  store.update((tx) => void tx.create("cluster", clusterShape.make({ id: "c" })));
  manager = lead();
});

describe("the key manager", () => {
  it("makes three keys of 16 bytes for gossip and three for IPsec, with Lamport times that follow each other", () => {
    const [first] = timesOf(GOSSIP_SUBSYSTEM);
    expect(first).toBeLessThanOrEqual(0x1_0000);
    expect([...timesOf(GOSSIP_SUBSYSTEM), ...timesOf(IPSEC_SUBSYSTEM)]).toEqual(
      Array.from({ length: 6 }, (_, index) => first! + index),
    );
    expect(store.cluster!.networkBootstrapKeys.every(({ key }) => key.length === 16)).toBe(true);
  });

  it("drops the oldest and adds a newer one every twelve hours", () => {
    const before = timesOf(IPSEC_SUBSYSTEM);
    simulation.run(12 * HOUR - 1);
    expect(timesOf(IPSEC_SUBSYSTEM)).toEqual(before);
    simulation.run(12 * HOUR);
    const after = timesOf(IPSEC_SUBSYSTEM);
    expect(after.slice(0, 2)).toEqual(before.slice(1));
    expect(after[2]).toBe(store.cluster!.encryptionKeyLamportClock);
  });

  it("begins its twelve hours anew under a new leader, with the keys that there are", () => {
    const before = timesOf(GOSSIP_SUBSYSTEM);
    simulation.run(11 * HOUR);
    manager.stop();
    manager = lead();
    simulation.run(22 * HOUR);
    expect(timesOf(GOSSIP_SUBSYSTEM)).toEqual(before);
  });
});
