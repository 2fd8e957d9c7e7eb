import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ENDPOINT_TABLE, type EndpointRecord, emit } from "../../../src/docker/discovery/endpoint-record.ts";
import { EndpointWatch } from "../../../src/docker/discovery/endpoint-watch.ts";
import { ServiceTable } from "../../../src/docker/discovery/service-table.ts";
import { IpvsModule } from "../../../src/docker/load-balancer/ipvs-module.ts";
import { LoadBalancer } from "../../../src/docker/load-balancer/load-balancer.ts";
import { ServiceRecords } from "../../../src/docker/resolver/service-records.ts";
import { ipvsOf } from "../../../src/linux/ipvs/attach.ts";
import { World } from "../../../src/linux/world.ts";
import { formatIpv4, type Ipv4Address } from "../../../src/wire/address.ts";
import { ip, net } from "../../linux/two-hosts.ts";

const NETWORK = "testnet-id";

function task(number: number, more: Partial<EndpointRecord> = {}): EndpointRecord {
  return {
    name: `web.${number}.abc`,
    serviceName: "web",
    serviceId: "web-id",
    virtualAddress: ip("10.0.1.2"),
    address: (ip("10.0.1.2") + number) as Ipv4Address,
    ports: [],
    aliases: [],
    taskAliases: [`short${number}`],
    isDisabled: false,
    ...more,
  };
}

/** A node with one overlay network, its load balancer and its names. */
class Node {
  readonly names = new ServiceRecords("testnet");
  readonly table: ServiceTable;
  readonly watch: EndpointWatch;
  readonly balancer: LoadBalancer;

  constructor() {
    const world = new World({ seed: "services" });
    const namespace = world.createNamespace("lb");
    const outside = world.createNamespace("outside");
    const { a } = world.createLink("veth", { namespace, name: "eth0" }, { namespace: outside, name: "veth0" });
    const address = net("10.0.1.8/24");
    namespace.addAddress(a, address);
    const module = new IpvsModule(world.createNamespace("host"));
    this.balancer = new LoadBalancer({
      namespace,
      device: a,
      address,
      module,
      method: "masquerade",
      ingress: undefined,
    });
    const network = { balancer: this.balancer, names: this.names };
    this.table = new ServiceTable((id) => (id === NETWORK ? network : undefined));
    this.watch = new EndpointWatch(this.table);
  }

  hear(operation: "create" | "update" | "delete", key: string, record: EndpointRecord, network = NETWORK): void {
    this.watch.changed({ operation, network, table: ENDPOINT_TABLE, key, node: "n2", value: emit(record) });
  }

  /** `mark: address weight …`, in the order of `ipvsadm --nosort`. */
  get balanced(): string[] {
    return ipvsOf(this.balancer.namespace).services.list.map(
      ({ key, servers }) =>
        `${key.mark}: ${servers.map(({ address, weight }) => `${formatIpv4(address)} ${weight}`).join(", ")}`,
    );
  }

  look(name: string): string[] | undefined {
    const answer = this.names.lookUp(name, "ipv4");
    return typeof answer === "object" ? answer.addresses.map(formatIpv4).sort() : undefined;
  }
}

