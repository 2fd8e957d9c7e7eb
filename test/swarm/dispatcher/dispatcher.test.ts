import { beforeEach, describe, expect, it } from "vitest";
import { Random } from "../../../src/sim/random.ts";
import { Simulation } from "../../../src/sim/simulation.ts";
import { SECOND } from "../../../src/sim/time.ts";
import {
  ASSIGNMENTS,
  type AssignmentsMessage,
  assignmentsMessageShape,
  assignmentsRequestShape,
  HEARTBEAT,
  heartbeatRequestShape,
  heartbeatResponseShape,
  SESSION,
  type SessionMessage,
  sessionMessageShape,
  sessionRequestShape,
  UPDATE_TASK_STATUS,
  updateTaskStatusRequestShape,
} from "../../../src/swarm/api/dispatcher.ts";
import { clusterShape, nodeShape, secretShape, type Task, taskShape } from "../../../src/swarm/api/objects.ts";
import { containerSpecShape, secretReferenceShape, taskSpecShape } from "../../../src/swarm/api/specs.ts";
import type { Caller } from "../../../src/swarm/ca/identity.ts";
import { Dispatcher } from "../../../src/swarm/dispatcher/dispatcher.ts";
import { formatStatus, type Status } from "../../../src/swarm/grpc/status.ts";
import { ImmediateProposer, Store } from "../../../src/swarm/store/store.ts";
import type { Ipv4Address } from "../../../src/wire/address.ts";

let simulation: Simulation;
let store: Store;
let dispatcher: Dispatcher;

function lead(): void {
  const managers = { managers: new Map(), canRemoveManager: () => true, watchManagers: () => () => undefined };
  const random = new Random("leader");
  dispatcher = new Dispatcher({ store, clock: simulation, random, clusterId: "c", nodeId: "leader", managers });
}

function callerOf(nodeId: string): Caller {
  const identity = { nodeId, role: "worker", clusterId: "c" } as const;
  return { identity, address: 0xc0a8_320b as Ipv4Address, forwardedBy: undefined };
}

/** An agent's calls, and what came back. */
class FakeAgent {
  readonly nodeId: string;
  readonly sessions: SessionMessage[] = [];
  readonly assignments: AssignmentsMessage[] = [];
  readonly ends: string[] = [];

  constructor(nodeId: string) {
    this.nodeId = nodeId;
  }

  get sessionId(): string {
    return this.sessions.at(-1)?.sessionId ?? "";
  }

  connect(): this {
    const events = dispatcher.stream(
      SESSION,
      this.#call((bytes) => this.sessions.push(sessionMessageShape.parse(bytes)!)),
    );
    events.message(sessionRequestShape.emit({ description: undefined, sessionId: "" }));
    return this;
  }

  assign(): this {
    const took = (bytes: Uint8Array) => this.assignments.push(assignmentsMessageShape.parse(bytes)!);
    const events = dispatcher.stream(ASSIGNMENTS, this.#call(took));
    events.message(assignmentsRequestShape.emit({ sessionId: this.sessionId }));
    return this;
  }

  /** The period in seconds, or the error. */
  beat(): number | string {
    const answer = this.#unary(HEARTBEAT, heartbeatRequestShape.emit({ sessionId: this.sessionId }));
    return typeof answer === "string" ? answer : heartbeatResponseShape.parse(answer)!.period! / SECOND;
  }

  report(taskId: string, state: Task["status"]["state"]): Uint8Array | string {
    const status = { ...taskShape.make().status, state };
    const request = { sessionId: this.sessionId, updates: [{ taskId, status }] };
    return this.#unary(UPDATE_TASK_STATUS, updateTaskStatusRequestShape.emit(request));
  }

  #unary(method: string, request: Uint8Array): Uint8Array | string {
    const answers: (Uint8Array | string)[] = [];
    dispatcher.unary(method, request, callerOf(this.nodeId), (result) =>
      answers.push("response" in result ? result.response : formatStatus(result.status)),
    );
    return answers[0]!;
  }

  #call(took: (bytes: Uint8Array) => void) {
    return { caller: callerOf(this.nodeId), send: took, end: (why: Status) => void this.ends.push(formatStatus(why)) };
  }
}

const stateOf = (nodeId: string) => store.get("node", nodeId)!.status;
const run = (seconds: number) => simulation.run(simulation.nowNs + seconds * SECOND);

function addTask(id: string, given: Partial<Task> = {}): void {
  const status = { ...taskShape.make().status, state: "assigned" as const };
  store.update(
    (tx) => void tx.create("task", taskShape.make({ id, nodeId: "n1", status, desiredState: "running", ...given })),
  );
}

beforeEach(() => {
  simulation = new Simulation(new Random(1));
  store = new Store({ clock: simulation, proposer: new ImmediateProposer() });
  store.update((tx) => {
    tx.create("cluster", clusterShape.make({ id: "c" }));
    tx.create("node", nodeShape.make({ id: "n1" }));
    tx.create("node", nodeShape.make({ id: "n2" }));
  });
  lead();
});

