import * as fc from "fast-check";
import { beforeEach, describe, expect, it } from "vitest";
import { Random } from "../../../src/sim/random.ts";
import { Simulation } from "../../../src/sim/simulation.ts";
import { SECOND } from "../../../src/sim/time.ts";
import { Allocator } from "../../../src/swarm/allocator/allocator.ts";
import { networkShape, nodeShape, serviceShape, type Task, taskShape } from "../../../src/swarm/api/objects.ts";
import { endpointSpecShape, ipamConfigShape, ipamOptionsShape, type PortConfig } from "../../../src/swarm/api/parts.ts";
import {
  networkAttachmentConfigShape,
  networkSpecShape,
  serviceSpecShape,
  taskSpecShape,
} from "../../../src/swarm/api/specs.ts";
import { ImmediateProposer, Store } from "../../../src/swarm/store/store.ts";

let simulation: Simulation;
let store: Store;
let allocator: Allocator;

beforeEach(() => {
  simulation = new Simulation(new Random(1));
  store = new Store({ clock: simulation, proposer: new ImmediateProposer() });
  allocator = new Allocator({ store, clock: simulation });
});

function addNetwork(id: string, given: { ingress?: boolean; subnet?: string } = {}): void {
  const configs = given.subnet === undefined ? [] : [ipamConfigShape.make({ subnet: given.subnet })];
  const spec = networkSpecShape.make({
    annotations: { name: id, labels: new Map() },
    ingress: given.ingress ?? false,
    ipam: ipamOptionsShape.make({ configs }),
  });
  store.update((tx) => void tx.create("network", networkShape.make({ id, spec })));
}

function addNode(id: string): void {
  store.update((tx) => void tx.create("node", nodeShape.make({ id })));
}

const mesh = (publishedPort: number): PortConfig => ({
  name: "",
  protocol: "tcp",
  targetPort: 80,
  publishedPort,
  publishMode: "ingress",
});

function addService(id: string, networks: string[], ports: PortConfig[] = [], mode: "vip" | "dnsrr" = "vip"): void {
  const task = taskSpecShape.make({
    networks: networks.map((target) => networkAttachmentConfigShape.make({ target, aliases: [id] })),
  });
  const spec = serviceSpecShape.make({
    annotations: { name: id, labels: new Map() },
    task,
    endpoint: endpointSpecShape.make({ mode, ports }),
  });
  store.update((tx) => void tx.create("service", serviceShape.make({ id, spec })));
}

function addTask(id: string, serviceId: string): void {
  const spec = store.get("service", serviceId)!.spec.task;
  store.update((tx) => void tx.create("task", taskShape.make({ id, serviceId, spec, desiredState: "running" })));
}

function change(id: string, given: (task: Task) => Partial<Task>): void {
  store.update((tx) => {
    const task = tx.get("task", id)!;
    tx.update("task", { ...task, ...given(task) });
  });
}

const assign = (id: string, nodeId: string) =>
  change(id, ({ status }) => ({ nodeId, status: { ...status, state: "assigned" } }));
const end = (id: string) => change(id, ({ status }) => ({ status: { ...status, state: "shutdown" } }));

const addressesOf = (id: string) => store.get("task", id)!.networks.flatMap(({ addresses }) => addresses);
const virtualOf = (id: string) => store.get("service", id)!.endpoint!.virtualIps.map(({ address }) => address);
const nodeAddresses = (id: string) => store.get("node", id)!.attachments.flatMap(({ addresses }) => addresses);

