/** The agent's side of logs (swarmkit agent/agent.go and worker.go, Subscribe): sends what its tasks have said, and what they say, to those who asked. */
import type { ContainerLog, LogLine } from "../../docker/container/log.ts";
import {
  LISTEN_SUBSCRIPTIONS,
  type LogMessage,
  type LogOptions,
  type LogSelector,
  listenSubscriptionsRequestShape,
  PUBLISH_LOGS,
  publishLogsMessageShape,
  type SubscriptionMessage,
  subscriptionMessageShape,
} from "../api/log-broker.ts";
import type { Task } from "../api/objects.ts";
import type { Channel, ClientStream } from "../manager/channel.ts";

/** A task of this node that has, or had, a container. */
export interface LoggedTask {
  readonly task: Task;
  readonly log: ContainerLog;
}

const ENCODER = new TextEncoder();
/** Lines a message. */
const MOST_LINES = 100;

interface Publication {
  readonly stream: ClientStream;
  readonly message: SubscriptionMessage;
  /** Tasks whose lines are followed, and how to stop. */
  readonly followed: Map<string, () => void>;
}

export class LogPublisher {
  readonly #tasks: () => Iterable<LoggedTask>;
  readonly #publications = new Map<string, Publication>();
  #channel: Channel | undefined = undefined;
  #listening: ClientStream | undefined = undefined;

  constructor(tasks: () => Iterable<LoggedTask>) {
    this.#tasks = tasks;
  }

  /** A session stands: its manager may ask from now on. */
  begin(channel: Channel): void {
    this.end();
    this.#channel = channel;
    const stream = channel.stream(LISTEN_SUBSCRIPTIONS, {
      message: (bytes) => {
        const message = subscriptionMessageShape.parse(bytes);
        if (message === undefined) return;
        if (message.close) this.#close(message.id);
        else this.#publish(message);
      },
      ended: () => {
        if (this.#listening === stream) this.#listening = undefined;
      },
    });
    this.#listening = stream;
    stream.send(listenSubscriptionsRequestShape.emit({}));
    stream.closeSend();
  }

  /** The session is over. */
  end(): void {
    for (const id of [...this.#publications.keys()]) this.#close(id);
    this.#listening?.cancel();
    this.#listening = undefined;
    this.#channel = undefined;
  }

  /** A task has got a container: somebody may be waiting for what it says. */
  taskChanged(): void {
    for (const publication of this.#publications.values()) this.#follow(publication);
  }

  #publish(message: SubscriptionMessage): void {
    const { id, selector, options } = message;
    if (this.#channel === undefined || selector === undefined || this.#publications.has(id)) return;
    const stream = this.#channel.stream(PUBLISH_LOGS, { message: () => undefined, ended: () => this.#forget(id) });
    const publication: Publication = { stream, message, followed: new Map() };
    this.#publications.set(id, publication);
    for (const { task, log } of this.#tasks()) {
      if (!isSelected(task, selector)) continue;
      const lines = chosenLines(log.lines, options).map((line) => logMessageOf(task, line));
      for (let at = 0; at < lines.length; at += MOST_LINES) this.#send(publication, lines.slice(at, at + MOST_LINES));
    }
    if (options?.follow === true) this.#follow(publication);
    else this.#close(id);
  }

  #follow(publication: Publication): void {
    const { selector } = publication.message;
    if (selector === undefined) return;
    for (const { task, log } of this.#tasks()) {
      if (!isSelected(task, selector) || publication.followed.has(task.id)) continue;
      const listener = (line: LogLine): void => this.#send(publication, [logMessageOf(task, line)]);
      log.listeners.push(listener);
      publication.followed.set(task.id, () => {
        const at = log.listeners.indexOf(listener);
        if (at >= 0) log.listeners.splice(at, 1);
      });
    }
  }

  #send({ stream, message }: Publication, messages: readonly LogMessage[]): void {
    stream.send(publishLogsMessageShape.emit({ subscriptionId: message.id, messages, close: false }));
  }

  #close(id: string): void {
    const publication = this.#publications.get(id);
    if (publication === undefined) return;
    this.#forget(id);
    publication.stream.send(publishLogsMessageShape.emit({ subscriptionId: id, messages: [], close: true }));
    publication.stream.closeSend();
  }

  #forget(id: string): void {
    const publication = this.#publications.get(id);
    this.#publications.delete(id);
    for (const stop of publication?.followed.values() ?? []) stop();
  }
}

function isSelected({ id, serviceId, nodeId }: Task, selector: LogSelector): boolean {
  return selector.taskIds.includes(id) || selector.serviceIds.includes(serviceId) || selector.nodeIds.includes(nodeId);
}

function chosenLines(lines: readonly LogLine[], options: LogOptions | undefined): readonly LogLine[] {
  const sinceNs = options?.since ?? 0;
  const recent = lines.filter(({ atNs }) => atNs >= sinceNs);
  const tail = options?.tail ?? 0;
  return tail < 0 ? recent.slice(recent.length - Math.min(-tail - 1, recent.length)) : recent;
}

function logMessageOf({ id, serviceId, nodeId }: Task, { atNs, stream, text }: LogLine): LogMessage {
  return {
    context: { serviceId, nodeId, taskId: id },
    timestamp: atNs,
    stream,
    data: ENCODER.encode(`${text}\n`),
  };
}
