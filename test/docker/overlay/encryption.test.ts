import { describe, expect, it } from "vitest";
import type { NetworkKey } from "../../../src/docker/overlay/network-key.ts";
import { OverlayDriver } from "../../../src/docker/overlay/overlay-driver.ts";
import { UdpSocket } from "../../../src/linux/udp-socket.ts";
import { wiresharkEspSa } from "../../../src/linux/xfrm/esp-sa.ts";
import type { Vni } from "../../../src/wire/address.ts";
import { fromHex, putU48, toHex } from "../../../src/wire/bytes.ts";
import { missing, runToolOnFile } from "../../capture/external-tools.ts";
import { watch } from "../../linux/two-hosts.ts";
import { pcapOf } from "../../linux/xfrm/security.ts";
import { ENCNET, ip, net, OverlayLab } from "./overlay-lab.ts";

/** The keys of the recorded case 05; times 0xcccb to 0xcccd. */
const KEYS: readonly NetworkKey[] = [
  ["9fb5f92adf01df078effbacb19733a32", 0xcccb],
  ["293c58189fcbae91851d43cc7ba5062b", 0xcccc],
  ["6e87651ed6a4ec5529447ba78d0f95f8", 0xcccd],
].map(([key, lamportTime]) => ({
  subsystem: "ipsec",
  key: fromHex(key as string)!,
  lamportTime: lamportTime as number,
}));
const NEXT: NetworkKey = { subsystem: "ipsec", key: new Uint8Array(16).fill(7), lamportTime: 0xccce };

/** `ip xfrm state; ip xfrm policy; iptables …` of node1, as recorded (05-encrypted-overlay). */
const RECORDED_STATE = `src 192.168.50.12 dst 192.168.50.11
	proto esp spi 0x7aa46adf reqid 13681891 mode transport
	replay-window 0 
	aead rfc4106(gcm(aes)) 0x6e87651ed6a4ec5529447ba78d0f95f87aa46adf 64
	anti-replay context: seq 0x0, oseq 0x0, bitmap 0x00000000
	sel src 0.0.0.0/0 dst 0.0.0.0/0 
src 192.168.50.12 dst 192.168.50.11
	proto esp spi 0x73953b45 reqid 13681891 mode transport
	replay-window 0 
	aead rfc4106(gcm(aes)) 0x9fb5f92adf01df078effbacb19733a3273953b45 64
	anti-replay context: seq 0x0, oseq 0x0, bitmap 0x00000000
	sel src 0.0.0.0/0 dst 0.0.0.0/0 
src 192.168.50.11 dst 192.168.50.12
	proto esp spi 0x53a7cc90 reqid 13681891 mode transport
	replay-window 0 
	aead rfc4106(gcm(aes)) 0x293c58189fcbae91851d43cc7ba5062b53a7cc90 64
	anti-replay context: seq 0x0, oseq 0x0, bitmap 0x00000000
	sel src 0.0.0.0/0 dst 0.0.0.0/0 
src 192.168.50.12 dst 192.168.50.11
	proto esp spi 0x768cf848 reqid 13681891 mode transport
	replay-window 0 
	aead rfc4106(gcm(aes)) 0x293c58189fcbae91851d43cc7ba5062b768cf848 64
	anti-replay context: seq 0x0, oseq 0x0, bitmap 0x00000000
	sel src 0.0.0.0/0 dst 0.0.0.0/0 
`;
const RECORDED_POLICY = `src 192.168.50.11/32 dst 192.168.50.12/32 proto udp dport 4789 
	dir out priority 0 ptype main 
	mark 0xd0c4e3/0xffffffff 
	tmpl src 192.168.50.11 dst 192.168.50.12
		proto esp spi 0x53a7cc90 reqid 13681891 mode transport
`;
const RECORDED_RULES = `-P OUTPUT ACCEPT
-A OUTPUT -p udp -m udp --dport 4789 -m u32 --u32 "0x0>>0x16&0x3c@0xc&0xffffff00=0x100200" -j MARK --set-xmark 0xd0c4e3/0xffffffff
-P INPUT ACCEPT
-A INPUT -p udp -m policy --dir in --pol none -m udp --dport 4789 -m u32 --u32 "0x0>>0x16&0x3c@0xc&0xffffff00=0x100200" -j DROP
-A INPUT -p udp -m policy --dir in --pol ipsec -m udp --dport 4789 -m u32 --u32 "0x0>>0x16&0x3c@0xc&0xffffff00=0x100200" -j ACCEPT
`;
const RULES = "iptables -t mangle -S OUTPUT; iptables -S INPUT";

