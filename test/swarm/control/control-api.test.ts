import * as fc from "fast-check";
import { beforeEach, describe, expect, it } from "vitest";
import { clusterShape, type Node, nodeShape, taskShape } from "../../../src/swarm/api/objects.ts";
import { ipamConfigShape, ipamOptionsShape, portConfigShape } from "../../../src/swarm/api/parts.ts";
import {
  clusterSpecShape,
  configSpecShape,
  containerSpecShape,
  healthConfigShape,
  mountShape,
  networkSpecShape,
  nodeSpecShape,
  placementShape,
  type ServiceSpec,
  secretReferenceShape,
  secretSpecShape,
  type TaskSpec,
  taskSpecShape,
  updateConfigShape,
} from "../../../src/swarm/api/specs.ts";
import { refuseName } from "../../../src/swarm/control/names.ts";
import { isImageReference } from "../../../src/swarm/control/service-validation.ts";
import { ControlLab, serviceSpec } from "./control-lab.ts";

let lab: ControlLab;
beforeEach(() => {
  lab = new ControlLab();
});

const INVALID = "rpc error: code = InvalidArgument desc = ";
const PRECONDITION = "rpc error: code = FailedPrecondition desc = ";
const named = (name: string, labels: readonly [string, string][] = []) => ({ name, labels: new Map(labels) });
const port = (publishedPort: number, publishMode: "ingress" | "host" = "ingress", targetPort = 80) =>
  portConfigShape.make({ publishedPort, targetPort, publishMode });
const vip = (...ports: ReturnType<typeof port>[]) => ({ endpoint: { mode: "vip" as const, ports } });
const task = (given: Partial<TaskSpec>) =>
  taskSpecShape.make({ container: containerSpecShape.make({ image: "nginx" }), ...given });
const container = (given: Parameters<typeof containerSpecShape.make>[0]) =>
  task({ container: containerSpecShape.make({ image: "nginx", ...given }) });
const bytes = (text: string) => new TextEncoder().encode(text);

describe("a service's spec", () => {
  const none = container({ image: "" });
  it.each<[string, string, string, Partial<ServiceSpec>]>([
    ["a name", "", "name must be provided", {}],
    ["a DNS name", "a.b", "name must be valid as a DNS name component", {}],
    ["a short name", "a".repeat(64), "name must be 63 characters or fewer", {}],
    ["an image", "web", "ContainerSpec: image reference must be provided", { task: none }],
    [
      "an image that can be",
      "web",
      'ContainerSpec: "Nginx" is not a valid repository/tag',
      { task: container({ image: "Nginx" }) },
    ],
    [
      "enough memory",
      "web",
      "invalid memory value 1024: Must be at least 4MiB",
      { task: task({ resources: { limits: { nanoCpus: 0, memoryBytes: 1024 }, reservations: undefined } }) },
    ],
    [
      "enough CPU",
      "web",
      "invalid cpu value 1e-05: Must be at least 0.001",
      { task: task({ resources: { limits: undefined, reservations: { nanoCpus: 1e4, memoryBytes: 0 } } }) },
    ],
    [
      "each mount point once",
      "web",
      "ContainerSpec: duplicate mount point: /a",
      { task: container({ mounts: [mountShape.make({ target: "/a" }), mountShape.make({ target: "/a" })] }) },
    ],
    [
      "patience with health",
      "web",
      "ContainerSpec: Interval in HealthConfig cannot be less than 1ms",
      { task: container({ healthcheck: healthConfigShape.make({ interval: 5 }) }) },
    ],
    [
      "a ratio",
      "web",
      "TaskSpec: update-maxfailureratio cannot be less than 0 or bigger than 1",
      { update: updateConfigShape.make({ maxFailureRatio: 1.5 }) },
    ],
    ["a mode", "web", "Unrecognized service mode", { replicated: undefined }],
    [
      "no update of a job",
      "web",
      "Jobs may not have an update config",
      { replicated: undefined, globalJob: {}, update: updateConfigShape.make() },
    ],
    ["ports once", "web", "EndpointSpec: duplicate published ports provided", vip(port(80), port(80, "host"))],
    [
      "no mesh without virtual addresses",
      "web",
      "EndpointSpec: port published with ingress mode can't be used with dnsrr mode",
      { endpoint: { mode: "dnsrr", ports: [port(80)] } },
    ],
  ])("must have %s", (_what, name, message, given) => {
    expect(lab.try("CreateService", { spec: serviceSpec(name, given) })).toBe(INVALID + message);
    expect(lab.store.count("service")).toBe(0);
  });

  it("must have constraints that can be read", () => {
    const placement = placementShape.make({ constraints: ["node.role=manager"] });
    expect(lab.try("CreateService", { spec: serviceSpec("web", { task: task({ placement }) }) })).toBe(
      "rpc error: code = Unknown desc = constraint expected one operator from ==, !=",
    );
  });

  it("must name secrets that are there, and targets once", () => {
    const secret = (secretName: string, target: string, secretId = "id") =>
      secretReferenceShape.make({ secretId, secretName, file: { name: target, uid: "0", gid: "0", mode: 0o444 } });
    const create = (...secrets: ReturnType<typeof secret>[]) =>
      lab.try("CreateService", { spec: serviceSpec("web", { task: container({ secrets }) }) });
    expect(create(secret("a", "x"), secret("b", "x"))).toBe(
      `${INVALID}secret references 'a' and 'b' have a conflicting target: 'x'`,
    );
    expect(create(secret("a", "x"), secret("b", "y"))).toBe(`${INVALID}secrets not found: a, b`);
    expect(create(secret("a", "x", ""))).toBe(`${INVALID}malformed secret reference`);
  });
});

