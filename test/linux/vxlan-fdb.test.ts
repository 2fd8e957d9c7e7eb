import { describe, expect, it } from "vitest";
import { VxlanFdb } from "../../src/linux/vxlan-fdb.ts";
import { Random } from "../../src/sim/random.ts";
import { Simulation } from "../../src/sim/simulation.ts";
import { SECOND } from "../../src/sim/time.ts";
import { formatIpv4, formatMac, type MacAddress, type Vni } from "../../src/wire/address.ts";
import { ip, mac } from "./vxlan-network.ts";

function makeFdb(options: { ageingNs?: number; maximumAddresses?: number } = {}) {
  const clock = new Simulation(new Random(1));
  const fdb = new VxlanFdb({
    clock,
    port: 4789,
    vni: 5 as Vni,
    ageingNs: options.ageingNs ?? 300 * SECOND,
    maximumAddresses: options.maximumAddresses ?? 0,
  });
  /** As `bridge fdb show` lists it, in short. */
  const show = () =>
    fdb
      .list()
      .map(
        (entry) => `${formatMac(entry.mac)} ${entry.remotes.map(({ address }) => formatIpv4(address))} ${entry.state}`,
      );
  return { clock, fdb, show };
}

const ZERO = 0 as MacAddress;
const A = mac("02:00:00:00:00:01");
const GROUP = mac("01:00:00:00:00:04");
const [TWO, THREE, FOUR] = [ip("10.0.0.2"), ip("10.0.0.3"), ip("10.0.0.4")];
const HIGH = 0x0200;

describe("The VXLAN FDB, as `bridge fdb` changes it (answers of Linux 6.18)", () => {
  it("adds once, appends to the default and to groups, each remote once", () => {
    const { fdb, show } = makeFdb();
    expect(fdb.add({ mac: ZERO, address: TWO })).toBeUndefined();
    expect(fdb.add({ mac: ZERO, address: THREE })).toMatchObject({ errno: "EEXIST" });
    expect(fdb.append({ mac: ZERO, address: THREE })).toBeUndefined();
    expect(fdb.append({ mac: ZERO, address: THREE })).toBeUndefined();
    expect(fdb.append({ mac: ZERO, address: FOUR, vni: 7 as Vni, port: 99 })).toBeUndefined();
    expect(fdb.append({ mac: GROUP, address: TWO })).toBeUndefined();
    expect(show()).toEqual([
      "01:00:00:00:00:04 10.0.0.2 permanent",
      "00:00:00:00:00:00 10.0.0.2,10.0.0.3,10.0.0.4 permanent",
    ]);
  });

  it("keeps a unicast entry's remote on append, and changes it on replace", () => {
    const { fdb, show } = makeFdb();
    fdb.add({ mac: A, address: TWO });
    expect(fdb.append({ mac: A, address: THREE })).toBeUndefined();
    expect(show()).toEqual(["02:00:00:00:00:01 10.0.0.2 permanent"]);
    expect(fdb.replace({ mac: A, address: FOUR, state: "static" })).toBeUndefined();
    expect(show()).toEqual(["02:00:00:00:00:01 10.0.0.4 static"]);
  });

  it("replaces no default and no group", () => {
    const { fdb } = makeFdb();
    expect(fdb.replace({ mac: GROUP, address: TWO })).toEqual({ errno: "EOPNOTSUPP", message: undefined });
    fdb.add({ mac: ZERO, address: TWO });
    expect(fdb.replace({ mac: ZERO, address: THREE })).toEqual({
      errno: "EOPNOTSUPP",
      message: "Cannot replace non-unicast fdb entries",
    });
  });

  it("deletes one remote, or the entry, or nothing when the remote is not its", () => {
    const { fdb, show } = makeFdb();
    fdb.add({ mac: ZERO, address: TWO });
    fdb.append({ mac: ZERO, address: THREE });
    expect(fdb.delete({ mac: ZERO, address: TWO })).toBeUndefined();
    expect(show()).toEqual(["00:00:00:00:00:00 10.0.0.3 permanent"]);
    expect(fdb.delete({ mac: ZERO, address: FOUR })).toBeUndefined();
    expect(show()).toHaveLength(1);
    expect(fdb.delete({ mac: ZERO, address: THREE })).toBeUndefined();
    expect(fdb.delete({ mac: ZERO })).toMatchObject({ errno: "ENOENT" });
  });

  it("takes no more than maxaddress, and learns no more either", () => {
    const { fdb, show } = makeFdb({ maximumAddresses: 1 });
    fdb.add({ mac: ZERO, address: TWO });
    expect(fdb.add({ mac: A, address: TWO })).toMatchObject({ errno: "ENOSPC" });
    expect(fdb.learn(HIGH, 1, TWO)).toBe("learnt");
    expect(show()).toHaveLength(1);
  });

  it("does not let a control plane take over what a user has added", () => {
    const { fdb, show } = makeFdb();
    fdb.add({ mac: A, address: TWO });
    fdb.append({ mac: A, address: THREE, state: "reachable", externallyLearnt: true });
    expect(show()).toEqual(["02:00:00:00:00:01 10.0.0.2 permanent"]);
  });
});

describe("The VXLAN FDB, learning", () => {
  it("moves what it learnt, not what was set", () => {
    const { fdb, show } = makeFdb();
    fdb.learn(HIGH, 1, TWO);
    fdb.learn(HIGH, 1, THREE);
    expect(show()).toEqual(["02:00:00:00:00:01 10.0.0.3 reachable"]);
    fdb.replace({ mac: A, address: THREE, state: "static" });
    expect(fdb.learn(HIGH, 1, THREE)).toBe("learnt");
    expect(fdb.learn(HIGH, 1, FOUR)).toBe("fixed");
    expect(show()).toEqual(["02:00:00:00:00:01 10.0.0.3 static"]);
  });

  it("ages by frames received, not by frames sent", () => {
    const { fdb, show, clock } = makeFdb({ ageingNs: 20 * SECOND });
    fdb.learn(HIGH, 1, TWO);
    clock.run(15 * SECOND);
    fdb.lookup(HIGH, 1);
    clock.run(20 * SECOND);
    expect(fdb.lookup(HIGH, 1)).toBeUndefined();
    fdb.learn(HIGH, 1, TWO);
    clock.run(35 * SECOND);
    fdb.learn(HIGH, 1, TWO);
    clock.run(50 * SECOND);
    expect(show()).toHaveLength(1);
    clock.run(55 * SECOND);
    expect(show()).toHaveLength(0);
  });

  it("never ages with ageing 0, nor entries that are set, nor those of a control plane", () => {
    const forever = makeFdb({ ageingNs: 0 });
    forever.fdb.learn(HIGH, 1, TWO);
    forever.clock.run(1e6 * SECOND);
    expect(forever.show()).toHaveLength(1);
    const { fdb, show, clock } = makeFdb();
    fdb.add({ mac: ZERO, address: TWO });
    fdb.add({ mac: A, address: TWO, state: "static" });
    fdb.add({ mac: mac("02:00:00:00:00:02"), address: TWO, state: "reachable", externallyLearnt: true });
    fdb.add({ mac: mac("02:00:00:00:00:03"), address: TWO, state: "reachable" });
    clock.run(301 * SECOND);
    expect(show()).toHaveLength(3);
  });
});
