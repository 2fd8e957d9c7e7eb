/** Gossip through the emulated hosts' own sockets: held against the recordings of a real Swarm, and put through what networks do to it. */
import { describe, expect, it } from "vitest";
import * as datagram from "../../src/gossip/datagram.ts";
import { inOrderOfUse, Keyring } from "../../src/gossip/keyring.ts";
import * as messages from "../../src/gossip/messages.ts";
import { NETWORKDB } from "../../src/gossip/networkdb-settings.ts";
import { open } from "../../src/gossip/seal.ts";
import * as stream from "../../src/gossip/stream.ts";
import { TcpSocket } from "../../src/linux/tcp/tcp-socket.ts";
import { UdpSocket } from "../../src/linux/udp-socket.ts";
import { SECOND } from "../../src/sim/time.ts";
import type { Ipv4Address } from "../../src/wire/address.ts";
import { GossipLab, type Packet } from "./gossip-lab.ts";

const INGRESS = "1acqcenrj8c1w3v5u0k2m9pqr";
const PEERS = "overlay_peer_table";
const VALUE = Uint8Array.of(10, 0, 1, 3);
/** Of ages 1, 2 and 3, the middle one first. */
const KEYS = [2, 1, 3].map((fill) => new Uint8Array(16).fill(fill));
const FIN = 1;
const SYN = 2;

/** The messages of a datagram, sealed with one of KEYS. */
function opened(packet: Packet): { messages: messages.Message[]; hasChecksum: boolean; isCompressed: boolean } {
  const plaintext = open(KEYS, packet.payload);
  if (typeof plaintext === "string") throw new Error(plaintext);
  const parsed = datagram.parse(plaintext);
  if (typeof parsed === "string") throw new Error(parsed);
  const parts = parsed.parts.map((part) => {
    const message = messages.parse(part);
    if (typeof message === "string") throw new Error(message);
    return message;
  });
  return { ...parsed, messages: parts };
}

function isSyn(packet: Packet): boolean {
  return packet.protocol === 6 && (packet.flags & 0x12) === SYN;
}

function sealedLab(): GossipLab {
  const lab = new GossipLab(3, { keys: KEYS });
  lab.form(INGRESS);
  return lab;
}

