import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { NetworkNamespace } from "../../src/linux/namespace.ts";
import { OwnAddresses } from "../../src/linux/own-addresses.ts";
import { World } from "../../src/linux/world.ts";
import type { Ipv4Address } from "../../src/wire/address.ts";
import { twoHosts } from "./two-hosts.ts";

describe("A namespace", () => {
  it("lists its devices by index and finds them by name, few or many, whatever came, went and was renamed", () => {
    const anyStep = fc.tuple(fc.constantFrom("add", "add", "remove", "rename"), fc.nat(1_000));
    fc.assert(
      fc.property(fc.array(anyStep, { maxLength: 40 }), (steps) => {
        const namespace = new World({ seed: 1 }).createNamespace("n");
        const model = new Map([["lo", 1]]);
        let next = 0;
        for (const [what, pick] of steps) {
          const name = [...model.keys()][pick % model.size]!;
          const device = namespace.device(name)!;
          const fresh = `d${next++}`;
          if (what === "add") {
            const driver = { transmit() {} };
            const made = namespace.addDevice({
              name: fresh,
              kind: "dummy",
              address: device.address,
              mtu: 1_500,
              driver,
            });
            model.set(fresh, made.index);
          } else if (name !== "lo") {
            model.delete(name);
            if (what === "remove") namespace.removeDevice(device);
            else {
              namespace.renameDevice(device, fresh);
              model.set(fresh, device.index);
            }
          }
        }
        const expected = [...model].sort((a, b) => a[1] - b[1]);
        expect(namespace.devices.map(({ name, index }) => [name, index])).toEqual(expected);
        for (const [name, index] of model) expect(namespace.device(name)?.index).toBe(index);
        expect(namespace.device("none")).toBeUndefined();
      }),
    );
  });

  it("knows other namespaces by numbers from 0, and gives that of one which has ended to the next", () => {
    const world = new World({ seed: 1 });
    const [here, a, b, c] = ["here", "a", "b", "c"].map((name) => world.createNamespace(name)) as [
      NetworkNamespace,
      NetworkNamespace,
      NetworkNamespace,
      NetworkNamespace,
    ];
    expect([here.numberOf(a), here.numberOf(b), here.numberOf(a)]).toEqual([0, 1, 0]);
    world.removeNamespace(a);
    expect([here.numberOf(c), here.numberOf(b)]).toEqual([0, 1]);
  });

  it("gives what leaves by a device a number on the way: the peer that stays can be named", () => {
    const { world, c1, link } = twoHosts();
    const elsewhere = world.createNamespace("elsewhere");
    c1.moveDevice(link.a, elsewhere);
    expect(c1.numberOf(elsewhere)).toBe(0);
  });
});

describe("The addresses of a host", () => {
  it("are counted as a table of all would count them", () => {
    const anyStep = fc.tuple(fc.nat(15), fc.constantFrom(1 as const, -1 as const));
    fc.assert(
      fc.property(fc.array(anyStep, { maxLength: 80 }), (steps) => {
        const own = new OwnAddresses();
        const model = new Map<number, number>();
        for (const [last, by] of steps) {
          const address = (0xc0a8_0000 + last) as Ipv4Address;
          own.count(address, by);
          model.set(address, Math.max((model.get(address) ?? 0) + by, 0));
        }
        for (const [address, count] of model) expect(own.has(address as Ipv4Address)).toBe(count > 0);
        const counted = [...model].filter(([, count]) => count > 0).map(([address]) => address | 0);
        expect(own.list().sort()).toEqual(counted.sort());
      }),
    );
  });
});
