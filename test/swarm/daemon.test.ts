import { describe, expect, it } from "vitest";
import {
  SUBSCRIBE_LOGS,
  subscribeLogsMessageShape,
  subscribeLogsRequestShape,
} from "../../src/swarm/api/log-broker.ts";
import { endpointSpecShape } from "../../src/swarm/api/parts.ts";
import {
  containerSpecShape,
  networkAttachmentConfigShape,
  type ServiceSpec,
  serviceSpecShape,
  taskSpecShape,
} from "../../src/swarm/api/specs.ts";
import { formatIpv4 } from "../../src/wire/address.ts";
import { DockerLab } from "./docker-lab.ts";

function spec(name: string, replicas: number, networks: string[], publishedPort = 0): ServiceSpec {
  const port = { name: "", protocol: "tcp", targetPort: 80, publishedPort, publishMode: "ingress" } as const;
  return serviceSpecShape.make({
    annotations: { name, labels: new Map() },
    task: taskSpecShape.make({
      container: containerSpecShape.make({ image: "web", args: ["serve", "http", "80"] }),
      networks: networks.map((target) => networkAttachmentConfigShape.make({ target })),
    }),
    replicated: { replicas },
    endpoint: endpointSpecShape.make({ ports: publishedPort === 0 ? [] : [port] }),
  });
}

