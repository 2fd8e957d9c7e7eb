/** The secrets and configs that a service uses (docker/cli compose/convert/service.go): names in the swarm, and where in the container. */
import { fileObjectName } from "./file-object-specs.ts";
import type { LoadedStack } from "./load-stack.ts";
import type { Structure } from "./value.ts";

export interface FileReference {
  readonly id: string;
  readonly name: string;
  readonly file: { readonly name: string; readonly uid: string; readonly gid: string; readonly mode: number };
}

const READABLE = 0o444;

/** In the order of their names; or which is wrong and why, in the client's words. `idOf` knows those that the swarm has. */
export function serviceFiles(
  kind: "secret" | "config",
  references: readonly Structure[],
  loaded: LoadedStack,
  stackName: string,
  idOf: (name: string) => string | undefined,
): readonly FileReference[] | { readonly at: number; readonly problem: string } {
  const objects = kind === "secret" ? loaded.stack.secrets : loaded.stack.configs;
  const files: Omit<FileReference, "id">[] = [];
  for (const [at, { source, target, uid, gid, mode }] of references.entries()) {
    const key = String(source ?? "");
    const object = objects.get(key);
    if (object === undefined) return { at, problem: `undefined ${kind} "${key}"` };
    files.push({
      name: fileObjectName(object, stackName, key),
      file: {
        name: (target as string | undefined) ?? key,
        uid: (uid as string | undefined) ?? "0",
        gid: (gid as string | undefined) ?? "0",
        mode: mode === undefined ? READABLE : Number(mode),
      },
    });
  }
  const targets = new Set<string>();
  for (const [at, { name, file }] of files.entries()) {
    if (targets.has(file.name)) return { at, problem: `duplicate ${kind} target for ${name} not allowed` };
    targets.add(file.name);
  }
  const found: FileReference[] = [];
  for (const [at, file] of files.entries()) {
    const id = idOf(file.name);
    if (id === undefined) return { at, problem: `${kind} not found: ${file.name}` };
    found.push({ id, ...file });
  }
  return found.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
}
