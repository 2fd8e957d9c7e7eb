import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { addFdbEntry, deleteFdbEntry, type FdbAddition, flushFdb } from "../../src/linux/bridge-fdb.ts";
import type { BridgePort } from "../../src/linux/bridge-port.ts";
import { type FdbFlags, FilteringDatabase } from "../../src/linux/filtering-database.ts";
import { NO_ROW } from "../../src/linux/mac-rows.ts";
import { SECOND } from "../../src/sim/time.ts";
import { MAC_ZERO, type MacAddress } from "../../src/wire/address.ts";
import { joinHalves } from "../../src/wire/ethernet.ts";
import { BridgeLab, farMac, frameBytes, nearMac } from "./bridge-lab.ts";

const clock = { nowNs: 0 };
const STATIC: FdbFlags = { local: false, fixed: true, byUser: true, sticky: false, external: false };

describe("The filtering database beside a Map", () => {
  const operation = fc.record({
    kind: fc.constantFrom("learn", "learn", "learn", "set", "delete", "lookup"),
    // Few distinct addresses, alike as containers' are, and some that differ in the high half only.
    high: fc.constantFrom(0x0242, 0x0243, 0x0a42),
    low: fc.nat(40).map((number) => (0x0a00_0000 + number) | 0),
    vlan: fc.constantFrom(0, 1, 4094),
    port: fc.nat(2),
    waitNs: fc.constantFrom(0, 0, 0, 1 * SECOND, 150 * SECOND),
  });

  it("says the same, whatever is learnt, set, deleted and let age", () => {
    const ports = [{ number: 1 }, { number: 2 }, { number: 3 }] as BridgePort[]; // all that matters of them
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 200 }), (operations) => {
        const fdb = new FilteringDatabase(300 * SECOND, clock);
        const model = new Map<string, { port: BridgePort; fixed: boolean; atNs: number }>();
        clock.nowNs = 0;
        for (const { kind, high, low, vlan, port: number, waitNs } of operations) {
          clock.nowNs += waitNs;
          const { nowNs } = clock;
          const key = `${high} ${low} ${vlan}`;
          const port = ports[number]!;
          const known = model.get(key);
          if (known !== undefined && !known.fixed && known.atNs + 300 * SECOND <= nowNs) model.delete(key);
          if (kind === "learn") {
            fdb.learn(high, low, vlan, port);
            model.set(key, { port, fixed: model.get(key)?.fixed ?? false, atNs: nowNs });
          } else if (kind === "set") {
            fdb.set(joinHalves(high, low), vlan, port, STATIC, nowNs);
            model.set(key, { port, fixed: true, atNs: nowNs });
          } else if (kind === "delete") {
            const entry = fdb.find(high, low, vlan, nowNs);
            if (entry !== undefined) fdb.delete(entry);
            model.delete(key);
          }
          const row = fdb.lookup(high, low, vlan);
          expect(row === NO_ROW ? undefined : fdb.port(row)).toBe(model.get(key)?.port);
        }
        const live = [...model.values()].filter((entry) => entry.fixed || entry.atNs + 300 * SECOND > clock.nowNs);
        expect(fdb.list(clock.nowNs)).toHaveLength(live.length);
      }),
    );
  });

  it("does not grow with addresses that were seen once and have aged", () => {
    const fdb = new FilteringDatabase(1, clock);
    const port = { number: 1 } as BridgePort;
    for (let number = 0; number < 10_000; number++) {
      clock.nowNs = number * 10;
      fdb.learn(0x0242, number, 0, port);
    }
    expect(fdb.size).toBeLessThan(1_000);
  });

  it("lists the newest first, and keeps an entry's place when it moves", () => {
    clock.nowNs = 0;
    const fdb = new FilteringDatabase(300 * SECOND, clock);
    const [a, b] = [{ number: 1 }, { number: 2 }] as [BridgePort, BridgePort];
    fdb.learn(0x0242, 1, 0, a);
    fdb.learn(0x0242, 2, 0, a);
    fdb.learn(0x0242, 1, 0, b);
    expect(fdb.list(3).map((entry) => entry.address % 16)).toEqual([2, 1]);
  });

  it("lets a static entry move by learning, but no sticky one", () => {
    clock.nowNs = 0;
    const fdb = new FilteringDatabase(300 * SECOND, clock);
    const [a, b] = [{ number: 1 }, { number: 2 }] as [BridgePort, BridgePort];
    fdb.set(farMac(1), 0, a, STATIC, 0);
    fdb.set(farMac(2), 0, a, { ...STATIC, sticky: true }, 0);
    fdb.learn(0x0242, 0x0a00_0001, 0, b);
    fdb.learn(0x0242, 0x0a00_0002, 0, b);
    expect(fdb.get(farMac(1), 0, 2)?.port).toBe(b);
    expect(fdb.get(farMac(2), 0, 2)?.port).toBe(a);
  });
});

