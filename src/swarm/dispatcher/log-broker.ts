/**
 * Brings those who ask for logs together with the nodes that have them (swarmkit manager/logbroker): agents listen for subscriptions, and publish what
 * their tasks have said and say.
 */
import type { Random } from "../../sim/random.ts";
import {
  LISTEN_SUBSCRIPTIONS,
  type LogSelector,
  PUBLISH_LOGS,
  publishLogsMessageShape,
  publishLogsResponseShape,
  SUBSCRIBE_LOGS,
  type SubscriptionMessage,
  subscribeLogsMessageShape,
  subscribeLogsRequestShape,
  subscriptionMessageShape,
} from "../api/log-broker.ts";
import type { Task } from "../api/objects.ts";
import { isAtLeast } from "../api/task-state.ts";
import { OK, type Status, status } from "../grpc/status.ts";
import { newId } from "../identifiers.ts";
import type {
  LeaderComponent,
  LeaderContext,
  LeaderWork,
  StreamCall,
  StreamCallEvents,
} from "../manager/leader-work.ts";
import type { Store } from "../store/store.ts";

const MALFORMED = status("Internal", "grpc: error while unmarshalling request");

interface Subscription {
  readonly message: SubscriptionMessage;
  readonly call: StreamCall;
  /** Nodes that were asked. */
  readonly asked: Set<string>;
  /** Of those, the ones that have not said that this is all. */
  readonly awaited: Set<string>;
  readonly problems: string[];
}

class LogBroker implements LeaderComponent {
  readonly #store: Store;
  readonly #random: Random;
  readonly #listeners = new Map<string, StreamCall>(); // by node
  readonly #subscriptions = new Map<string, Subscription>();
  readonly #unwatch: () => void;

