import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readQuery } from "../../../src/docker/resolver/answer.ts";
import type { NetworkNames } from "../../../src/docker/resolver/name-source.ts";
import {
  EMPTY_RESOLV_CONF,
  formatResolvConf,
  ndotsOf,
  outerServers,
  parseResolvConf,
  setsNdots,
} from "../../../src/docker/resolver/resolv-conf.ts";
import { SandboxNames } from "../../../src/docker/resolver/sandbox-names.ts";
import { ServiceRecords } from "../../../src/docker/resolver/service-records.ts";
import { formatIpv4, type Ipv4Address, parseIpv4 } from "../../../src/wire/address.ts";

const address = (text: string): Ipv4Address => parseIpv4(text)!;

function network(rank: NetworkNames["rank"], networkName: string, ...entries: [string, string][]): NetworkNames {
  const names = new ServiceRecords(networkName);
  for (const [name, target] of entries) {
    names.add(name, address(target), name);
    names.addReverse(address(target), name);
  }
  return { rank, networkName, names };
}

const found = (names: SandboxNames, name: string) => {
  const answer = names.lookUp(name, "ipv4");
  return typeof answer === "object" ? answer.addresses.map(formatIpv4) : answer;
};

describe("the names of a network", () => {
  it("compare without regard to case, and hold an address once however many causes it has", () => {
    const names = new ServiceRecords("app");
    expect(names.add("Web", address("10.0.1.3"), "task 1")).toBe(true);
    expect(names.add("web", address("10.0.1.3"), "task 1")).toBe(false);
    expect(names.add("WEB", address("10.0.1.3"), "task 2")).toBe(true);
    expect(names.lookUp("wEb", "ipv4")).toEqual({ addresses: [address("10.0.1.3")] });
    expect(names.lookUp("web", "ipv6")).toBe("known-without-address");
    expect(names.remove("web", address("10.0.1.3"), "task 1")).toBe(true);
    expect(names.lookUp("web", "ipv4")).toEqual({ addresses: [address("10.0.1.3")] });
    expect(names.remove("web", address("10.0.1.3"), "task 2")).toBe(true);
    expect(names.remove("web", address("10.0.1.3"), "task 2")).toBe(false);
    expect(names.lookUp("web", "ipv4")).toBeUndefined();
    expect(names.size).toBe(0);
  });

  it("tell whose an address is, until an outer server has said the same", () => {
    const names = new ServiceRecords("app");
    names.addReverse(address("10.0.1.3"), "web.1");
    expect(names.reverse(address("10.0.1.3"))).toBe("web.1.app");
    names.resolvedOutside("other", address("10.0.1.3"));
    expect(names.reverse(address("10.0.1.3"))).toBe("web.1.app");
    names.resolvedOutside("web.1", address("10.0.1.3"));
    expect(names.reverse(address("10.0.1.3"))).toBeUndefined();
    names.removeReverse(address("10.0.1.3"), "web.1");
    names.addReverse(address("10.0.1.3"), "web.2");
    expect(names.reverse(address("10.0.1.3"))).toBe("web.2.app");
  });
});

describe("the names of a sandbox", () => {
  it("are asked for in overlays first, then in the ingress network, then in local ones", () => {
    const local = network("local", "back", ["web", "172.18.0.5"], ["db", "172.18.0.6"]);
    const ingress = network("ingress", "ingress", ["web", "10.0.0.5"]);
    const swarm = network("swarm", "app", ["web", "10.0.1.5"]);
    expect(found(new SandboxNames(() => [local, ingress, swarm]), "web")).toEqual(["10.0.1.5"]);
    expect(found(new SandboxNames(() => [local, ingress]), "web")).toEqual(["10.0.0.5"]);
    expect(found(new SandboxNames(() => [local, ingress, swarm]), "db")).toEqual(["172.18.0.6"]);
  });

  it("may be followed by the network's name, dots in both", () => {
    const names = new SandboxNames(() => [
      network("swarm", "app", ["web", "10.0.1.5"], ["web.1.abc", "10.0.1.6"]),
      network("swarm", "shop.net", ["web", "10.0.2.5"], ["a.b", "10.0.2.6"]),
    ]);
    expect(found(names, "web.app")).toEqual(["10.0.1.5"]);
    expect(found(names, "web.1.abc")).toEqual(["10.0.1.6"]);
    expect(found(names, "web.1.abc.app")).toEqual(["10.0.1.6"]);
    expect(found(names, "web.shop.net")).toEqual(["10.0.2.5"]);
    expect(found(names, "a.b.shop.net")).toEqual(["10.0.2.6"]);
    expect(found(names, "a.b.net")).toBeUndefined();
    expect(found(names, "web.net")).toBeUndefined();
    expect(found(names, "")).toBeUndefined();
    expect(names.reverse(address("10.0.2.6"))).toBe("a.b.shop.net");
  });
});

describe("resolv.conf", () => {
  const MACHINE = parseResolvConf(
    "# made by hand\nsearch lan example\nnameserver 127.0.0.53\nnameserver 192.168.50.1\n",
  );

  it("is read as resolv.conf(5) says, and written back", () => {
    expect(MACHINE.servers.map(formatIpv4)).toEqual(["127.0.0.53", "192.168.50.1"]);
    expect(MACHINE.search).toEqual(["lan", "example"]);
    expect(ndotsOf(MACHINE)).toBe(1);
    expect(ndotsOf(parseResolvConf("options ndots:99"))).toBe(15);
    expect(formatResolvConf(MACHINE)).toBe("nameserver 127.0.0.53\nnameserver 192.168.50.1\nsearch lan example\n");
    expect(parseResolvConf("nameserver ::1\nnonsense\nnameserver")).toEqual(EMPTY_RESOLV_CONF);
  });

  it("leaves the machine's servers to the embedded resolver, those at its loopback to be asked from there", () => {
    expect(outerServers(MACHINE, undefined).map((server) => [formatIpv4(server.address), server.hostLoopback])).toEqual(
      [
        ["127.0.0.53", true],
        ["192.168.50.1", false],
      ],
    );
    expect(setsNdots(MACHINE, EMPTY_RESOLV_CONF)).toBe(false);
  });

  it("yields to the user's wishes", () => {
    const wishes = { servers: [address("127.0.0.1")], search: [], options: ["ndots:2", "timeout:1"] };
    expect(outerServers(MACHINE, wishes)).toEqual([{ address: address("127.0.0.1"), hostLoopback: false }]);
    expect(setsNdots(MACHINE, wishes)).toBe(true);
  });
});

describe("reading a query", () => {
  it("survives any bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        const read = readQuery(bytes);
        expect(typeof read === "string" || "query" in read || "refusal" in read).toBe(true);
      }),
    );
  });
});
