/** `docker volume create|ls|inspect|rm|prune`: names that containers share; there is nothing in them. */
import { isRefusal } from "../../docker/refusal.ts";
import type { Volume } from "../../docker/volume.ts";
import { CommandError } from "../command-error.ts";
import type { DockerCommand } from "./command.ts";
import { confirmed } from "./confirmation.ts";
import { engineOf, refusalText } from "./daemon.ts";
import { filtersOf, matchesLabel, matchesText } from "./filters.ts";
import { FORMAT_FLAG, INSPECT_FORMAT_FLAG } from "./format-flag.ts";
import { goTime, type Shown } from "./go-text.ts";
import { formatList, writeObjects } from "./output-format.ts";

const COLUMNS = [
  { field: "Driver", heading: "DRIVER" },
  { field: "Name", heading: "VOLUME NAME" },
];
const HEADINGS = { Labels: "LABELS", Links: "LINKS", Mountpoint: "MOUNTPOINT", Scope: "SCOPE", Size: "SIZE" };

function mountpoint({ name }: Volume): string {
  return `/var/lib/docker/volumes/${name}/_data`;
}

function volumeObject(volume: Volume): { readonly [field: string]: Shown } {
  return {
    CreatedAt: goTime(volume.createdNs).replace(/\.\d+Z$/, "Z"),
    Driver: volume.driver,
    Labels: volume.labels.size > 0 ? volume.labels : null,
    Mountpoint: mountpoint(volume),
    Name: volume.name,
    Options: volume.options.size > 0 ? volume.options : null,
    Scope: "local",
  };
}

const CREATE: DockerCommand = {
  path: "volume create",
  takes: "[OPTIONS] [VOLUME]",
  summary: "Create a volume",
  flags: [
    { name: "driver", letter: "d", kind: "string", usage: "Specify volume driver name", byDefault: '"local"' },
    { name: "label", kind: "list", usage: "Set metadata for a volume" },
    { name: "name", kind: "string", usage: "Specify volume name", hidden: true },
    { name: "opt", letter: "o", kind: "map", usage: "Set driver specific options", byDefault: "map[]" },
  ],
  least: 0,
  most: 1,
  run(process, context, flags, operands) {
    const engine = engineOf(context);
    const name = operands[0] ?? flags.string("name");
    const driver = flags.string("driver") ?? "local";
    if (driver !== "local")
      throw new CommandError(1, `Error response from daemon: create ${name ?? ""}: plugin "${driver}" not found`);
    if (name !== undefined && !/^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/.test(name))
      throw new CommandError(
        1,
        `Error response from daemon: create ${name}: "${name}" includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory, use absolute path`,
      );
    const request = { options: flags.map("opt"), labels: flags.map("label") };
    const volume = engine.createVolume(name === undefined ? request : { name, ...request });
    process.stdout.write(`${volume.name}\n`);
    return 0;
  },
};

const LS: DockerCommand = {
  path: "volume ls",
  aliases: ["volume list"],
  takes: "[OPTIONS]",
  summary: "List volumes",
  flags: [
    {
      name: "cluster",
      kind: "bool",
      usage: "Display only cluster volumes, and use cluster volume list formatting",
    },
    { name: "filter", letter: "f", kind: "filter", usage: 'Provide filter values (e.g. "dangling=true")' },
    FORMAT_FLAG,
    { name: "quiet", letter: "q", kind: "bool", usage: "Only display volume names" },
  ],
  least: 0,
  most: 0,
  run(process, context, flags) {
    const engine = engineOf(context);
    const filters = filtersOf(flags, ["dangling", "driver", "label", "name"]);
    const volumes = [...engine.volumes.values()]
      .filter((volume) =>
        [...filters].every(([filter, values]) =>
          values.some((value) => {
            if (filter === "name") return matchesText(volume.name, value);
            if (filter === "driver") return volume.driver === value;
            if (filter === "label") return matchesLabel(volume.labels, value);
            return (value === "true" || value === "1") === (engine.volumeUsers(volume.name).length === 0);
          }),
        ),
      )
      .sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
    if (flags.bool("quiet")) {
      process.stdout.write(volumes.map(({ name }) => `${name}\n`).join(""));
      return 0;
    }
    const rows = volumes.map((volume) => ({
      Availability: "N/A",
      Driver: volume.driver,
      Group: "N/A",
      Labels: [...volume.labels].map(([key, value]) => `${key}=${value}`).join(","),
      Links: "N/A",
      Mountpoint: mountpoint(volume),
      Name: volume.name,
      Scope: "local",
      Size: "N/A",
      Status: "N/A",
    }));
    process.stdout.write(
      formatList(
        flags.string("format"),
        { columns: COLUMNS, headings: HEADINGS, goType: "*formatter.volumeContext" },
        rows,
      ),
    );
    return 0;
  },
};

