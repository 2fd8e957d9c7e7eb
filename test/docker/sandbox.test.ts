import { describe, expect, it } from "vitest";
import { BridgeNetwork } from "../../src/docker/bridge/bridge-network.ts";
import type { Container } from "../../src/docker/container/container.ts";
import { Endpoint, type EndpointRequest } from "../../src/docker/endpoint.ts";
import type { Network } from "../../src/docker/network.ts";
import { isRefusal } from "../../src/docker/refusal.ts";
import type { Sandbox } from "../../src/docker/sandbox.ts";
import { SECOND } from "../../src/sim/time.ts";
import { formatIpv4, formatPrefix, type MacAddress } from "../../src/wire/address.ts";
import * as arp from "../../src/wire/arp.ts";
import * as ethernet from "../../src/wire/ethernet.ts";
import { ip, net } from "../linux/two-hosts.ts";
import { EngineLab } from "./engine-lab.ts";

/** A network that leads to no gateway, as overlays are to a sandbox: one veth pair for each endpoint, whose other end hangs in the host. */
function overlay(
  lab: EngineLab,
  name: string,
  subnet: string,
  settings: { internal?: boolean; ingress?: boolean } = {},
): Network {
  const endpoints = new Map<string, Endpoint>();
  let next = 2;
  const network: Network = {
    id: `${name}`.padEnd(25, "x"),
    name,
    driver: "overlay",
    scope: "swarm",
    internal: settings.internal ?? false,
    attachable: true,
    ingress: settings.ingress ?? false,
    options: new Map(),
    labels: new Map(),
    subnets: [{ subnet: net(subnet), gateway: undefined }],
    createdNs: 0,
    resolvesNames: true,
    endpoints,
    createEndpoint(request: EndpointRequest) {
      const address = (net(subnet).address + next++) as ReturnType<typeof ip>;
      const endpoint = new Endpoint({
        ...request,
        id: `${name}-${next}`,
        network,
        prefix: { address, length: 24 },
        hardwareAddress: (0x0242_0000_0000 + address) as MacAddress,
        gateway: undefined,
      });
      endpoints.set(endpoint.id, endpoint);
      return endpoint;
    },
    deleteEndpoint: (endpoint) => void endpoints.delete(endpoint.id),
    join(endpoint, sandbox) {
      const host = lab.node.namespace;
      const { a, b } = lab.world.createLink(
        "veth",
        { namespace: host, name: "veth0", address: endpoint.mac, mtu: 1_450 },
        { namespace: host, name: `ov${endpoint.id}`.slice(0, 15), mtu: 1_450 },
      );
      b.setUp(true);
      endpoint.bridgeDevice = b;
      sandbox.addInterface(endpoint, a, host);
      return undefined;
    },
    leave(endpoint) {
      endpoint.sandbox!.namespace.removeDevice(endpoint.device!);
      lab.node.namespace.removeDevice(endpoint.bridgeDevice!);
    },
  };
  lab.engine.addNetwork(network);
  return network;
}

const attach = (...networks: string[]) => networks.map((network) => ({ network, aliases: [] }));

/** `eth0 10.0.1.2/24`, and where the default route goes. */
function interfaces(container: Container): string[] {
  const { devices, routes } = container.namespace!;
  const lines = devices.slice(1).map((device) => `${device.name} ${device.addresses.map(formatPrefix).join(" ")}`);
  for (const { destination, gateway, device } of routes.list())
    if (destination.length === 0) lines.push(`default ${formatIpv4(gateway!)} ${device!.name}`);
  return lines;
}

