/**
 * Nothing goes in circles: a bridge meets a frame once (the spanning tree's promise, IEEE 802.1D-2004 §17.1, and that of a network without loops), and a
 * packet comes to a device once on its way from one address to another, whatever its time to live. Runs whose links double frames are left out.
 */
import type { NetDevice } from "../../linux/net-device.ts";
import * as ipv4 from "../../wire/ipv4.ts";
import type { Law, Violation } from "../law.ts";
import { layersOf } from "../layers.ts";
import { digest, isIpv4 } from "../packets.ts";

const NAME = "no loops";

export const LOOPS: Law = {
  name: NAME,
  source: "IEEE 802.1D-2004 §17.1; RFC 1812 §5.3.1",
  check({ frames, disturbances }) {
    const violations: Violation[] = [];
    if (disturbances.has("duplicate")) return violations;
    const met = new Map<NetDevice, Map<string, NetDevice>>();
    for (const { device, direction, packetId, bytes, place, timeNs } of frames) {
      if (direction !== "in" || device.kind === "loopback") continue;
      const { master } = device;
      if (master !== undefined) {
        const frame = `${packetId} ${bytes.length} ${digest(bytes)}`;
        if (meets(met, master, device, frame))
          violations.push({ law: NAME, words: `the frame met ${master.place} twice`, place, timeNs, packetId });
        continue;
      }
      const layer = layersOf(bytes)[0];
      if (device.kind === "bridge" || layer === undefined || !isIpv4(bytes, layer)) continue;
      const at = layer.network;
      const offset = ipv4.flagsAndOffset(bytes, at);
      const journey = `${packetId} ${ipv4.identification(bytes, at)} ${offset} ${ipv4.protocol(bytes, at)} ${ipv4.source(bytes, at)} ${ipv4.destination(bytes, at)}`;
      const life = `${journey} ${ipv4.timeToLive(bytes, at)}`;
      // The same with the same time to live is a second copy, which is another law's.
      const before = lifeOf(met, device, journey, life);
      if (before) violations.push({ law: NAME, words: "the packet came by here before", place, timeNs, packetId });
    }
    return violations;
  },
};

/** Notes that the bridge met the frame at `port`; has it met it at another port before? */
function meets(
  met: Map<NetDevice, Map<string, NetDevice>>,
  bridge: NetDevice,
  port: NetDevice,
  frame: string,
): boolean {
  const here = tableOf(met, bridge);
  const before = here.get(frame);
  if (before === undefined) here.set(frame, port);
  return before !== undefined && before !== port;
}

function lifeOf(
  met: Map<NetDevice, Map<string, NetDevice>>,
  device: NetDevice,
  journey: string,
  life: string,
): boolean {
  const here = tableOf(met, device);
  const known = here.has(journey) && !here.has(life);
  here.set(journey, device);
  here.set(life, device);
  return known;
}

function tableOf<T>(tables: Map<NetDevice, Map<string, T>>, device: NetDevice): Map<string, T> {
  let table = tables.get(device);
  if (table === undefined) {
    table = new Map();
    tables.set(device, table);
  }
  return table;
}
