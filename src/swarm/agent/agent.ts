/**
 * The agent of a node (swarmkit agent/agent.go): keeps a session with some manager, does what its assignments say, and reports what became of
 * it. Without a manager the tasks that run go on.
 */
import { MICROSECOND, MILLISECOND, type Nanoseconds, SECOND } from "../../sim/time.ts";
import { Timer } from "../../sim/timer.ts";
import type { Agent, AgentSettings } from "../agent-settings.ts";
import type { SessionMessage } from "../api/dispatcher.ts";
import { nodeDescriptionShape, type TaskStatus } from "../api/objects.ts";
import type { Executor } from "./executor.ts";
import { type LoggedTask, LogPublisher } from "./log-publisher.ts";
import { Session } from "./session.ts";
import { Worker } from "./worker.ts";

const FIRST_BACKOFF_NS = 100 * MILLISECOND;
const MOST_BACKOFF_NS = 8 * SECOND;
/** The node's description is looked at so often; when it has changed a new session tells it. */
const DESCRIPTION_NS = 20 * SECOND;

export class NodeAgent implements Agent {
  readonly #settings: AgentSettings;
  readonly #executor: Executor;
  readonly #worker: Worker;
  readonly #retry: Timer;
  readonly #look: Timer;
  #session: Session | undefined = undefined;
  #backoffNs: Nanoseconds = 0;
  #isReady = false;
  #isStopped = false;
  #described: Uint8Array = new Uint8Array(0);
  /** The newest status of each task that the manager has not taken yet. */
  readonly #unreported = new Map<string, TaskStatus>();
  #isReporting = false;
  readonly #logs: LogPublisher;

  constructor(settings: AgentSettings, executor: Executor) {
    this.#settings = settings;
    this.#executor = executor;
    this.#worker = new Worker({
      clock: settings.clock,
      disk: settings.disk,
      executor,
      report: (taskId, status) => {
        this.#unreported.set(taskId, status);
        this.#report();
        this.#logs.taskChanged();
      },
    });
    this.#logs = new LogPublisher(() => this.#loggedTasks());
    this.#retry = new Timer(settings.clock, () => this.#connect());
    this.#look = new Timer(settings.clock, () => this.#lookAtDescription());
  }

  start(): void {
    this.#worker.start();
    this.#connect();
    this.#look.set(DESCRIPTION_NS);
  }

  leave(done: () => void): void {
    this.#endSession(true);
    this.#isStopped = true;
    this.#retry.stop();
    this.#look.stop();
    this.#worker.shutdown(() => this.#executor.leave(done));
  }

  stop(): void {
    this.#isStopped = true;
    this.#endSession(true);
    this.#retry.stop();
    this.#look.stop();
    this.#worker.stop();
    this.#executor.stop();
  }

  *#loggedTasks(): Generator<LoggedTask> {
    for (const task of this.#worker.tasks()) {
      const log = this.#executor.logOf(task);
      if (log !== undefined) yield { task, log };
    }
  }

  #endSession(success: boolean): void {
    this.#logs.end();
    this.#session?.close(success);
    this.#session = undefined;
    this.#isReporting = false;
  }

  #connect(): void {
    if (this.#isStopped) return;
    const connection = this.#settings.connect();
    if (connection === undefined) {
      this.#connectLater();
      return;
    }
    const description = this.#executor.describe();
    this.#described = nodeDescriptionShape.emit(description);
    const session = new Session({
      connection,
      clock: this.#settings.clock,
      description,
      events: {
        message: (message) => {
          if (this.#session === session) this.#onMessage(message);
        },
        began: () => this.#logs.begin(connection.channel),
        assignments: (message) => {
          if (this.#session === session) this.#worker.assign(message);
        },
        ended: () => {
          if (this.#session !== session) return;
          this.#session = undefined;
          this.#isReporting = false;
          this.#logs.end();
          this.#connectLater();
        },
      },
    });
    this.#session = session;
  }

  /** Longer and longer, each time a random part of it. */
  #connectLater(): void {
    if (this.#isStopped) return;
    this.#backoffNs = Math.min(FIRST_BACKOFF_NS + 2 * this.#backoffNs, MOST_BACKOFF_NS);
    this.#retry.set(this.#settings.random.below(this.#backoffNs / MICROSECOND) * MICROSECOND);
  }

  #onMessage(message: SessionMessage): void {
    const { node, managers, networkBootstrapKeys, rootCa } = message;
    this.#backoffNs = 0;
    const peers = managers.flatMap(({ peer, weight }) =>
      peer === undefined ? [] : [{ nodeId: peer.nodeId, address: peer.address, weight }],
    );
    if (peers.length > 0) this.#settings.remotes.replace(peers);
    this.#executor.configure({ node, managers: peers.map(({ address }) => address), keys: networkBootstrapKeys });
    if (rootCa.length > 0) this.#settings.rootCertificateChanged(rootCa);
    if (node !== undefined) this.#settings.nodeChanged(node);
    if (!this.#isReady) {
      this.#isReady = true;
      this.#settings.ready();
    }
    this.#worker.networksChanged();
    // A manager that is new to us may not know what the last one was told.
    for (const [taskId, status] of this.#worker.statuses()) this.#unreported.set(taskId, status);
    this.#report();
  }

  #report(): void {
    const session = this.#session;
    if (session?.stands !== true || this.#isReporting || this.#unreported.size === 0) return;
    const updates = [...this.#unreported].map(([taskId, status]) => ({ taskId, status }));
    this.#unreported.clear();
    this.#isReporting = true;
    session.report(updates, (taken) => {
      if (this.#session !== session && taken) return;
      this.#isReporting = false;
      if (taken) {
        this.#report();
        return;
      }
      // What is newer by now counts.
      for (const { taskId, status } of updates) if (!this.#unreported.has(taskId)) this.#unreported.set(taskId, status);
    });
  }

  #lookAtDescription(): void {
    this.#look.set(DESCRIPTION_NS);
    const session = this.#session;
    if (session?.stands !== true) return;
    const now = nodeDescriptionShape.emit(this.#executor.describe());
    if (now.length === this.#described.length && now.every((byte, at) => byte === this.#described[at])) return;
    this.#endSession(true);
    this.#connect();
  }
}