describe("services", () => {
  it("have names of their own, ports of their own, and need ingress for them", () => {
    expect(lab.try("CreateService", { spec: serviceSpec("web", vip(port(8080))) })).toBe(
      `${PRECONDITION}service needs ingress network, but no ingress network is present`,
    );
    const ingress = lab.addIngress();
    const { service } = lab.do("CreateService", { spec: serviceSpec("web", vip(port(8080))) });
    expect(service!.id).toMatch(/^[0-9a-z]{25}$/);
    expect(lab.try("CreateService", { spec: serviceSpec("WEB") })).toBe(
      "rpc error: code = AlreadyExists desc = name conflicts with an existing object: service WEB already exists",
    );
    for (const mode of ["ingress", "host"] as const)
      expect(lab.try("CreateService", { spec: serviceSpec("other", vip(port(8080, mode))) })).toBe(
        `${INVALID}port '8080' is already in use by service 'web' (${service!.id}) as an ingress port`,
      );
    lab.do("CreateService", { spec: serviceSpec("hosted", vip(port(9090, "host"))) });
    lab.do("CreateService", { spec: serviceSpec("hosted2", vip(port(9090, "host"))) });
    expect(lab.try("CreateService", { spec: serviceSpec("meshed", vip(port(9090))) })).toMatch(
      /port '9090' is already in use by service 'hosted2?' \(\w+\) as a host-published port/,
    );
    expect(lab.try("RemoveNetwork", { id: ingress })).toBe(
      `${PRECONDITION}ingress network cannot be removed because service ${service!.id} depends on it`,
    );
    const attached = serviceSpec("in", {
      task: task({ networks: [{ target: ingress, aliases: [], addresses: [], driverOptions: new Map() }] }),
    });
    expect(lab.try("CreateService", { spec: attached })).toBe(
      `${INVALID}Service cannot be explicitly attached to the ingress network "ingress"`,
    );
  });

  it("keep the spec before; a stale update, another name or mode are refused", () => {
    const { service } = lab.do("CreateService", { spec: serviceSpec("web") });
    const { id, meta } = service!;
    expect(lab.try("UpdateService", { id, version: meta.version, spec: service!.spec, rollback: "previous" })).toBe(
      `${PRECONDITION}service ${id} does not have a previous spec`,
    );
    const spec = serviceSpec("web", { replicated: { replicas: 3 } });
    const updated = lab.do("UpdateService", { id, version: meta.version, spec }).service!;
    expect(updated.previousSpec).toEqual(service!.spec);
    expect(updated.specVersion).toEqual(meta.version);
    expect(updated.previousSpecVersion).toEqual({ index: 0 });
    expect(lab.try("UpdateService", { id, version: meta.version, spec })).toBe(
      "rpc error: code = Unknown desc = update out of sequence",
    );
    const { version } = updated.meta;
    expect(lab.try("UpdateService", { id, version, spec: serviceSpec("web2") })).toBe(
      "rpc error: code = Unimplemented desc = renaming services is not supported",
    );
    const global = serviceSpec("web", { replicated: undefined, global: {} });
    expect(lab.try("UpdateService", { id, version, spec: global })).toBe(
      "rpc error: code = Unimplemented desc = service mode change is not allowed",
    );
    expect(lab.store.get("service", id)).toEqual(updated);
    const back = lab.do("UpdateService", { id, version, spec, rollback: "previous" }).service!;
    expect(back.spec).toEqual(service!.spec);
    expect(back.specVersion).toEqual({ index: 0 });
    expect(back.previousSpec).toEqual(spec);
    expect(back.updateStatus?.state).toBe("rollback_started");
  });

  it("of jobs count their iterations", () => {
    const job = serviceSpec("job", { replicated: undefined, replicatedJob: { maxConcurrent: 1, totalCompletions: 2 } });
    const { service } = lab.do("CreateService", { spec: job });
    const again = lab.do("UpdateService", { id: service!.id, version: service!.meta.version, spec: job }).service!;
    expect([service!.jobStatus!.jobIteration.index, again.jobStatus!.jobIteration.index]).toEqual([0, 1]);
  });

  it("that are not there are not found", () => {
    const missing = "rpc error: code = NotFound desc = service nope not found";
    expect(lab.try("RemoveService", { id: "nope" })).toBe(missing);
    expect(lab.try("GetService", { id: "nope" })).toBe(missing);
    expect(lab.try("RemoveService", {})).toBe(`${INVALID}invalid argument`);
  });
});