describe("gossip on emulated hosts", () => {
  it("probes once a second with pings of 110 bytes and acks of 47, as recorded", () => {
    const lab = sealedLab();
    lab.pass(20);
    const sinceNs = lab.world.simulation.nowNs;
    lab.pass(30);
    const sent = lab.packets(0, sinceNs).filter(({ direction, protocol }) => direction === "out" && protocol === 17);
    const pings = sent.filter((packet) => opened(packet).messages[0]!.kind === "ping");
    const acks = sent.filter((packet) => opened(packet).messages[0]!.kind === "ack");
    // a tick in nine or so finds only itself between two shufflings of a list of three: 2 s, as recorded
    expect(pings.length).toBeGreaterThanOrEqual(24);
    for (const ping of pings) {
      expect(ping.payload).toHaveLength(110);
      expect([ping.fromPort, ping.toPort]).toEqual([7946, 7946]);
      expect(opened(ping)).toMatchObject({ hasChecksum: false, isCompressed: false });
    }
    for (const ack of acks) expect(ack.payload).toHaveLength(47);
    // the other two probe this one about every other second
    expect(acks.length).toBeGreaterThanOrEqual(24);
    expect(acks.length).toBeLessThanOrEqual(32);
    const gaps = pings.slice(1).map(({ timeNs }, index) => timeNs - pings[index]!.timeNs);
    for (const gap of gaps) expect([SECOND, 2 * SECOND]).toContain(gap);
  });

  it("exchanges states by TCP: on joining, then each 30 s; and tables each 30 s, on a connection each way", () => {
    const lab = sealedLab();
    const joining = lab.packets(1).filter(({ protocol, payload }) => protocol === 6 && payload.length > 0);
    // recorded: 178 bytes there, 219 back
    expect(joining[0]!.payload.length).toBeGreaterThan(165);
    expect(joining[0]!.payload.length).toBeLessThan(190);
    expect(joining[1]!.payload.length).toBeGreaterThan(165);
    expect(joining[1]!.payload.length).toBeLessThan(240);
    lab.pass(60);
    const sinceNs = lab.world.simulation.nowNs;
    lab.pass(120);
    const packets = lab.packets(0, sinceNs).filter(({ protocol }) => protocol === 6);
    const kinds = packets
      .filter(({ direction, payload }) => direction === "out" && payload.length > 0)
      .map(({ payload, toPort }) => {
        const message = stream.parse(payload, new Keyring(KEYS));
        if (typeof message === "string") throw new Error(message);
        if (message.kind === "push-pull" && toPort === 7946) expect(Math.abs(payload.length - 373)).toBeLessThan(25);
        return `${message.kind} ${toPort === 7946 ? "there" : "back"}`;
      });
    expect(kinds.filter((kind) => kind === "push-pull there")).toHaveLength(4);
    // its own four rounds, and an answer to each round of the others that fell on it
    const bulkSyncs = kinds.filter((kind) => kind === "stream-user there");
    expect(bulkSyncs.length).toBeGreaterThanOrEqual(4);
    expect(bulkSyncs.length).toBeLessThanOrEqual(12);
    expect(kinds).not.toContain("stream-user back");
    // no connection stays, and none is reset
    expect(packets.filter(isSyn).length * 2).toBe(packets.filter(({ flags }) => (flags & FIN) !== 0).length);
    expect(packets.every(({ flags }) => (flags & 4) === 0)).toBe(true);
  });

  it("closes a state exchange from the side that answered, an unanswered message from the side that wrote, as recorded", () => {
    const lab = sealedLab();
    const flows = new Map<number, { kind: string; finFrom: string }>();
    for (const packet of lab.packets(0)) {
      if (packet.protocol !== 6) continue;
      const dialler = packet.toPort === 7946;
      const port = dialler ? packet.fromPort : packet.toPort;
      if (packet.payload.length > 0 && dialler) {
        const message = stream.parse(packet.payload, new Keyring(KEYS));
        flows.set(port, { kind: typeof message === "string" ? message : message.kind, finFrom: "" });
      }
      const flow = flows.get(port);
      if (flow !== undefined && flow.finFrom === "" && (packet.flags & FIN) !== 0)
        flow.finFrom = dialler ? "dialler" : "dialled";
    }
    expect(flows.size).toBeGreaterThanOrEqual(5);
    for (const { kind, finFrom } of flows.values()) expect(finFrom).toBe(kind === "push-pull" ? "dialled" : "dialler");
  });

  it("finds a node dead some 5.7 s after it was cut off, and purges its entries that moment", () => {
    for (const seed of [1, 2, 3, 4]) {
      const lab = new GossipLab(3, { seed, keys: KEYS });
      lab.form(INGRESS);
      lab.nodes[2]!.agent.createEntry(INGRESS, PEERS, "ep3", VALUE);
      expect(lab.until(1, () => [0, 1].every((index) => lab.table(index, INGRESS).length === 1))).toBeLessThan(0.7);
      lab.pass(30);
      const cutNs = lab.world.simulation.nowNs;
      lab.cut(2, true);
      const took = lab.until(10, () => lab.table(0, INGRESS).length === 0 && lab.table(1, INGRESS).length === 0);
      // up to 2 s until one of the two comes to probe it, 1 s for the probe, 4 s of suspicion
      expect(took).toBeGreaterThanOrEqual(5);
      expect(took).toBeLessThan(7.3);
      expect(lab.belief(0, 2)).toBe("dead");
      const name = lab.nodes[2]!.agent.nodeName;
      expect(lab.nodes[0]!.heard.slice(-2)).toEqual([`delete ${INGRESS} ${PEERS} ep3`, `failed ${name}`]);
      // the order of it: ping, half a second, indirect ping and SYN, half a second and its like, nack, suspicion, death
      const news = [0, 1]
        .flatMap((index) => lab.packets(index, cutNs).filter(({ direction }) => direction === "out"))
        .sort((one, other) => one.timeNs - other.timeNs);
      const first = (kind: string): number =>
        news.find(
          (packet) => packet.protocol === 17 && opened(packet).messages.some((message) => message.kind === kind),
        )!.timeNs;
      const asked = first("indirect-ping");
      const syn = news.find((packet) => isSyn(packet) && packet.to === lab.nodes[2]!.address)!.timeNs;
      expect(Math.abs(syn - asked)).toBeLessThan(0.001 * SECOND);
      expect((first("nack") - asked) / SECOND).toBeCloseTo(0.5, 2);
      expect((first("suspect") - asked) / SECOND).toBeLessThan(0.71); // with the next gossip, 200 ms at most
      expect((first("dead") - first("suspect")) / SECOND).toBeCloseTo(4, 0);
    }
  });

  it("is whole again soon after the cut is healed, entries and all", () => {
    const lab = sealedLab();
    for (const [index, node] of lab.nodes.entries())
      expect(node.agent.createEntry(INGRESS, PEERS, `ep${index}`, VALUE)).toBe(undefined);
    lab.pass(5);
    lab.cut(2, true);
    lab.pass(62);
    expect(lab.table(0, INGRESS)).toHaveLength(2);
    expect(lab.table(2, INGRESS)).toHaveLength(1);
    // each dials those that failed, ten seconds at a time: SYNs at 0, 1, 3 and 7 s
    lab.cut(2, false);
    const back = lab.until(
      10,
      () => lab.isWhole() && [0, 1, 2].every((index) => lab.table(index, INGRESS).length === 3),
    );
    expect(back).toBeLessThan(4.5);
  });

  it("keeps a node whose datagrams a firewall drops, by pings over TCP", () => {
    const lab = sealedLab();
    lab.type(2, "iptables -A INPUT -p udp --dport 7946 -j DROP");
    lab.pass(60);
    expect(lab.isWhole()).toBe(true);
    expect(lab.nodes[0]!.heard.join()).not.toContain("failed");
    const pings = lab
      .packets(2)
      .filter(
        ({ protocol, direction, payload }) =>
          protocol === 6 && direction === "in" && payload.length > 0 && isKind(payload, "ping"),
      );
    expect(pings.length).toBeGreaterThan(20);
    // rumours of tables do not reach it: they come by bulk sync
    lab.nodes[0]!.agent.createEntry(INGRESS, PEERS, "slow", VALUE);
    const took = lab.until(70, () => lab.table(2, INGRESS).length === 1);
    expect(took).toBeGreaterThan(0.2);
    expect(took).toBeLessThan(62);
  });

  it("cannot be joined where TCP is dropped, though datagrams pass", () => {
    const lab = new GossipLab(2, { keys: KEYS });
    lab.type(0, "iptables -A INPUT -p tcp --dport 7946 -j DROP");
    lab.form(INGRESS);
    lab.pass(40);
    expect(lab.nodes[1]!.agent.members).toHaveLength(1);
    lab.type(0, "iptables -F INPUT");
    expect(lab.until(62, () => lab.isWhole())).toBeDefined(); // rejoined at the managers each minute
  });

  it("lives on with TCP dropped once it is joined, without bulk syncs", () => {
    const lab = sealedLab();
    lab.type(2, "iptables -A INPUT -p tcp --dport 7946 -j DROP");
    lab.pass(65);
    expect(lab.isWhole()).toBe(true);
    lab.nodes[0]!.agent.createEntry(INGRESS, PEERS, "quick", VALUE);
    expect(lab.until(2, () => lab.table(2, INGRESS).length === 1)).toBeLessThan(1);
  });

  it("asks others for a node that it cannot reach itself", () => {
    const lab = sealedLab();
    const [one, , three] = lab.nodes;
    lab.type(2, "iptables -A INPUT -s 192.168.50.11 -j DROP");
    lab.pass(40);
    expect(one!.address).toBeLessThan(three!.address);
    expect(lab.belief(0, 2)).toBe("alive");
    expect(lab.nodes.flatMap(({ heard }) => heard).join()).not.toContain("failed");
  });

  it("tells the others when it leaves: gone at once, its entries too", () => {
    const lab = sealedLab();
    lab.nodes[2]!.agent.createEntry(INGRESS, PEERS, "ep3", VALUE);
    lab.pass(2);
    let isLeft = false;
    lab.nodes[2]!.agent.leave(() => {
      isLeft = true;
    });
    expect(lab.until(2, () => lab.table(0, INGRESS).length + lab.table(1, INGRESS).length === 0)).toBeLessThan(1);
    lab.pass(7);
    expect(isLeft).toBe(true);
    expect(lab.belief(0, 2)).toBe("left");
    expect(lab.nodes[0]!.heard).not.toContain(`failed ${lab.nodes[2]!.agent.nodeName}`);
    const sinceNs = lab.world.simulation.nowNs;
    lab.pass(10);
    expect(lab.packets(2, sinceNs).filter(({ direction, protocol }) => direction === "out" && protocol === 17)).toEqual(
      [],
    );
  });

  it("comes back under another name after its engine was killed, in place of the old one", () => {
    const lab = sealedLab();
    const old = lab.nodes[2]!.agent;
    old.createEntry(INGRESS, PEERS, "old", VALUE);
    lab.pass(2);
    const sinceNs = lab.world.simulation.nowNs + 1;
    old.stop();
    lab.pass(1);
    expect(lab.packets(2, sinceNs).filter(({ direction, protocol }) => direction === "out" && protocol === 17)).toEqual(
      [],
    );
    const fresh = lab.renew(2);
    expect(fresh.nodeName).toMatch(/^[0-9a-f]{12}$/);
    expect(fresh.nodeName).not.toBe(old.nodeName);
    expect(fresh.start()).toBe(undefined);
    fresh.join([lab.nodes[0]!.address]);
    fresh.joinNetwork(INGRESS);
    lab.pass(3);
    expect(lab.belief(0, 2)).toBe("alive");
    expect(lab.nodes[0]!.heard).toContain(`left ${old.nodeName}`);
    expect(lab.table(0, INGRESS)).toEqual([]);
  });

  it("needs its port", () => {
    const lab = new GossipLab(1);
    const squatter = new UdpSocket(lab.nodes[0]!.namespace);
    squatter.bind(0 as Ipv4Address, 7946);
    expect(lab.nodes[0]!.agent.start()).toBe("EADDRINUSE");
    squatter.close();
    expect(lab.renew(0).start()).toBe(undefined);
  });

  it("goes on while the ring's keys are rotated on one node after the other", () => {
    const lab = sealedLab();
    const fourth = new Uint8Array(16).fill(4);
    const aged = [fourth, KEYS[2]!, KEYS[0]!].map((key) => ({ key, lamportTime: 700 + key[0]! }));
    const ring = inOrderOfUse(aged).map(({ key }) => key);
    expect(ring).toEqual([KEYS[2], KEYS[0], fourth]);
    for (const node of lab.nodes) {
      lab.pass(3);
      node.agent.setKeys(ring);
    }
    lab.pass(30);
    expect(lab.isWhole()).toBe(true);
    expect(lab.nodes[0]!.heard.join()).not.toContain("failed");
    expect([...lab.nodes[0]!.agent.malformed]).toEqual([]);
    expect(lab.nodes[0]!.agent.keysText()).toBe(
      [...KEYS, fourth].map((key) => `${key[0]!.toString(16).padStart(2, "0").repeat(16)}\n`).join(""),
    );
  });

  it("believes a node dead that has missed a rotation, and counts what it cannot open", () => {
    const lab = sealedLab();
    const strange = [new Uint8Array(16).fill(9)];
    for (const index of [0, 1]) lab.nodes[index]!.agent.setKeys(strange);
    lab.pass(15);
    expect(lab.belief(0, 2)).toBe("dead");
    expect(lab.belief(2, 0)).toBe("dead");
    expect(lab.nodes[0]!.agent.malformed.get("gossip-undecryptable")).toBeGreaterThan(5);
  });

  it("answers bytes that do not open with memberlist's error and closes; counts other nonsense, and goes on", () => {
    const lab = sealedLab();
    const { namespace } = lab.nodes[1]!;
    const say = (bytes: Uint8Array): Uint8Array | string | undefined => {
      const socket = new TcpSocket(namespace);
      socket.connect(lab.nodes[0]!.address, 7946);
      lab.pass(0.1);
      socket.write(bytes);
      lab.pass(0.1);
      const answer = socket.read(1_000);
      socket.close();
      return answer;
    };
    const answer = say(Uint8Array.of(6, 0x80));
    if (!(answer instanceof Uint8Array)) throw new Error(`${answer}`);
    expect(stream.parse(answer, new Keyring(KEYS))).toEqual({
      kind: "error",
      error: "Encryption is configured but remote state is not encrypted",
    });
    expect(say(Uint8Array.of(10, 255, 0, 0, 0))).toBe("end");
    const datagrams = new UdpSocket(namespace);
    datagrams.sendTo(new Uint8Array(500), lab.nodes[0]!.address, 7946);
    datagrams.sendTo(new Uint8Array(0), lab.nodes[0]!.address, 7946);
    lab.pass(20);
    expect(Object.fromEntries(lab.nodes[0]!.agent.malformed)).toEqual({
      "gossip-undecryptable": 3,
      "gossip-too-large": 1,
    });
    expect(lab.isWhole()).toBe(true);
  });

  it("drops who connects and says nothing after ten seconds", () => {
    const lab = sealedLab();
    const socket = new TcpSocket(lab.nodes[1]!.namespace);
    socket.connect(lab.nodes[0]!.address, 7946);
    lab.pass(9.9);
    expect(socket.read(10)).toBe(undefined);
    lab.pass(0.2);
    expect(socket.read(10)).toBe("end");
  });

  it("in clear opens to nobody's keys, and tells who comes with keys so", () => {
    const lab = new GossipLab(2);
    lab.form(INGRESS);
    expect(lab.nodes[0]!.agent.keysText()).toBe("");
    const socket = new TcpSocket(lab.nodes[1]!.namespace);
    socket.connect(lab.nodes[0]!.address, 7946);
    lab.pass(0.1);
    socket.write(new Uint8Array([10, 0, 0, 0, 30, ...new Uint8Array(30)]));
    lab.pass(0.1);
    const answer = socket.read(1_000);
    expect(answer instanceof Uint8Array && stream.parse(answer, undefined)).toMatchObject({
      kind: "error",
      error: "Remote state is encrypted and encryption is not configured",
    });
  });

  it("deletes the entries of failed nodes as Docker 20.10 did, when told so", () => {
    const lab = new GossipLab(3, { settings: { networkDb: { ...NETWORKDB, failedNodeEntries: "delete" } } });
    lab.form(INGRESS);
    lab.nodes[2]!.agent.createEntry(INGRESS, PEERS, "ep3", VALUE);
    lab.pass(2);
    lab.cut(2, true);
    lab.pass(20);
    lab.cut(2, false);
    expect(lab.until(10, () => lab.table(0, INGRESS).length === 1)).toBeDefined();
  });

  it("sends the same packets at the same times for the same seed", () => {
    const trace = (seed: number): string => {
      const lab = new GossipLab(3, { seed, keys: KEYS });
      lab.form(INGRESS);
      lab.pass(5);
      return lab
        .packets(0)
        .map(({ timeNs, payload }) => `${timeNs} ${Buffer.from(payload).toString("hex")}`)
        .join("\n");
    };
    expect(trace(5)).toBe(trace(5));
    expect(trace(5)).not.toBe(trace(6));
  });
});

function isKind(payload: Uint8Array, kind: string): boolean {
  const message = stream.parse(payload, new Keyring(KEYS));
  return typeof message !== "string" && message.kind === kind;
}
