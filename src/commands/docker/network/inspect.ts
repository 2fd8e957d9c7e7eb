/** `docker network inspect`. */
import { isRefusal } from "../../../docker/refusal.ts";
import type { DockerCommand } from "../command.ts";
import { engineOf, refusalText } from "../daemon.ts";
import { INSPECT_FORMAT_FLAG } from "../format-flag.ts";
import type { Shown } from "../go-text.ts";
import { writeObjects } from "../output-format.ts";
import { networkObject } from "./network-text.ts";
import { findSwarmNetwork, swarmNetworkObject } from "./swarm-network.ts";

export const NETWORK_INSPECT: DockerCommand = {
  path: "network inspect",
  takes: "[OPTIONS] NETWORK [NETWORK...]",
  summary: "Display detailed information on one or more networks",
  flags: [INSPECT_FORMAT_FLAG, { name: "verbose", letter: "v", kind: "bool", usage: "Verbose output for diagnostics" }],
  least: 1,
  most: undefined,
  *run(process, context, flags, operands) {
    const engine = engineOf(context);
    const objects: Shown[] = [];
    let problems = "";
    for (const text of operands) {
      const network = engine.findNetwork(text);
      const foreign = isRefusal(network) ? yield* findSwarmNetwork(context, text) : undefined;
      if (foreign !== undefined) objects.push(swarmNetworkObject(foreign));
      else if (isRefusal(network)) problems += `${refusalText(network)}\n`;
      else objects.push(networkObject(engine, network));
    }
    writeObjects(process.stdout, flags.string("format"), objects);
    process.stderr.write(problems);
    return problems === "" ? 0 : 1;
  },
};
