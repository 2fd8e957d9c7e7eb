/** `docker node update`, `promote`, `demote` and `rm`. */
import type { Process } from "../../../linux/process.ts";
import type { Node } from "../../../swarm/api/objects.ts";
import { NODE_ROLES, type NodeSpec } from "../../../swarm/api/specs.ts";
import { quoted } from "../../../swarm/stack/go-quote.ts";
import { CommandError } from "../../command-error.ts";
import type { CommandContext } from "../../word.ts";
import { type Asking, ask, clientOf, daemonError, forEach, must } from "../cluster.ts";
import type { DockerCommand } from "../command.ts";
import { type Flags, splitPair } from "../flags.ts";
import { findNode } from "./node-reference.ts";

const AVAILABILITIES = ["active", "pause", "drain"] as const;

/** One node after the other; `change` gives undefined when there is nothing to do. */
function* updateNodes(
  process: Process,
  context: CommandContext,
  names: readonly string[],
  change: (node: Node) => NodeSpec | undefined,
  success: (name: string) => string,
): Asking<number> {
  const client = clientOf(context);
  for (const name of names) {
    const node = yield* must(findNode(context, client, name));
    const spec = change(node);
    if (spec === undefined) continue;
    yield* must(client.call("UpdateNode", { id: node.id, version: node.meta.version, spec }));
    process.stdout.write(`${success(name)}\n`);
  }
  return 0;
}

export const NODE_PROMOTE: DockerCommand = {
  path: "node promote",
  takes: "NODE [NODE...]",
  summary: "Promote one or more nodes to manager in the swarm",
  flags: [],
  least: 1,
  most: undefined,
  run(process, context, _flags, operands) {
    const promote = ({ id, spec }: Node): NodeSpec | undefined => {
      if (spec.desiredRole !== "manager") return { ...spec, desiredRole: "manager" };
      process.stdout.write(`Node ${id} is already a manager.\n`);
      return undefined;
    };
    return updateNodes(
      process,
      context,
      operands,
      promote,
      (name) => `Node ${name} promoted to a manager in the swarm.`,
    );
  },
};

export const NODE_DEMOTE: DockerCommand = {
  path: "node demote",
  takes: "NODE [NODE...]",
  summary: "Demote one or more nodes from manager in the swarm",
  flags: [],
  least: 1,
  most: undefined,
  run(process, context, _flags, operands) {
    const demote = ({ id, spec }: Node): NodeSpec | undefined => {
      if (spec.desiredRole !== "worker") return { ...spec, desiredRole: "worker" };
      process.stdout.write(`Node ${id} is already a worker.\n`);
      return undefined;
    };
    return updateNodes(process, context, operands, demote, (name) => `Manager ${name} demoted in the swarm.`);
  },
};

export const NODE_UPDATE: DockerCommand = {
  path: "node update",
  takes: "[OPTIONS] NODE",
  summary: "Update a node",
  flags: [
    { name: "availability", kind: "string", usage: 'Availability of the node ("active", "pause", "drain")' },
    { name: "label-add", kind: "list", usage: 'Add or update a node label ("key=value")' },
    { name: "label-rm", kind: "list", usage: "Remove a node label if exists" },
    { name: "role", kind: "string", usage: 'Role of the node ("worker", "manager")' },
  ],
  least: 1,
  most: 1,
  run(process, context, flags, operands) {
    return updateNodes(
      process,
      context,
      operands,
      ({ spec }) => merged(spec, flags),
      (name) => name,
    );
  },
};

function merged(spec: NodeSpec, flags: Flags): NodeSpec {
  const role = flags.string("role") ?? spec.desiredRole;
  const availability = flags.string("availability") ?? spec.availability;
  const labels = new Map(spec.annotations.labels);
  for (const text of flags.list("label-add")) labels.set(...splitPair(text));
  for (const key of flags.list("label-rm"))
    if (!labels.delete(key)) throw new CommandError(1, `key ${key} doesn't exist in node's labels`);
  const desiredRole = NODE_ROLES.find((each) => each === role.toLowerCase());
  if (desiredRole === undefined) throw daemonError(`invalid Role: ${quoted(role)}`);
  const known = AVAILABILITIES.find((each) => each === availability.toLowerCase());
  if (known === undefined) throw daemonError(`invalid Availability: ${quoted(availability)}`);
  return { ...spec, desiredRole, availability: known, annotations: { ...spec.annotations, labels } };
}

export const NODE_RM: DockerCommand = {
  path: "node rm",
  aliases: ["node remove"],
  takes: "[OPTIONS] NODE [NODE...]",
  summary: "Remove one or more nodes from the swarm",
  flags: [{ name: "force", letter: "f", kind: "bool", usage: "Force remove a node from the swarm" }],
  least: 1,
  most: undefined,
  run(process, context, flags, operands) {
    const client = clientOf(context);
    return forEach(process, operands, function* (name) {
      const found = yield* ask(client.find("node", name));
      if ("error" in found) return found;
      return yield* ask(client.call("RemoveNode", { id: found.value.id, force: flags.bool("force") }));
    });
  },
};
