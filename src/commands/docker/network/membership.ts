/** `docker network connect` and `docker network disconnect`. */
import { parseIpv4 } from "../../../wire/address.ts";
import { CommandError } from "../../command-error.ts";
import type { DockerCommand } from "../command.ts";
import { engineOf, expectNoRefusal, granted } from "../daemon.ts";

export const NETWORK_CONNECT: DockerCommand = {
  path: "network connect",
  takes: "[OPTIONS] NETWORK CONTAINER",
  summary: "Connect a container to a network",
  flags: [
    { name: "alias", kind: "strings", usage: "Add network-scoped alias for the container" },
    { name: "driver-opt", kind: "strings", usage: "driver options for the network" },
    {
      name: "gw-priority",
      kind: "int",
      usage: "Highest gw-priority provides the default gateway. Accepts positive and negative values.",
    },
    { name: "ip", kind: "string", usage: 'IPv4 address (e.g., "172.30.100.104")' },
    { name: "ip6", kind: "string", usage: 'IPv6 address (e.g., "2001:db8::33")' },
    { name: "link", kind: "list", usage: "Add link to another container" },
    { name: "link-local-ip", kind: "strings", usage: "Add a link-local address for the container" },
  ],
  least: 2,
  most: 2,
  run(_process, context, flags, operands) {
    const [network = "", name = ""] = operands;
    for (const refused of ["ip6", "link", "link-local-ip", "gw-priority"])
      if (flags.has(refused)) throw new CommandError(1, `--${refused} is not emulated`);
    const engine = engineOf(context);
    const container = granted(engine.findContainer(name));
    const text = flags.string("ip");
    const address = text === undefined || text === "" ? undefined : parseIpv4(text);
    if (text !== undefined && text !== "" && address === undefined)
      throw new CommandError(1, `Error response from daemon: invalid IPv4 address: ${text}`);
    expectNoRefusal(container.connect({ network, address, aliases: flags.list("alias") }));
    return 0;
  },
};

export const NETWORK_DISCONNECT: DockerCommand = {
  path: "network disconnect",
  takes: "[OPTIONS] NETWORK CONTAINER",
  summary: "Disconnect a container from a network",
  flags: [{ name: "force", letter: "f", kind: "bool", usage: "Force the container to disconnect from a network" }],
  least: 2,
  most: 2,
  run(_process, context, _flags, operands) {
    const [network = "", name = ""] = operands;
    const container = granted(engineOf(context).findContainer(name));
    expectNoRefusal(container.disconnect(network));
    return 0;
  },
};
