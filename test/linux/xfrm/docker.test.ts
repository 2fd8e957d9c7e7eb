import { describe, expect, it } from "vitest";
import type { NetworkNamespace } from "../../../src/linux/namespace.ts";
import { netfilterOf } from "../../../src/linux/netfilter/attach.ts";
import { iptables } from "../../../src/linux/netfilter/iptables.ts";
import { UdpSocket } from "../../../src/linux/udp-socket.ts";
import { xfrmOf } from "../../../src/linux/xfrm/attach.ts";
import { ip, pass, twoHosts, watch } from "../two-hosts.ts";
import { policyRequest, stateRequest } from "./security.ts";

const MARK = { value: 0xd0c4e3, mask: 0xffff_ffff };
const VNI = "-m u32 --u32 0x0>>0x16&0x3c@0xc&0xffffff00=0x100200";

function rule(host: NetworkNamespace, line: string): void {
  const outcome = iptables(netfilterOf(host), line.split(" "));
  if (outcome.status !== 0) throw new Error(outcome.stderr);
}

/** The rules that Docker makes on a node of an encrypted network (VNI 4098), as recorded. */
function dockerRules(host: NetworkNamespace): void {
  rule(host, `-t mangle -A OUTPUT -p udp -m udp --dport 4789 ${VNI} -j MARK --set-xmark 0xd0c4e3/0xffffffff`);
  rule(host, `-A INPUT -p udp -m policy --dir in --pol none -m udp --dport 4789 ${VNI} -j DROP`);
  rule(host, `-A INPUT -p udp -m policy --dir in --pol ipsec -m udp --dport 4789 ${VNI} -j ACCEPT`);
}

/** A datagram that begins as a VXLAN packet of this VNI does; did it arrive? */
function send(lab: ReturnType<typeof twoHosts>, vni: number): boolean {
  const receiver = new UdpSocket(lab.c2);
  receiver.bind(ip("0.0.0.0"), 4_789);
  const sender = new UdpSocket(lab.c1);
  sender.sendTo(Uint8Array.of(8, 0, 0, 0, vni >>> 16, vni >>> 8, vni, 0, 1, 2, 3, 4), ip("10.0.0.3"), 4_789);
  pass(lab.world, 5);
  const arrived = typeof receiver.receive() === "object";
  receiver.close();
  sender.close();
  return arrived;
}

describe("Docker's encrypted overlay", () => {
  it.each([true, false])("protects the network's own packets alone (rules before the keys: %s)", (rulesFirst) => {
    const lab = twoHosts();
    const { c1, c2, eth1 } = lab;
    if (rulesFirst) for (const host of [c1, c2]) dockerRules(host);
    const request = { reqid: 0xd0c4e3, outputMark: undefined };
    for (const host of [c1, c2]) xfrmOf(host).addState(stateRequest("10.0.0.2", "10.0.0.3", request));
    const policy = policyRequest("out", "10.0.0.2", "10.0.0.3", { mark: MARK });
    xfrmOf(c1).addPolicy({ ...policy, templates: [{ ...policy.templates[0]!, reqid: 0xd0c4e3, spi: 0x1001 }] });
    if (!rulesFirst) for (const host of [c1, c2]) dockerRules(host);
    const seen = watch(lab.world, eth1);
    expect([send(lab, 4_098), send(lab, 4_097)]).toEqual([true, true]);
    expect(seen.filter(({ bytes }) => bytes[12] === 8 && bytes[13] === 0).map(({ bytes }) => bytes[23])).toEqual([
      50, 17,
    ]);
    expect(lab.world.frames.inFlight).toBe(0);
  });

  it("drops the network's packets when they come in clear", () => {
    const lab = twoHosts();
    dockerRules(lab.c2);
    expect([send(lab, 4_098), send(lab, 4_097)]).toEqual([false, true]);
    expect(lab.world.frames.dropsByReason.get("netfilter-drop")).toBe(1);
  });
});
