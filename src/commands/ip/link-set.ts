/** `ip link set` and `ip link delete` (iproute2's ip/iplink.c). All of a line is read, and checked, before any of it takes effect. */
import { bridgeOf } from "../../linux/bridge.ts";
import type { NetworkNamespace } from "../../linux/namespace.ts";
import type { NetDevice } from "../../linux/net-device.ts";
import { vlanOf } from "../../linux/vlan-device.ts";
import { isGroup } from "../../wire/address.ts";
import { CommandError } from "../command-error.ts";
import {
  type Arguments,
  checkInterfaceName,
  duplicate,
  garbage,
  invalid,
  KERNEL_STATUS,
  macOf,
  matches,
  missing,
  noDevice,
  parseNumber,
  refused,
  USAGE_STATUS,
} from "./arguments.ts";
import { readBridgeOptions } from "./bridge-options.ts";
import { peerOf } from "./device-text.ts";
import { deviceOf, type IpContext } from "./ip-context.ts";
import { applyToPort, type PortSetting, portOption } from "./port-options.ts";

type Change = (device: NetDevice) => void;

export function setLink(context: IpContext, args: Arguments): void {
  const { namespace } = context;
  let name: string | undefined;
  const changes: Change[] = [];
  const seen = new Set<string>();
  const once = (what: string, text: string): void => {
    if (seen.has(what)) throw duplicate(what, text);
    seen.add(what);
  };
  let up: boolean | undefined;
  let target: NetworkNamespace | undefined;
  let newName: string | undefined;
  while (!args.done) {
    const word = args.take();
    if (word === "up" || word === "down") up = word === "up";
    else if (word === "name") newName = checkInterfaceName(args.value());
    else if (word === "mtu") {
      const text = args.value();
      once("mtu", text);
      const mtu = parseNumber(text);
      if (mtu === undefined) throw invalid(text, 'Invalid "mtu" value\n');
      changes.push((device) => setMtu(device, mtu));
    } else if (word === "netns") {
      const text = args.value();
      target = context.command.host.namedNamespaces.get(text);
      if (target === undefined) throw invalid(text, 'Invalid "netns" value\n');
    } else if (word === "master") {
      const text = args.value();
      const master = namespace.device(text);
      if (master === undefined) throw invalid(text, "Device does not exist\n");
      changes.push((device) => enslave(device, master));
    } else if (word === "nomaster") changes.push(release);
    else if (word === "arp") {
      const on = args.plainOnOff("arp");
      changes.push((device) => {
        device.noArp = !on;
      });
    } else if (word === "multicast") {
      const on = args.plainOnOff("multicast");
      changes.push((device) => {
        device.multicast = on;
      });
    } else if (word === "promisc") {
      const on = args.plainOnOff("promisc");
      changes.push((device) => {
        device.promiscuous = on;
      });
    } else if (word === "allmulticast" || word === "trailers" || word === "protodown") args.plainOnOff(word);
    else if (word === "txqueuelen" || word === "txqlen" || word === "qlen") args.number('Invalid "txqueuelen" value\n');
    else if (matches(word, "type")) {
      changes.push(readType(args));
      break;
    } else if (word !== "" && matches(word, "address")) {
      const address = macOf(args.value());
      changes.push((device) => {
        if (device.kind === "loopback") throw refused("EADDRNOTAVAIL");
        if (isGroup(address) || address === 0) throw refused("EADDRNOTAVAIL");
        device.address = address;
      });
    } else if (matches(word, "broadcast") || word === "brd") macOf(args.value());
    else {
      const given = word === "dev" ? args.value() : word;
      if (name !== undefined) throw garbage("dev", given);
      name = given;
    }
  }
  if (name === undefined) throw missing("dev", USAGE_STATUS);
  const device = deviceOf(context, name);
  const rename = newName;
  if (rename !== undefined && rename !== name && (target ?? namespace).device(rename) !== undefined)
    throw refused("EEXIST");
  if (target !== undefined) checkMove(device, target, rename ?? name);
  for (const change of changes) change(device);
  if (target !== undefined && target !== namespace) {
    namespace.moveDevice(device, target, rename ?? name);
  } else if (rename !== undefined && rename !== name) {
    namespace.renameDevice(device, rename);
  }
  if (up !== undefined) device.setUp(up);
}

