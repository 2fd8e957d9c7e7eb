/** `docker service update`, `rollback`, `scale` and `rm`. */
import type { Process } from "../../../linux/process.ts";
import type { ControlClient } from "../../../swarm/control/control-client.ts";
import { quoted } from "../../../swarm/stack/go-quote.ts";
import { CommandError } from "../../command-error.ts";
import { type Asking, ask, clientOf, forEach, must } from "../cluster.ts";
import type { DockerCommand } from "../command.ts";
import { type FlagDefinition, splitPair } from "../flags.ts";
import { waitOnService } from "./progress.ts";
import { SERVICE_UPDATE_FLAGS } from "./service-flags.ts";
import { updatedSpec } from "./update-spec.ts";

const DETACH: FlagDefinition = {
  name: "detach",
  letter: "d",
  kind: "bool",
  usage: "Exit immediately instead of waiting for the service to converge",
};
const QUIET: FlagDefinition = { name: "quiet", letter: "q", kind: "bool", usage: "Suppress progress output" };
/** What may stand beside `--rollback`. */
const BESIDE_ROLLBACK = ["rollback", "detach", "quiet"];

const UPDATE: DockerCommand = {
  path: "service update",
  takes: "[OPTIONS] SERVICE",
  summary: "Update a service",
  flags: SERVICE_UPDATE_FLAGS,
  least: 1,
  most: 1,
  *run(process, context, flags, operands) {
    const name = operands[0]!;
    const client = clientOf(context);
    const service = yield* must(client.find("service", name));
    if (flags.bool("rollback")) {
      if (SERVICE_UPDATE_FLAGS.some((flag) => flags.has(flag.name) && !BESIDE_ROLLBACK.includes(flag.name)))
        throw new CommandError(1, "other flags may not be combined with --rollback");
      yield* rollBack(client, name);
    } else {
      const spec = yield* updatedSpec(context, client, flags, service.spec);
      const { id, meta } = service;
      yield* must(client.call("UpdateService", { id, version: meta.version, spec, rollback: "none" }));
    }
    process.stdout.write(`${name}\n`);
    if (flags.bool("detach")) return 0;
    return yield* waitOnService(process, client, name, flags.bool("quiet"));
  },
};

function* rollBack(client: ControlClient, name: string): Asking<void> {
  const { id, meta, spec } = yield* must(client.find("service", name));
  yield* must(client.call("UpdateService", { id, version: meta.version, spec, rollback: "previous" }));
}

const ROLLBACK: DockerCommand = {
  path: "service rollback",
  takes: "[OPTIONS] SERVICE",
  summary: "Revert changes to a service's configuration",
  flags: [DETACH, QUIET],
  least: 1,
  most: 1,
  *run(process, context, flags, operands) {
    const name = operands[0]!;
    const client = clientOf(context);
    yield* rollBack(client, name);
    process.stdout.write(`${name}\n`);
    if (flags.bool("detach")) return 0;
    return yield* waitOnService(process, client, name, flags.bool("quiet"));
  },
};

const SCALE: DockerCommand = {
  path: "service scale",
  takes: "SERVICE=REPLICAS [SERVICE=REPLICAS...]",
  summary: "Scale one or multiple replicated services",
  flags: [DETACH],
  least: 1,
  most: undefined,
  *run(process, context, flags, operands) {
    const strange = operands.find((text) => !text.includes("="));
    if (strange !== undefined)
      throw new CommandError(
        1,
        `invalid scale specifier '${strange}'.\nSee 'docker service scale --help'.\n\nUsage:  docker service scale SERVICE=REPLICAS [SERVICE=REPLICAS...]\n\nScale one or multiple replicated services`,
      );
    const problems: string[] = [];
    const scaled: string[] = [];
    for (const text of operands) {
      const [name, count] = splitPair(text);
      const problem = /^\d{1,15}$/.test(count)
        ? yield* scale(process, () => clientOf(context), name, Number(count))
        : `invalid replicas value ${count}: strconv.ParseUint: parsing ${quoted(count)}: ${/^\d+$/.test(count) ? "value out of range" : "invalid syntax"}`;
      if (problem === undefined) scaled.push(name);
      else problems.push(`${name}: ${problem}`);
    }
    let status = 0;
    if (!flags.bool("detach"))
      for (const name of scaled) {
        try {
          yield* waitOnService(process, clientOf(context), name, false);
        } catch (error) {
          if (!(error instanceof CommandError)) throw error;
          problems.push(`${name}: ${error.message}`);
          status = error.status;
        }
      }
    if (problems.length > 0) throw new CommandError(status === 0 ? 1 : status, problems.join("\n"));
    return 0;
  },
};

/** Why not; undefined when it is done. */
function* scale(
  process: Process,
  connect: () => ControlClient,
  name: string,
  replicas: number,
): Asking<string | undefined> {
  try {
    const client = connect();
    const { id, meta, spec } = yield* must(client.find("service", name));
    const { replicated, replicatedJob } = spec;
    if (replicated === undefined && replicatedJob === undefined)
      return "scale can only be used with replicated or replicated-job mode";
    const changed =
      replicatedJob === undefined
        ? { ...spec, replicated: { replicas } }
        : { ...spec, replicatedJob: { ...replicatedJob, totalCompletions: replicas } };
    yield* must(client.call("UpdateService", { id, version: meta.version, spec: changed, rollback: "none" }));
    process.stdout.write(`${name} scaled to ${replicas}\n`);
    return undefined;
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    return error.message;
  }
}

const RM: DockerCommand = {
  path: "service rm",
  aliases: ["service remove"],
  takes: "SERVICE [SERVICE...]",
  summary: "Remove one or more services",
  flags: [],
  least: 1,
  most: undefined,
  run(process, context, _flags, operands) {
    const client = clientOf(context);
    return forEach(process, operands, function* (name) {
      const found = yield* ask(client.find("service", name));
      return "error" in found ? found : yield* ask(client.call("RemoveService", { id: found.value.id }));
    });
  },
};

export const SERVICE_CHANGES: readonly DockerCommand[] = [UPDATE, ROLLBACK, SCALE, RM];
