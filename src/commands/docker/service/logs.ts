/** `docker service logs`: the managers gather what the tasks have said, from all nodes (docker/cli command/service/logs.go). */
import { type Process, WaitQueue } from "../../../linux/process.ts";
import type { Nanoseconds } from "../../../sim/time.ts";
import { taskFiltersShape } from "../../../swarm/api/control.ts";
import {
  type LogMessage,
  type LogOptions,
  logOptionsShape,
  logSelectorShape,
  SUBSCRIBE_LOGS,
  subscribeLogsMessageShape,
  subscribeLogsRequestShape,
} from "../../../swarm/api/log-broker.ts";
import type { Service, Task } from "../../../swarm/api/objects.ts";
import type { ControlClient } from "../../../swarm/control/control-client.ts";
import { formatStatus, type Status } from "../../../swarm/grpc/status.ts";
import type { Channel } from "../../../swarm/manager/channel.ts";
import { CommandError } from "../../command-error.ts";
import type { CommandContext } from "../../word.ts";
import { type Asking, ask, clientOf, daemonError, must, swarmNodeOf } from "../cluster.ts";
import type { DockerCommand } from "../command.ts";
import { readTime, stamp } from "../container/log-time.ts";
import type { Flags } from "../flags.ts";

const SHORT_ID = 12;
const INTERRUPTED = 130;

export const SERVICE_LOGS: DockerCommand = {
  path: "service logs",
  takes: "[OPTIONS] SERVICE|TASK",
  summary: "Fetch the logs of a service or task",
  flags: [
    { name: "details", kind: "bool", usage: "Show extra details provided to logs" },
    { name: "follow", letter: "f", kind: "bool", usage: "Follow log output" },
    { name: "no-resolve", kind: "bool", usage: "Do not map IDs to Names in output" },
    { name: "no-task-ids", kind: "bool", usage: "Do not include task IDs in output" },
    { name: "no-trunc", kind: "bool", usage: "Do not truncate output" },
    { name: "raw", kind: "bool", usage: "Do not neatly format logs" },
    {
      name: "since",
      kind: "string",
      usage: 'Show logs since timestamp (e.g. "2013-01-02T13:23:37Z") or relative (e.g. "42m" for 42 minutes)',
    },
    {
      name: "tail",
      letter: "n",
      kind: "string",
      usage: "Number of lines to show from the end of the logs",
      byDefault: '"all"',
    },
    { name: "timestamps", letter: "t", kind: "bool", usage: "Show timestamps" },
  ],
  least: 1,
  most: 1,
  *run(process, context, flags, operands) {
    const name = operands[0]!;
    const client = clientOf(context);
    const { service, task } = yield* find(client, name);
    const selector = logSelectorShape.make(
      service === undefined ? { taskIds: [task?.id ?? ""] } : { serviceIds: [service.id] },
    );
    const options = optionsOf(flags, process.clock.nowNs);
    const prefixes = new Prefixes(client, flags, service);
    const lines = subscribe(context, subscribeLogsRequestShape.emit({ selector, options }));
    for (;;) {
      const message = lines.queue.shift();
      if (message !== undefined) yield* show(process, prefixes, flags, message);
      else if (lines.ended !== undefined) return finish(lines.ended);
      else if ((yield { queues: [lines.changed] }) === "signal") {
        lines.cancel();
        return INTERRUPTED;
      }
    }
  },
};

function* find(client: ControlClient, name: string): Asking<{ service?: Service; task?: Task }> {
  const service = yield* ask(client.find("service", name));
  if ("value" in service) return { service: service.value };
  if (service.error !== `service ${name} not found`) throw daemonError(service.error);
  const task = yield* ask(client.find("task", name));
  if ("value" in task) return { task: task.value };
  if (task.error !== `task ${name} not found`) throw daemonError(task.error);
  throw new CommandError(1, `no such task or service: ${name}`);
}