/** The first ping there, on its way from node1 to node2: frame 668 of node1_underlay_eth0. */
const RECORDED_ESP = fromHex(
  `52540050001252540050001108004500 00a02941000040326b83c0a8320bc0a8 320c53a7cc900000000159b28e389790
   781ea24a0d5c5bc92a292cd65aee82a5 a67921d4c665b368401036709effc832 e63eb55ea2df9b68fb583cd35f125171
   a7d5e69e290fad4e1641277cc664366e c7ff2e70bdb57b3ae3b0286f35006f8b 811500465b696a65a16482db553a7e3e
   b274b34199f42cc44baba4cfa6fa6cdf bb19fa44f454a7e6c74856e7c67f`.replace(/\s/g, ""),
)!;

/** e1 on node1 and e2 on node2; node3 has the network, but nobody on it. */
function recorded(release: "current" | "20.10" = "20.10") {
  const lab = new OverlayLab({ count: 3, spec: ENCNET, keys: KEYS, driver: { release } });
  const [e1, e2] = [lab.join(0, "10.0.2.2"), lab.join(1, "10.0.2.4")];
  lab.join(1, "10.0.2.5");
  lab.pass(2);
  return { lab, e1, e2, node1: lab.nodes[0]!.namespace, node2: lab.nodes[1]!.namespace };
}

/** `oseq` and counters aside. */
function states(lab: OverlayLab, node: number): string[] {
  const text = lab.run(lab.nodes[node]!.namespace, "ip xfrm state");
  return [...text.matchAll(/src (\S+) dst (\S+)\n\tproto esp spi (\S+) /g)].map((found) => found.slice(1, 4).join(" "));
}