describe("A sandbox", () => {
  it("of one overlay has docker_gwbridge beside it, and its way out by it", () => {
    const lab = new EngineLab("20.10");
    overlay(lab, "testnet", "10.0.1.0/24");
    const web = lab.start("web", "sleep 1000", { networks: attach("testnet") });
    expect(interfaces(web)).toEqual(["eth0 10.0.1.2/24", "eth1 172.18.0.2/16", "default 172.18.0.1 eth1"]);
    expect(web.sandbox!.gatewayEndpoint!.name).toBe(`gateway_${web.sandbox!.id.slice(0, 12)}`);
    expect(web.namespace!.device("eth1")!.mtu).toBe(1_500);
  });

  it("of two overlays has docker_gwbridge last in 20.10, and behind the first of them now", () => {
    const devices = (release: "20.10" | "current"): string[] => {
      const lab = new EngineLab(release);
      overlay(lab, "testnet", "10.0.1.0/24");
      overlay(lab, "ingress", "10.0.0.0/24", { ingress: true });
      return interfaces(lab.start("both", "sleep 1000", { networks: attach("ingress", "testnet") }));
    };
    expect(devices("20.10")).toEqual([
      "eth0 10.0.0.2/24",
      "eth1 10.0.1.2/24",
      "eth2 172.18.0.2/16",
      "default 172.18.0.1 eth2",
    ]);
    expect(devices("current")).toEqual([
      "eth0 10.0.0.2/24",
      "eth1 172.18.0.2/16",
      "eth2 10.0.1.2/24",
      "default 172.18.0.1 eth1",
    ]);
  });

  it("of an internal network has no way out", () => {
    const lab = new EngineLab("current");
    overlay(lab, "inner", "10.0.1.0/24", { internal: true });
    expect(interfaces(lab.start("web", "sleep 1000", { networks: attach("inner") }))).toEqual(["eth0 10.0.1.2/24"]);
    lab.bridge("back", { internal: true });
    expect(interfaces(lab.start("db", "sleep 1000", { networks: attach("back") }))).toEqual(["eth0 172.18.0.2/16"]);
    expect(lab.on(lab.client, "true").status).toBe(0);
  });

  it("leaves docker_gwbridge when a network with a gateway joins, and comes back when that leaves", () => {
    const lab = new EngineLab("current");
    overlay(lab, "testnet", "10.0.1.0/24");
    lab.bridge("mybr", { subnet: { subnet: net("172.30.0.0/16"), gateway: undefined } });
    const web = lab.start("web", "sleep 1000", { networks: attach("testnet") });
    expect(web.connect({ network: "mybr", aliases: [] })).toBeUndefined();
    expect(interfaces(web)).toEqual(["eth0 10.0.1.2/24", "eth2 172.30.0.2/16", "default 172.30.0.1 eth2"]);
    expect(web.disconnect("mybr")).toBeUndefined();
    expect(interfaces(web)).toEqual(["eth0 10.0.1.2/24", "eth1 172.18.0.2/16", "default 172.18.0.1 eth1"]);
    expect(web.disconnect("mybr")?.message).toContain("is not connected to network mybr");
    expect(web.disconnect("testnet")).toBeUndefined();
    expect(interfaces(web)).toEqual([]);
  });

  it("takes its published ports along to the network that becomes the way out", () => {
    const lab = new EngineLab("current");
    overlay(lab, "testnet", "10.0.1.0/24");
    lab.bridge("mybr");
    const ports = [{ protocol: "tcp", containerPort: 80, hostPort: 8_080 }] as const;
    const web = lab.start("web", "serve http 80", { networks: attach("testnet"), ports });
    const ask = () => lab.on(lab.client, "curl -s http://192.168.50.11:8080/").status;
    expect(ask()).toBe(0);
    expect(web.sandbox!.exit!.network.name).toBe("docker_gwbridge");
    web.connect({ network: "mybr", aliases: [] });
    expect(web.sandbox!.exit!.publishedPorts).toHaveLength(1);
    expect(ask()).toBe(0);
  });

  it("leaves nothing behind when its ports are somebody else's", () => {
    for (const release of ["current", "20.10"] as const) {
      const lab = new EngineLab(release);
      const testnet = overlay(lab, "testnet", "10.0.1.0/24");
      const ports = [{ protocol: "tcp", containerPort: 80, hostPort: 8_080 }] as const;
      lab.start("first", "serve http 80", { networks: attach("testnet"), ports });
      const devices = lab.node.namespace.devices.length;
      expect(() => lab.start("second", "serve http 80", { networks: attach("testnet"), ports })).toThrow(
        /on endpoint gateway_[0-9a-f]{12} \([0-9a-f]{64}\): Bind for 0\.0\.0\.0:8080 failed: port is already allocated$/,
      );
      expect(lab.node.namespace.devices.length).toBe(devices);
      expect(testnet.endpoints.size).toBe(1);
      expect(lab.on(lab.client, "curl -s http://192.168.50.11:8080/").status).toBe(0);
    }
  });

  it("stays as it was when a network refuses it", () => {
    const lab = new EngineLab("current");
    overlay(lab, "testnet", "10.0.1.0/24");
    lab.bridge("small", { subnet: { subnet: net("172.30.0.0/30"), gateway: undefined } });
    lab.start("other", "sleep 1000", { networks: attach("small") });
    const web = lab.start("web", "sleep 1000", { networks: attach("testnet") });
    const before = interfaces(web);
    expect(web.connect({ network: "small", aliases: [] })?.message).toMatch(
      /^no available IPv4 addresses on this network's address pools: small/,
    );
    expect(interfaces(web)).toEqual(before);
  });

  it("is told of to those who listen, whenever it joins or leaves", () => {
    const lab = new EngineLab("current");
    lab.bridge("mybr");
    const web = lab.start("web", "sleep 1000");
    const told: string[] = [];
    lab.engine.listeners.push({
      containerChanged: ({ endpoints }) => told.push(endpoints.map(({ network }) => network.name).join(" ")),
    });
    web.connect({ network: "mybr", aliases: [] });
    web.disconnect("bridge");
    expect(told).toEqual(["bridge mybr", "mybr"]);
  });

  it("of the host's network is the host itself", () => {
    const lab = new EngineLab("current");
    const container = lab.start("agent", "serve http 9000", { networks: attach("host") });
    expect(container.namespace).toBe(lab.node.namespace);
    expect(lab.on(lab.client, "curl -s http://192.168.50.11:9000/").status).toBe(0);
    container.stop();
    lab.wait(SECOND);
    expect(lab.on(lab.client, "curl -s http://192.168.50.11:9000/").status).toBe(7);
    expect(lab.node.namespace.device("eth0")).toBeDefined();
  });

  it("of none has its loopback alone", () => {
    const lab = new EngineLab("current");
    const container = lab.start("alone", "sleep 1000", { networks: attach("none") });
    expect(container.namespace!.devices.map(({ name, up }) => [name, up])).toEqual([["lo", true]]);
  });
});

