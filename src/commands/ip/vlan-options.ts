/** The options of `ip link add link DEVICE … type vlan` (iproute2's ip/iplink_vlan.c). */
import type { NetDevice } from "../../linux/net-device.ts";
import { createVlanDevice } from "../../linux/vlan-device.ts";
import { CommandError } from "../command-error.ts";
import { type Arguments, invalid, matches, parseNumber, refused, USAGE_STATUS } from "./arguments.ts";
import type { NewLink } from "./link-add.ts";

export function addVlan(link: NewLink, args: Arguments): NetDevice {
  let vid: number | undefined;
  while (!args.done) {
    const word = args.take();
    if (word === "id") {
      const text = args.value();
      vid = parseNumber(text);
      if (vid === undefined || vid > 0xffff) throw invalid(text, "id is invalid");
    } else if (matches(word, "protocol")) {
      const protocol = args.value();
      if (protocol.toLowerCase() !== "802.1q") throw invalid(protocol, "protocol is invalid");
    } else if (/^(reorder_hdr|gvrp|mvrp|loose_binding|bridge_binding)$/.test(word)) {
      args.onOff(word);
    } else {
      throw new CommandError(USAGE_STATUS, `vlan: unknown command "${word}"?\n${VLAN_USAGE}`);
    }
  }
  if (link.lower === undefined) throw refused("EINVAL", "link not specified");
  if (vid === undefined) throw refused("EINVAL", "VLAN id not specified");
  if (vid > 4_094) throw refused("ERANGE", "Invalid VLAN id");
  const made = createVlanDevice(link.namespace, { name: link.name, real: link.lower, vid, address: link.address });
  if (made === "EEXIST") throw refused("EEXIST", "VLAN device already exists");
  if (link.mtu !== undefined) made.setMtu(link.mtu);
  return made;
}

const VLAN_USAGE = `Usage: ... vlan id VLANID
		[ protocol VLANPROTO ]
		[ reorder_hdr { on | off } ]
		[ gvrp { on | off } ]
		[ mvrp { on | off } ]
		[ loose_binding { on | off } ]
		[ bridge_binding { on | off } ]
		[ ingress-qos-map QOS-MAP ]
		[ egress-qos-map QOS-MAP ]

VLANID := 0-4095
VLANPROTO: [ 802.1Q | 802.1ad ]
QOS-MAP := [ QOS-MAP ] QOS-MAPPING
QOS-MAPPING := FROM:TO`;
