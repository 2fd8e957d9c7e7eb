/** Nodes in the Control service (swarmkit manager/controlapi/node.go). */
import type { Clock } from "../../sim/simulation.ts";
import type { RequestOf, ResponseOf } from "../api/control.ts";
import { type Node, taskStatusShape } from "../api/objects.ts";
import type { NodeSpec } from "../api/specs.ts";
import { TASK_STATES } from "../api/task-state.ts";
import { type Status, status } from "../grpc/status.ts";
import type { ManagerList } from "../manager/leader-work.ts";
import type { Store, Transaction } from "../store/store.ts";
import { matchesFilters } from "./filters.ts";
import { type Answered, INVALID_ARGUMENT, notFound, OUT_OF_SEQUENCE } from "./refusals.ts";
import { write } from "./write.ts";

export class Nodes {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #managers: ManagerList;

  constructor(store: Store, clock: Clock, managers: ManagerList) {
    this.#store = store;
    this.#clock = clock;
    this.#managers = managers;
  }

  get({ id }: RequestOf<"GetNode">): Answered<ResponseOf<"GetNode">> {
    if (id === "") return { status: INVALID_ARGUMENT };
    const node = this.#store.get("node", id);
    return node === undefined ? { status: notFound("node", id) } : { response: { node: this.#shown(node) } };
  }

  list({ filters }: RequestOf<"ListNodes">): ResponseOf<"ListNodes"> {
    const nodes = [...this.#store.all("node")].filter(({ id, description, spec }) => {
      // Labels of a node are those of its engine; a name may also be that of the spec.
      const { labels = new Map<string, string>() } = description?.engine ?? {};
      return matchesFilters(filters, { id, name: description?.hostname ?? spec.annotations.name, labels });
    });
    return { nodes: nodes.map((node) => this.#shown(node)) };
  }

  update(request: RequestOf<"UpdateNode">, done: (answer: Answered<ResponseOf<"UpdateNode">>) => void): void {
    const { id, version, spec } = request;
    if (id === "" || version === undefined || spec === undefined) {
      done({ status: INVALID_ARGUMENT });
      return;
    }
    write(
      this.#store,
      (tx) => {
        const node = tx.get("node", id);
        if (node === undefined) return { status: notFound("node", id) };
        const refused = this.#refuseDemotion(tx, node, spec);
        if (refused !== undefined) return { status: refused };
        if (tx.update("node", { ...node, meta: { ...node.meta, version }, spec }) !== undefined)
          return { status: OUT_OF_SEQUENCE };
        return () => ({ node: this.#store.get("node", id) });
      },
      done,
    );
  }

  #refuseDemotion(tx: Transaction, node: Node, wanted: NodeSpec): Status | undefined {
    if (node.spec.desiredRole !== "manager" || wanted.desiredRole !== "worker") return undefined;
    const managers = [...tx.all("node")].filter(({ role }) => role === "manager");
    if (managers.length === 1 && managers[0]?.id === node.id)
      return status("FailedPrecondition", "attempting to demote the last manager of the swarm");
    if (!this.#managers.managers.has(node.id)) return status("NotFound", "can't find manager in raft memberlist");
    if (!this.#managers.canRemoveManager(node.id))
      return status("FailedPrecondition", "can't remove member from the raft: this would result in a loss of quorum");
    return undefined;
  }

  remove({ id, force }: RequestOf<"RemoveNode">, done: (answer: Answered<ResponseOf<"RemoveNode">>) => void): void {
    if (id === "") {
      done({ status: INVALID_ARGUMENT });
      return;
    }
    write(
      this.#store,
      (tx) => {
        const node = tx.get("node", id);
        if (node === undefined) return { status: notFound("node", id) };
        const refused = this.#refuseRemoval(node, force);
        if (refused !== undefined) return { status: refused };
        this.#orphanTasks(tx, id);
        tx.remove("node", id);
        return () => ({});
      },
      done,
    );
  }

  #refuseRemoval({ id, spec, status: { state } }: Node, force: boolean): Status | undefined {
    if (spec.desiredRole === "manager" && this.#managers.managers.has(id)) {
      const member = "is a cluster manager and is a member of the raft cluster";
      return status("FailedPrecondition", `node ${id} ${member}. It must be demoted to worker before removal`);
    }
    if (!force && state === "ready") return status("FailedPrecondition", `node ${id} is not down and can't be removed`);
    return undefined;
  }

  /** Nobody will tell of them any more. */
  #orphanTasks(tx: Transaction, nodeId: string): void {
    for (const task of tx.tasksOfNode(nodeId)) {
      if (TASK_STATES[task.status.state] >= TASK_STATES.complete) continue;
      const message = "Task belonged to a node that has been deleted";
      const { nowNs: timestamp } = this.#clock;
      tx.update("task", { ...task, status: taskStatusShape.make({ timestamp, state: "orphaned", message }) });
    }
  }

  /** What raft knows of it just now. */
  #shown(node: Node): Node {
    const managerStatus = this.#managers.managers.get(node.id);
    return { ...node, managerStatus };
  }
}