function setMtu(device: NetDevice, mtu: number): void {
  if (device.kind !== "loopback") {
    if (mtu < 68) throw refused("EINVAL", "mtu less than device minimum");
    if (mtu > 65_535) throw refused("EINVAL", "mtu greater than device maximum");
  }
  device.setMtu(mtu);
}

function enslave(device: NetDevice, master: NetDevice): void {
  const bridge = bridgeOf(master);
  if (bridge === undefined) throw refused("EOPNOTSUPP");
  if (device.master === master) return;
  if (device.kind === "bridge") throw refused("ELOOP", "Can not enslave a bridge to a bridge");
  if (device.kind === "loopback") throw refused("EINVAL");
  if (device.master !== undefined) release(device);
  const port = bridge.addPort(device);
  if (typeof port === "string") throw refused(port);
}

function release(device: NetDevice): void {
  if (device.master !== undefined) bridgeOf(device.master)?.removePort(device);
}

function checkMove(device: NetDevice, target: NetworkNamespace, name: string): void {
  if (device.kind === "loopback" || device.kind === "bridge")
    throw refused("EINVAL", "The interface netns is immutable");
  if (device.stack !== target && target.device(name) !== undefined) throw refused("EEXIST");
  release(device);
}

/** `type bridge …`, `type bridge_slave …` */
function readType(args: Arguments): Change {
  const type = args.value();
  if (type === "bridge") {
    const settings = readBridgeOptions(args);
    return (device) => {
      const bridge = bridgeOf(device);
      if (bridge === undefined) throw refused("EOPNOTSUPP");
      for (const apply of settings) apply(bridge);
    };
  }
  if (type === "bridge_slave") {
    const settings: PortSetting[] = [];
    while (!args.done) {
      const word = args.take();
      const setting = portOption(word, args);
      if (setting === undefined) throw new CommandError(USAGE_STATUS, `bridge_slave: unknown option "${word}"?`);
      settings.push(setting);
    }
    return (device) => applyToPort(device, settings, KERNEL_STATUS);
  }
  args.rest();
  return () => {
    throw refused("EOPNOTSUPP");
  };
}

/** `ip link delete DEVICE`: both ends of a veth pair go. */
export function deleteLink(context: IpContext, args: Arguments): void {
  let name: string | undefined;
  while (!args.done) {
    const word = args.take();
    if (word === "dev") name = args.value();
    else if (word === "type") args.value();
    else if (name === undefined) name = word;
    else throw garbage("dev", word);
  }
  if (name === undefined) throw missing("dev");
  const device = context.namespace.device(name);
  if (device === undefined) throw noDevice(name);
  if (device.kind === "loopback" || device.kind === "nic") throw refused("EOPNOTSUPP");
  removeDevice(context, device);
}

/** Takes a device out of its namespace, with all that hangs on it. */
export function removeDevice(context: IpContext, device: NetDevice): void {
  const namespaces = context.command.host.world.namespaces;
  const peer = peerOf(device);
  for (const end of peer === undefined ? [device] : [device, peer]) {
    release(end);
    const bridge = bridgeOf(end);
    if (bridge !== undefined) for (const port of [...bridge.ports]) bridge.removePort(port.device);
    for (const namespace of namespaces.values())
      if (namespace.device(end.name) === end) {
        for (const other of namespace.devices) if (isOn(other, end)) namespace.removeDevice(other);
        namespace.removeDevice(end);
      }
  }
}

/** VLAN devices go with the device below them. */
function isOn(device: NetDevice, lower: NetDevice): boolean {
  return vlanOf(device)?.real === lower;
}
