/**
 * What an agent drives on its node (swarmkit agent/exec): an engine that makes tasks into containers. The agent knows this much of it and no
 * more.
 */
import type { ContainerLog } from "../../docker/container/log.ts";
import type { EncryptionKey, Node, NodeDescription, Task } from "../api/objects.ts";
import type { Controller } from "./task-manager.ts";
import type { Dependencies } from "./worker.ts";

/** What a session's message means for the engine. */
export interface NodeConfiguration {
  readonly node: Node | undefined;
  /** `address:port` of every manager. */
  readonly managers: readonly string[];
  readonly keys: readonly EncryptionKey[];
}

export interface Executor {
  describe(): NodeDescription;
  configure(configuration: NodeConfiguration): void;
  controllerFor(task: Task, dependencies: Dependencies): Controller;
  /** What a task's container has said; undefined: it has none. */
  logOf(task: Task): ContainerLog | undefined;
  /** The node leaves the swarm; its tasks are gone. */
  leave(done: () => void): void;
  /** The power is off. */
  stop(): void;
}
