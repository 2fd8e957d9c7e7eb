/** A law that cannot fail is none: each is shown a bug, planted in what was seen of a sound run, or in the tables at its end. */
import { describe, expect, it } from "vitest";
import type { Law } from "../../../src/check/law.ts";
import { AFFINITY } from "../../../src/check/laws/affinity.ts";
import { CAUSES } from "../../../src/check/laws/causes.ts";
import { DUPLICATES } from "../../../src/check/laws/duplicates.ts";
import { LEARNING } from "../../../src/check/laws/learning.ts";
import { LOOPS } from "../../../src/check/laws/loops.ts";
import { REASSEMBLY } from "../../../src/check/laws/reassembly.ts";
import { ROUND_ROBIN } from "../../../src/check/laws/round-robin.ts";
import { SPLIT_HORIZON } from "../../../src/check/laws/split-horizon.ts";
import { TABLES } from "../../../src/check/laws/tables.ts";
import { TRANSLATION } from "../../../src/check/laws/translation.ts";
import { layersOf } from "../../../src/check/layers.ts";
import { type Observation, type ObservedFrame, observe } from "../../../src/check/observation.ts";
import { flowOf } from "../../../src/check/packets.ts";
import { bridgeOf } from "../../../src/linux/bridge.ts";
import type { Vxlan } from "../../../src/linux/vxlan.ts";
import type { ScenarioInput } from "../../../src/scenario/input.ts";
import { Lab } from "../../../src/scenario/lab.ts";
import { parseIpv4, parseMac } from "../../../src/wire/address.ts";
import * as ethernet from "../../../src/wire/ethernet.ts";
import * as ipv4 from "../../../src/wire/ipv4.ts";
import { tamper } from "./observed.ts";

const NODES = { n1: { role: "host" }, n2: { role: "host" }, n3: { role: "host" } } as const;

const overlay = (mode: "swarm" | "flood-and-learn", run: string): ScenarioInput => ({
  name: "overlay",
  until: "8s",
  nodes: NODES,
  networks: { net: { mode, subnet: "10.20.0.0/24" } },
  containers: {
    c1: { node: "n1", networks: { net: { address: "10.20.0.2" } } },
    c2: { node: "n2", networks: { net: { address: "10.20.0.3" } } },
    c3: { node: "n3", networks: { net: { address: "10.20.0.4" } } },
    c4: { node: "n1", networks: { net: { address: "10.20.0.5" } } },
  },
  steps: [
    { at: "2s", in: "c1", run },
    { at: "2s", in: "c1", run: "ping -c 1 10.20.0.5" },
  ],
});

/** c1 and c2 behind n1: the port 8000 leads to c1, 9000 to both in turn; their way out is masqueraded. */
const gateway: ScenarioInput = {
  name: "gateway",
  until: "8s",
  nodes: {
    n1: {
      role: "host",
      address: "192.168.50.11",
      setup: [
        "sysctl -w net.ipv4.ip_forward=1",
        "iptables -t nat -A PREROUTING -d 192.168.50.11 -p tcp --dport 8000 -j DNAT --to-destination 10.30.0.2:80",
        "iptables -t nat -A POSTROUTING -s 10.30.0.0/24 ! -o br-net -j MASQUERADE",
        "ipvsadm -A -t 192.168.50.11:9000 -s rr",
        "ipvsadm -a -t 192.168.50.11:9000 -r 10.30.0.2:80 -m",
        "ipvsadm -a -t 192.168.50.11:9000 -r 10.30.0.3:80 -m",
      ],
    },
    n2: { role: "host", address: "192.168.50.12" },
  },
  networks: { net: { driver: "bridge", subnet: "10.30.0.0/24" } },
  containers: {
    c1: { node: "n1", networks: { net: { address: "10.30.0.2" } } },
    c2: { node: "n1", networks: { net: { address: "10.30.0.3" } } },
  },
  steps: [
    { at: "1s", in: "c1", run: "serve http" },
    { at: "1s", in: "c2", run: "serve http" },
    { at: "2s", on: "n2", run: "curl -s http://192.168.50.11:8000/" },
    { at: "3s", on: "n2", run: Array.from({ length: 4 }, () => "curl -s http://192.168.50.11:9000/").join("; ") },
    { at: "4s", in: "c1", run: "ping -c 2 192.168.50.12" },
  ],
};

