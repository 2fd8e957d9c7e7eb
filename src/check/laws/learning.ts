/**
 * Learned entries tell the truth, or what was true when they were learned. A bridge's entry leads to the port where the address was last seen as a source (IEEE
 * 802.1D-2004 §7.8), a VTEP's to the outer source of the last packet from it (RFC 7348 §4), a neighbour's is what the address's owner said last in ARP
 * (RFC 826). And what was seen is known: no forwarding port's source is missing.
 */
import { bridgeOf, portOf } from "../../linux/bridge.ts";
import type { NetDevice } from "../../linux/net-device.ts";
import { Vxlan } from "../../linux/vxlan.ts";
import { SECOND } from "../../sim/time.ts";
import { formatIpv4, formatMac, isGroup } from "../../wire/address.ts";
import * as arp from "../../wire/arp.ts";
import * as ethernet from "../../wire/ethernet.ts";
import * as ipv4 from "../../wire/ipv4.ts";
import type { Law, Violation } from "../law.ts";
import { layersOf } from "../layers.ts";
import type { Observation, ObservedFrame } from "../observation.ts";

const NAME = "learned entries tell the truth";
/** Bridge ports forward when their carrier was reported, and after the delays of a spanning tree. */
const SETTLED_NS = 40 * SECOND;
/** locktime: an entry that was just updated is not updated again (arp(7)). */
const LOCK_NS = 1_100_000_000;

export const LEARNING: Law = {
  name: NAME,
  source: "IEEE 802.1D-2004 §7.8; RFC 7348 §4; RFC 826",
  check(observation) {
    if (observation.corrupts) return [];
    return [...bridges(observation), ...tunnels(observation), ...neighbours(observation)];
  },
};

/** By bridge and address: where a source was last seen. */
function sightings({ frames }: Observation): Map<NetDevice, Map<number, ObservedFrame>> {
  const found = new Map<NetDevice, Map<number, ObservedFrame>>();
  for (const frame of frames) {
    const { device, direction, bytes } = frame;
    if (direction !== "in" || device.master === undefined || bytes.length < ethernet.HEADER_BYTES) continue;
    let at = found.get(device.master);
    if (at === undefined) {
      at = new Map();
      found.set(device.master, at);
    }
    at.set(ethernet.source(bytes, 0), frame);
  }
  return found;
}

function bridges(observation: Observation): Violation[] {
  const violations: Violation[] = [];
  const seen = sightings(observation);
  const nowNs = observation.world.simulation.nowNs;
  for (const device of observation.devices) {
    const bridge = bridgeOf(device);
    if (bridge === undefined || bridge.filtersVlans) continue;
    const here = seen.get(device);
    for (const entry of bridge.fdb.list(nowNs)) {
      if (entry.local || entry.fixed || entry.external || entry.byUser || entry.port === undefined) continue;
      const last = here?.get(entry.address);
      const port = entry.port.device;
      if (last?.device === port || entry.updatedNs > (last?.timeNs ?? -1)) {
        // A source that was never seen at all was invented; one seen before the eyes were open is not.
        if (last !== undefined || entry.updatedNs === 0) continue;
      }
      if (last !== undefined && portOf(last.device)?.learning === false) continue;
      const words = `${formatMac(entry.address)} is said to be behind ${port.name}, and was last seen at ${last?.place ?? "no port"}`;
      violations.push({ law: NAME, words, place: device.place, timeNs: nowNs });
    }
    if (bridge.ageingNs < 100 * SECOND || bridge.tree.enabled) continue;
    for (const [address, { device: port, timeNs, packetId, place }] of here ?? []) {
      if (timeNs < SETTLED_NS / 20 || isGroup(address as never) || address === 0) continue;
      if (changesLinks(observation) || portOf(port)?.learning !== true || portOf(port)?.state !== "forwarding")
        continue;
      if (timeNs + bridge.ageingNs <= nowNs || bridge.fdb.get(address as never, 0, nowNs) !== undefined) continue;
      const words = `${formatMac(address as never)} was seen at ${port.name} and is not known`;
      violations.push({ law: NAME, words, place, timeNs, packetId });
    }
  }
  return violations;
}

/** Do steps of the scenario take links down, or edit tables? */
function changesLinks({ scenario }: Pick<Observation, "scenario">): boolean {
  return (scenario.steps ?? []).some(
    ({ fault, run }) => fault?.down !== undefined || /\b(ip|bridge|brctl)\b/.test(run ?? ""),
  );
}