describe("An interface that comes into a container", () => {
  /** Times and senders of the ARP announcements seen on docker0's side. */
  function announcements(release: "current" | "20.10"): string[] {
    const lab = new EngineLab(release);
    const docker0 = lab.node.namespace.device("docker0")!;
    const lines: string[] = [];
    docker0.promiscuous = true;
    docker0.tap = {
      frame: (frame) => {
        const { frames } = lab.world;
        const at = frames.start(frame);
        if (ethernet.etherType(frames.bytes, at) !== ethernet.ETHERTYPE_ARP) return;
        const packet = arp.parse(frames.bytes, at + ethernet.HEADER_BYTES, frames.end(frame));
        if (typeof packet === "string") return;
        const seconds = (lab.world.simulation.nowNs / SECOND).toFixed(1);
        lines.push(
          `${seconds} ${formatIpv4(packet.senderProtocolAddress)} ${formatIpv4(packet.targetProtocolAddress)}`,
        );
      },
    };
    lab.start("c1", "sleep 1000");
    lab.wait(10 * SECOND);
    return lines;
  }

  it("tells its address three times, a second apart", () => {
    expect(announcements("current").slice(-2)).toEqual(["1.0 172.17.0.2 172.17.0.2", "2.0 172.17.0.2 172.17.0.2"]);
  });

  it("told nobody in 20.10", () => {
    expect(announcements("20.10")).toEqual([]);
  });
});