describe("the dispatcher", () => {
  it("makes a node ready when its session begins, and asks for beats of 4.5 to 5.5 seconds", () => {
    const agent = new FakeAgent("n1").connect();
    expect(stateOf("n1")).toMatchObject({ state: "ready", address: "192.168.50.11" });
    expect(agent.sessionId).toMatch(/^[0-9a-z]{25}$/);
    const periods = Array.from({ length: 50 }, () => agent.beat() as number);
    expect(Math.min(...periods)).toBeGreaterThanOrEqual(4.5);
    expect(Math.max(...periods)).toBeLessThanOrEqual(5.5);
    expect(new Set(periods).size).toBeGreaterThan(10);
  });

  it("finds a node down after three periods without a beat, and takes it back", () => {
    const agent = new FakeAgent("n1").connect();
    run(4);
    agent.beat();
    run(13.4);
    expect(stateOf("n1").state).toBe("ready");
    run(3.2);
    expect(stateOf("n1")).toMatchObject({ state: "down", message: "heartbeat failure" });
    expect(agent.beat()).toBe("rpc error: code = NotFound desc = node not registered");
    agent.connect();
    expect(stateOf("n1").state).toBe("ready");
  });

  it("knows nothing of nodes when it takes over, and waits for them twice as long", () => {
    new FakeAgent("n1").connect();
    dispatcher.stop();
    lead();
    expect(stateOf("n1")).toMatchObject({
      state: "unknown",
      message: 'Node moved to "unknown" state due to leadership change in cluster',
    });
    run(29);
    expect(stateOf("n1").state).toBe("unknown");
    run(2);
    expect(stateOf("n1")).toMatchObject({ state: "down", message: 'heartbeat failure for node in "unknown" state' });
  });

  it("refuses a node that registers again and again, and one that it does not know", () => {
    const agent = new FakeAgent("n1");
    for (let time = 0; time < 4; time++) agent.connect();
    expect(agent.ends.at(-1)).toContain("exceeded rate limit count of registrations");
    expect(new FakeAgent("stranger").connect().ends).toEqual(["rpc error: code = NotFound desc = node not registered"]);
  });

  it("sends all that a node is to do, then what changes, gathered for 100 ms", () => {
    addTask("t1");
    const agent = new FakeAgent("n1").connect().assign();
    expect(agent.assignments.map(({ type, changes }) => [type, changes.length])).toEqual([["complete", 1]]);
    addTask("t2");
    addTask("t3");
    addTask("other", { nodeId: "n2" });
    run(0.09);
    expect(agent.assignments).toHaveLength(1);
    run(0.02);
    const [first, second] = agent.assignments;
    expect(second?.type).toBe("incremental");
    expect(second?.appliesTo).toBe(first?.resultsIn);
    expect(second?.changes.map(({ assignment }) => assignment?.task?.id)).toEqual(["t2", "t3"]);
  });

  it("gives a node the secrets that its tasks use, and takes them away with the last", () => {
    store.update((tx) => {
      tx.create("secret", secretShape.make({ id: "s1" }));
      tx.create("secret", secretShape.make({ id: "s2" }));
    });
    const secrets = [secretReferenceShape.make({ secretId: "s1" })];
    addTask("t1", { spec: taskSpecShape.make({ container: containerSpecShape.make({ secrets }) }) });
    const agent = new FakeAgent("n1").connect().assign();
    const secretsIn = (message: AssignmentsMessage) =>
      message.changes.flatMap(({ action, assignment }) =>
        assignment?.secret === undefined ? [] : [`${action} ${assignment.secret.id}`],
      );
    expect(secretsIn(agent.assignments[0]!)).toEqual(["update s1"]);
    store.update((tx) => void tx.remove("task", "t1"));
    run(1);
    expect(secretsIn(agent.assignments[1]!)).toEqual(["remove s1"]);
  });

  it("writes what tasks came to every 100 ms, never an earlier state, and only from the task's own node", () => {
    addTask("t1");
    const agent = new FakeAgent("n1").connect();
    const other = new FakeAgent("n2").connect();
    agent.report("t1", "running");
    expect(store.get("task", "t1")!.status.state).toBe("assigned");
    run(0.11);
    expect(store.get("task", "t1")!.status).toMatchObject({ state: "running", appliedBy: "leader" });
    agent.report("t1", "preparing");
    run(0.11);
    expect(store.get("task", "t1")!.status.state).toBe("running");
    expect(other.report("t1", "failed")).toBe(
      "rpc error: code = PermissionDenied desc = cannot update a task not assigned this node",
    );
  });

  it("does not tell an agent its own news", () => {
    addTask("t1");
    const agent = new FakeAgent("n1").connect().assign();
    agent.report("t1", "running");
    run(1);
    expect(agent.assignments).toHaveLength(1);
  });

  it("gives up the tasks of a node that has been down for a day", () => {
    addTask("t1", { status: { ...taskShape.make().status, state: "running" } });
    new FakeAgent("n1").connect();
    run(3_600);
    expect(store.get("task", "t1")!.status.state).toBe("running");
    run(24 * 3_600);
    expect(store.get("task", "t1")!.status.state).toBe("orphaned");
  });
});
