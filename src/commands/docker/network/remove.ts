/** `docker network rm` and `docker network prune`. */
import { isRefusal } from "../../../docker/refusal.ts";
import type { CommandContext } from "../../word.ts";
import type { Asking } from "../cluster.ts";
import type { DockerCommand } from "../command.ts";
import { confirmed } from "../confirmation.ts";
import { engineOf, refusalText } from "../daemon.ts";
import { filtersOf, matchesLabel } from "../filters.ts";
import { findSwarmNetwork, removeSwarmNetwork } from "./swarm-network.ts";

const PREDEFINED: ReadonlySet<string> = new Set(["bridge", "host", "none", "docker_gwbridge", "ingress"]);

export const NETWORK_RM: DockerCommand = {
  path: "network rm",
  aliases: ["network remove"],
  takes: "NETWORK [NETWORK...]",
  summary: "Remove one or more networks",
  flags: [{ name: "force", letter: "f", kind: "bool", usage: "Do not error if the network does not exist" }],
  least: 1,
  most: undefined,
  *run(process, context, flags, operands) {
    let status = 0;
    for (const name of operands) {
      const problem = yield* remove(context, name, flags.bool("force"));
      if (problem === undefined) process.stdout.write(`${name}\n`);
      else if (problem !== "") {
        process.stderr.write(`${problem}\n`);
        status = 1;
      }
    }
    return status;
  },
};

/** Undefined: it is gone; "": there was none, and nobody minds. */
function* remove(context: CommandContext, name: string, isForced: boolean): Asking<string | undefined> {
  const engine = engineOf(context);
  const found = engine.findNetwork(name);
  const foreign = isRefusal(found) ? yield* findSwarmNetwork(context, name) : undefined;
  if (foreign !== undefined) return yield* removeSwarmNetwork(context, foreign.id);
  if (isRefusal(found)) return found.refused === "not-found" && isForced ? "" : refusalText(found);
  if (found.scope === "swarm") return yield* removeSwarmNetwork(context, found.id);
  const refusal = engine.removeNetwork(name);
  return refusal === undefined ? undefined : refusalText(refusal);
}

export const NETWORK_PRUNE: DockerCommand = {
  path: "network prune",
  takes: "[OPTIONS]",
  summary: "Remove all unused networks",
  flags: [
    { name: "filter", kind: "filter", usage: 'Provide filter values (e.g. "until=<timestamp>")' },
    { name: "force", letter: "f", kind: "bool", usage: "Do not prompt for confirmation" },
  ],
  least: 0,
  most: 0,
  run(process, context, flags) {
    const engine = engineOf(context);
    const filters = filtersOf(flags, ["label", "until"]);
    const warning = "WARNING! This will remove all custom networks not used by at least one container.";
    if (!confirmed(process, context, flags, warning)) return 1;
    const gone: string[] = [];
    for (const network of [...engine.networks.values()]) {
      if (PREDEFINED.has(network.name) || network.scope !== "local" || network.endpoints.size > 0) continue;
      if (filters.get("label")?.some((label) => !matchesLabel(network.labels, label)) === true) continue;
      if (engine.removeNetwork(network.id) === undefined) gone.push(network.name);
    }
    if (gone.length > 0) process.stdout.write(`Deleted Networks:\n${gone.join("\n")}\n\n`);
    return 0;
  },
};