describe("An encrypted overlay network", () => {
  it("has the associations, policies and firewall rules that were recorded", () => {
    const { lab, node1 } = recorded();
    expect(lab.run(node1, "ip xfrm state")).toBe(RECORDED_STATE);
    expect(lab.run(node1, "ip xfrm policy")).toBe(RECORDED_POLICY);
    expect(lab.run(node1, RULES)).toBe(RECORDED_RULES);
    expect(lab.run(lab.nodes[2]!.namespace, "ip xfrm state; ip xfrm policy")).toBe("");
  });

  it("marks and drops by a BPF program today, and needs no rule to let its packets in", () => {
    const { lab, node1 } = recorded("current");
    const program = "7,32 0 0 4294963252,7 0 0 0,64 0 0 4,116 0 0 8,21 1 0 4098,6 0 0 0,6 0 0 4294967295";
    expect(lab.run(node1, RULES)).toBe(
      `-P OUTPUT ACCEPT
-A OUTPUT -p udp -m udp --dport 4789 -m bpf --bytecode "${program}" -j MARK --set-xmark 0xd0c4e3/0xffffffff
-P INPUT ACCEPT
-A INPUT -p udp -m policy --dir in --pol none -m udp --dport 4789 -m bpf --bytecode "${program}" -j DROP
`,
    );
  });

  it.each(["20.10", "current"] as const)(
    "sends ESP and nothing else, 174 bytes for a ping; 1395 bytes fit (%s)",
    (release) => {
      const { lab, e1, node1 } = recorded(release);
      const seen = watch(lab.world, node1.device("eth0")!);
      expect(lab.run(e1.namespace, "ping -c 2 10.0.2.4")).toContain("2 received");
      const outer = seen.filter(({ bytes }) => bytes[12] === 8 && bytes[13] === 0).map(({ bytes }) => bytes);
      expect(outer.map((bytes) => [bytes[23], bytes.length])).toEqual(Array.from({ length: 4 }, () => [50, 174]));
      expect(e1.namespace.device("eth0")!.mtu).toBe(1_424);
      seen.length = 0;
      expect(lab.run(e1.namespace, "ping -c 1 -M do -s 1395 10.0.2.4")).toContain("1 received");
      expect(Math.max(...seen.map(({ bytes }) => bytes.length))).toBe(1_514);
      expect(lab.world.frames.inFlight).toBe(0);
    },
  );

  it("opens what Docker on a real kernel has sent, and answers", () => {
    const { lab, e2, node2 } = recorded();
    const eth0 = node2.device("eth0")!;
    const inner = watch(lab.world, e2.namespace.device("eth0")!);
    const outer = watch(lab.world, eth0);
    const frame = lab.world.frames.make(RECORDED_ESP.length);
    lab.world.frames.bytes.set(RECORDED_ESP, lab.world.frames.start(frame));
    putU48(lab.world.frames.bytes, lab.world.frames.start(frame), eth0.address);
    eth0.receive(frame);
    lab.pass(1);
    const echoes = inner.filter(({ bytes }) => bytes[23] === 1);
    expect(echoes.map(({ bytes }) => bytes[34])).toEqual([8, 0]); // request, reply
    expect(outer.at(-1)!.bytes.length).toBe(174);
    expect(toHex(outer.at(-1)!.bytes, 34, 42)).toBe("768cf84800000001"); // SPI and number as in the recorded answer
  });

  it.skipIf(missing("tshark"))("sends what Wireshark opens with the keys of the associations", () => {
    const { lab, e1, node1, node2 } = recorded();
    const seen = watch(lab.world, node1.device("eth0")!);
    lab.run(e1.namespace, "ping -c 1 10.0.2.4");
    const keys = wiresharkEspSa([node1.xfrm!.states.list, node2.xfrm!.states.list]).trim().split("\n");
    expect(keys.length).toBe(6);
    const fields = ["udp.dstport", "udp.checksum.status", "vxlan.vni", "icmp.type", "ip.src"];
    const run = runToolOnFile(
      "tshark",
      [
        ...["-n", "-r", "FILE", "-Y", "esp", "-T", "fields", ...fields.flatMap((field) => ["-e", field])],
        ...["-o", "esp.enable_encryption_decode:TRUE", "-o", "udp.check_checksum:TRUE"],
        ...keys.flatMap((line) => ["-o", `uat:esp_sa:${line}`]),
      ],
      pcapOf(seen),
    );
    expect(run.out.toString().trim().split("\n")).toEqual([
      "4789\t1\t4098\t8\t192.168.50.11,10.0.2.2",
      "4789\t1\t4098\t0\t192.168.50.12,10.0.2.4",
    ]);
  });

  it.each(["20.10", "current"] as const)(
    "drops its packets when they come in clear, and others' not (%s)",
    (release) => {
      const { lab, e2, node1 } = recorded(release);
      const server = new UdpSocket(e2.namespace);
      server.bind(ip("10.0.2.4"), 7);
      lab.run(node1, "iptables -t mangle -F OUTPUT"); // what marks packets, so they leave in clear
      const client = new UdpSocket(node1);
      const forged = (vni: number) => {
        const bytes = new Uint8Array(8 + 14);
        bytes.set([8, 0, 0, 0, vni >>> 16, vni >>> 8, vni & 255, 0]);
        bytes[8 + 6] = 2; // some source
        client.sendTo(bytes, ip("192.168.50.12"), 4_789);
        lab.pass(1);
      };
      forged(4_098);
      expect(lab.world.frames.dropsByReason.get("netfilter-drop")).toBe(1);
      forged(4_097);
      expect(lab.world.frames.dropsByReason.get("netfilter-drop")).toBe(1);
      expect(lab.world.frames.dropsByReason.get("vxlan-unknown-vni")).toBe(1);
      expect(server.receive()).toBeUndefined();
    },
  );

  it("passes nothing where ESP is blocked, in either direction", () => {
    const { lab, e1, node2 } = recorded();
    lab.run(node2, "iptables -t raw -A PREROUTING -p esp -j DROP");
    expect(lab.run(e1.namespace, "ping -c 1 -W 1 10.0.2.4")).toContain("0 received");
  });

  it("takes down what protects a node with the last peer there, and the rules with the network", () => {
    const { lab, e1, e2, node1 } = recorded();
    lab.leave(e2);
    expect(states(lab, 0).length).toBe(4); // 10.0.2.5 is there still
    const { network, driver } = lab.nodes[0]!;
    const last = network.peers.peers.find(({ vtep }) => vtep !== undefined)!;
    network.peers.notify(last.endpointId, { ...last, vtep: last.vtep! }, undefined);
    expect(lab.run(node1, "ip xfrm state; ip xfrm policy")).toBe("");
    expect(lab.run(node1, RULES)).toBe(RECORDED_RULES);
    lab.leave(e1, true);
    driver.deleteNetwork(ENCNET.id);
    expect(lab.run(node1, RULES)).toBe("-P OUTPUT ACCEPT\n-P INPUT ACCEPT\n");
  });
});

