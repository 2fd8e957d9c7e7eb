/**
 * After quiescence the tables that a control plane wrote are the truth: in every overlay network of a scenario each node knows each container on another
 * node, its MAC address by the IP address and its node by the MAC address, and nothing besides (Docker's peerdb, RFC 7348 §4 leaves it to the control
 * plane). Asked of runs whose steps edit no table.
 */
import { bridgeOf } from "../../linux/bridge.ts";
import type { NetworkNamespace } from "../../linux/namespace.ts";
import type { NetDevice } from "../../linux/net-device.ts";
import { Vxlan } from "../../linux/vxlan.ts";
import { WireEnd } from "../../linux/wire-end.ts";
import { formatIpv4, formatMac } from "../../wire/address.ts";
import type { Law, Violation } from "../law.ts";

const NAME = "tables are the truth";

export const TABLES: Law = {
  name: NAME,
  source: "libnetwork drivers/overlay/peerdb.go; RFC 7348 §4",
  check({ scenario, world }) {
    const commands = (scenario.steps ?? []).map(({ run }) => run ?? "");
    for (const { setup } of [...(scenario.nodes ?? new Map()).values(), ...(scenario.containers ?? new Map()).values()])
      commands.push(...(setup ?? []));
    commands.push(...(scenario.setup ?? []));
    if (commands.some((line) => /\b(ip|bridge|docker)\s/.test(line))) return [];
    const violations: Violation[] = [];
    for (const [name, network] of scenario.networks ?? []) {
      if (network.driver === "bridge" || network.mode === "flood-and-learn") continue;
      const sandboxes = [...world.namespaces.values()].filter((namespace) => namespace.name.endsWith(`/${name}`));
      for (const sandbox of sandboxes) violations.push(...compare(sandbox, sandboxes));
    }
    return violations;
  },
};

/** A container as the sandbox that it hangs on has it. */
interface Endpoint {
  readonly device: NetDevice;
  readonly vtep: number;
}

function compare(sandbox: NetworkNamespace, all: readonly NetworkNamespace[]): Violation[] {
  const tunnel = vxlanOf(sandbox);
  if (tunnel === undefined) return [];
  const others = all.filter((other) => other !== sandbox).flatMap((other) => endpointsOf(other));
  const violations: Violation[] = [];
  const wrong = (words: string): void => {
    violations.push({ law: NAME, words, place: sandbox.name, timeNs: sandbox.clock.nowNs });
  };
  const entries = tunnel.fdb.list();
  for (const { device, vtep } of others) {
    const entry = entries.find(({ mac }) => mac === device.address);
    const remote = entry?.remotes[0]?.address;
    if (remote === undefined) wrong(`${device.place} (${formatMac(device.address)}) is not known`);
    else if (remote >>> 0 !== vtep)
      wrong(`${device.place} is said to be at ${formatIpv4(remote)}, and is at ${formatIpv4(vtep as never)}`);
    for (const { address } of device.addresses) {
      const told = sandbox.neighbours.list().find((neighbour) => neighbour.address === address);
      if (told === undefined) wrong(`the address ${formatIpv4(address)} is not known`);
      else if (told.mac !== device.address)
        wrong(`${formatIpv4(address)} is said to have ${formatMac(told.mac)}, and has ${formatMac(device.address)}`);
    }
  }
  for (const { mac, state } of entries)
    if (state !== "reachable" && mac !== 0 && !others.some(({ device }) => device.address === mac))
      wrong(`${formatMac(mac)} is known, and nobody has it`);
  return violations;
}

function vxlanOf(sandbox: NetworkNamespace): Vxlan | undefined {
  for (const { driver } of sandbox.devices) if (driver instanceof Vxlan) return driver;
  return undefined;
}

/** What hangs on the sandbox's bridge by a veth pair. */
function endpointsOf(sandbox: NetworkNamespace): Endpoint[] {
  const tunnel = vxlanOf(sandbox);
  const bridge = tunnel?.device.master === undefined ? undefined : bridgeOf(tunnel.device.master);
  if (tunnel === undefined || bridge === undefined) return [];
  const vtep = tunnel.underlay.devices.find(({ kind }) => kind === "nic")?.addresses[0]?.address;
  if (vtep === undefined) return [];
  return bridge.ports.flatMap(({ device: { driver } }) =>
    driver instanceof WireEnd && driver.peer !== undefined ? [{ device: driver.peer, vtep: vtep >>> 0 }] : [],
  );
}
