import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { overlayMac } from "../../../src/docker/overlay/overlay-mac.ts";
import type { PeerRecord } from "../../../src/docker/overlay/peers.ts";
import { formatMac, type Ipv4Address } from "../../../src/wire/address.ts";
import { ip, OverlayLab } from "./overlay-lab.ts";

const record = (address: string, vtep: string): PeerRecord => ({
  address: { address: ip(address), length: 24 },
  mac: overlayMac(ip(address)),
  vtep: ip(vtep),
});

/** What node1's kernel has of peers: `10.0.1.9 02:42:0a:00:01:09 192.168.50.12`. */
function programmed(lab: OverlayLab): string[] {
  const neighbours = lab.run(lab.inside(0), "ip neigh show nud permanent");
  const forwarding = lab.run(lab.inside(0), "bridge fdb show dev vxlan0");
  return [...neighbours.matchAll(/^(\S+) dev vxlan0 lladdr (\S+) PERMANENT/gm)]
    .map(([, address, mac]) => {
      const vtep = new RegExp(`^${mac} dst (\\S+) .*self permanent`, "m").exec(forwarding)?.[1];
      return `${address} ${mac} ${vtep}`;
    })
    .sort();
}

function labOfOne(options: ConstructorParameters<typeof OverlayLab>[0] = {}) {
  const lab = new OverlayLab({ count: 1, ...options });
  return { lab, peers: lab.nodes[0]!.network.peers };
}

describe("The peers of an overlay network", () => {
  it("are programmed when told, also when they were told before the namespace was there, and go when they leave", () => {
    const { lab, peers } = labOfOne();
    peers.notify("e1", undefined, record("10.0.1.9", "192.168.50.12"));
    lab.join(0, "10.0.1.3");
    peers.notify("e2", undefined, record("10.0.1.10", "192.168.50.13"));
    expect(programmed(lab)).toEqual([
      "10.0.1.10 02:42:0a:00:01:0a 192.168.50.13",
      "10.0.1.9 02:42:0a:00:01:09 192.168.50.12",
    ]);
    peers.notify("e1", record("10.0.1.9", "192.168.50.12"), undefined);
    peers.notify("e2", record("10.0.1.10", "192.168.50.13"), undefined);
    expect(programmed(lab)).toEqual([]);
    expect(lab.run(lab.inside(0), "bridge fdb show dev vxlan0")).not.toContain("dst");
    expect(lab.log).toEqual([]);
  });

  it("are not oneself: a record with the node's own VTEP is an echo", () => {
    const { lab, peers } = labOfOne();
    lab.join(0, "10.0.1.3");
    peers.notify("e1", undefined, record("10.0.1.9", "192.168.50.11"));
    expect(programmed(lab)).toEqual([]);
    expect(peers.peers.map(({ endpointId }) => endpointId)).not.toContain("e1");
  });

  it("that share an address wait: the first one told is programmed until it is taken back", () => {
    const { lab, peers } = labOfOne();
    lab.join(0, "10.0.1.3");
    const [old, young] = [record("10.0.1.9", "192.168.50.12"), record("10.0.1.9", "192.168.50.13")];
    peers.notify("old", undefined, old);
    peers.notify("young", undefined, young);
    expect(programmed(lab)).toEqual(["10.0.1.9 02:42:0a:00:01:09 192.168.50.12"]);
    expect(lab.log).toEqual([
      "node1: peerDbAdd transient condition: there is more than one endpoint using the same IP peerIP=10.0.1.9 cardinality=2",
    ]);
    peers.notify("old", old, undefined);
    expect(programmed(lab)).toEqual(["10.0.1.9 02:42:0a:00:01:09 192.168.50.13"]);
    peers.notify("young", young, undefined);
    expect(programmed(lab)).toEqual([]);
  });

  it("that move are programmed anew by an update, and not at all by one that says the same", () => {
    const { lab, peers } = labOfOne();
    lab.join(0, "10.0.1.3");
    const [here, there] = [record("10.0.1.9", "192.168.50.12"), record("10.0.1.9", "192.168.50.13")];
    peers.notify("e", undefined, here);
    peers.notify("e", here, { ...here });
    peers.notify("e", here, there);
    expect(programmed(lab)).toEqual(["10.0.1.9 02:42:0a:00:01:09 192.168.50.13"]);
    expect(lab.log).toEqual([]);
  });

  it.each([
    ["replace", ["10.0.1.9 02:42:0a:00:01:09 192.168.50.12"], true],
    ["exclusive", [], false],
  ] as const)("whose MAC address was learnt from traffic: with %s their entry is %j", (forwarding, entries, stays) => {
    const { lab, peers } = labOfOne({ count: 1, driver: { forwarding } });
    lab.join(0, "10.0.1.3");
    // They kept sending while they were thought dead.
    lab.run(lab.inside(0), "bridge fdb add 02:42:0a:00:01:09 dev vxlan0 dst 192.168.50.12 dynamic");
    peers.notify("e", undefined, record("10.0.1.9", "192.168.50.12"));
    expect(programmed(lab)).toEqual(entries);
    if (!stays) expect(lab.log).toEqual(["node1: Peer operation failed eid=e: EEXIST"]);
    lab.pass(400); // what was learnt ages out
    const left = lab.run(lab.inside(0), "bridge fdb show dev vxlan0").includes("02:42:0a:00:01:09 dst 192.168.50.12");
    expect(left).toBe(stays);
  });

  it("are, whatever is told in whatever order, those that no earlier claim stands before", () => {
    const told = fc.record({
      add: fc.boolean(),
      id: fc.integer({ min: 0, max: 3 }),
      host: fc.integer({ min: 10, max: 12 }),
      vtep: fc.integer({ min: 12, max: 13 }),
    });
    fc.assert(
      fc.property(fc.array(told, { maxLength: 30 }), fc.boolean(), (events, early) => {
        const { lab, peers } = labOfOne();
        if (!early) lab.join(0, "10.0.1.3");
        /** By address: claims in their order; an endpoint claims once. */
        const claims = new Map<number, { key: string; text: string }[]>();
        for (const { add, id, host, vtep } of events) {
          const address = (ip("10.0.1.0") + host) as Ipv4Address;
          const peer = { address: { address, length: 24 }, mac: overlayMac(address), vtep: ip(`192.168.50.${vtep}`) };
          const key = `${id} ${vtep}`;
          const list = claims.get(host) ?? [];
          const known = list.some((claim) => claim.key === key);
          if (add === known) continue; // networkdb tells of changes alone
          if (add) list.push({ key, text: `10.0.1.${host} ${formatMac(peer.mac)} 192.168.50.${vtep}` });
          claims.set(host, add ? list : list.filter((claim) => claim.key !== key));
          peers.notify(`e${id}`, add ? undefined : peer, add ? peer : undefined);
        }
        if (early) lab.join(0, "10.0.1.3");
        const found = programmed(lab);
        // One entry for every address that somebody claims, and it is a claimed one.
        const claimed = [...claims.values()].filter((list) => list.length > 0);
        expect(found.length).toBe(claimed.length);
        const forwarding = lab.run(lab.inside(0), "bridge fdb show dev vxlan0");
        expect(forwarding.match(/ dst .* self permanent/g)?.length ?? 0).toBe(claimed.length);
        for (const list of claimed)
          expect(list.map(({ text }) => text).some((text) => found.includes(text))).toBe(true);
      }),
      { numRuns: 40 },
    );
  });
});
