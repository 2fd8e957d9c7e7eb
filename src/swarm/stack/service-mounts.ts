/** The volumes of a service as mounts (docker/cli compose/convert/volume.go). */
import { type Mount, mountShape } from "../api/specs.ts";
import type { Stack } from "./load-stack.ts";
import { labelsOf, scopedName, textMap } from "./stack-labels.ts";
import type { Structure } from "./value.ts";

/** The mounts, or which volume is wrong and why, in the client's words. */
export function serviceMounts(
  volumes: readonly Structure[],
  stack: Stack,
  stackName: string,
): readonly Mount[] | { readonly at: number; readonly problem: string } {
  const mounts: Mount[] = [];
  for (const [at, volume] of volumes.entries()) {
    const mount = mountOf(volume, stack, stackName);
    if (typeof mount === "string") return { at, problem: mount };
    mounts.push(mount);
  }
  return mounts;
}

const TYPES = ["volume", "bind", "tmpfs", "npipe", "cluster"] as const;

function mountOf(volume: Structure, stack: Stack, stackName: string): Mount | string {
  const type = TYPES.find((each) => each === volume.type);
  const source = (volume.source as string | undefined) ?? "";
  const problem = type === undefined ? undefined : problemOf(type, source, volume);
  if (type === undefined) return "volume type must be volume, bind, tmpfs, npipe, or cluster";
  if (problem !== undefined) return problem;
  const mount = mountShape.make({
    type,
    source,
    target: (volume.target as string | undefined) ?? "",
    readOnly: volume.read_only === true,
  });
  return type === "volume" && source !== "" ? volumeMount(mount, volume, stack, stackName) : mount;
}

/** What a kind of mount cannot have. */
function problemOf(type: Mount["type"], source: string, volume: Structure): string | undefined {
  if ((type === "bind" || type === "npipe") && source === "") return `invalid ${type} source, source cannot be empty`;
  if (type === "tmpfs" && source !== "") return "invalid tmpfs source, source must be empty";
  if (type === "cluster" && source === "") return "invalid cluster source, source cannot be empty";
  const others = { volume: ["tmpfs", "bind"], bind: ["volume", "tmpfs"], tmpfs: ["bind", "volume"] };
  const foreign = others[type as keyof typeof others] ?? ["bind", "tmpfs", "volume"];
  const key = foreign.find((each) => volume[each] !== undefined);
  return key === undefined ? undefined : `${key} options are incompatible with type ${type}`;
}

function volumeMount(mount: Mount, { volume }: Structure, stack: Stack, stackName: string): Mount | string {
  const declared = stack.volumes.get(mount.source);
  if (declared === undefined) return `undefined volume "${mount.source}"`;
  const source = (declared.name as string | undefined) ?? scopedName(stackName, mount.source);
  const noCopy = (volume as Structure | undefined)?.nocopy === true;
  if (declared.external === true)
    return { ...mount, source, volumeDriver: { noCopy, labels: new Map(), driver: undefined } };
  const driver = declared.driver ?? "";
  const hasDriver = driver !== "" || declared.driver_opts !== undefined;
  return {
    ...mount,
    source,
    volumeDriver: {
      noCopy,
      labels: labelsOf(stackName, declared.labels),
      driver: hasDriver ? { name: String(driver), options: textMap(declared.driver_opts) } : undefined,
    },
  };
}
