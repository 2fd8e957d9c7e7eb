/** The word `ethtool` (6.1): features are taken and shown; here every checksum and segment size is as on the wire in any case. */
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
      }
      return success();
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