describe("a swarm of emulated machines", () => {
  it("runs a service on all nodes, and its tasks reach each other through the VXLAN and by name", () => {
    const lab = new DockerLab(3).cluster();
    const network = lab.network("app");
    const service = lab.service(spec("web", 3, [network]));
    lab.until(() => lab.running(service).length === 3, 60);
    const tasks = lab.running(service);
    expect(new Set(tasks.map(({ nodeId }) => nodeId)).size).toBe(3);
    lab.run(3);
    const [first, second] = tasks;
    const there = second!.networks[0]!.addresses[0]!.split("/")[0];
    const here = lab.inContainer(lab.containerOf(first!));
    expect(lab.command(here, `ping -c 2 ${there}`).text).toContain("2 received");
    const vip = lab.store.get("service", service)!.endpoint!.virtualIps[0]!.address.split("/")[0];
    expect(lab.command(here, `curl -s http://${vip}/`).status).toBe(0);
  });

  it("publishes a port on every node, also on those without a task", () => {
    const lab = new DockerLab(3).cluster();
    const service = lab.service(spec("pub", 1, [], 8080));
    lab.until(() => lab.running(service).length === 1, 60);
    lab.run(3);
    for (const { address } of lab.nodes)
      expect(lab.command(lab.client, `curl -s http://${formatIpv4(address)}:8080/`).status).toBe(0);
    expect(lab.command(lab.client, `curl -s http://${formatIpv4(lab.at(1).address)}:8081/`).status).toBe(7);
  });

  it("moves a dead node's tasks, and takes the node in again", () => {
    const lab = new DockerLab(3).cluster();
    const service = lab.service(spec("web", 3, []));
    lab.until(() => lab.running(service).length === 3, 60);
    const dead =
      lab.nodes.find(
        ({ daemon }) => daemon.node.nodeId === lab.running(service)[2]!.nodeId && daemon !== lab.at(1).daemon,
      ) ?? lab.at(3);
    dead.daemon.cutPower();
    const id = dead.daemon.node.nodeId;
    const seconds = lab.until(
      () =>
        lab.store.get("node", id ?? "")?.status.state === "down" ||
        [...lab.store.all("node")].some(({ status }) => status.state === "down"),
      30,
    );
    expect(seconds).toBeGreaterThan(8);
    expect(seconds).toBeLessThan(17);
    lab.until(
      () =>
        lab.running(service).filter(({ nodeId }) => lab.store.get("node", nodeId)?.status.state === "ready").length ===
        3,
      30,
    );
    dead.daemon.restorePower();
    lab.until(() => [...lab.store.all("node")].every(({ status }) => status.state === "ready"), 60);
  });

  it("gives a plain container a place in an attachable network, and takes it back", () => {
    const lab = new DockerLab(2).cluster();
    const network = lab.network("app");
    const service = lab.service(spec("web", 1, [network]));
    lab.until(() => lab.running(service).length === 1, 60);
    const { engine } = lab.at(2).daemon;
    const container = engine.createContainer({
      name: "c1",
      image: "web",
      command: ["serve", "http", "80"],
      networks: [{ network: "app", aliases: [] }],
    });
    if ("refused" in container) throw new Error(container.message);
    const ends: unknown[] = [];
    engine.startContainer(container, (refusal) => ends.push(refusal));
    lab.until(() => ends.length > 0, 20);
    expect(ends).toEqual([undefined]);
    lab.run(2);
    const task = [...lab.store.all("task")].find(
      ({ spec: { attachment } }) => attachment?.containerId === container.id,
    );
    expect(task?.status.state).toBe("running");
    const web = lab.running(service)[0]!.networks[0]!.addresses[0]!.split("/")[0];
    expect(lab.command(lab.inContainer(container), `ping -c 1 ${web}`).text).toContain("1 received");
    container.remove(true);
    lab.run(2);
    expect(lab.store.get("task", task!.id)).toBeUndefined();
  });

  it("refuses a plain container a place in a network that is not attachable", () => {
    const lab = new DockerLab(1).cluster();
    const id = lab.network("app");
    lab.store.update((tx) => {
      const network = tx.get("network", id)!;
      tx.update("network", { ...network, spec: { ...network.spec, attachable: false } });
    });
    const { engine } = lab.at(1).daemon;
    const container = engine.createContainer({
      image: "web",
      command: [],
      networks: [{ network: "app", aliases: [] }],
    });
    if ("refused" in container) throw new Error(container.message);
    const ends: { message: string }[] = [];
    engine.startContainer(container, (refusal) => refusal !== undefined && ends.push(refusal));
    lab.until(() => ends.length > 0, 20);
    expect(ends[0]!.message).toBe(
      "Could not attach to network app: rpc error: code = PermissionDenied desc = network app not manually attachable",
    );
  });

  it("brings the logs of a service's tasks from all nodes to who asks for them, and what they say from then on", () => {
    const lab = new DockerLab(3).cluster();
    const service = lab.service(spec("web", 3, []));
    lab.until(() => lab.running(service).length === 3, 60);
    lab.run(1);
    for (const task of lab.running(service)) lab.containerOf(task).log.write("stdout", `hello from ${task.slot}\n`);
    const { control } = lab.at(1).daemon.node;
    if ("error" in control) throw new Error(control.error);
    const ask = (follow: boolean) => {
      const said: string[] = [];
      const ends: string[] = [];
      const stream = control.channel.stream(SUBSCRIBE_LOGS, {
        message: (bytes) => {
          for (const { data } of subscribeLogsMessageShape.parse(bytes)!.messages)
            said.push(new TextDecoder().decode(data));
        },
        ended: ({ code }) => ends.push(String(code)),
      });
      const selector = { serviceIds: [service], nodeIds: [], taskIds: [] };
      stream.send(subscribeLogsRequestShape.emit({ selector, options: { follow, tail: -2, since: undefined } }));
      stream.closeSend();
      return { said, ends };
    };
    const once = ask(false);
    lab.until(() => once.ends.length > 0, 10);
    expect(once.ends).toEqual(["0"]);
    expect(once.said.sort()).toEqual(["hello from 1\n", "hello from 2\n", "hello from 3\n"]);
    const followed = ask(true);
    lab.run(1);
    lab.containerOf(lab.running(service)[0]!).log.write("stderr", "news\n");
    lab.run(1);
    expect(followed.said).toContain("news\n");
    expect(followed.ends).toEqual([]);
  });
});