const INSPECT: DockerCommand = {
  path: "volume inspect",
  takes: "[OPTIONS] VOLUME [VOLUME...]",
  summary: "Display detailed information on one or more volumes",
  flags: [INSPECT_FORMAT_FLAG],
  least: 1,
  most: undefined,
  run(process, context, flags, operands) {
    const engine = engineOf(context);
    const objects: Shown[] = [];
    let problems = "";
    for (const name of operands) {
      const volume = engine.volumes.get(name);
      if (volume === undefined) problems += `Error response from daemon: get ${name}: no such volume\n`;
      else objects.push(volumeObject(volume));
    }
    writeObjects(process.stdout, flags.string("format"), objects);
    process.stderr.write(problems);
    return problems === "" ? 0 : 1;
  },
};

const RM: DockerCommand = {
  path: "volume rm",
  aliases: ["volume remove"],
  takes: "[OPTIONS] VOLUME [VOLUME...]",
  summary: "Remove one or more volumes. You cannot remove a volume that is in use by a container.",
  flags: [{ name: "force", letter: "f", kind: "bool", usage: "Force the removal of one or more volumes" }],
  least: 1,
  most: undefined,
  run(process, context, flags, operands) {
    const engine = engineOf(context);
    let status = 0;
    for (const name of operands) {
      const refusal = engine.removeVolume(name);
      if (refusal === undefined || (flags.bool("force") && refusal.refused === "not-found"))
        process.stdout.write(`${name}\n`);
      else {
        process.stderr.write(`${refusalText(refusal)}\n`);
        status = 1;
      }
    }
    return status;
  },
};

const PRUNE: DockerCommand = {
  path: "volume prune",
  takes: "[OPTIONS]",
  summary: "Remove unused local volumes",
  flags: [
    { name: "all", letter: "a", kind: "bool", usage: "Remove all unused volumes, not just anonymous ones" },
    { name: "filter", kind: "filter", usage: 'Provide filter values (e.g. "label=<label>")' },
    { name: "force", letter: "f", kind: "bool", usage: "Do not prompt for confirmation" },
  ],
  least: 0,
  most: 0,
  run(process, context, flags) {
    const engine = engineOf(context);
    const all = flags.bool("all");
    const filters = filtersOf(flags, ["label", "all"]);
    const what = all ? "all" : "anonymous";
    const warning = `WARNING! This will remove ${what} local volumes not used by at least one container.`;
    if (!confirmed(process, context, flags, warning)) return 1;
    const gone: string[] = [];
    for (const volume of [...engine.volumes.values()]) {
      if (!all && !volume.anonymous) continue;
      if (filters.get("label")?.some((label) => !matchesLabel(volume.labels, label)) === true) continue;
      const refusal = engine.removeVolume(volume.name);
      if (!isRefusal(refusal)) gone.push(volume.name);
    }
    if (gone.length > 0) process.stdout.write(`Deleted Volumes:\n${gone.join("\n")}\n\n`);
    process.stdout.write("Total reclaimed space: 0B\n");
    return 0;
  },
};

export const VOLUME_COMMANDS: readonly DockerCommand[] = [CREATE, LS, INSPECT, RM, PRUNE];
