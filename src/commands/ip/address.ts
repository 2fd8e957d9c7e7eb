/** `ip address add|del|replace|flush` (iproute2's ip/ipaddress.c). */
import type { NetDevice } from "../../linux/net-device.ts";
import { broadcastOf, contains, type Ipv4Address, type Prefix } from "../../wire/address.ts";
import { CommandError } from "../command-error.ts";
import { type Arguments, garbage, invalid, matches, missing, noDevice, prefixOf, refused } from "./arguments.ts";
import type { IpContext } from "./ip-context.ts";
import { readSelection } from "./link-show.ts";

interface Request {
  readonly device: NetDevice;
  readonly prefix: Prefix;
  readonly peer: Ipv4Address | undefined;
  readonly broadcast: Ipv4Address | undefined;
  readonly scope: "global" | "link" | "host" | undefined;
  /** Written without a length. */
  readonly bare: boolean;
}

export function changeAddress(context: IpContext, args: Arguments, verb: "add" | "replace" | "delete"): void {
  const { device, prefix, peer, broadcast, scope, bare } = read(context, args);
  const { namespace } = context;
  if (verb === "delete") {
    // A bare address means any that is the same; with a length the whole prefix, the peer's where there is one.
    const exact = device.addresses.find(
      (other) =>
        other.address === prefix.address &&
        (bare ||
          (other.length === prefix.length &&
            contains({ address: other.peer, length: other.length }, peer ?? prefix.address))),
    );
    const problem = exact === undefined ? "EADDRNOTAVAIL" : namespace.removeAddress(device, exact);
    if (problem !== undefined)
      throw refused(problem, problem === "EADDRNOTAVAIL" ? "ipv4: Address not found" : undefined);
    return;
  }
  const problem = namespace.addAddress(device, prefix, { peer, broadcast, scope });
  if (problem === "EEXIST" && verb === "replace") return;
  if (problem !== undefined)
    throw refused(problem, problem === "EEXIST" ? "ipv4: Address already assigned" : undefined);
}

function read(context: IpContext, args: Arguments): Request {
  let local: Prefix | undefined;
  let peer: Prefix | undefined;
  let broadcast: Ipv4Address | "subnet" | "none" | undefined;
  let scope: Request["scope"];
  let name: string | undefined;
  let bare = false;
  while (!args.done) {
    const word = args.take();
    if (word === "peer" || word === "remote") peer = args.prefix();
    else if (matches(word, "broadcast") || word === "brd") {
      const text = args.peek();
      if (text === "+" || text === "-") {
        args.take();
        broadcast = text === "+" ? "subnet" : "none";
      } else broadcast = args.address();
    } else if (word === "anycast") args.address();
    else if (word === "scope") {
      const text = args.value();
      if (text !== "global" && text !== "link" && text !== "host") throw invalid(text, "invalid scope value.");
      scope = text;
    } else if (word === "dev") name = args.value();
    else if (word === "label" || word === "metric" || word === "valid_lft" || word === "preferred_lft") args.value();
    else if (/^(home|nodad|mngtmpaddr|noprefixroute|autojoin|optimistic)$/.test(word)) continue;
    else {
      const text = word === "local" ? args.value() : word;
      if (local !== undefined) throw garbage("local", text);
      local = prefixOf(text);
      bare = !text.includes("/");
    }
  }
  if (name === undefined) throw missing("dev");
  const device = context.namespace.device(name);
  if (device === undefined) throw noDevice(name);
  if (local === undefined) throw refused("EOPNOTSUPP");
  const prefix = peer === undefined ? local : { address: local.address, length: peer.length };
  const subnet = { address: peer?.address ?? local.address, length: prefix.length };
  return {
    device,
    prefix,
    peer: peer?.address,
    broadcast: broadcast === "subnet" ? broadcastOf(subnet) : broadcast === "none" ? undefined : broadcast,
    scope,
    bare,
  };
}

export function flushAddresses(context: IpContext, args: Arguments): void {
  if (args.done) throw new CommandError(1, "Flush requires arguments.");
  const selection = readSelection(context, args);
  if (selection.device === undefined && selection.to === undefined && selection.scope === undefined)
    throw new CommandError(1, "Flush requires arguments.");
  for (const device of context.namespace.devices) {
    if (selection.device !== undefined && selection.device !== device) continue;
    for (const address of [...device.addresses]) {
      const { to, scope } = selection;
      if (to !== undefined && !(address.length >= to.length && contains(to, address.address))) continue;
      if (scope !== undefined && scope !== address.scope) continue;
      if (device.addresses.includes(address)) context.namespace.removeAddress(device, address);
    }
  }
}