describe("secrets and configs", () => {
  it("have sizes and names, and are not removed while they are used", () => {
    const spec = (name: string, size: number) =>
      secretSpecShape.make({ annotations: named(name), data: new Uint8Array(size) });
    expect(lab.try("CreateSecret", { spec: spec("s", 0) })).toBe(
      `${INVALID}secret data must be larger than 0 and less than 512000 bytes`,
    );
    expect(lab.try("CreateSecret", { spec: spec("s", 512_000) })).toBe(
      `${INVALID}secret data must be larger than 0 and less than 512000 bytes`,
    );
    expect(lab.try("CreateSecret", { spec: spec("-s", 1) })).toContain("invalid name, only 64 [a-zA-Z0-9-_.]");
    const { secret } = lab.do("CreateSecret", { spec: spec("s", 511_999) });
    expect(secret!.spec.data).toHaveLength(0);
    expect(lab.do("GetSecret", { id: secret!.id }).secret!.spec.data).toHaveLength(0);
    expect(lab.store.get("secret", secret!.id)!.spec.data).toHaveLength(511_999);
    expect(lab.try("CreateSecret", { spec: spec("S", 1) })).toBe(
      "rpc error: code = AlreadyExists desc = secret S already exists",
    );
    const file = { name: "s", uid: "0", gid: "0", mode: 0o444 };
    const secrets = [{ secretId: secret!.id, secretName: "s", file }];
    lab.do("CreateService", { spec: serviceSpec("web", { task: container({ secrets }) }) });
    expect(lab.try("RemoveSecret", { id: secret!.id })).toBe(
      `${INVALID}secret 's' is in use by the following service: web`,
    );
    expect(lab.try("RemoveSecret", { id: "nope" })).toBe(
      "rpc error: code = NotFound desc = could not find secret nope",
    );
  });

  it("change their labels alone", () => {
    const spec = configSpecShape.make({ annotations: named("c"), data: bytes("one") });
    const { config } = lab.do("CreateConfig", { spec });
    const { id, meta } = config!;
    expect(lab.try("UpdateConfig", { id, version: meta.version, spec: { ...spec, data: bytes("two") } })).toBe(
      `${INVALID}only updates to Labels are allowed`,
    );
    const labelled = { ...spec, annotations: named("c", [["a", "b"]]) };
    const updated = lab.do("UpdateConfig", { id, version: meta.version, spec: labelled }).config!;
    expect(updated.spec).toEqual(labelled);
    expect(lab.try("UpdateConfig", { id, version: meta.version, spec })).toBe(
      "rpc error: code = Unknown desc = update out of sequence",
    );
  });
});

