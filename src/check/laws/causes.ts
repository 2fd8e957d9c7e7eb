/**
 * No loss without cause. What leaves by one end of a cable comes out at the other, or was dropped on the way, or still is on it; and every drop has a
 * reason that is true: only a link that loses frames loses one, only a firewall's namespace filters, a packet dies of its time to live when that is
 * spent, "not for us" is another's address.
 */
import type { NetworkNamespace } from "../../linux/namespace.ts";
import { findNetfilter } from "../../linux/netfilter/attach.ts";
import { Vxlan } from "../../linux/vxlan.ts";
import { WireEnd } from "../../linux/wire-end.ts";
import * as ethernet from "../../wire/ethernet.ts";
import * as ipv4 from "../../wire/ipv4.ts";
import type { Law, Violation } from "../law.ts";
import { type Layer, layersOf } from "../layers.ts";
import type { Observation, ObservedDrop, ObservedFrame } from "../observation.ts";
import { digest, isIpv4 } from "../packets.ts";

const NAME = "no loss without cause";

export const CAUSES: Law = {
  name: NAME,
  source: "RFC 1812 §5.3.1 (time to live), §4.2.2.5 (checksum); IEEE 802.1D-2004 §6.3.2 (frame loss)",
  check(observation) {
    return [...lostOnCables(observation), ...drownedForNothing(observation)];
  },
};

/** What left one end and neither came, nor was dropped, nor can be on its way. */
function lostOnCables({ frames, drops, devices, accounts, corrupts }: Observation): Violation[] {
  if (corrupts) return []; // what came is not what left
  const watched = new Set(devices);
  const open = new Map<string, ObservedFrame[]>();
  for (const frame of frames) {
    const { device, direction, packetId, bytes } = frame;
    if (!(device.driver instanceof WireEnd)) continue;
    const other = direction === "out" ? device.driver.peer : device;
    if (other === undefined || !watched.has(other)) continue;
    const key = `${other.place} ${packetId} ${bytes.length} ${digest(bytes)}`;
    if (direction === "out") open.set(key, [...(open.get(key) ?? []), frame]);
    else open.get(key)?.shift();
  }
  const dropped = new Map<number, number>();
  for (const { packetId } of drops) dropped.set(packetId, (dropped.get(packetId) ?? 0) + 1);
  const lost = [...open.values()].flat().filter(({ packetId }) => {
    const count = dropped.get(packetId) ?? 0;
    dropped.set(packetId, count - 1);
    return count <= 0;
  });
  if (lost.length <= accounts.inFlight) return [];
  return lost.map(({ place, timeNs, packetId }) => ({
    law: NAME,
    words: "a frame left here, and nobody saw it again",
    place,
    timeNs,
    packetId,
  }));
}

function drownedForNothing(observation: Observation): Violation[] {
  const { frames, drops, world } = observation;
  if (drops.length === 0) return [];
  const arrivals = new Map<string, ObservedFrame[]>();
  const ofInterest = new Set(drops.map(({ packetId }) => packetId));
  for (const frame of frames) {
    if (frame.direction !== "in" || !ofInterest.has(frame.packetId)) continue;
    const key = `${frame.place} ${frame.packetId}`;
    arrivals.set(key, [...(arrivals.get(key) ?? []), frame]);
  }
  return drops.flatMap((drop): Violation[] => {
    const here = (arrivals.get(`${drop.place} ${drop.packetId}`) ?? []).filter(({ timeNs }) => timeNs <= drop.timeNs);
    const slash = drop.place.lastIndexOf("/");
    const namespace =
      world.namespaces.get(drop.place) ?? world.namespaces.get(slash < 0 ? drop.place : drop.place.slice(0, slash));
    // Copies of one packet may come at once, each for somebody else: one that the reason fits is enough.
    const found = (here.length === 0 ? [undefined] : here).map((frame) =>
      contradiction(drop, frame, namespace, observation),
    );
    const wrong = found.includes(undefined) ? undefined : found[0];
    if (wrong === undefined) return [];
    const { place, timeNs, packetId } = drop;
    return [{ law: NAME, words: `dropped as ${drop.reason}, but ${wrong}`, place, timeNs, packetId }];
  });
}

/** What speaks against a drop's reason. */
function contradiction(
  drop: ObservedDrop,
  frame: ObservedFrame | undefined,
  namespace: NetworkNamespace | undefined,
  { disturbances, corrupts, scenario }: Observation,
): string | undefined {
  switch (drop.reason) {
    case "link-loss":
      return disturbances.has("loss") ? undefined : "no link loses frames";
    case "link-queue-full":
      return disturbances.has("rate") ? undefined : "no link has a queue";
    case "link-partition":
      return scenario.steps?.some((step) => step.fault !== undefined) === true ? undefined : "no link is cut";
    case "ipv4-bad-checksum":
    case "icmp-bad-checksum":
    case "udp-bad-checksum":
    case "tcp-bad-checksum":
    case "xfrm-integrity":
      return corrupts ? undefined : "nothing damages frames";
    case "netfilter-drop":
    case "netfilter-reject":
    case "netfilter-policy":
      return namespace === undefined || hasRules(namespace) || scenario.steps?.some(({ fault }) => fault !== undefined)
        ? undefined
        : "no rule of a firewall is there";
    case "ipvs-drop":
    case "ipvs-no-destination":
      return namespace?.ipvs !== undefined ? undefined : "no load balancer is there";
    case "not-for-us": {
      if (frame === undefined || ethernet.isGroupDestination(frame.bytes, 0)) return undefined;
      return ethernet.destination(frame.bytes, 0) === frame.device.address ? "it was addressed to it" : undefined;
    }
    case "ipv4-ttl-exceeded": {
      const layer = packetOf(frame);
      if (frame === undefined || layer === undefined || ipv4.timeToLive(frame.bytes, layer.network) <= 1)
        return undefined;
      return `its time to live was ${ipv4.timeToLive(frame.bytes, layer.network)}`;
    }
    case "ipv4-not-local": {
      const layer = packetOf(frame);
      if (frame === undefined || layer === undefined || namespace === undefined) return undefined;
      return namespace.routes.hasAddress(ipv4.destination(frame.bytes, layer.network))
        ? "the address is this host's"
        : undefined;
    }
    case "vxlan-unknown-vni": {
      const inner = frame === undefined ? undefined : layersOf(frame.bytes)[1];
      if (inner?.vni === undefined || namespace === undefined) return undefined;
      return vnisOf(namespace).has(inner.vni) ? "a VXLAN device has this VNI" : undefined;
    }
    default:
      return undefined;
  }
}

function packetOf(frame: ObservedFrame | undefined): Layer | undefined {
  const layer = frame === undefined ? undefined : layersOf(frame.bytes)[0];
  return frame !== undefined && layer !== undefined && isIpv4(frame.bytes, layer) ? layer : undefined;
}

/** VNIs of the namespace's own VXLAN devices that run; those that moved to another namespace are not looked for. */
function vnisOf(namespace: NetworkNamespace): Set<number> {
  const found = new Set<number>();
  for (const { driver, up } of namespace.devices) if (up && driver instanceof Vxlan) found.add(driver.vni);
  return found;
}

function hasRules(namespace: NetworkNamespace): boolean {
  const netfilter = findNetfilter(namespace);
  return (
    netfilter?.tables.some(({ chains }) =>
      chains.some(({ rules, policy }) => rules.length > 0 || policy === "DROP"),
    ) === true
  );
}
