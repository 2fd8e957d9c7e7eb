/** `docker network rm` and `docker network prune`. */
import { isRefusal } from "../../../docker/refusal.ts";
import type { DockerCommand } from "../command.ts";
import { confirmed } from "../confirmation.ts";
import { engineOf, refusalText } from "../daemon.ts";
import { filtersOf, matchesLabel } from "../filters.ts";

const PREDEFINED: ReadonlySet<string> = new Set(["bridge", "host", "none", "docker_gwbridge", "ingress"]);

export const NETWORK_RM: DockerCommand = {
  path: "network rm",
  aliases: ["network remove"],
  takes: "NETWORK [NETWORK...]",
  summary: "Remove one or more networks",
  flags: [{ name: "force", letter: "f", kind: "bool", usage: "Do not error if the network does not exist" }],
  least: 1,
  most: undefined,
  run(process, context, flags, operands) {
    const engine = engineOf(context);
    let status = 0;
    for (const name of operands) {
      const found = engine.findNetwork(name);
      if (isRefusal(found) && found.refused === "not-found" && flags.bool("force")) continue;
      const refusal = isRefusal(found) ? found : engine.removeNetwork(name);
      if (refusal === undefined) process.stdout.write(`${name}\n`);
      else {
        process.stderr.write(`${refusalText(refusal)}\n`);
        status = 1;
      }
    }
    return status;
  },
};

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