describe("networks", () => {
  const network = (name: string, given: Parameters<typeof networkSpecShape.make>[0] = {}) =>
    networkSpecShape.make({ annotations: named(name), driver: { name: "overlay", options: new Map() }, ...given });
  const subnet = (given: Parameters<typeof ipamConfigShape.make>[0]) =>
    ipamOptionsShape.make({ configs: [ipamConfigShape.make(given)] });

  it("are checked before they are made", () => {
    const refused = (given: Parameters<typeof networkSpecShape.make>[0], name = "n") =>
      lab.try("CreateNetwork", { spec: network(name, given) });
    expect(refused({ ingress: true, attachable: true })).toBe(`${INVALID}ingress network cannot be attachable`);
    expect(refused({ ipam: subnet({ subnet: "10.0.0.0" }) })).toBe(
      `${INVALID}ipam configuration: invalid subnet 10.0.0.0`,
    );
    expect(refused({ ipam: subnet({ subnet: "10.1.0.0/24", gateway: "10.2.0.1" }) })).toBe(
      `${INVALID}ipam configuration: subnet 10.1.0.0/24 does not contain gateway 10.2.0.1`,
    );
    expect(refused({}, "a b")).toBe(`${INVALID}name must be valid as a DNS name component`);
    lab.addIngress();
    expect(refused({ ingress: true })).toBe(
      "rpc error: code = AlreadyExists desc = ingress network (ingressid) is already present",
    );
    expect(lab.store.count("network")).toBe(1);
  });

  it("are not removed under services and live tasks", () => {
    const { id } = lab.do("CreateNetwork", { spec: network("app") }).network!;
    const networks = [{ target: id, aliases: [], addresses: [], driverOptions: new Map() }];
    const { service } = lab.do("CreateService", { spec: serviceSpec("web", { task: task({ networks }) }) });
    expect(lab.try("RemoveNetwork", { id })).toBe(`${PRECONDITION}network ${id} is in use by service ${service!.id}`);
    const live = taskShape.make({ id: "t1", spec: task({ networks }), desiredState: "running" });
    lab.store.update((tx) => void tx.create("task", live));
    lab.do("RemoveService", { id: service!.id });
    expect(lab.try("RemoveNetwork", { id })).toBe(`${PRECONDITION}network ${id} is in use by task t1`);
    lab.store.update((tx) => void tx.update("task", { ...tx.get("task", "t1")!, desiredState: "shutdown" }));
    lab.do("RemoveNetwork", { id });
    expect(lab.store.count("network")).toBe(0);
  });
});

describe("nodes", () => {
  const add = (id: string, given: Parameters<typeof nodeShape.make>[0]): Node => {
    lab.store.update((tx) => void tx.create("node", nodeShape.make({ id, ...given })));
    return lab.store.get("node", id)!;
  };
  const manager = { role: "manager", spec: nodeSpecShape.make({ desiredRole: "manager" }) } as const;
  const member = {
    raftId: "0000000000000001",
    address: "10.0.0.1:2377",
    leader: true,
    reachability: "reachable",
  } as const;

  it("are demoted while there are managers enough", () => {
    const node = add("a", manager);
    lab.managers.set("a", member);
    const demote = (id: string) =>
      lab.try("UpdateNode", {
        id,
        version: lab.store.get("node", id)!.meta.version,
        spec: { ...node.spec, desiredRole: "worker" },
      });
    expect(demote("a")).toBe(`${PRECONDITION}attempting to demote the last manager of the swarm`);
    add("b", manager);
    lab.managers.set("b", { ...member, leader: false });
    lab.canRemoveManager = false;
    expect(demote("b")).toBe(`${PRECONDITION}can't remove member from the raft: this would result in a loss of quorum`);
    lab.canRemoveManager = true;
    expect(typeof demote("b")).toBe("object");
    expect(lab.do("GetNode", { id: "a" }).node!.managerStatus).toEqual(member);
  });

  it("are removed when they are down and no managers, and their tasks are orphans then", () => {
    add("m", manager);
    lab.managers.set("m", member);
    expect(lab.try("RemoveNode", { id: "m", force: true })).toBe(
      `${PRECONDITION}node m is a cluster manager and is a member of the raft cluster. It must be demoted to worker before removal`,
    );
    add("w", { status: { state: "ready", message: "", address: "" } });
    lab.store.update((tx) => void tx.create("task", taskShape.make({ id: "t", nodeId: "w" })));
    expect(lab.try("RemoveNode", { id: "w" })).toBe(`${PRECONDITION}node w is not down and can't be removed`);
    lab.do("RemoveNode", { id: "w", force: true });
    expect(lab.store.get("task", "t")!.status.state).toBe("orphaned");
    expect(lab.store.get("node", "w")).toBeUndefined();
  });
});

