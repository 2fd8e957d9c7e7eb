/** `bridge mdb` (iproute2's bridge/mdb.c): group memberships that a bridge has learnt, or was told. */
import { bridgeOf } from "../../linux/bridge.ts";
import type { NetDevice } from "../../linux/net-device.ts";
import { formatIpv4, type Ipv4Address, isMulticastIpv4, parseIpv4 } from "../../wire/address.ts";
import { CommandError } from "../command-error.ts";
import { type Arguments, invalid, matches, refused, USAGE_STATUS } from "../ip/arguments.ts";
import { type IpContext, jsonText } from "../ip/ip-context.ts";

export function changeGroup(context: IpContext, args: Arguments, verb: "add" | "delete"): void {
  let device: NetDevice | undefined;
  let portName: string | undefined;
  let group: Ipv4Address | undefined;
  let vlan = 0;
  const find = (name: string): NetDevice => {
    const found = context.namespace.device(name);
    if (found === undefined) throw new CommandError(USAGE_STATUS, `Cannot find device "${name}"`);
    return found;
  };
  while (!args.done) {
    const word = args.take();
    if (word === "dev") device = find(args.value());
    else if (word === "port") portName = args.value();
    else if (word === "grp") {
      const text = args.value();
      group = parseIpv4(text);
      if (group === undefined) throw new CommandError(USAGE_STATUS, `Invalid address "${text}"`);
    } else if (word === "vid") vlan = args.number("invalid VLAN ID");
    else if (word === "src") args.value();
    else if (!matches(word, "permanent") && !matches(word, "temp")) throw invalid(word, "unknown argument");
  }
  if (device === undefined || portName === undefined || group === undefined)
    throw new CommandError(USAGE_STATUS, "Device, group address and port name are required arguments.");
  const bridge = bridgeOf(device);
  if (bridge === undefined) throw refused("EOPNOTSUPP", "Not a bridge", USAGE_STATUS);
  if (!isMulticastIpv4(group)) throw refused("EINVAL", "Group address is not multicast", USAGE_STATUS);
  const target = find(portName);
  const port = target === device ? undefined : bridge.port(target);
  if (target !== device && port === undefined)
    throw refused("EINVAL", "Port net device is not a bridge port", USAGE_STATUS);
  if (verb === "add") bridge.multicast.add(group, vlan, port);
  else if (!bridge.multicast.delete(group, vlan, port)) throw refused("EINVAL", undefined, USAGE_STATUS);
}

export function showGroups(context: IpContext, args: Arguments): string {
  let only: string | undefined;
  while (!args.done) if (args.take() === "dev") only = args.value();
  const entries: { index: number; dev: string; port: string; grp: string; state: string; vlan: number }[] = [];
  const routers: { dev: string; port: string }[] = [];
  for (const device of context.namespace.devices) {
    const bridge = bridgeOf(device);
    if (bridge === undefined || (only !== undefined && only !== device.name)) continue;
    for (const { group, vlan, ports, hostUntilNs } of bridge.multicast.list()) {
      const base = { index: device.index, dev: device.name, grp: formatIpv4(group), vlan };
      for (const [port, untilNs] of ports)
        entries.push({ ...base, port: port.device.name, state: Number.isFinite(untilNs) ? "temp" : "permanent" });
      if (hostUntilNs !== undefined)
        entries.push({ ...base, port: device.name, state: Number.isFinite(hostUntilNs) ? "temp" : "permanent" });
    }
    for (const port of bridge.multicast.routerPorts()) routers.push({ dev: device.name, port: port.device.name });
  }
  if (context.options.json) {
    const router: Record<string, { port: string }[]> = {};
    for (const { dev, port } of routers) router[dev] = [...(router[dev] ?? []), { port }];
    const mdb = entries.map(({ index, dev, port, grp, state, vlan }) => ({
      index,
      dev,
      port,
      grp,
      state,
      flags: [],
      ...(vlan === 0 ? {} : { vid: vlan }),
    }));
    return jsonText([{ mdb, router }], context.options);
  }
  let text = entries
    .map(
      ({ dev, port, grp, state, vlan }) =>
        `dev ${dev} port ${port} grp ${grp} ${state}${vlan === 0 ? "" : ` vid ${vlan}`}\n`,
    )
    .join("");
  if (context.options.details) for (const { dev, port } of routers) text += `router ports on ${dev}: ${port} \n`;
  return text;
}
