/** `docker service ls`, and the rows of `docker stack services`. */

import type { TextSink } from "../../../linux/process.ts";
import type { ResponseOf } from "../../../swarm/api/control.ts";
import type { Service } from "../../../swarm/api/objects.ts";
import type { ControlClient } from "../../../swarm/control/control-client.ts";
import { modeOf } from "../../../swarm/control/service-validation.ts";
import { type Asking, clientOf, daemonError, must } from "../cluster.ts";
import type { DockerCommand } from "../command.ts";
import { filtersOf, matchesLabel } from "../filters.ts";
import type { FlagDefinition, Flags } from "../flags.ts";
import { FORMAT_FLAG } from "../format-flag.ts";
import { naturalOrder } from "../natural-order.ts";
import { formatList, type ListForm, type Row } from "../output-format.ts";
import { imageText } from "../task/task-list.ts";
import { meshPortsText } from "./port-text.ts";

const SHORT_ID = 12;
const FORM: ListForm = {
  columns: [
    { field: "ID", heading: "ID" },
    { field: "Name", heading: "NAME" },
    { field: "Mode", heading: "MODE" },
    { field: "Replicas", heading: "REPLICAS" },
    { field: "Image", heading: "IMAGE" },
    { field: "Ports", heading: "PORTS" },
  ],
  headings: {},
  goType: "*service.serviceContext",
};
const MODE_NAMES = {
  replicated: "replicated",
  global: "global",
  replicatedJob: "replicated job",
  globalJob: "global job",
} as const;
type Status = ResponseOf<"ListServiceStatuses">["statuses"][number];

export const LIST_FLAGS: readonly FlagDefinition[] = [
  { name: "filter", letter: "f", kind: "filter", usage: "Filter output based on conditions provided" },
  FORMAT_FLAG,
  { name: "quiet", letter: "q", kind: "bool", usage: "Only display IDs" },
];

export const SERVICE_LS: DockerCommand = {
  path: "service ls",
  aliases: ["service list"],
  takes: "[OPTIONS]",
  summary: "List services",
  flags: LIST_FLAGS,
  least: 0,
  most: 0,
  *run(process, context, flags) {
    const client = clientOf(context);
    const { services } = yield* must(client.call("ListServices", {}));
    yield* printServices(process.stdout, client, flags, selectServices(services, flags));
    return 0;
  },
};

export function selectServices(services: readonly Service[], flags: Flags): Service[] {
  const filters = filtersOf(flags, ["id", "label", "mode", "name", "runtime"]);
  for (const mode of filters.get("mode") ?? [])
    if (!Object.values(MODE_NAMES).some((name) => name.replace(" ", "-") === mode))
      throw daemonError(`invalid filter 'mode=${mode}'`);
  return services.filter((service) =>
    [...filters].every(([name, values]) =>
      values.some((value) => {
        switch (name) {
          case "id":
            return service.id.startsWith(value);
          case "name":
            return service.spec.annotations.name.startsWith(value);
          case "label":
            return matchesLabel(service.spec.annotations.labels, value);
          case "mode":
            return modeText(service).replace(" ", "-") === value;
          default:
            return value === "container";
        }
      }),
    ),
  );
}

export function* printServices(
  stdout: TextSink,
  client: ControlClient,
  flags: Flags,
  services: readonly Service[],
): Asking<void> {
  const sorted = [...services].sort((a, b) => naturalOrder(a.spec.annotations.name, b.spec.annotations.name));
  if (flags.bool("quiet")) {
    stdout.write(sorted.map(({ id }) => `${id.slice(0, SHORT_ID)}\n`).join(""));
    return;
  }
  const { statuses } = yield* must(client.call("ListServiceStatuses", { services: sorted.map(({ id }) => id) }));
  const byId = new Map(statuses.map((status) => [status.serviceId, status]));
  const rows = sorted.map((service): Row => {
    const { id, spec, endpoint } = service;
    return {
      ID: id.slice(0, SHORT_ID),
      Image: imageText(spec.task.container?.image ?? ""),
      Mode: modeText(service),
      Name: spec.annotations.name,
      Ports: meshPortsText(endpoint?.ports ?? []),
      Replicas: replicasText(service, byId.get(id)),
    };
  });
  stdout.write(formatList(flags.string("format"), FORM, rows));
}

function modeText({ spec }: Service): string {
  return MODE_NAMES[modeOf(spec) ?? "replicated"];
}

function replicasText({ spec }: Service, status: Status | undefined): string {
  const { runningTasks = 0, desiredTasks = 0, completedTasks = 0 } = status ?? {};
  const now = `${runningTasks}/${desiredTasks}`;
  if (spec.replicatedJob !== undefined)
    return `${now} (${completedTasks}/${spec.replicatedJob.totalCompletions} completed)`;
  if (spec.globalJob !== undefined) return `${now} (${completedTasks}/${desiredTasks + completedTasks} completed)`;
  const most = spec.task.placement?.maxReplicas ?? 0;
  return most > 0 ? `${now} (max ${most} per node)` : now;
}