describe("the cluster", () => {
  it("keeps its keys to itself, and makes new ones when asked", () => {
    const spec = clusterSpecShape.make({ annotations: named("default") });
    const rootCa = { ...clusterShape.make().rootCa, caKey: bytes("key"), caCertHash: `sha256:${"ab".repeat(32)}` };
    lab.store.update((tx) => void tx.create("cluster", clusterShape.make({ id: "c", spec, rootCa })));
    const cluster = () => lab.do("ListClusters", {}).clusters[0]!;
    const rotation = { workerJoinToken: true, managerJoinToken: false, managerUnlockKey: false };
    const { version } = cluster().meta;
    lab.do("UpdateCluster", { id: "c", version, spec: { ...spec, autoLockManagers: true }, rotation });
    expect(cluster().rootCa.joinTokens.worker).toMatch(/^SWMTKN-1-[0-9a-z]{50}-[0-9a-z]{25}$/);
    expect(cluster().rootCa.joinTokens.manager).toBe("");
    expect(cluster().rootCa.caKey).toHaveLength(0);
    expect(cluster().unlockKeys).toEqual([]);
    expect(lab.store.cluster!.unlockKeys[0]!.key).toHaveLength(32);
    const short = { ...spec, ca: { nodeCertExpiry: 1, forceRotate: 0 } };
    expect(lab.try("UpdateCluster", { id: "c", version: cluster().meta.version, spec: short })).toBe(
      `${INVALID}minimum certificate expiry time is: 1h0m0s`,
    );
    expect(lab.try("UpdateCluster", { id: "c", version, spec })).toBe(
      "rpc error: code = Unknown desc = update out of sequence",
    );
  });
});

describe("names", () => {
  it("find objects by id, by name, by the beginning of an id, in that order", () => {
    for (const name of ["web", "db"]) lab.do("CreateService", { spec: serviceSpec(name) });
    const [web, db] = ["web", "db"].map((name) => lab.store.byName("service", name)!);
    for (const text of [web!.id, "web", "WEB", web!.id.slice(0, 12)])
      expect(lab.ask(lab.client.find("service", text))).toEqual(web);
    expect(lab.ask(lab.client.find("service", ""))).toBe("service  is ambiguous (2 matches found)");
    expect(lab.ask(lab.client.find("service", "nope"))).toBe("service nope not found");
    lab.do("CreateService", { spec: serviceSpec(db!.id.slice(0, 5)) });
    expect(lab.ask(lab.client.find("service", db!.id.slice(0, 5)))).not.toEqual(db);
  });

  it("are read as swarmkit's pattern reads them", () => {
    const theirs = /^[a-zA-Z0-9](?:[-_]*[A-Za-z0-9]+)*$/;
    const letters = fc.string({ unit: fc.constantFrom("a", "Z", "0", "-", "_", "."), maxLength: 12, minLength: 1 });
    fc.assert(
      fc.property(letters, (name) => {
        expect(refuseName(named(name)) === undefined).toBe(theirs.test(name));
      }),
    );
  });

  it("of images have a form, and none takes long to refuse", () => {
    for (const image of ["nginx", "nginx:1.25", "a/b/c", "localhost:5000/x:y", `x@sha256:${"0".repeat(64)}`])
      expect(isImageReference(image)).toBe(true);
    for (const image of ["Nginx", "a//b", ":x", "a:", `${"a-".repeat(200)}`, "a b"])
      expect(isImageReference(image)).toBe(false);
  });
});
