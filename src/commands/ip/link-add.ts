/** `ip link add` (iproute2's ip/iplink.c, iplink_veth.c, iplink_vlan.c): veth, bridge, vxlan, vlan, dummy. */
import { Dummy } from "../../linux/dummy.ts";
import type { NetworkNamespace } from "../../linux/namespace.ts";
import type { NetDevice } from "../../linux/net-device.ts";
import type { MacAddress } from "../../wire/address.ts";
import { isGroup } from "../../wire/address.ts";
import { CommandError } from "../command-error.ts";
import {
  type Arguments,
  checkInterfaceName,
  duplicate,
  garbage,
  invalid,
  macOf,
  matches,
  parseNumber,
  refused,
  USAGE_STATUS,
} from "./arguments.ts";
import { addBridge } from "./bridge-options.ts";
import { deviceOf, type IpContext } from "./ip-context.ts";
import { addVlan } from "./vlan-options.ts";
import { addVxlan } from "./vxlan-options.ts";

/** What stands in front of `type`. */
export interface NewLink {
  readonly name: string;
  readonly namespace: NetworkNamespace;
  readonly address: MacAddress | undefined;
  readonly mtu: number | undefined;
  /** `link DEVICE` */
  readonly lower: NetDevice | undefined;
}

interface Draft {
  name: string | undefined;
  type: string | undefined;
  namespace: NetworkNamespace;
  address: MacAddress | undefined;
  mtu: number | undefined;
  lower: NetDevice | undefined;
  up: boolean;
}

const MINIMUM_MTU = 68;
const MAXIMUM_MTU = 65_535;

export function addLink(context: IpContext, args: Arguments): void {
  const draft = readCommon(context, args, undefined);
  if (draft.type === undefined) throw new CommandError(1, 'Not enough information: "type" argument is required');
  const name = draft.name ?? freeName(draft.namespace, draft.type);
  const link: NewLink = { ...draft, name };
  const device = create(context, link, draft.type, args);
  if (draft.up) device.setUp(true);
}

function create(context: IpContext, link: NewLink, type: string, args: Arguments): NetDevice {
  const { namespace, name, mtu, address } = link;
  if (!["veth", "bridge", "vxlan", "vlan", "dummy"].includes(type)) throw refused("EOPNOTSUPP", "Unknown device type");
  if (address !== undefined && isGroup(address)) throw refused("EADDRNOTAVAIL");
  checkFree(namespace, name);
  if (mtu !== undefined && (mtu < MINIMUM_MTU || mtu > MAXIMUM_MTU))
    throw refused(
      "EINVAL",
      type === "vxlan"
        ? "MTU must be between 68 and 65535"
        : `mtu ${mtu < MINIMUM_MTU ? "less than device minimum" : "greater than device maximum"}`,
    );
  switch (type) {
    case "veth":
      return addVeth(context, link, args);
    case "bridge":
      return addBridge(link, args);
    case "vxlan":
      return addVxlan(link, args, context.namespace).device;
    case "vlan":
      return addVlan(link, args);
    default: {
      if (!args.done) throw new CommandError(USAGE_STATUS, `dummy: unknown command "${args.take()}"?`);
      const driver = new Dummy(namespace.frames);
      const made = namespace.addDevice({
        name,
        kind: "dummy",
        address: address ?? namespace.drawMac(name),
        mtu: mtu ?? 1500,
        driver,
      });
      made.noArp = true;
      return made;
    }
  }
}

/** `type veth peer name NAME …`: the peer's own options follow. */
function addVeth(context: IpContext, near: NewLink, args: Arguments): NetDevice {
  let far: Draft | undefined;
  if (!args.done) {
    const word = args.take();
    if (!matches(word, "peer")) throw new CommandError(USAGE_STATUS, `veth: unknown command "${word}"?\n${VETH_USAGE}`);
    far = readCommon(context, args, near.namespace);
  }
  const farNamespace = far?.namespace ?? near.namespace;
  const farName = far?.name ?? freeName(farNamespace, "veth", near.name);
  checkFree(farNamespace, farName);
  if (farNamespace === near.namespace && farName === near.name) throw refused("EEXIST");
  if (far?.address !== undefined && isGroup(far.address)) throw refused("EADDRNOTAVAIL");
  // The kernel makes the peer first: in one namespace it has the lower number.
  const { a: farDevice, b: nearDevice } = context.command.host.world.createLink(
    "veth",
    { namespace: farNamespace, name: farName, address: far?.address, mtu: far?.mtu ?? 1500 },
    { namespace: near.namespace, name: near.name, address: near.address, mtu: near.mtu ?? 1500 },
  );
  if (far?.up === true) farDevice.setUp(true);
  return nearDevice;
}

/** Everything up to `type KIND`, or for a veth's peer up to the end. */
function readCommon(context: IpContext, args: Arguments, peerOf: NetworkNamespace | undefined): Draft {
  const draft: Draft = {
    name: undefined,
    type: undefined,
    namespace: peerOf ?? context.namespace,
    address: undefined,
    mtu: undefined,
    lower: undefined,
    up: false,
  };
  let device: string | undefined;
  while (!args.done) {
    const word = args.take();
    if (word === "up" || word === "down") draft.up = word === "up";
    else if (word === "name") {
      if (draft.name !== undefined) throw duplicate("name", args.value());
      draft.name = checkInterfaceName(args.value());
    } else if (word === "index" || word === "txqueuelen" || word === "qlen" || word === "txqlen")
      args.number(`Invalid "${word}" value\n`);
    else if (matches(word, "link")) draft.lower = deviceOf(context, args.value());
    else if (word !== "" && matches(word, "address")) draft.address = macOf(args.value());
    else if (matches(word, "broadcast") || word === "brd") macOf(args.value());
    else if (word === "mtu") {
      const text = args.value();
      if (draft.mtu !== undefined) throw duplicate("mtu", text);
      draft.mtu = parseNumber(text);
      if (draft.mtu === undefined) throw invalid(text, 'Invalid "mtu" value\n');
    } else if (word === "netns") {
      const name = args.value();
      const namespace = context.command.host.namedNamespaces.get(name);
      if (namespace === undefined) throw invalid(name, 'Invalid "netns" value\n');
      draft.namespace = namespace;
    } else if (word === "numtxqueues" || word === "numrxqueues") args.number(`Invalid "${word}" value\n`);
    else if (matches(word, "type")) {
      draft.type = args.value();
      break;
    } else {
      if (word === "dev") device = args.value();
      else if (device !== undefined || draft.name !== undefined) throw garbage("dev", word);
      else device = word;
      draft.name = checkInterfaceName(device);
    }
  }
  return draft;
}

function checkFree(namespace: NetworkNamespace, name: string): void {
  if (namespace.device(name) !== undefined) throw refused("EEXIST");
}

/** `veth0`, `bridge0`, … as the kernel numbers devices that were given no name. */
function freeName(namespace: NetworkNamespace, stem: string, taken?: string): string {
  let number = 0;
  while (namespace.device(`${stem}${number}`) !== undefined || taken === `${stem}${number}`) number++;
  return `${stem}${number}`;
}

const VETH_USAGE = `Usage: ip link <options> type veth [peer <options>]
To get <options> type 'ip link add help'`;
