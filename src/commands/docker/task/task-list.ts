/** Tasks as `docker service ps`, `node ps` and `stack ps` list them (docker/cli command/task, formatter/task.go). */
import type { Process } from "../../../linux/process.ts";
import type { Node, Service, Task } from "../../../swarm/api/objects.ts";
import { TASK_STATES } from "../../../swarm/api/task-state.ts";
import type { ControlClient } from "../../../swarm/control/control-client.ts";
import { taskName } from "../../../swarm/store/tables.ts";
import { type Asking, daemonError, must } from "../cluster.ts";
import { filtersOf, matchesLabel } from "../filters.ts";
import type { FlagDefinition, Flags } from "../flags.ts";
import { ago } from "../human-time.ts";
import { naturalOrder } from "../natural-order.ts";
import { formatList, type ListForm, type Row } from "../output-format.ts";
import { ellipsis } from "../table.ts";

const MOST_ERROR = 30;
const SHORT_ID = 12;

export const TASK_FLAGS: readonly FlagDefinition[] = [
  { name: "filter", letter: "f", kind: "filter", usage: "Filter output based on conditions provided" },
  { name: "format", kind: "string", usage: "Pretty-print tasks using a Go template" },
  { name: "no-resolve", kind: "bool", usage: "Do not map IDs to Names" },
  { name: "no-trunc", kind: "bool", usage: "Do not truncate output" },
  { name: "quiet", letter: "q", kind: "bool", usage: "Only display task IDs" },
];

const FORM: ListForm = {
  columns: [
    { field: "ID", heading: "ID" },
    { field: "Name", heading: "NAME" },
    { field: "Image", heading: "IMAGE" },
    { field: "Node", heading: "NODE" },
    { field: "DesiredState", heading: "DESIRED STATE" },
    { field: "CurrentState", heading: "CURRENT STATE" },
    { field: "Error", heading: "ERROR" },
    { field: "Ports", heading: "PORTS" },
  ],
  headings: {},
  goType: "*task.taskContext",
};

/** Names instead of ids, asked for once each. */
class Names {
  readonly #client: ControlClient;
  readonly #isWanted: boolean;
  #nodes: ReadonlyMap<string, Node> | undefined;
  #services: ReadonlyMap<string, Service> | undefined;

  constructor(client: ControlClient, isWanted: boolean) {
    this.#client = client;
    this.#isWanted = isWanted;
  }

  *load(): Asking<void> {
    if (!this.#isWanted) return;
    const { nodes } = yield* must(this.#client.call("ListNodes", {}));
    const { services } = yield* must(this.#client.call("ListServices", {}));
    this.#nodes = new Map(nodes.map((node) => [node.id, node]));
    this.#services = new Map(services.map((service) => [service.id, service]));
  }

  /** By hostname. */
  get nodeIds(): ReadonlyMap<string, string> {
    return new Map([...(this.#nodes?.values() ?? [])].map(({ id, description }) => [description?.hostname ?? "", id]));
  }

  node(id: string): string {
    if (id === "") return "";
    const node = this.#nodes?.get(id);
    const name = node?.spec.annotations.name ?? "";
    return name !== "" ? name : (node?.description?.hostname ?? id);
  }

  /** `web.1`; of a global service `web.<node id>`. */
  task({ id, serviceId, slot, nodeId }: Task): string {
    const service = this.#isWanted ? (this.#services?.get(serviceId)?.spec.annotations.name ?? "") : serviceId;
    if (service === "") return id;
    if (slot !== 0) return `${service}.${slot}`;
    return nodeId === "" ? service : `${service}.${nodeId}`;
  }
}

/** Lists them, those of one slot together, the newest first. */
export function* printTasks(
  process: Process,
  client: ControlClient,
  flags: Flags,
  tasks: readonly Task[],
): Asking<void> {
  const isWhole = flags.bool("no-trunc");
  const names = new Names(client, !flags.bool("no-resolve"));
  yield* names.load();
  const sorted = selectTasks(flags, tasks, names.nodeIds)
    .map((task) => ({ task, name: names.task(task) }))
    .sort((a, b) => naturalOrder(a.name, b.name) || (b.task.meta.createdAt ?? 0) - (a.task.meta.createdAt ?? 0));
  const idOf = ({ id }: Task) => (isWhole ? id : id.slice(0, SHORT_ID));
  if (flags.bool("quiet")) {
    process.stdout.write(sorted.map(({ task }) => `${task.id}\n`).join(""));
    return;
  }
  let before = "";
  const rows = sorted.map(({ task, name }): Row => {
    // Earlier tasks of the same slot are drawn below the newest.
    const shown = name === before ? ` \\_ ${name}` : name;
    before = name;
    const node = flags.bool("no-resolve") ? task.nodeId : names.node(task.nodeId);
    return rowOf(task, idOf(task), shown, node, isWhole, process.clock.nowNs);
  });
  process.stdout.write(formatList(flags.string("format"), FORM, rows));
}

function rowOf(task: Task, id: string, name: string, node: string, isWhole: boolean, nowNs: number): Row {
  const { status, spec, desiredState } = task;
  const error = status.error === "" ? "" : `"${isWhole ? status.error : ellipsis(status.error, MOST_ERROR)}"`;
  return {
    CurrentState: `${capital(status.state)} ${ago(status.timestamp ?? nowNs, nowNs).toLowerCase()}`,
    DesiredState: capital(desiredState),
    Error: error,
    ID: id,
    Image: imageText(spec.container?.image ?? "", isWhole),
    Name: name,
    Node: node,
    Ports: (status.portStatus?.ports ?? [])
      .map(({ publishedPort, targetPort, protocol }) => `*:${publishedPort}->${targetPort}/${protocol}`)
      .join(","),
  };
}

export function capital(word: string): string {
  return word.slice(0, 1).toUpperCase() + word.slice(1);
}

/** Without the digest, unless all is to be shown. */
export function imageText(image: string, isWhole = false): string {
  const at = image.indexOf("@");
  return isWhole || at < 0 || !/:[^/]*$/.test(image.slice(0, at)) ? image : image.slice(0, at);
}

/** Which tasks `--filter` means; throws a CommandError for a state that is none. */
function selectTasks(flags: Flags, tasks: readonly Task[], nodeIds: ReadonlyMap<string, string>): Task[] {
  const filters = filtersOf(flags, ["desired-state", "id", "label", "name", "node", "service"]);
  for (const state of filters.get("desired-state") ?? [])
    if (!(state.toLowerCase() in TASK_STATES)) throw daemonError(`invalid desired-state filter: '${state}'`);
  return tasks.filter((task) =>
    [...filters].every(([name, values]) =>
      values.some((value) => {
        switch (name) {
          case "desired-state":
            return task.desiredState === value.toLowerCase();
          case "id":
            return task.id.startsWith(value);
          case "name":
            return taskName(task).startsWith(value);
          case "node":
            return task.nodeId === value || nodeIds.get(value) === task.nodeId;
          case "label":
            return matchesLabel(task.spec.container?.labels, value);
          default:
            return task.serviceId.startsWith(value) || task.serviceAnnotations.name === value;
        }
      }),
    ),
  );
}