function tunnels({ devices, frames, world, scenario }: Observation): Violation[] {
  const violations: Violation[] = [];
  const nowNs = world.simulation.nowNs;
  const vxlans = devices.filter(({ driver }) => driver instanceof Vxlan);
  if (vxlans.length === 0) return violations;
  // Outer sources of packets by the namespace they came into, VNI and inner source.
  const outer = new Map<string, Map<number, number>>();
  const last = new Map<string, ObservedFrame>();
  for (const frame of frames) {
    if (frame.direction !== "in") continue;
    const { bytes, device, packetId } = frame;
    if (device.driver instanceof Vxlan) {
      last.set(`${device.place} ${ethernet.source(bytes, 0)}`, frame);
      continue;
    }
    const layers = layersOf(bytes);
    const inner = layers[1];
    if (inner === undefined || inner.vni === undefined) continue;
    const key = `${device.namespaceName} ${inner.vni} ${packetId}`;
    let sources = outer.get(key);
    if (sources === undefined) {
      sources = new Map();
      outer.set(key, sources);
    }
    sources.set(ethernet.source(bytes, inner.at), ipv4.source(bytes, layers[0]!.network));
  }
  for (const device of vxlans) {
    const driver = device.driver as Vxlan;
    for (const frame of last.values()) {
      const mac = ethernet.source(frame.bytes, 0);
      const { learning, ageingNs } = driver.settings;
      if (frame.device !== device || !learning || (ageingNs !== 0 && frame.timeNs + ageingNs <= nowNs)) continue;
      if (mac === 0 || isGroup(mac) || changesLinks({ scenario }) || driver.fdb.list().some((one) => one.mac === mac))
        continue;
      const { place, timeNs, packetId } = frame;
      violations.push({
        law: NAME,
        words: `${formatMac(mac)} came by the tunnel and is not known`,
        place,
        timeNs,
        packetId,
      });
    }
    for (const { mac, remotes, state, externallyLearnt } of driver.fdb.list()) {
      if (state !== "reachable" || externallyLearnt || mac === 0) continue;
      const frame = last.get(`${device.place} ${mac}`);
      const told = frame && outer.get(`${driver.underlay.name} ${driver.vni} ${frame.packetId}`)?.get(mac);
      if (told === undefined || remotes[0]?.address === told) continue;
      const words = `${formatMac(mac)} is said to be behind ${formatIpv4(remotes[0]!.address)}, and last came from ${formatIpv4(told as never)}`;
      violations.push({ law: NAME, words, place: device.place, timeNs: nowNs });
    }
  }
  return violations;
}

/** What ARP said of an address, as a device heard it: the last word, and when it was first said without a break. */
interface Claim {
  readonly mac: number;
  readonly timeNs: number;
  readonly before: number | undefined;
}

function neighbours({ frames, world }: Observation): Violation[] {
  const violations: Violation[] = [];
  const claims = new Map<string, Claim>();
  for (const { device, direction, bytes, timeNs } of frames) {
    const layer = direction === "in" ? layersOf(bytes)[0] : undefined;
    if (layer === undefined || layer.type !== ethernet.ETHERTYPE_ARP) continue;
    if (arp.check(bytes, layer.network, bytes.length) !== undefined) continue;
    const mac = arp.senderHardwareAddress(bytes, layer.network);
    const key = `${device.place} ${arp.senderProtocolAddress(bytes, layer.network) >>> 0}`;
    const known = claims.get(key);
    const before = known === undefined || known.mac === mac ? known?.before : known.mac;
    claims.set(key, { mac, timeNs: known?.mac === mac ? known.timeNs : timeNs, before });
  }
  const nowNs = world.simulation.nowNs;
  for (const { neighbours: table } of world.namespaces.values())
    for (const { device, address, mac, state, valid, externallyLearnt } of table.list()) {
      if (!valid || state === "PERMANENT" || state === "NOARP" || externallyLearnt) continue;
      const claim = claims.get(`${device.place} ${address >>> 0}`);
      if (claim !== undefined && claim.mac === mac) continue;
      // Two owners within the lock's time: the first stays.
      if (claim?.before === mac && nowNs - claim.timeNs < LOCK_NS) continue;
      if (claim === undefined && device.kind === "loopback") continue;
      const said = claim === undefined ? "nobody ever said so" : `${formatMac(claim.mac as never)} was said last`;
      const words = `${formatIpv4(address)} is said to have ${formatMac(mac)}, and ${said}`;
      violations.push({ law: NAME, words, place: device.place, timeNs: nowNs });
    }
  return violations;
}