describe("Two encrypted overlay networks of the same nodes", () => {
  it("share the associations; rules and VNIs are each one's own", () => {
    const { lab, e1, e2, node1 } = recorded();
    const spec = {
      ...ENCNET,
      id: "z".repeat(25),
      subnets: [{ subnet: net("10.0.7.0/24"), gateway: ip("10.0.7.1"), vni: 4_103 as Vni }],
    };
    const second = lab.addNetwork(spec);
    const [f1, f2] = [second.join(0, "10.0.7.2"), second.join(1, "10.0.7.3")];
    lab.pass(2);
    expect(states(lab, 0).length).toBe(4);
    expect(lab.run(f1.namespace, "ping -c 1 10.0.7.3")).toContain("1 received");
    lab.leave(e2);
    lab.leave(e1);
    expect(states(lab, 0).length).toBe(4);
    expect(lab.run(f2.namespace, "ping -c 1 10.0.7.2")).toContain("1 received");
    second.leave(f2);
    second.leave(f1);
    expect(lab.run(node1, "ip xfrm state; ip xfrm policy")).toBe("");
    expect(lab.run(node1, RULES).match(/0x100700/g)?.length).toBe(3);
  });
});

describe("The rotation of keys", () => {
  const rotated = [...KEYS.slice(1), NEXT];

  it("drops the eldest, receives with the new one, and sends with the next: at each moment peers of both sides understand each other", () => {
    const { lab, e1, e2 } = recorded();
    const before = states(lab, 0);
    expect(lab.run(e1.namespace, "ping -c 1 10.0.2.4")).toContain("1 received");
    lab.nodes[0]!.driver.setKeys(rotated);
    const after = states(lab, 0);
    expect(after.length).toBe(4);
    // 0x7395… was the eldest's; 0x53a7… sent; 0x768c… and 0x7aa4… receive on.
    expect(before.filter((state) => !after.includes(state)).map((state) => state.split(" ")[2])).toEqual([
      "0x73953b45",
      "0x53a7cc90",
    ]);
    const policy = lab.run(lab.nodes[0]!.namespace, "ip xfrm policy");
    const outgoing = after.find((state) => state.startsWith("192.168.50.11 "))!.split(" ")[2]!;
    expect(policy).toContain(`proto esp spi ${outgoing} reqid 13681891 mode transport`);
    expect(lab.run(e1.namespace, "ping -c 1 10.0.2.4")).toContain("1 received"); // node2 has not heard of it yet
    lab.nodes[1]!.driver.setKeys(rotated);
    expect(lab.run(e2.namespace, "ping -c 1 10.0.2.2")).toContain("1 received");
    expect(lab.world.frames.dropsByReason.get("xfrm-no-state") ?? 0).toBe(0);
  });

  it("happens once: the same keys again change nothing", () => {
    const { lab } = recorded();
    const before = lab.run(lab.nodes[0]!.namespace, "ip xfrm state");
    lab.nodes[0]!.driver.setKeys(KEYS);
    expect(lab.run(lab.nodes[0]!.namespace, "ip xfrm state")).toBe(before);
  });

  it("cuts off a node that has missed two of them", () => {
    const { lab, e1 } = recorded();
    const third: NetworkKey = { subsystem: "ipsec", key: new Uint8Array(16).fill(8), lamportTime: 0xcccf };
    lab.nodes[0]!.driver.setKeys(rotated);
    lab.nodes[0]!.driver.setKeys([KEYS[2]!, NEXT, third]);
    expect(lab.run(e1.namespace, "ping -c 1 -W 1 10.0.2.4")).toContain("0 received");
    expect(lab.world.frames.dropsByReason.get("xfrm-no-state")).toBe(1);
  });

  it("begins with what an engine's former life has left taken away", () => {
    const { lab, node1 } = recorded();
    expect(states(lab, 0).length).toBe(4);
    lab.run(
      node1,
      "ip xfrm state add src 1.1.1.1 dst 2.2.2.2 proto esp spi 0x999 mode transport aead 'rfc4106(gcm(aes))' 0x0102030405060708090a0b0c0d0e0f1011121314 64",
    );
    const { host, world } = lab.nodes[0]!.driver.settings;
    const advertiseAddress = ip("192.168.50.11");
    const random = world.random.fork("the next life");
    new OverlayDriver({ world, host, release: "20.10", random, advertiseAddress }).setKeys(KEYS);
    expect(states(lab, 0)).toEqual(["1.1.1.1 2.2.2.2 0x00000999"]);
    expect(lab.run(node1, "ip xfrm policy")).toBe("");
  });
});