describe("bridge fdb with master, as the kernel answers it", () => {
  function setup() {
    const lab = new BridgeLab();
    const bridge = lab.bridge({ address: 0x02bb_0000_0001 as MacAddress });
    const [a, b] = [lab.attach(bridge, 1), lab.attach(bridge, 2)];
    const entry = (more: Partial<FdbAddition>): FdbAddition => ({
      address: farMac(50),
      port: a.port,
      vlan: 0,
      state: "permanent",
      exclusive: true,
      ...more,
    });
    return { lab, bridge, a, b, entry };
  }

  it("adds once, and append or replace move the entry", () => {
    const { bridge, b, entry } = setup();
    expect(addFdbEntry(bridge, entry({}))).toBeUndefined();
    expect(bridge.fdb.get(farMac(50), 0, 0)?.local).toBe(true);
    expect(addFdbEntry(bridge, entry({}))).toBe("EEXIST");
    expect(addFdbEntry(bridge, entry({ port: b.port, state: "static", exclusive: false }))).toBeUndefined();
    expect(bridge.fdb.get(farMac(50), 0, 0)?.port).toBe(b.port);
    expect(deleteFdbEntry(bridge, entry({}))).toBe("ENOENT");
    expect(deleteFdbEntry(bridge, entry({ port: b.port }))).toBeUndefined();
    expect(deleteFdbEntry(bridge, entry({ port: b.port }))).toBe("ENOENT");
  });

  it("refuses what the kernel refuses", () => {
    const { lab, bridge, a, entry } = setup();
    expect(addFdbEntry(bridge, entry({ address: MAC_ZERO }))).toBe("EINVAL");
    expect(addFdbEntry(bridge, entry({ vlan: 5 }))).toBe("EINVAL");
    expect(addFdbEntry(bridge, entry({ port: undefined, state: "static" }))).toBe("EINVAL");
    expect(addFdbEntry(bridge, entry({ sticky: true }))).toBe("EINVAL");
    a.near.setUp(false);
    lab.pass(1_000);
    expect(addFdbEntry(bridge, entry({ state: "dynamic" }))).toBe("EPERM");
    expect(addFdbEntry(bridge, entry({ state: "static" }))).toBeUndefined();
  });

  it("leads frames as set: static to the port, permanent to the host", () => {
    const { lab, bridge, a, b, entry } = setup();
    addFdbEntry(bridge, entry({ port: b.port, state: "static" }));
    lab.send(a.far, frameBytes(farMac(50), farMac(1)));
    expect(b.host.got).toHaveLength(1);
    addFdbEntry(bridge, entry({ port: b.port, exclusive: false }));
    lab.send(a.far, frameBytes(farMac(50), farMac(1)));
    expect(b.host.got).toHaveLength(1);
    expect(lab.node.got).toHaveLength(1);
  });

  it("adds for every VLAN of the port when the bridge filters", () => {
    const { bridge, a, entry } = setup();
    bridge.filtersVlans = true;
    a.port.vlans.add(5, { pvid: false, untagged: false });
    expect(addFdbEntry(bridge, entry({ state: "static" }))).toBeUndefined();
    expect(addFdbEntry(bridge, entry({ address: farMac(51), vlan: 5, state: "static" }))).toBeUndefined();
    const vlans = bridge.fdb.list(0).flatMap((one) => (one.byUser ? [`${one.address % 256} ${one.vlan}`] : []));
    expect(vlans).toEqual(["51 5", "50 5", "50 1", "50 0"]);
  });

  it("flushes all but what the kernel set itself", () => {
    const { lab, bridge, a, entry } = setup();
    addFdbEntry(bridge, entry({}));
    lab.send(a.far, frameBytes(farMac(9), farMac(1)));
    flushFdb(bridge, () => true);
    expect(bridge.fdb.list(lab.simulation.nowNs).map((one) => one.address)).toEqual([
      nearMac(2),
      nearMac(1),
      0x02bb_0000_0001,
    ]);
  });
});
