import { describe, expect, it } from "vitest";
import type { DropReason } from "../../../src/linux/drop-reason.ts";
import type { NetworkNamespace } from "../../../src/linux/namespace.ts";
import type { NetDevice } from "../../../src/linux/net-device.ts";
import { UdpSocket } from "../../../src/linux/udp-socket.ts";
import type { World } from "../../../src/linux/world.ts";
import { xfrmOf } from "../../../src/linux/xfrm/attach.ts";
import { wiresharkEspSa } from "../../../src/linux/xfrm/esp-sa.ts";
import { missing, runToolOnFile } from "../../capture/external-tools.ts";
import { ip, pass, twoHosts, watch } from "../two-hosts.ts";
import { pcapOf, policyRequest, secure, stateRequest } from "./security.ts";

const PORT = 4_789;

/** A datagram from one host to the other; how many arrived. */
function say(
  world: World,
  from: NetworkNamespace,
  to: NetworkNamespace,
  destination: string,
  sizeBytes = 50,
  mark = 0,
): number {
  const receiver = new UdpSocket(to);
  receiver.bind(ip("0.0.0.0"), PORT);
  const sender = new UdpSocket(from);
  sender.mark = mark;
  sender.sendTo(new Uint8Array(sizeBytes).fill(0xab), ip(destination), PORT);
  pass(world, 5);
  let count = 0;
  for (let datagram = receiver.receive(); typeof datagram === "object"; datagram = receiver.receive()) count++;
  sender.close();
  receiver.close();
  return count;
}

function dropsOf(world: World, reason: DropReason): number {
  return world.frames.dropsByReason.get(reason) ?? 0;
}

