/** Names in a service's flags that stand for objects of the cluster: networks, secrets, configs (docker/cli command/service/parse.go). */
import { filtersShape } from "../../../swarm/api/control.ts";
import {
  type ConfigReference,
  type NetworkAttachmentConfig,
  networkAttachmentConfigShape,
  type SecretReference,
} from "../../../swarm/api/specs.ts";
import type { ControlClient } from "../../../swarm/control/control-client.ts";
import { formatIpv4 } from "../../../wire/address.ts";
import { CommandError } from "../../command-error.ts";
import { type Asking, must } from "../cluster.ts";
import { parseNetworkFlag } from "../container/network-flag.ts";
import type { Flags } from "../flags.ts";
import { type FileFlag, parseFileFlag } from "./file-flag.ts";

/** The attachments that the flag `name` asks for. */
export function* attachmentsOf(client: ControlClient, flags: Flags, name: string): Asking<NetworkAttachmentConfig[]> {
  const attachments: NetworkAttachmentConfig[] = [];
  for (const text of flags.list(name)) {
    const wanted = parseNetworkFlag(text);
    if (typeof wanted === "string") throw new CommandError(1, wanted);
    const { id } = yield* must(client.find("network", wanted.network));
    const addresses = wanted.address === undefined ? [] : [formatIpv4(wanted.address)];
    attachments.push(networkAttachmentConfigShape.make({ target: id, aliases: wanted.aliases ?? [], addresses }));
  }
  return attachments.sort((a, b) => (a.target < b.target ? -1 : 1));
}

function filesOf(flags: Flags, name: string, kind: "secret" | "config"): FileFlag[] {
  const files: FileFlag[] = [];
  for (const text of flags.list(name)) {
    const file = parseFileFlag(kind, text);
    if (typeof file === "string") throw new CommandError(1, file);
    if (files.some(({ target }) => target === file.target))
      throw new CommandError(1, `duplicate ${kind} target for ${file.source} not allowed`);
    files.push(file);
  }
  return files;
}

function* identify(
  client: ControlClient,
  kind: "secret" | "config",
  files: readonly FileFlag[],
): Asking<ReadonlyMap<string, string>> {
  if (files.length === 0) return new Map();
  const filters = filtersShape.make({ names: files.map(({ source }) => source) });
  const found =
    kind === "secret"
      ? (yield* must(client.call("ListSecrets", { filters }))).secrets
      : (yield* must(client.call("ListConfigs", { filters }))).configs;
  const ids = new Map(found.map(({ id, spec }) => [spec.annotations.name, id]));
  for (const { source } of files) if (!ids.has(source)) throw new CommandError(1, `${kind} not found: ${source}`);
  return ids;
}

function fileTarget({ target, uid, gid, mode }: FileFlag) {
  return { name: target, uid, gid, mode };
}

export function* secretsOf(client: ControlClient, flags: Flags, name: string): Asking<SecretReference[]> {
  const files = filesOf(flags, name, "secret");
  const ids = yield* identify(client, "secret", files);
  return files.map((file) => ({ secretId: ids.get(file.source)!, secretName: file.source, file: fileTarget(file) }));
}

export function* configsOf(client: ControlClient, flags: Flags, name: string): Asking<ConfigReference[]> {
  const files = filesOf(flags, name, "config");
  const ids = yield* identify(client, "config", files);
  return files.map((file) => ({ configId: ids.get(file.source)!, configName: file.source, file: fileTarget(file) }));
}
