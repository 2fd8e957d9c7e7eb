/** `docker ps`. */
import type { Container } from "../../../docker/container/container.ts";
import type { Engine } from "../../../docker/engine.ts";
import { shortIdentifier } from "../../../docker/identifiers.ts";
import type { Nanoseconds } from "../../../sim/time.ts";
import { quoted } from "../../../swarm/stack/go-quote.ts";
import { CommandError } from "../../command-error.ts";
import type { DockerCommand } from "../command.ts";
import { engineOf } from "../daemon.ts";
import { filtersOf, matchesLabel, matchesText } from "../filters.ts";
import type { Flags } from "../flags.ts";
import { FORMAT_FLAG } from "../format-flag.ts";
import { goDate } from "../go-text.ts";
import { ago, humanDuration } from "../human-time.ts";
import { type Column, formatList, type Row } from "../output-format.ts";
import { ellipsis } from "../table.ts";
import { portsText } from "./port-text.ts";

const COMMAND_CHARACTERS = 20;
const COLUMNS: readonly Column[] = [
  { field: "ID", heading: "CONTAINER ID" },
  { field: "Image", heading: "IMAGE" },
  { field: "Command", heading: "COMMAND" },
  { field: "RunningFor", heading: "CREATED" },
  { field: "Status", heading: "STATUS" },
  { field: "Ports", heading: "PORTS" },
  { field: "Names", heading: "NAMES" },
];
const HEADINGS = {
  CreatedAt: "CREATED AT",
  Labels: "LABELS",
  LocalVolumes: "LOCAL VOLUMES",
  Mounts: "MOUNTS",
  Networks: "NETWORKS",
  Platform: "PLATFORM",
  Size: "SIZE",
  State: "STATE",
};
const FILTERS = [
  "ancestor",
  "before",
  "exited",
  "expose",
  "health",
  "id",
  "label",
  "name",
  "network",
  "publish",
  "since",
  "status",
  "volume",
];

export const PS: DockerCommand = {
  path: "container ls",
  aliases: ["container list", "container ps", "ps"],
  takes: "[OPTIONS]",
  summary: "List containers",
  flags: [
    { name: "all", letter: "a", kind: "bool", usage: "Show all containers (default shows just running)" },
    { name: "filter", letter: "f", kind: "filter", usage: "Filter output based on conditions provided" },
    FORMAT_FLAG,
    {
      name: "last",
      letter: "n",
      kind: "int",
      usage: "Show n last created containers (includes all states)",
      byDefault: "-1",
    },
    { name: "latest", letter: "l", kind: "bool", usage: "Show the latest created container (includes all states)" },
    { name: "no-trunc", kind: "bool", usage: "Don't truncate output" },
    { name: "quiet", letter: "q", kind: "bool", usage: "Only display container IDs" },
    { name: "size", letter: "s", kind: "bool", usage: "Display total file sizes" },
  ],
  least: 0,
  most: 0,
  run(process, context, flags) {
    const engine = engineOf(context);
    const whole = flags.bool("no-trunc");
    const containers = select(engine, flags);
    if (flags.bool("quiet")) {
      for (const { id } of containers) process.stdout.write(`${whole ? id : shortIdentifier(id)}\n`);
      return 0;
    }
    const nowNs = process.clock.nowNs;
    const rows = containers.map((container) => rowOf(engine, container, nowNs, whole));
    process.stdout.write(
      formatList(
        flags.string("format"),
        { columns: COLUMNS, headings: HEADINGS, goType: "*formatter.ContainerContext" },
        rows,
      ),
    );
    return 0;
  },
};

/** The newest first. */
function select(engine: Engine, flags: Flags): Container[] {
  const filters = filtersOf(flags, FILTERS);
  const last = flags.bool("latest") ? 1 : (flags.int("last") ?? -1);
  const all = flags.bool("all") || last > 0 || filters.has("status") || filters.has("exited");
  const found = [...engine.containers.values()]
    .reverse()
    .filter(
      (container) =>
        (all || container.running || container.state === "restarting") && matches(engine, container, filters),
    );
  return last > 0 ? found.slice(0, last) : found;
}

function matches(engine: Engine, container: Container, filters: ReadonlyMap<string, readonly string[]>): boolean {
  const order = [...engine.containers.keys()];
  for (const [name, values] of filters) {
    const some = values.some((value) => {
      switch (name) {
        case "id":
          return container.id.startsWith(value);
        case "name":
          return matchesText(`/${container.name}`, value) || matchesText(container.name, value);
        case "label":
          return matchesLabel(container.spec.labels, value);
        case "status":
          return container.state === value;
        case "health":
          return container.health === value;
        case "exited":
          return container.state === "exited" && container.exitStatus === Number(value);
        case "ancestor":
          return container.spec.image === value || container.spec.image.split(":")[0] === value;
        case "network":
          return (
            networkNames(engine, container).includes(value) ||
            container.endpoints.some(({ network }) => network.id.startsWith(value))
          );
        case "volume":
          return container.spec.mounts?.some(({ source, target }) => source === value || target === value) ?? false;
        case "publish":
        case "expose":
          return portsText(container).includes(value.replace(/\/tcp$/, ""));
        default: {
          const other = engine.findContainer(value);
          if ("refused" in other) throw new CommandError(1, `Error response from daemon: ${other.message}`);
          const after = order.indexOf(container.id) - order.indexOf(other.id);
          return name === "before" ? after < 0 : after > 0;
        }
      }
    });
    if (!some) return false;
  }
  return true;
}

function rowOf(engine: Engine, container: Container, nowNs: Nanoseconds, whole: boolean): Row {
  const { id, name, spec, createdNs, state } = container;
  const command = commandOf(container).join(" ");
  const labels = [...(spec.labels ?? [])].map(([key, value]) => `${key}=${value}`).sort();
  return {
    Command: quoted(whole ? command : ellipsis(command, COMMAND_CHARACTERS)),
    CreatedAt: goDate(createdNs),
    ID: whole ? id : shortIdentifier(id),
    Image: spec.image,
    Labels: labels.join(","),
    LocalVolumes: String(spec.mounts?.filter(({ type }) => type === "volume").length ?? 0),
    Mounts: (spec.mounts ?? []).map(({ source, target }) => source ?? target).join(","),
    Names: name,
    Networks: networkNames(engine, container).join(","),
    Ports: portsText(container),
    RunningFor: ago(createdNs, nowNs),
    Size: "0B",
    State: state,
    Status: statusText(container, nowNs),
  };
}

export function commandOf({ spec }: Container): readonly string[] {
  return spec.command.length > 0 ? spec.command : [spec.image];
}

export function networkNames(engine: Engine, container: Container): string[] {
  const { attachments } = container;
  if (attachments.length === 0) return ["bridge"];
  return attachments.map(({ network }) => {
    const found = engine.findNetwork(network);
    return "refused" in found ? network : found.name;
  });
}

/** `Up 5 minutes (healthy)`, `Exited (0) 2 hours ago`. */
export function statusText(container: Container, nowNs: Nanoseconds): string {
  const { state, exitStatus, startedNs, finishedNs, health } = container;
  switch (state) {
    case "running": {
      const up = `Up ${humanDuration(nowNs - startedNs)}`;
      if (health === "none") return up;
      return `${up} (${health === "starting" ? "health: starting" : health})`;
    }
    case "restarting":
      return `Restarting (${exitStatus}) ${ago(finishedNs, nowNs)}`;
    case "exited":
      return `Exited (${exitStatus}) ${ago(finishedNs, nowNs)}`;
    case "created":
      return "Created";
    case "dead":
      return "Dead";
  }
}
