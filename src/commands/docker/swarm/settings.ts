/** `docker swarm join-token`, `unlock-key`, `unlock`, `update`, `leave` and `ca`. */

import type { KeyRotation } from "../../../swarm/api/control.ts";
import type { ClusterSpec } from "../../../swarm/api/specs.ts";
import type { ControlClient } from "../../../swarm/control/control-client.ts";
import { CommandError } from "../../command-error.ts";
import { type Asking, clientOf, daemonError, must, outcome, swarmNodeOf } from "../cluster.ts";
import { type DockerCommand, runCommand } from "../command.ts";
import { CLUSTER_FLAGS, mergedClusterSpec } from "./cluster-flags.ts";
import { joinText, theCluster, unlockKey, unlockText } from "./swarm-texts.ts";

const NO_ROTATION: KeyRotation = { workerJoinToken: false, managerJoinToken: false, managerUnlockKey: false };
const CA_FLAGS = ["ca-cert", "ca-key", "cert-expiry", "external-ca"];

function* updateCluster(
  client: ControlClient,
  change: (spec: ClusterSpec) => ClusterSpec,
  rotation: Partial<KeyRotation> = {},
): Asking<void> {
  const { id, meta, spec } = yield* theCluster(client);
  const request = { id, version: meta.version, spec: change(spec), rotation: { ...NO_ROTATION, ...rotation } };
  yield* must(client.call("UpdateCluster", request));
}

const JOIN_TOKEN: DockerCommand = {
  path: "swarm join-token",
  takes: "[OPTIONS] (worker|manager)",
  summary: "Manage join tokens",
  flags: [
    { name: "quiet", letter: "q", kind: "bool", usage: "Only display token" },
    { name: "rotate", kind: "bool", usage: "Rotate join token" },
  ],
  least: 1,
  most: 1,
  *run(process, context, flags, operands) {
    const role = operands[0];
    if (role !== "worker" && role !== "manager") throw new CommandError(1, `unknown role ${role}`);
    const client = clientOf(context);
    if (flags.bool("rotate")) {
      const rotation = role === "worker" ? { workerJoinToken: true } : { managerJoinToken: true };
      yield* updateCluster(client, (spec) => spec, rotation);
      if (!flags.bool("quiet")) process.stdout.write(`Successfully rotated ${role} join token.\n\n`);
    }
    if (flags.bool("quiet")) {
      const { rootCa } = yield* theCluster(client);
      process.stdout.write(`${rootCa.joinTokens[role]}\n`);
    } else process.stdout.write(yield* joinText(context, swarmNodeOf(context).nodeId ?? "", role));
    return 0;
  },
};

const UNLOCK_KEY: DockerCommand = {
  path: "swarm unlock-key",
  takes: "[OPTIONS]",
  summary: "Manage the unlock key",
  flags: [
    { name: "quiet", letter: "q", kind: "bool", usage: "Only display token" },
    { name: "rotate", kind: "bool", usage: "Rotate unlock key" },
  ],
  least: 0,
  most: 0,
  *run(process, context, flags) {
    const client = clientOf(context);
    if (flags.bool("rotate")) {
      const { spec } = yield* theCluster(client);
      if (!spec.autoLockManagers) throw new CommandError(1, "cannot rotate because autolock is not turned on");
      yield* updateCluster(client, (same) => same, { managerUnlockKey: true });
      if (!flags.bool("quiet")) process.stdout.write("Successfully rotated manager unlock key.\n\n");
    }
    const key = yield* unlockKey(context);
    if (key === undefined) throw new CommandError(1, "no unlock key is set");
    process.stdout.write(flags.bool("quiet") ? `${key}\n` : unlockText(key));
    return 0;
  },
};

const UNLOCK: DockerCommand = {
  path: "swarm unlock",
  takes: "",
  summary: "Unlock swarm",
  flags: [],
  least: 0,
  most: 0,
  *run(_process, context) {
    const node = swarmNodeOf(context);
    if (node.state === "inactive") throw new CommandError(1, "Error: This node is not part of a swarm");
    if (node.state !== "locked") throw new CommandError(1, "Error: swarm is not locked");
    const key = context.stdin.split("\n", 1)[0] ?? "";
    yield* outcome((done) => node.unlock(key.trim(), done));
    return 0;
  },
};

const UPDATE: DockerCommand = {
  path: "swarm update",
  takes: "[OPTIONS]",
  summary: "Update the swarm",
  flags: [
    ...CLUSTER_FLAGS,
    { name: "autolock", kind: "bool", usage: "Change manager autolocking setting (true|false)" },
  ],
  least: 0,
  most: 0,
  *run(process, context, flags) {
    if (!UPDATE.flags.some(({ name }) => flags.has(name)))
      return yield* runCommand(process, context, UPDATE, UPDATE.path, ["--help"]);
    const client = clientOf(context);
    let isNewlyLocked = false;
    yield* updateCluster(client, (spec) => {
      const merged = mergedClusterSpec(spec, flags);
      isNewlyLocked = merged.autoLockManagers && !spec.autoLockManagers;
      return merged;
    });
    process.stdout.write("Swarm updated.\n");
    const key = isNewlyLocked ? yield* unlockKey(context) : undefined;
    if (key !== undefined) process.stdout.write(unlockText(key));
    return 0;
  },
};

const LEAVE: DockerCommand = {
  path: "swarm leave",
  takes: "[OPTIONS]",
  summary: "Leave the swarm",
  flags: [{ name: "force", letter: "f", kind: "bool", usage: "Force this node to leave the swarm, ignoring warnings" }],
  least: 0,
  most: 0,
  *run(process, context, flags) {
    const node = swarmNodeOf(context);
    yield* outcome((done) => node.leave(flags.bool("force"), done));
    process.stdout.write("Node left the swarm.\n");
    return 0;
  },
};

const CA: DockerCommand = {
  path: "swarm ca",
  takes: "[OPTIONS]",
  summary: "Display and rotate the root CA",
  flags: [
    {
      name: "ca-cert",
      kind: "pem-file",
      usage: "Path to the PEM-formatted root CA certificate to use for the new cluster",
    },
    { name: "ca-key", kind: "pem-file", usage: "Path to the PEM-formatted root CA key to use for the new cluster" },
    {
      name: "cert-expiry",
      kind: "duration",
      usage: "Validity period for node certificates (ns|us|ms|s|m|h)",
      byDefault: "2160h0m0s",
    },
    {
      name: "detach",
      letter: "d",
      kind: "bool",
      usage: "Exit immediately instead of waiting for the root rotation to converge",
    },
    { name: "external-ca", kind: "external-ca", usage: "Specifications of one or more certificate signing endpoints" },
    { name: "quiet", letter: "q", kind: "bool", usage: "Suppress progress output" },
    {
      name: "rotate",
      kind: "bool",
      usage: "Rotate the swarm CA - if no certificate or key are provided, new ones will be generated",
    },
  ],
  least: 0,
  most: 0,
  *run(process, context, flags) {
    if (flags.bool("rotate")) throw daemonError("another root certificate for a running swarm is not emulated");
    const { rootCa } = yield* theCluster(clientOf(context));
    for (const name of CA_FLAGS)
      if (flags.has(name))
        throw new CommandError(1, `\`--${name}\` flag requires the \`--rotate\` flag to update the CA`);
    process.stdout.write(`${new TextDecoder().decode(rootCa.caCert)}\n`);
    return 0;
  },
};

export const SWARM_SETTINGS: readonly DockerCommand[] = [JOIN_TOKEN, UNLOCK_KEY, UNLOCK, UPDATE, LEAVE, CA];
