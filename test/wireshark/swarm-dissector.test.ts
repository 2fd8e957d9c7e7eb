/** The dissector of swarmkit's messages, run by tshark over calls between emulated hosts; its table held against the program's own shapes. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import type { Message } from "../../src/raft/messages.ts";
import { emitRequest } from "../../src/raft/wire.ts";
import * as dispatcher from "../../src/swarm/api/dispatcher.ts";
import * as objects from "../../src/swarm/api/objects.ts";
import * as common from "../../src/swarm/api/parts.ts";
import * as specs from "../../src/swarm/api/specs.ts";
import { internalRaftRequestShape, storeActionShape } from "../../src/swarm/api/store-action.ts";
import { emitManagerSnapshot, raftMemberShape } from "../../src/swarm/manager/raft-shapes.ts";
import { storeSnapshotShape } from "../../src/swarm/store/snapshot.ts";
import { MessageShape } from "../../src/wire/protobuf-message.ts";
import { missing, runToolOnFile } from "../capture/external-tools.ts";
import { Lab } from "../swarm/grpc/lab.ts";

const SCRIPT = fileURLToPath(new URL("../../wireshark/vxlab-swarm.lua", import.meta.url));
const RAFT = "/docker.swarmkit.v1.Raft/ProcessRaftMessage";
const TASK = "3vxw8zs1g6jk0p5cy9q2drt4n";

function rows(capture: Uint8Array, filter: string, fields: readonly string[]): string[][] {
  const run = runToolOnFile(
    "tshark",
    [
      ...["-2", "-X", `lua_script:${SCRIPT}`, "-r", "FILE", "-Y", filter],
      ...["-T", "fields", "-E", "separator=|", "-E", "occurrence=a", ...fields.flatMap((field) => ["-e", field])],
    ],
    capture,
  );
  expect(run.err.replace(/^Running as user.*\n/, "")).toBe("");
  const text = run.out.toString("utf8");
  return text === ""
    ? []
    : text
        .trimEnd()
        .split("\n")
        .map((line) => line.split("|"));
}

/** What a worker and a follower say to a manager. */
function conversation(): Uint8Array {
  const lab = new Lab();
  lab.server.listen();
  const call = (method: string, request: Uint8Array, response: Uint8Array): void => {
    lab.server.unary(method, (_request, _call, answer) => answer({ response }));
    lab.call(method, request);
  };
  const none = new Uint8Array(0);
  const service = "/docker.swarmkit.v1.Dispatcher";
  const heartbeat = dispatcher.heartbeatResponseShape.emit({ period: 5_000_000_000 });
  call(`${service}/Heartbeat`, dispatcher.heartbeatRequestShape.emit({ sessionId: "session-1" }), heartbeat);
  const task = objects.taskShape.make({
    id: TASK,
    slot: 1,
    desiredState: "running",
    annotations: { name: "web.1", labels: new Map([["a", "b"]]) },
  });
  const update = dispatcher.updateTaskStatusRequestShape.make({
    sessionId: "session-1",
    updates: [{ taskId: TASK, status: objects.taskStatusShape.make({ state: "running", message: "started" }) }],
  });
  call(`${service}/UpdateTaskStatus`, dispatcher.updateTaskStatusRequestShape.emit(update), none);
  const envelope = { from: "00000000000000a1", to: "ffffffffffffffa2", term: 2 } as const;
  const actions = [storeActionShape.make({ action: "create", task })];
  const data = internalRaftRequestShape.emit(internalRaftRequestShape.make({ id: "0000000000000007", actions }));
  const append: Message = {
    ...envelope,
    kind: "append",
    index: 9,
    logTerm: 2,
    commit: 9,
    entries: [{ kind: "normal", term: 2, index: 10, data }],
  };
  const member = raftMemberShape.make({ raftId: "00000000000000a1", nodeId: "n1", address: "10.0.0.2:2377" });
  const store = storeSnapshotShape.emit(storeSnapshotShape.make({ task: [task] }));
  const snapshotData = emitManagerSnapshot([member], [], store);
  const snapshot = { index: 10, term: 2, voters: ["00000000000000a1"] as const, data: snapshotData };
  call(RAFT, emitRequest({ ...envelope, kind: "heartbeat", commit: 9 }), none);
  call(RAFT, emitRequest(append), none);
  call(RAFT, emitRequest({ ...envelope, kind: "snapshot", snapshot }), none);
  call(`${service}/Nonsense`, new Uint8Array([8, 1]), none);
  call("/docker.swarmkit.v1.Health/Check", new Uint8Array([10, 200]), none);
  return lab.capture();
}