  constructor({ store, random }: LeaderContext) {
    this.#store = store;
    this.#random = random.fork("log broker");
    this.#unwatch = store.watch((changes) => {
      if (this.#subscriptions.size === 0) return;
      for (const { kind, action, object } of changes) if (kind === "task" && action !== "remove") this.#onTask(object);
    });
  }

  stop(): void {
    this.#unwatch();
    const stopped = status("Unavailable", "log broker is stopped");
    for (const { call } of this.#subscriptions.values()) call.end(stopped);
    for (const call of this.#listeners.values()) call.end(stopped);
    this.#subscriptions.clear();
    this.#listeners.clear();
  }

  stream(method: string, call: StreamCall): StreamCallEvents {
    if (method === SUBSCRIBE_LOGS) return this.#subscribe(call);
    return method === LISTEN_SUBSCRIPTIONS ? this.#listen(call) : this.#publish(call);
  }

  #listen(call: StreamCall): StreamCallEvents {
    const nodeId = call.caller.identity?.nodeId ?? "";
    return {
      message: () => {
        this.#listeners.get(nodeId)?.end(OK);
        this.#listeners.set(nodeId, call);
        for (const subscription of this.#subscriptions.values())
          if (subscription.asked.has(nodeId)) call.send(subscriptionMessageShape.emit(subscription.message));
      },
      halfClosed: () => undefined,
      cancelled: () => {
        if (this.#listeners.get(nodeId) !== call) return;
        this.#listeners.delete(nodeId);
        for (const subscription of [...this.#subscriptions.values()])
          this.#answered(subscription, nodeId, `node ${nodeId} disconnected unexpectedly`);
      },
    };
  }

  #subscribe(call: StreamCall): StreamCallEvents {
    const id = newId(this.#random);
    return {
      message: (bytes) => {
        const request = subscribeLogsRequestShape.parse(bytes);
        if (request?.selector === undefined) {
          call.end(MALFORMED);
          return;
        }
        const { selector, options } = request;
        const message = subscriptionMessageShape.make({ id, selector, options });
        const subscription = { message, call, asked: new Set<string>(), awaited: new Set<string>(), problems: [] };
        this.#subscriptions.set(id, subscription);
        for (const task of this.#tasksOf(selector)) this.#ask(subscription, task);
        this.#endIfComplete(subscription);
      },
      halfClosed: () => undefined,
      cancelled: () => {
        const subscription = this.#subscriptions.get(id);
        if (subscription !== undefined) this.#end(subscription, undefined);
      },
    };
  }

  #tasksOf(selector: LogSelector): Task[] {
    const tasks = [
      ...selector.serviceIds.flatMap((id) => this.#store.tasksOfService(id)),
      ...selector.nodeIds.flatMap((id) => this.#store.tasksOfNode(id)),
      ...selector.taskIds.flatMap((id) => this.#store.get("task", id) ?? []),
    ];
    return tasks.filter((task) => task.nodeId !== "" && isAtLeast(task.status.state, "assigned"));
  }

  /** Someone who follows hears of tasks that come later, too. */
  #onTask(task: Task): void {
    if (task.nodeId === "" || !isAtLeast(task.status.state, "assigned")) return;
    for (const subscription of this.#subscriptions.values()) {
      const { selector, options } = subscription.message;
      if (options?.follow === true && selector?.serviceIds.includes(task.serviceId) === true)
        this.#ask(subscription, task);
    }
  }

  #ask(subscription: Subscription, { nodeId }: Task): void {
    if (subscription.asked.has(nodeId)) return;
    subscription.asked.add(nodeId);
    const listener = this.#listeners.get(nodeId);
    if (listener === undefined) subscription.problems.push(`node ${nodeId} is not available`);
    else {
      subscription.awaited.add(nodeId);
      listener.send(subscriptionMessageShape.emit(subscription.message));
    }
  }

  #publish(call: StreamCall): StreamCallEvents {
    const nodeId = call.caller.identity?.nodeId ?? "";
    let subscription: Subscription | undefined;
    return {
      message: (bytes) => {
        const published = publishLogsMessageShape.parse(bytes);
        if (published === undefined) {
          call.end(MALFORMED);
          return;
        }
        subscription = this.#subscriptions.get(published.subscriptionId);
        if (subscription === undefined) return; // nobody listens any more
        const { messages } = published;
        if (messages.length > 0) subscription.call.send(subscribeLogsMessageShape.emit({ messages }));
        if (published.close) this.#answered(subscription, nodeId, undefined);
      },
      halfClosed: () => {
        call.send(publishLogsResponseShape.emit({}));
        call.end(OK);
      },
      cancelled: () => {
        if (subscription !== undefined)
          this.#answered(subscription, nodeId, `node ${nodeId} disconnected unexpectedly`);
      },
    };
  }

  #answered(subscription: Subscription, nodeId: string, problem: string | undefined): void {
    if (!subscription.awaited.delete(nodeId)) return;
    if (problem !== undefined) subscription.problems.push(problem);
    this.#endIfComplete(subscription);
  }

  #endIfComplete(subscription: Subscription): void {
    const { message, awaited, problems } = subscription;
    if (message.options?.follow === true || awaited.size > 0) return;
    const why =
      problems.length === 0
        ? OK
        : status(
            "Unknown",
            `warning: incomplete log stream. some logs could not be retrieved for the following reasons: ${problems.join(", ")}`,
          );
    this.#end(subscription, why);
  }

  /** The agents are told that nobody listens any more. */
  #end(subscription: Subscription, why: Status | undefined): void {
    const { message, asked, call } = subscription;
    if (!this.#subscriptions.delete(message.id)) return;
    const close = subscriptionMessageShape.emit({ ...message, close: true });
    if (message.options?.follow === true) for (const nodeId of asked) this.#listeners.get(nodeId)?.send(close);
    if (why !== undefined) call.end(why);
  }
}

export const LOG_BROKER_WORK: LeaderWork = {
  name: "log broker",
  methods: [
    { method: SUBSCRIBE_LOGS, kind: "stream", allowed: "manager" },
    { method: LISTEN_SUBSCRIPTIONS, kind: "stream", allowed: "node" },
    { method: PUBLISH_LOGS, kind: "stream", allowed: "node" },
  ],
  start: (context) => new LogBroker(context),
};