function optionsOf(flags: Flags, nowNs: Nanoseconds): LogOptions {
  const tail = flags.string("tail") ?? "all";
  if (tail !== "all" && !/^-?\d{1,12}$/.test(tail)) throw daemonError(`invalid tail: ${tail}`);
  return logOptionsShape.make({
    follow: flags.bool("follow"),
    tail: tail === "all" || Number(tail) < 0 ? 0 : -Number(tail) - 1,
    since: readTime(flags.string("since"), "since", nowNs),
  });
}

interface Lines {
  readonly queue: LogMessage[];
  readonly changed: WaitQueue;
  ended: Status | undefined;
  cancel(): void;
}

function subscribe(context: CommandContext, request: Uint8Array): Lines {
  const { control } = swarmNodeOf(context);
  if ("error" in control) throw daemonError(control.error);
  const channel: Channel = control.channel;
  const lines: Lines = { queue: [], changed: new WaitQueue(), ended: undefined, cancel: () => stream.cancel() };
  const stream = channel.stream(SUBSCRIBE_LOGS, {
    message(bytes) {
      lines.queue.push(...(subscribeLogsMessageShape.parse(bytes)?.messages ?? []));
      lines.changed.wake();
    },
    ended(status) {
      lines.ended = status;
      lines.changed.wake();
    },
  });
  stream.send(request);
  stream.closeSend();
  return lines;
}

function finish(status: Status): number {
  if (status.code === 0) return 0;
  throw new CommandError(1, `error from daemon in stream: Error grabbing logs: ${formatStatus(status)}`);
}

function* show(process: Process, prefixes: Prefixes, flags: Flags, message: LogMessage): Asking<void> {
  const { context, timestamp, stream, data } = message;
  const time = flags.bool("timestamps") ? `${stamp(timestamp ?? 0)} ` : "";
  const prefix = flags.bool("raw") ? "" : `${yield* prefixes.of(context)}    | `;
  const text = new TextDecoder().decode(data).replace(/\n$/, "");
  process[stream === "stderr" ? "stderr" : "stdout"].write(`${time}${prefix}${text}\n`);
}

/** `web.1.4wz9ai6imzrt@node1`, padded so that slots of different lengths stand in line; asked for once a task. */
class Prefixes {
  readonly #client: ControlClient;
  readonly #flags: Flags;
  readonly #slotLength: number;
  readonly #known = new Map<string, string>();

  constructor(client: ControlClient, flags: Flags, service: Service | undefined) {
    this.#client = client;
    this.#flags = flags;
    this.#slotLength = String(service?.spec.replicated?.replicas ?? 1).length;
  }

  *of({ serviceId, nodeId, taskId }: LogMessage["context"]): Asking<string> {
    const known = this.#known.get(taskId);
    if (known !== undefined) return known;
    const [service, node, slot] = yield* this.#names(serviceId, nodeId, taskId);
    const id = this.#flags.bool("no-trunc") ? taskId : taskId.slice(0, SHORT_ID);
    const name = slot === 0 ? `${service}.${nodeId}` : `${service}.${slot}`;
    const whole = this.#flags.bool("no-task-ids") ? name : `${name}.${id}`;
    const prefix = `${whole}@${node}${" ".repeat(Math.max(0, this.#slotLength - String(slot).length))}`;
    this.#known.set(taskId, prefix);
    return prefix;
  }

  *#names(serviceId: string, nodeId: string, taskId: string): Asking<[string, string, number]> {
    const filters = taskFiltersShape.make({ idPrefixes: [taskId] });
    const { tasks } = yield* must(this.#client.call("ListTasks", { filters }));
    const slot = tasks.find(({ id }) => id === taskId)?.slot ?? 0;
    if (this.#flags.bool("no-resolve")) return [serviceId, nodeId, slot];
    const service = yield* ask(this.#client.find("service", serviceId));
    const node = yield* ask(this.#client.find("node", nodeId));
    const serviceName = "value" in service ? service.value.spec.annotations.name : serviceId;
    return [serviceName, ("value" in node ? node.value.description?.hostname : undefined) ?? nodeId, slot];
  }
}
