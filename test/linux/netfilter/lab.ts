/** A client behind a gateway that translates, a server outside; and commands for the gateway's firewall. */
import { expect } from "vitest";
import type { NetworkNamespace } from "../../../src/linux/namespace.ts";
import { netfilterOf } from "../../../src/linux/netfilter/attach.ts";
import { iptables } from "../../../src/linux/netfilter/iptables.ts";
import { splitWords } from "../../../src/linux/netfilter/quoting.ts";
import { World } from "../../../src/linux/world.ts";
import { ip, net } from "../two-hosts.ts";

/** Runs iptables command lines (without the word itself), all of which succeed. */
export function rules(namespace: NetworkNamespace, ...lines: string[]): void {
  for (const line of lines)
    expect([line, iptables(netfilterOf(namespace), splitWords(line) ?? [])]).toEqual([line, OK]);
}
const OK = { status: 0, stdout: "", stderr: "" };

/** inside 172.17.0.2 - gateway 172.17.0.1, 192.0.2.1 - outside 192.0.2.100. */
export function gateway(seed: string | number = 1) {
  const world = new World({ seed });
  const inside = world.createNamespace("inside");
  const middle = world.createNamespace("gateway");
  const outside = world.createNamespace("outside");
  const near = world.createLink("veth", { namespace: inside, name: "eth0" }, { namespace: middle, name: "docker0" });
  const far = world.createLink("veth", { namespace: middle, name: "eth0" }, { namespace: outside, name: "eth0" });
  const set = (namespace: NetworkNamespace, device: typeof near.a, prefix: string) => {
    namespace.addAddress(device, net(prefix));
    device.setUp(true);
  };
  for (const namespace of [inside, middle, outside]) namespace.loopback.setUp(true);
  set(inside, near.a, "172.17.0.2/16");
  set(middle, near.b, "172.17.0.1/16");
  set(middle, far.a, "192.0.2.1/24");
  set(outside, far.b, "192.0.2.100/24");
  inside.routes.add({ destination: net("0.0.0.0/0"), gateway: ip("172.17.0.1") });
  middle.sysctl.set("net.ipv4.ip_forward", "1");
  return { world, inside, middle, outside, near, far };
}