describe("IPsec between two hosts", () => {
  it("protects what the policies ask for, and gives it back unchanged", () => {
    const { world, c1, c2, eth1 } = twoHosts();
    const [first, second] = secure(c1, c2);
    const seen = watch(world, eth1);
    expect(say(world, c1, c2, "10.0.0.3")).toBe(1);
    expect(say(world, c2, c1, "10.0.0.2")).toBe(1);
    const packets = seen.filter(({ bytes }) => bytes[12] === 8 && bytes[13] === 0);
    expect(packets.map(({ bytes }) => bytes[23])).toEqual([50, 50]);
    expect(first.states.findExactly(ip("10.0.0.3"), 0x1001, { value: 0, mask: 0 })?.outputSequence).toBe(1);
    expect(second.states.findExactly(ip("10.0.0.3"), 0x1001, { value: 0, mask: 0 })?.packets).toBe(1);
    expect(world.frames.inFlight).toBe(0);
  });

  it("sends nothing in clear when the association is missing, and says why", () => {
    const { world, c1, c2, eth1 } = twoHosts();
    const xfrm = xfrmOf(c1);
    xfrm.addPolicy(policyRequest("out", "10.0.0.2", "10.0.0.3"));
    const seen = watch(world, eth1);
    expect(say(world, c1, c2, "10.0.0.3")).toBe(0);
    expect(seen.length).toBe(0);
    expect(dropsOf(world, "xfrm-no-state")).toBe(1);
    expect(xfrm.statistics.get("XfrmOutNoStates")).toBe(1);
  });

  it("refuses what comes in clear where protection is required, before the protocol sees it", () => {
    const { world, c1, c2, eth2 } = twoHosts();
    const xfrm = xfrmOf(c2);
    const policy = policyRequest("in", "10.0.0.2", "10.0.0.3");
    xfrm.addPolicy(policy);
    const seen = watch(world, eth2);
    expect(say(world, c1, c2, "10.0.0.3")).toBe(0);
    expect(dropsOf(world, "xfrm-policy")).toBe(1);
    expect(xfrm.statistics.text).toContain("XfrmInTmplMismatch      \t1\n");
    expect(seen.filter(({ direction, bytes }) => direction === "out" && bytes[12] === 8 && bytes[13] === 0)).toEqual(
      [],
    ); // no ICMP
    xfrm.deletePolicy(xfrm.policies.find(policy)!);
    expect(say(world, c1, c2, "10.0.0.3")).toBe(1);
  });

  it("blocks both ways when a policy says so, the lower priority first", () => {
    const { world, c1, c2 } = twoHosts();
    xfrmOf(c1).addPolicy(policyRequest("out", "10.0.0.2", "10.0.0.3", { action: "block", templates: [], priority: 5 }));
    expect(say(world, c1, c2, "10.0.0.3")).toBe(0);
    xfrmOf(c1).addPolicy(
      policyRequest("out", "10.0.0.2", "10.0.0.3", { templates: [], priority: 1, mark: { value: 7, mask: 0xff } }),
    );
    expect(say(world, c1, c2, "10.0.0.3", 50, 7)).toBe(1);
    xfrmOf(c2).addPolicy(policyRequest("in", "10.0.0.2", "10.0.0.3", { action: "block", templates: [] }));
    expect(say(world, c1, c2, "10.0.0.3", 50, 7)).toBe(0);
    expect(dropsOf(world, "xfrm-policy")).toBe(2);
  });

  it("protects what carries the policy's mark alone", () => {
    const { world, c1, c2, eth1 } = twoHosts();
    for (const host of [c1, c2]) xfrmOf(host).addState(stateRequest("10.0.0.2", "10.0.0.3"));
    const mark = { value: 0xd0c4e3, mask: 0xffff_ffff };
    xfrmOf(c1).addPolicy(policyRequest("out", "10.0.0.2", "10.0.0.3", { mark }));
    const seen = watch(world, eth1);
    expect(say(world, c1, c2, "10.0.0.3")).toBe(1);
    expect(say(world, c1, c2, "10.0.0.3", 50, 0xd0c4e3)).toBe(1);
    expect(seen.filter(({ bytes }) => bytes[12] === 8 && bytes[13] === 0).map(({ bytes }) => bytes[23])).toEqual([
      17, 50,
    ]);
  });

  it("goes in clear with `level use` while there is no association", () => {
    const { world, c1, c2, eth1 } = twoHosts();
    const request = policyRequest("out", "10.0.0.2", "10.0.0.3");
    xfrmOf(c1).addPolicy({
      ...request,
      templates: request.templates.map((template) => ({ ...template, optional: true })),
    });
    const seen = watch(world, eth1);
    expect(say(world, c1, c2, "10.0.0.3")).toBe(1);
    for (const host of [c1, c2]) xfrmOf(host).addState(stateRequest("10.0.0.2", "10.0.0.3"));
    expect(say(world, c1, c2, "10.0.0.3")).toBe(1);
    expect(seen.filter(({ bytes }) => bytes[12] === 8 && bytes[13] === 0).map(({ bytes }) => bytes[23])).toEqual([
      17, 50,
    ]);
  });

  it("stops when the sequence numbers are used up", () => {
    const { world, c1, c2 } = twoHosts();
    const [first] = secure(c1, c2, { outputSequence: 0xffff_fffe });
    expect(say(world, c1, c2, "10.0.0.3")).toBe(1);
    expect(say(world, c1, c2, "10.0.0.3")).toBe(0);
    expect(dropsOf(world, "xfrm-sequence-exhausted")).toBe(1);
    expect(first.statistics.get("XfrmOutStateSeqError")).toBe(1);
  });

  it("refuses a packet that comes twice, when there is a window", () => {
    const { world, c1, c2, eth1, eth2 } = twoHosts();
    const [, second] = secure(c1, c2, { replayWindow: 32 });
    const seen = watch(world, eth1);
    say(world, c1, c2, "10.0.0.3");
    const packet = seen.findLast(({ bytes }) => bytes[23] === 50)!.bytes;
    replay(world, eth2, packet);
    expect(dropsOf(world, "xfrm-replay")).toBe(1);
    expect(second.statistics.get("XfrmInStateSeqError")).toBe(1);
    expect(second.states.findExactly(ip("10.0.0.3"), 0x1001, { value: 0, mask: 0 })?.refused.replay).toBe(1);
  });

  it("refuses what was changed on the way, what names no association, and what is no ESP", () => {
    const { world, c1, c2, eth1, eth2 } = twoHosts();
    const [, second] = secure(c1, c2);
    const seen = watch(world, eth1);
    say(world, c1, c2, "10.0.0.3");
    const packet = seen.findLast(({ bytes }) => bytes[23] === 50)!.bytes;
    const changed = packet.slice();
    changed[60] = changed[60]! ^ 1;
    replay(world, eth2, changed);
    expect(dropsOf(world, "xfrm-integrity")).toBe(1);
    const unknown = packet.slice();
    unknown[34] = 0x77;
    replay(world, eth2, unknown);
    expect(dropsOf(world, "xfrm-no-state")).toBe(1);
    const short = packet.slice(0, 14 + 20 + 6);
    short[17] = 26;
    const sum = checksum(short);
    short[24] = sum >>> 8;
    short[25] = sum;
    replay(world, eth2, short);
    expect(dropsOf(world, "xfrm-malformed")).toBe(1);
    expect(second.statistics.get("XfrmInStateProtoError")).toBe(1);
    expect(second.statistics.get("XfrmInNoStates")).toBe(1);
    expect(world.frames.inFlight).toBe(0);
  });

  it("ends an association at its limit of packets, and at its limit of seconds", () => {
    const { world, c1, c2 } = twoHosts();
    const [first] = secure(c1, c2, { lifetime: { hardPackets: 2 } });
    expect(say(world, c1, c2, "10.0.0.3")).toBe(1);
    expect(say(world, c1, c2, "10.0.0.3")).toBe(1);
    expect(say(world, c1, c2, "10.0.0.3")).toBe(0);
    expect(first.statistics.get("XfrmOutStateExpired")).toBe(1);
    first.addState(stateRequest("10.0.0.2", "10.0.0.3", { spi: 9, lifetime: { hardSeconds: 60 } }));
    pass(world, 59);
    expect(first.states.find(ip("10.0.0.3"), 9, 0)).toBeDefined();
    pass(world, 2);
    expect(first.states.find(ip("10.0.0.3"), 9, 0)).toBeUndefined();
  });

  it("fills 1500 bytes exactly with 1424 bytes inside a VXLAN packet, and tells a sender that may not be cut what is left", () => {
    const { world, c1, c2, eth1 } = twoHosts();
    secure(c1, c2);
    const seen = watch(world, eth1);
    expect(say(world, c1, c2, "10.0.0.3", 1_474 - 28)).toBe(1);
    expect(Math.max(...seen.map(({ bytes }) => bytes.length))).toBe(1_514);
    const socket = new UdpSocket(c1);
    socket.receiveErrors = true;
    socket.dontFragment = "do";
    socket.connect(ip("10.0.0.3"), PORT);
    socket.sendTo(new Uint8Array(1_475 - 28), ip("10.0.0.3"), PORT);
    pass(world, 1);
    expect(socket.nextError()).toMatchObject({ type: 3, code: 4, info: 1_474 });
    expect(dropsOf(world, "ipv4-fragmentation-needed")).toBe(1);
  });

  it("cuts the ESP packet when the packet inside may be cut", () => {
    const { world, c1, c2, eth1 } = twoHosts();
    secure(c1, c2);
    const seen = watch(world, eth1);
    const receiver = new UdpSocket(c2);
    receiver.bind(ip("0.0.0.0"), PORT);
    const sender = new UdpSocket(c1);
    sender.dontFragment = "dont";
    sender.sendTo(new Uint8Array(1_472), ip("10.0.0.3"), PORT);
    pass(world, 1);
    expect(receiver.receive()).toMatchObject({ bytes: new Uint8Array(1_472) });
    expect(seen.filter(({ bytes }) => bytes[23] === 50).length).toBe(2);
  });

  it("leaves the loopback device alone", () => {
    const { world, c1 } = twoHosts();
    xfrmOf(c1).addPolicy({ ...policyRequest("out", "10.0.0.2", "10.0.0.2"), action: "block" });
    expect(say(world, c1, c1, "10.0.0.2")).toBe(1);
  });

  it.skipIf(missing("tshark"))("writes what Wireshark can decrypt with the keys that it writes beside", () => {
    const { world, c1, c2, eth1 } = twoHosts();
    const [first, second] = secure(c1, c2, { icvBytes: 16 });
    const seen = watch(world, eth1);
    say(world, c1, c2, "10.0.0.3", 33);
    say(world, c2, c1, "10.0.0.2", 34);
    const keys = wiresharkEspSa([first.states.list, second.states.list]).trim().split("\n");
    expect(keys.length).toBe(2);
    const run = runToolOnFile(
      "tshark",
      [
        ...[
          "-n",
          "-r",
          "FILE",
          "-Y",
          "esp",
          "-T",
          "fields",
          "-e",
          "udp.dstport",
          "-e",
          "udp.length",
          "-e",
          "udp.checksum.status",
        ],
        ...["-o", "esp.enable_encryption_decode:TRUE", "-o", "udp.check_checksum:TRUE"],
        ...keys.flatMap((line) => ["-o", `uat:esp_sa:${line}`]),
      ],
      pcapOf(seen),
    );
    expect(run.err).not.toContain("Invalid");
    expect(run.out.toString().trim().split("\n")).toEqual(["4789\t41\t1", "4789\t42\t1"]);
  });
});

/** The frame once more at `device`, as if from the wire. */
function replay(world: World, device: NetDevice, bytes: Uint8Array): void {
  const frame = world.frames.make(bytes.length);
  world.frames.bytes.set(bytes, world.frames.start(frame));
  device.receive(frame);
  pass(world, 1);
}

/** The header checksum that a frame's IPv4 header of 20 bytes should have. */
function checksum(bytes: Uint8Array): number {
  let sum = 0;
  for (let at = 14; at < 34; at += 2) if (at !== 24) sum += (bytes[at]! << 8) | bytes[at + 1]!;
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}
