/**
 * The word `ethtool` (6.1): features are taken and shown; here every checksum and segment size is as on the wire in any case. A card has one private flag,
 * `faulty-tunnel-checksums`: with it, and with tx-checksum-ip-generic on, it computes the checksums inside VXLAN wrongly.
 */
import { ChecksumOffload } from "../linux/checksum-offload.ts";
import type { NetDevice } from "../linux/net-device.ts";
import { WireEnd } from "../linux/wire-end.ts";
import type { CommandContext } from "./word.ts";
import { failure, instantWord, success } from "./word.ts";

/** Short names of `ethtool -K` and the features that they stand for. */
const FEATURES: ReadonlyMap<string, string> = new Map([
  ["rx", "rx-checksumming"],
  ["tx", "tx-checksumming"],
  ["sg", "scatter-gather"],
  ["tso", "tcp-segmentation-offload"],
  ["gso", "generic-segmentation-offload"],
  ["gro", "generic-receive-offload"],
  ["lro", "large-receive-offload"],
  ["rxvlan", "rx-vlan-offload"],
  ["txvlan", "tx-vlan-offload"],
]);

/** The features that mean that the card computes TCP's and UDP's checksums. */
const CHECKSUM_FEATURES: ReadonlySet<string> = new Set(["tx", "tx-checksumming", "tx-checksum-ip-generic"]);
const PRIVATE_FLAG = "faulty-tunnel-checksums";

export const ETHTOOL = instantWord("ethtool", (argv, context) => {
  const [option, name, ...rest] = argv;
  if (option === undefined)
    return failure(1, "ethtool: bad command line argument(s)\nFor more information run ethtool -h");
  const deviceName = option.startsWith("-") ? name : option;
  if (deviceName === undefined)
    return failure(1, "ethtool: bad command line argument(s)\nFor more information run ethtool -h");
  const device = context.namespace.device(deviceName);
  if (device === undefined) return failure(75, "netlink error: No such device");
  switch (option) {
    case "-K":
    case "--features":
    case "--offload": {
      for (let at = 0; at < rest.length; at += 2) {
        const feature = rest[at]!;
        const value = rest[at + 1];
        const known = FEATURES.has(feature) || [...FEATURES.values()].includes(feature) || feature.includes("-");
        if (!known || (value !== "on" && value !== "off"))
          return failure(1, "ethtool: bad command line argument(s)\nFor more information run ethtool -h");
        const offload = CHECKSUM_FEATURES.has(feature) ? offloadOf(device, context) : undefined;
        if (offload !== undefined) offload.enabled = value === "on";
      }
      return success();
    }
    case "--set-priv-flags": {
      const offload = offloadOf(device, context);
      if (offload === undefined) return failure(1, "Cannot get driver information: Operation not supported");
      const [flag, value, ...more] = rest;
      if (flag !== PRIVATE_FLAG || (value !== "on" && value !== "off") || more.length > 0)
        return failure(1, "ethtool: bad command line argument(s)\nFor more information run ethtool -h");
      offload.faulty = value === "on";
      return success();
    }
    case "--show-priv-flags": {
      const offload = offloadOf(device, context);
      if (offload === undefined) return failure(1, "Cannot get driver information: Operation not supported");
      return success(`Private flags for ${device.name}:\n${PRIVATE_FLAG}: ${offload.faulty ? "on" : "off"}\n`);
    }
    case "-k":
    case "--show-features":
    case "--show-offload": {
      const lines = [...FEATURES.values()].map((feature) => `${feature}: off\n`);
      return success(`Features for ${device.name}:\n${lines.join("")}`);
    }
    case "-S":
    case "--statistics": {
      if (device.kind !== "veth") return failure(94, "no stats available");
      return success("NIC statistics:\n     peer_ifindex: 0\n");
    }
    default:
      if (option.startsWith("-"))
        return failure(1, "ethtool: bad command line argument(s)\nFor more information run ethtool -h");
      return success(
        `Settings for ${device.name}:\n\tSpeed: 10000Mb/s\n\tDuplex: Full\n\tAuto-negotiation: off\n\tPort: Twisted Pair\n` +
          `\tPHYAD: 0\n\tTransceiver: internal\n\tMDI-X: Unknown\n\tLink detected: ${device.running ? "yes" : "no"}\n`,
      );
  }
});

/** Of a machine's network card; other devices compute nothing. */
function offloadOf(device: NetDevice, context: CommandContext): ChecksumOffload | undefined {
  const { driver } = device;
  if (device.kind !== "nic" || !(driver instanceof WireEnd)) return undefined;
  driver.offload ??= new ChecksumOffload(context.host.world.frames);
  return driver.offload;
}