describe("a node's services", () => {
  it("give a new service a mark, a place in the load balancer and names", () => {
    const node = new Node();
    node.hear("create", "e1", task(1, { aliases: ["shop"] }));
    node.hear("create", "e2", task(2, { aliases: ["shop"] }));
    expect(node.balanced).toEqual(["256: 10.0.1.4 1, 10.0.1.3 1"]);
    for (const name of ["web", "shop"]) expect(node.look(name)).toEqual(["10.0.1.2"]);
    for (const name of ["tasks.web", "tasks.shop"]) expect(node.look(name)).toEqual(["10.0.1.3", "10.0.1.4"]);
    for (const name of ["web.1.abc", "short1"]) expect(node.look(name)).toEqual(["10.0.1.3"]);
    expect(node.names.reverse(ip("10.0.1.3"))).toBe("web.1.abc.testnet");
    expect(node.names.reverse(ip("10.0.1.2"))).toBeUndefined();
  });

  it("count marks for services without a virtual address too, as recorded: web 256, rr 257, pub 258", () => {
    const node = new Node();
    node.hear("create", "e1", task(1));
    for (const number of [7, 8])
      node.hear(
        "create",
        `r${number}`,
        task(number, { serviceName: "rr", serviceId: "rr-id", virtualAddress: undefined }),
      );
    node.hear("create", "p1", task(20, { serviceName: "pub", serviceId: "pub-id", virtualAddress: ip("10.0.1.19") }));
    expect(node.balanced).toEqual(["256: 10.0.1.3 1", "258: 10.0.1.22 1"]);
    expect(node.look("rr")).toEqual(["10.0.1.10", "10.0.1.9"]);
    expect(node.look("tasks.rr")).toEqual(["10.0.1.10", "10.0.1.9"]);
    expect(["web-id", "rr-id", "pub-id", "nobody"].map((id) => node.table.markOf(NETWORK, id, []))).toEqual([
      256, 257, 258, 0,
    ]);
  });

  it("drain a task that is told to stop: weight 0, its own names gone, the service's name stays", () => {
    const node = new Node();
    node.hear("create", "e1", task(1));
    node.hear("create", "e2", task(2));
    node.hear("update", "e1", task(1, { isDisabled: true }));
    node.hear("update", "e1", task(1, { isDisabled: true }));
    expect(node.balanced).toEqual(["256: 10.0.1.4 1, 10.0.1.3 0"]);
    expect(node.look("tasks.web")).toEqual(["10.0.1.4"]);
    expect(node.look("web")).toEqual(["10.0.1.2"]);
    expect(node.look("web.1.abc")).toBeUndefined();
    node.hear("delete", "e1", task(1, { isDisabled: true }));
    expect(node.balanced).toEqual(["256: 10.0.1.4 1"]);
  });

  it("forget a service with its last task, drained or not, and give it another mark when it comes back", () => {
    const node = new Node();
    node.hear("create", "e1", task(1));
    node.hear("update", "e1", task(1, { isDisabled: true }));
    expect(node.look("web")).toEqual(["10.0.1.2"]);
    node.hear("delete", "e1", task(1));
    expect(node.balanced).toEqual([]);
    expect(node.names.size).toBe(0);
    expect(node.table.markOf(NETWORK, "web-id", [])).toBe(0);
    node.hear("create", "e2", task(2));
    expect(node.balanced).toEqual(["257: 10.0.1.4 1"]);
  });

  it("bring back what a failed node's return brings back", () => {
    const node = new Node();
    node.hear("create", "e1", task(1));
    node.hear("create", "e2", task(2));
    node.hear("delete", "e2", task(2)); // memberlist found its node dead
    expect(node.balanced).toEqual(["256: 10.0.1.3 1"]);
    node.hear("create", "e2", task(2));
    expect(node.balanced).toEqual(["256: 10.0.1.4 1, 10.0.1.3 1"]);
    expect(node.look("tasks.web")).toEqual(["10.0.1.3", "10.0.1.4"]);
  });

  it("keep another binding for another list of published ports, while tasks of both live", () => {
    const node = new Node();
    const port = { name: "", protocol: "tcp" as const, targetPort: 80, publishedPort: 8_080 };
    node.hear("create", "e1", task(1, { ports: [port] }));
    node.hear("create", "e2", task(2, { ports: [port, { ...port, publishedPort: 8_081 }] }));
    expect(node.balanced).toEqual(["256: 10.0.1.3 1", "257: 10.0.1.4 1"]);
    node.hear("delete", "e1", task(1));
    expect(node.balanced).toEqual(["257: 10.0.1.4 1"]);
  });

  it("leave an address in place while another endpoint of the service has it: gossip is on its way", () => {
    const node = new Node();
    node.hear("create", "old", task(1));
    node.hear("create", "new", task(1, { name: "web.1.new" }));
    node.hear("delete", "old", task(1));
    expect(node.balanced).toEqual(["256: 10.0.1.3 1"]);
    expect(node.look("tasks.web")).toEqual(["10.0.1.3"]);
    expect(node.look("web.1.new")).toEqual(["10.0.1.3"]);
    node.hear("delete", "new", task(1, { name: "web.1.new" }));
    expect([node.balanced, node.names.size]).toEqual([[], 0]);
  });

  it("know plain containers by name alone", () => {
    const node = new Node();
    const c1 = task(9, { name: "c1", serviceId: "", serviceName: "", virtualAddress: undefined });
    node.hear("create", "c", c1);
    expect([node.balanced, node.look("c1"), node.look("short9"), node.look("tasks.")]).toEqual([
      [],
      ["10.0.1.11"],
      ["10.0.1.11"],
      undefined,
    ]);
    node.hear("update", "c", { ...c1, isDisabled: true });
    expect(node.names.size).toBe(0);
    node.hear("delete", "c", { ...c1, isDisabled: true });
    node.hear("create", "c", c1);
    node.hear("update", "c", { ...c1, name: "c1b" });
    expect([node.look("c1"), node.look("c1b")]).toEqual([undefined, ["10.0.1.11"]]);
  });

  it("heed neither networks that the node has not, nor bytes that are no record", () => {
    const node = new Node();
    node.hear("create", "e1", task(1), "elsewhere");
    expect(node.balanced).toEqual([]);
    node.watch.changed({
      operation: "create",
      network: NETWORK,
      table: ENDPOINT_TABLE,
      key: "e2",
      node: "n2",
      value: Uint8Array.of(0xff, 1, 2),
    });
    expect([node.balanced, node.watch.malformed]).toEqual([[], 1]);
  });

  it("are forgotten with their network, and come anew with it", () => {
    const node = new Node();
    node.hear("create", "e1", task(1));
    node.watch.forget(NETWORK);
    node.table.forget(NETWORK);
    expect(node.table.markOf(NETWORK, "web-id", [])).toBe(0);
    node.hear("create", "e1", task(1));
    expect(node.table.markOf(NETWORK, "web-id", [])).toBe(257);
  });

  it("stand at any time for exactly what was said last of each endpoint", () => {
    const step = fc.record({
      endpoint: fc.integer({ min: 1, max: 5 }),
      service: fc.constantFrom("web", "rr"),
      deed: fc.constantFrom("say" as const, "disable" as const, "delete" as const),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const node = new Node();
        const said = new Map<number, EndpointRecord>();
        for (const { endpoint, service, deed } of steps) {
          const old = said.get(endpoint);
          if (deed === "delete" || (deed === "disable") === (old === undefined)) {
            said.delete(endpoint);
            if (old !== undefined) node.hear("delete", `e${endpoint}`, old);
            continue;
          }
          const vip = service === "web" ? ip("10.0.1.2") : undefined;
          const fresh = task(endpoint, { serviceName: service, serviceId: `${service}-id`, virtualAddress: vip });
          // A drained one does not come back under its old id: Docker makes another endpoint.
          if (deed === "say" && old?.isDisabled === true && old.serviceName === service) continue;
          const record = deed === "disable" && old !== undefined ? { ...old, isDisabled: true } : fresh;
          said.set(endpoint, record);
          node.hear(old === undefined ? "create" : "update", `e${endpoint}`, record);
        }
        const of = (service: string) => [...said.values()].filter(({ serviceName }) => serviceName === service);
        const addresses = (records: EndpointRecord[]) => {
          const live = records.filter(({ isDisabled }) => !isDisabled).map(({ address }) => formatIpv4(address));
          return live.length === 0 ? undefined : live.sort();
        };
        expect(node.look("tasks.web")).toEqual(addresses(of("web")));
        expect(node.look("rr")).toEqual(addresses(of("rr")));
        expect(node.look("web")).toEqual(of("web").length === 0 ? undefined : ["10.0.1.2"]);
        const servers = ipvsOf(node.balancer.namespace).services.list.flatMap((service) => service.servers);
        const text = servers.map(({ address, weight }) => `${formatIpv4(address)} ${weight}`);
        const expected = of("web").map(({ address, isDisabled }) => `${formatIpv4(address)} ${isDisabled ? 0 : 1}`);
        expect(text.sort()).toEqual(expected.sort());
        for (const [endpoint, record] of said) node.hear("delete", `e${endpoint}`, record);
        expect([node.balanced, node.names.size]).toEqual([[], 0]);
      }),
    );
  });
});