const run = (scenario: ScenarioInput): Observation => observe(new Lab(scenario));
const isCut = ({ bytes }: ObservedFrame): boolean =>
  ethernet.etherType(bytes, 0) === ethernet.ETHERTYPE_IPV4 && ipv4.isFragment(bytes, ethernet.HEADER_BYTES);
const isEcho = ({ bytes }: ObservedFrame): boolean => flowOf(bytes)?.protocol === ipv4.PROTOCOL_ICMP;

/** The observation with a frame more, behind the one that `which` chooses. */
function withFrame(
  observation: Observation,
  which: (frame: ObservedFrame) => boolean,
  make: (frame: ObservedFrame) => ObservedFrame,
): Observation {
  const index = observation.frames.findIndex(which);
  expect(index).toBeGreaterThanOrEqual(0);
  return { ...observation, frames: observation.frames.toSpliced(index + 1, 0, make(observation.frames[index]!)) };
}

function expectBroken(law: Law, sound: Observation, broken: Observation): void {
  expect(law.check(sound)).toEqual([]);
  expect(law.check(broken).length).toBeGreaterThan(0);
}

describe("The law", () => {
  it("of duplicates fails when a container gets a packet twice", () => {
    const sound = run(overlay("swarm", "ping -c 1 10.20.0.3"));
    const atContainer = (frame: ObservedFrame) =>
      frame.place === "c2/eth0" && frame.direction === "in" && isEcho(frame);
    expectBroken(
      DUPLICATES,
      sound,
      withFrame(sound, atContainer, (frame) => frame),
    );
  });

  it("of split horizon fails when a tunnel's frame goes back into the tunnel", () => {
    const sound = run(overlay("flood-and-learn", "ping -c 1 10.20.0.3"));
    const fromTunnel = ({ device, direction }: ObservedFrame) => device.kind === "vxlan" && direction === "in";
    expectBroken(
      SPLIT_HORIZON,
      sound,
      withFrame(sound, fromTunnel, (frame) => ({ ...frame, direction: "out" })),
    );
  });

  it("of loops fails when a bridge meets a frame at another port, or a host meets a packet with less time to live", () => {
    const sound = run(overlay("flood-and-learn", "ping -c 1 10.20.0.3"));
    const ports = sound.devices.filter(
      ({ master, namespaceName }) => master !== undefined && namespaceName === "n1/net",
    );
    const atPort = ({ device, direction }: ObservedFrame) => device === ports[0] && direction === "in";
    expectBroken(
      LOOPS,
      sound,
      withFrame(sound, atPort, (frame) => ({ ...frame, device: ports[1]! })),
    );
    const atHost = (frame: ObservedFrame) => frame.place === "c2/eth0" && frame.direction === "in" && isEcho(frame);
    const older = (frame: ObservedFrame): ObservedFrame => {
      const bytes = frame.bytes.slice();
      bytes[ethernet.HEADER_BYTES + 8] = 60;
      return { ...frame, bytes };
    };
    expectBroken(LOOPS, sound, withFrame(sound, atHost, older));
  });

  it("of causes fails when a frame vanishes from a cable", () => {
    const sound = run(overlay("swarm", "ping -c 1 10.20.0.3"));
    const gone = sound.frames.findIndex(
      ({ place, direction, bytes }) => place === "n2/eth0" && direction === "in" && layersOf(bytes).length === 2,
    );
    expectBroken(CAUSES, sound, { ...sound, frames: sound.frames.toSpliced(gone, 1) });
  });

  it.each([
    "link-loss",
    "link-partition",
    "udp-bad-checksum",
    "netfilter-drop",
    "ipvs-drop",
    "link-queue-full",
  ] as const)("of causes fails when a packet is dropped as %s where nothing does that", (reason) => {
    const sound = run(overlay("swarm", "ping -c 1 10.20.0.3"));
    const drop = { reason, place: "n1/eth0", timeNs: 0, packetId: 1 };
    expectBroken(CAUSES, sound, { ...sound, drops: [drop] });
  });

  it.each(["not-for-us", "ipv4-ttl-exceeded", "ipv4-not-local"] as const)(
    "of causes fails when a packet is dropped as %s that was not so",
    (reason) => {
      const sound = run(overlay("swarm", "ping -c 1 10.20.0.3"));
      const frame = sound.frames.find((one) => one.place === "c2/eth0" && one.direction === "in" && isEcho(one))!;
      const { place, timeNs, packetId } = frame;
      expectBroken(CAUSES, sound, { ...sound, drops: [{ reason, place, timeNs, packetId }] });
    },
  );

  it("of learning fails when a bridge's, a tunnel's or a neighbour's entry says what nobody said", () => {
    const observation = run(overlay("flood-and-learn", "ping -c 1 10.20.0.3"));
    expect(LEARNING.check(observation)).toEqual([]);
    const bridge = bridgeOf(observation.devices.find(({ place }) => place === "n1/net/br0")!)!;
    const nowNs = observation.world.simulation.nowNs;
    const entry = bridge.fdb.list(nowNs).find(({ local, port }) => !local && port?.device.kind === "veth")!;
    const other = bridge.ports.find(({ device }) => device.kind === "vxlan")!;
    bridge.fdb.set(entry.address, 0, other, { ...entry, local: false }, entry.updatedNs);
    expect(LEARNING.check(observation)).toHaveLength(1);
    bridge.fdb.delete(bridge.fdb.get(entry.address, 0, nowNs)!);
    expect(LEARNING.check(observation)).toHaveLength(1); // seen, and not known
    bridge.fdb.set(entry.address, 0, entry.port, { ...entry, local: false }, entry.updatedNs);
    expect(LEARNING.check(observation)).toEqual([]);

    const { driver } = observation.devices.find(({ place }) => place === "n1/net/vxlan0")!;
    const { fdb } = driver as Vxlan;
    const learnt = fdb.list().find(({ state }) => state === "reachable")!;
    fdb.replace({ mac: learnt.mac, address: parseIpv4("192.168.50.99")!, state: "reachable" });
    expect(LEARNING.check(observation)).toHaveLength(1);
    fdb.replace({ mac: learnt.mac, address: learnt.remotes[0]!.address, state: "reachable" });

    const { neighbours } = observation.world.namespaces.get("c1")!;
    const neighbour = neighbours.list().find(({ valid }) => valid)!;
    const { device, address } = neighbour;
    neighbours.replace({ device, address, mac: parseMac("02:00:00:00:00:99")!, state: "STALE" });
    expect(LEARNING.check(observation)).toHaveLength(1);
  });

  it("of tables fails when a peer is unknown, somewhere else, or nobody", () => {
    const observation = run(overlay("swarm", "ping -c 1 10.20.0.3"));
    expect(TABLES.check(observation)).toEqual([]);
    const { driver } = observation.devices.find(({ place }) => place === "n1/net/vxlan0")!;
    const { fdb } = driver as Vxlan;
    const peer = fdb.list()[0]!;
    fdb.replace({ mac: peer.mac, address: parseIpv4("192.168.50.99")! });
    expect(TABLES.check(observation)).toHaveLength(1);
    fdb.delete({ mac: peer.mac });
    expect(TABLES.check(observation)).toHaveLength(1);
    fdb.add({ mac: peer.mac, address: peer.remotes[0]!.address });
    fdb.add({ mac: parseMac("02:00:00:00:00:99")!, address: peer.remotes[0]!.address });
    expect(TABLES.check(observation)).toHaveLength(1);
  });

  it("of reassembly fails when a fragment is missing, misplaced or changed, and when what was whole is given up", () => {
    const sound = run(overlay("swarm", "ping -c 1 -s 3000 10.20.0.3"));
    const isFragment = (frame: ObservedFrame) => frame.place === "c1/eth0" && frame.direction === "out" && isCut(frame);
    expect(sound.frames.filter(isFragment).length).toBe(3);
    const gone = sound.frames.findIndex(isFragment);
    expectBroken(REASSEMBLY, sound, { ...sound, frames: sound.frames.toSpliced(gone, 1) });
    for (const at of [ethernet.HEADER_BYTES + 7, ethernet.HEADER_BYTES + 40])
      expectBroken(
        REASSEMBLY,
        sound,
        tamper(sound, isFragment, (bytes) => {
          bytes[at] = bytes[at]! ^ 1;
          return bytes;
        }),
      );
    const arrived = sound.frames.find(
      (frame) => frame.place === "c2/eth0" && frame.direction === "in" && isCut(frame),
    )!;
    const { place, packetId } = arrived;
    expectBroken(REASSEMBLY, sound, {
      ...sound,
      drops: [{ reason: "fragment-timeout", place, packetId, timeNs: sound.world.simulation.nowNs }],
    });
  });

  it("of translation fails when an answer leaves untranslated, and when two flows become one", () => {
    const sound = run(gateway);
    const toClient = ({ place, direction, bytes }: ObservedFrame) => {
      const flow = flowOf(bytes);
      return (
        place === "n1/eth0" && direction === "out" && flow?.protocol === ipv4.PROTOCOL_TCP && flow.sourcePort === 8_000
      );
    };
    const untranslated = tamper(sound, toClient, (bytes) => {
      ipv4.setSource(bytes, ethernet.HEADER_BYTES, parseIpv4("10.30.0.2")!);
      return bytes;
    });
    expectBroken(TRANSLATION, sound, untranslated);
    const published = sound.frames.filter(
      ({ place, direction, bytes }) =>
        place === "n1/eth0" && direction === "in" && flowOf(bytes)?.destinationPort === 8_000,
    );
    const merged = published.map((frame) => {
      const bytes = frame.bytes.slice();
      bytes[ethernet.HEADER_BYTES + 15] = 13; // another client's request, which leaves as the first one's
      return { ...frame, bytes };
    });
    const frames = sound.frames.flatMap((frame) => {
      const index = published.indexOf(frame);
      return index < 1 ? [frame] : [merged[index]!];
    });
    expectBroken(TRANSLATION, sound, { ...sound, frames });
  });

  it("of affinity fails when one segment of a connection goes to another server", () => {
    const sound = run(gateway);
    const toServer = ({ device, direction, bytes }: ObservedFrame) => {
      const flow = flowOf(bytes);
      const isAck = bytes[ethernet.HEADER_BYTES + 20 + 13] === 0x10;
      return (
        device.namespaceName === "n1" &&
        device.kind === "bridge" &&
        direction === "out" &&
        isAck &&
        flow?.destinationPort === 80
      );
    };
    const astray = tamper(sound, toServer, (bytes) => {
      ipv4.setDestination(bytes, ethernet.HEADER_BYTES, parseIpv4("10.30.0.9")!);
      return bytes;
    });
    expectBroken(AFFINITY, sound, astray);
  });

  it("of round robin fails when one server gets two connections more than another", () => {
    const sound = run(gateway);
    const [first, second] = ["10.30.0.2", "10.30.0.3"].map((text) => parseIpv4(text)!);
    const frames = sound.frames.map((frame) => {
      const flow = flowOf(frame.bytes);
      if (frame.device.kind !== "bridge" || frame.direction !== "out" || flow?.destination !== second) return frame;
      const bytes = frame.bytes.slice();
      ipv4.setDestination(bytes, ethernet.HEADER_BYTES, first!);
      return { ...frame, bytes };
    });
    expectBroken(ROUND_ROBIN, sound, { ...sound, frames });
  });
});