describe("An engine's networks", () => {
  const message = (answer: object | undefined): string => (isRefusal(answer) ? answer.message : "no refusal");

  it("are bridge, host and none at first", () => {
    const { engine } = new EngineLab("current");
    expect([...engine.networks.values()].map(({ name, driver }) => `${name} ${driver}`).sort()).toEqual([
      "bridge bridge",
      "host host",
      "none null",
    ]);
  });

  it("are found by name, identifier and its beginning", () => {
    const { engine } = new EngineLab("current");
    const bridge = engine.findNetwork("bridge");
    if (isRefusal(bridge)) throw new Error(bridge.message);
    expect(bridge.id).toMatch(/^[0-9a-f]{64}$/);
    expect(engine.findNetwork(bridge.id.slice(0, 6))).toBe(bridge);
    expect(message(engine.findNetwork("nothing"))).toBe("network nothing not found");
  });

  it("are refused in Docker's words", () => {
    const lab = new EngineLab("current");
    const { engine } = lab;
    lab.bridge("app", { subnet: { subnet: net("10.9.0.0/24"), gateway: undefined } });
    const create = (name: string, subnet?: string, gateway?: string) =>
      engine.createNetwork({
        name,
        driver: "bridge",
        ...(subnet !== undefined && {
          subnet: { subnet: net(subnet), gateway: gateway === undefined ? undefined : ip(gateway) },
        }),
      });
    expect(message(create("app"))).toBe("network with name app already exists");
    expect(message(create("bad", "10.9.0.0/16"))).toBe(
      "invalid pool request: Pool overlaps with other one on this address space",
    );
    expect(message(engine.removeNetwork("bridge"))).toBe("bridge is a pre-defined network and cannot be removed");
    expect(message(engine.removeNetwork("gone"))).toBe("network gone not found");
    const container = lab.start("c1", "sleep 1000", { networks: attach("app") });
    const [endpoint] = container.endpoints;
    expect(message(engine.removeNetwork("app"))).toBe(
      `error while removing network: network app has active endpoints (name:"c1" id:"${endpoint!.id.slice(0, 12)}")`,
    );
  });

  it("leave nothing behind when they are removed", () => {
    const lab = new EngineLab("current");
    const name = lab.bridge("app");
    expect(lab.node.namespace.device(name)).toBeDefined();
    lab.engine.removeNetwork("app");
    expect(lab.node.namespace.device(name)).toBeUndefined();
    const again = lab.engine.createNetwork({ name: "app", driver: "bridge" });
    expect(again instanceof BridgeNetwork && formatPrefix(again.subnets[0]!.subnet)).toBe("172.18.0.0/16");
  });

  it("keep clear of the host's own routes", () => {
    const lab = new EngineLab("current");
    const { namespace } = lab.node;
    namespace.addAddress(namespace.device("eth0")!, net("172.18.7.1/24"));
    lab.bridge("app");
    const app = lab.engine.findNetwork("app");
    expect(!isRefusal(app) && formatPrefix(app.subnets[0]!.subnet)).toBe("172.19.0.0/16");
  });

  it("give containers the addresses that they ask for, once", () => {
    const lab = new EngineLab("current");
    lab.bridge("app", { subnet: { subnet: net("10.9.0.0/24"), gateway: ip("10.9.0.254") } });
    const wish = (address: string) => [{ network: "app", address: ip(address), aliases: [] }];
    expect(interfaces(lab.start("c1", "sleep 1000", { networks: wish("10.9.0.7") }))).toEqual([
      "eth0 10.9.0.7/24",
      "default 10.9.0.254 eth0",
    ]);
    expect(() => lab.start("c2", "sleep 1000", { networks: wish("10.9.0.7") })).toThrow(
      "failed to set up container networking: Address already in use",
    );
    expect(() => lab.start("c3", "sleep 1000", { networks: wish("10.8.0.7") })).toThrow(
      /does not belong to any of this network's subnets/,
    );
    const failed = lab.engine.findContainer("c2");
    expect(!isRefusal(failed) && failed.state).toBe("created");
    expect(lab.world.namespaces.has("node1/c2")).toBe(false);
  });
});

describe("Published ports", () => {
  const port = (containerPort: number, hostPort?: number) => [{ protocol: "tcp", containerPort, hostPort }] as const;

  it("are each given to one container", () => {
    const lab = new EngineLab("current");
    lab.start("c1", "sleep 1000", { ports: port(80, 8_080) });
    expect(() => lab.start("c2", "sleep 1000", { ports: port(80, 8_080) })).toThrow(
      /^failed to set up container networking: driver failed programming external connectivity on endpoint c2 \([0-9a-f]{64}\): Bind for 0\.0\.0\.0:8080 failed: port is already allocated$/,
    );
    const first = lab.engine.findContainer("c1");
    if (!isRefusal(first)) first.remove(true);
    lab.start("c3", "sleep 1000", { ports: port(80, 8_080) });
  });

  it("are refused when a program of the host has them", () => {
    const lab = new EngineLab("20.10");
    lab.node.spawn("serve", { stdout: { write() {} }, stderr: { write() {} } }, (process) =>
      lab.node.words.get("serve")!.run(process, lab.node.context(), ["http", "8080"]),
    );
    expect(() => lab.start("c1", "sleep 1000", { ports: port(80, 8_080) })).toThrow(
      /Error starting userland proxy: listen tcp4 0\.0\.0\.0:8080: bind: address already in use$/,
    );
  });

  it("are chosen from the host's ephemeral range, one after the other", () => {
    const lab = new EngineLab("current");
    const chosen = ["c1", "c2", "c3"].map((name) => {
      const container: Container = lab.start(name, "sleep 1000", { ports: port(80) });
      const sandbox: Sandbox = container.sandbox!;
      return sandbox.exit!.publishedPorts[0]!.hostPort;
    });
    expect(chosen).toEqual([32_768, 32_769, 32_770]);
  });
});