describe("the allocator", () => {
  it("gives ingress 10.0.0.0/24 and VNI 4096, and user networks what comes next", () => {
    addNetwork("ingress", { ingress: true });
    addNetwork("app");
    const [ingress, app] = [store.get("network", "ingress")!, store.get("network", "app")!];
    expect(ingress.ipam?.configs[0]).toMatchObject({ subnet: "10.0.0.0/24", gateway: "10.0.0.1" });
    expect(app.ipam?.configs[0]).toMatchObject({ subnet: "10.0.1.0/24", gateway: "10.0.1.1" });
    expect(app.driverState?.options.get("com.docker.network.driver.overlay.vxlanid_list")).toBe("4097");
  });

  it("hands out a network's addresses in the order of the worked example: VIP, tasks, load balancers", () => {
    addNetwork("ingress", { ingress: true });
    for (const id of ["n1", "n2", "n3"]) addNode(id);
    addNetwork("app");
    addService("web", ["app"]);
    for (const id of ["t1", "t2", "t3"]) addTask(id, "web");
    expect(virtualOf("web")).toEqual(["10.0.1.2/24"]);
    expect(["t1", "t2", "t3"].flatMap(addressesOf)).toEqual(["10.0.1.3/24", "10.0.1.4/24", "10.0.1.5/24"]);
    assign("t1", "n1");
    assign("t2", "n2");
    assign("t3", "n3");
    expect(["n1", "n2", "n3"].map(nodeAddresses)).toEqual([
      ["10.0.0.2/24", "10.0.1.6/24"],
      ["10.0.0.3/24", "10.0.1.7/24"],
      ["10.0.0.4/24", "10.0.1.8/24"],
    ]);
    expect(store.get("task", "t1")!.status).toMatchObject({ state: "assigned" });
  });

  it("gives a service that publishes in the mesh an ingress address first, and each of its tasks too", () => {
    addNetwork("ingress", { ingress: true });
    for (const id of ["n1", "n2", "n3"]) addNode(id);
    addNetwork("app");
    addService("pub", ["app"], [mesh(8080)]);
    addTask("t1", "pub");
    expect(virtualOf("pub")).toEqual(["10.0.0.5/24", "10.0.1.2/24"]);
    expect(addressesOf("t1")).toEqual(["10.0.0.6/24", "10.0.1.3/24"]);
    expect(store.get("task", "t1")!.status).toMatchObject({ state: "pending", message: "pending task scheduling" });
  });

  it("does not give a freed address again at once, but after a change of the leader the lowest free one", () => {
    addNetwork("app");
    addService("web", ["app"]);
    addTask("t1", "web");
    end("t1");
    addTask("t2", "web");
    expect(addressesOf("t2")).toEqual(["10.0.0.4/24"]);
    allocator.stop();
    allocator = new Allocator({ store, clock: simulation });
    addTask("t3", "web");
    expect(addressesOf("t3")).toEqual(["10.0.0.3/24"]);
  });

  it("returns a node's load balancer address when the last task of the network leaves it", () => {
    addNetwork("app");
    addNode("n1");
    addService("web", ["app"]);
    addTask("t1", "web");
    assign("t1", "n1");
    expect(nodeAddresses("n1")).toEqual(["10.0.0.4/24"]);
    end("t1");
    expect(nodeAddresses("n1")).toEqual([]);
  });

  it("keeps tasks NEW when a subnet is used up, and serves them when an address comes back", () => {
    addNetwork("tiny", { subnet: "10.9.0.0/29" });
    addService("web", ["tiny"]);
    for (let index = 0; index < 6; index++) addTask(`t${index}`, "web");
    expect(store.get("task", "t3")!.status.state).toBe("pending");
    expect(store.get("task", "t4")!.status.state).toBe("new");
    end("t0");
    expect(addressesOf("t4")).toEqual(["10.9.0.3/29"]);
    expect(store.get("task", "t5")!.status.state).toBe("new");
  });

  it("has no address for a service of dnsrr, and gives it back when the service becomes one", () => {
    addNetwork("app");
    addService("rr", ["app"], [], "dnsrr");
    expect(virtualOf("rr")).toEqual([]);
    addService("web", ["app"]);
    store.update((tx) => {
      const service = tx.get("service", "web")!;
      const endpoint = endpointSpecShape.make({ mode: "dnsrr" });
      tx.update("service", { ...service, spec: { ...service.spec, endpoint } });
    });
    expect(virtualOf("web")).toEqual([]);
  });

  it("publishes the port asked for, and serial ones from 30000 for those that ask for none", () => {
    addNetwork("ingress", { ingress: true });
    addService("a", [], [mesh(8080), mesh(0)]);
    addService("b", [], [mesh(0)]);
    const portsOf = (id: string) => store.get("service", id)!.endpoint!.ports.map(({ publishedPort }) => publishedPort);
    expect(portsOf("a")).toEqual([8080, 30000]);
    expect(portsOf("b")).toEqual([30001]);
    addService("c", [], [mesh(8080)]);
    expect(store.get("service", "c")!.endpoint).toBeUndefined();
    store.update((tx) => void tx.remove("service", "a"));
    expect(portsOf("c")).toEqual([8080]);
  });

  it("gives no address to two at once, whatever comes and goes, also across leaders", () => {
    const event = fc.oneof(
      fc.record({ kind: fc.constant("task" as const), at: fc.nat(9) }),
      fc.record({ kind: fc.constant("end" as const), at: fc.nat(30) }),
      fc.record({ kind: fc.constant("assign" as const), at: fc.nat(30) }),
      fc.record({ kind: fc.constant("service" as const), at: fc.nat(9) }),
      fc.record({ kind: fc.constant("lead" as const), at: fc.constant(0) }),
    );
    fc.assert(
      fc.property(fc.array(event, { maxLength: 60 }), (events) => {
        simulation = new Simulation(new Random(1));
        store = new Store({ clock: simulation, proposer: new ImmediateProposer() });
        allocator = new Allocator({ store, clock: simulation });
        addNetwork("ingress", { ingress: true });
        addNetwork("small", { subnet: "10.9.0.0/28" });
        for (const id of ["n1", "n2"]) addNode(id);
        let count = 0;
        for (const { kind, at } of events) {
          const services = [...store.all("service")];
          const tasks = [...store.all("task")];
          if (kind === "service" && !services.some(({ id }) => id === `s${at}`))
            addService(`s${at}`, ["small"], at % 2 === 0 ? [mesh(0)] : []);
          if (kind === "task" && services.length > 0) addTask(`t${count++}`, services[at % services.length]!.id);
          if (kind === "end" && tasks.length > 0) end(tasks[at % tasks.length]!.id);
          if (kind === "assign") {
            const pending = tasks.filter(({ status }) => status.state === "pending");
            if (pending.length > 0) assign(pending[at % pending.length]!.id, at % 3 === 0 ? "n1" : "n2");
          }
          if (kind === "lead") {
            allocator.stop();
            allocator = new Allocator({ store, clock: simulation });
          }
          const held = [
            ...[...store.all("task")]
              .filter(({ status }) => status.state !== "shutdown")
              .flatMap(({ id }) => addressesOf(id)),
            ...[...store.all("service")].flatMap(
              ({ endpoint }) => endpoint?.virtualIps.map(({ address }) => address) ?? [],
            ),
            ...["n1", "n2"].flatMap(nodeAddresses),
          ];
          expect(new Set(held).size).toBe(held.length);
        }
        simulation.run(600 * SECOND);
      }),
    );
  });
});