/** Field numbers of each message in the script's table. */
function tableOfScript(): Map<string, Set<number>> {
  const schema = readFileSync(SCRIPT, "utf8").split("local SCHEMA = [[")[1]!.split("]]")[0]!;
  const messages = schema.trim().split("\n");
  return new Map(
    messages.map((line) => {
      const [name = "", fields = ""] = line.split(/:(.*)/);
      return [name, new Set([...fields.matchAll(/(\d+) [a-z0-9_]+ \S+?(?:;|$)/g)].map(([, number]) => Number(number)))];
    }),
  );
}

describe("Wireshark's table of swarmkit's messages", () => {
  it("has every field that the program writes", () => {
    const table = tableOfScript();
    const names = new Map([
      ["IpamConfig", "IPAMConfig"],
      ["IpamOptions", "IPAMOptions"],
      ["VirtualIp", "VirtualIP"],
      ["RootCa", "RootCA"],
    ]);
    let compared = 0;
    for (const [key, shape] of Object.entries({ ...common, ...objects, ...specs, storeActionShape, raftMemberShape })) {
      if (!(shape instanceof MessageShape)) continue;
      const name = key[0]!.toUpperCase() + key.slice(1).replace(/Shape$/, "");
      const known = table.get(names.get(name) ?? name);
      expect(known, name).toBeDefined();
      for (const { number } of Object.values(shape.fields)) expect([...known!], name).toContain(number);
      compared++;
    }
    expect(compared).toBeGreaterThan(40);
  });
});

describe.skipIf(missing("tshark"))("Wireshark with the dissector of the control plane", () => {
  const capture = conversation();

  it("reads every call's messages, none malformed", () => {
    expect(rows(capture, "_ws.malformed || _ws.lua.error", ["frame.number", "_ws.col.Info"])).toEqual([]);
    const said = rows(capture, "swarmkit", ["swarmkit.method", "swarmkit.direction"]).map((row) => row.join(" "));
    expect(said).toEqual([
      "Dispatcher/Heartbeat request",
      "Dispatcher/Heartbeat response",
      "Dispatcher/UpdateTaskStatus request",
      "Raft/ProcessRaftMessage request",
      "Raft/ProcessRaftMessage request",
      "Raft/ProcessRaftMessage request",
      "Health/Check request",
    ]);
  });

  it("names fields to filter by", () => {
    expect(rows(capture, "swarmkit.HeartbeatResponse.period", ["swarmkit.Duration.seconds"])).toEqual([["5"]]);
    expect(rows(capture, `swarmkit.TaskStatusUpdate.task_id == "${TASK}"`, ["swarmkit.TaskStatus.state"])).toEqual([
      ["512"],
    ]);
    const raft = [
      "swarmkit.RaftMessage.type",
      "swarmkit.RaftMessage.to",
      "swarmkit.StoreAction.action",
      "swarmkit.Task.id",
    ];
    expect(rows(capture, "swarmkit.RaftMessage.type", raft)).toEqual([
      ["8", "0xffffffffffffffa2", "", ""],
      ["3", "0xffffffffffffffa2", "1", TASK],
      ["7", "0xffffffffffffffa2", "", TASK],
    ]);
    expect(rows(capture, "swarmkit.RaftMember.addr", ["swarmkit.RaftMember.addr"])).toEqual([["10.0.0.2:2377"]]);
  });

  it("says why of what it cannot read, and leaves alone what it does not know", () => {
    expect(rows(capture, "swarmkit.undecoded", ["swarmkit.method", "swarmkit.undecoded"])).toEqual([
      ["Health/Check", "a varint without end"],
    ]);
    expect(rows(capture, 'swarmkit && http2.headers.path contains "Nonsense"', ["frame.number"])).toEqual([]);
  });

  it("shows in the list of packets what was said", () => {
    const lines = rows(capture, "swarmkit.RaftMessage.type == 3", ["_ws.col.Protocol", "_ws.col.Info"]);
    expect(lines[0]![0]).toContain("SWARM");
    expect(lines[0]![1]).toContain("Raft/ProcessRaftMessage (type=APP, term=2, index=9");
  });
});
