import { describe, expect, it } from "vitest";
import type { NetworkNamespace } from "../../../src/linux/namespace.ts";
import { UdpSocket } from "../../../src/linux/udp-socket.ts";
import { ip } from "../../linux/two-hosts.ts";
import { INTERNAL, MeshLab, PUBLISHED, tcpLines } from "./mesh-lab.ts";

/** Three nodes; the published service has tasks on node1 and node2. */
function published(): MeshLab {
  const lab = new MeshLab(3);
  lab.publish(2, "pub.1", "10.0.0.6");
  lab.publish(1, "pub.2", "10.0.0.7");
  return lab;
}

/** Three nodes with a task each, in the order in which node1 of recording 02 heard of them; c1 on node1. */
function balanced() {
  const lab = new MeshLab(3);
  const tasks = [
    lab.serve(3, "web.1", "10.0.1.4"),
    lab.serve(2, "web.3", "10.0.1.3"),
    lab.serve(1, "web.2", "10.0.1.5"),
  ] as const;
  return { lab, tasks, c1: lab.container(1, "c1", "10.0.1.11") };
}

describe("the routing mesh", () => {
  it("takes a request hop by hop to a task on another node, with the addresses, ports and TTLs recorded", () => {
    const lab = published();
    const [node1, node2] = lab.nodes;
    lab.ask(lab.client, "192.168.50.11", 8_080); // pub.2
    const points = [
      lab.watch(lab.client, "eth0"),
      lab.watch(node1!.host, "docker_gwbridge"),
      lab.watch(node1!.ingress.namespace, "eth1"),
      lab.watch(node1!.ingress.namespace, "eth0"),
      lab.watch(node2!.host, "eth0"),
      lab.watch(lab.world.namespaces.get("pub.1")!, "eth0"),
    ];
    expect(lab.ask(lab.client, "192.168.50.11", 8_080)).toBe("pub.1 sees 10.0.0.2");
    const handshakes = points.map((seen) => tcpLines(seen).slice(0, 2));
    const port = /\.(\d+) >/.exec(handshakes[0]![0]!)?.[1];
    expect(handshakes.map((lines) => lines.map((text) => text.replaceAll(`${port}`, "P")))).toEqual([
      ["out ttl 64 192.168.50.100.P > 192.168.50.11.8080 [S]", "in ttl 62 192.168.50.11.8080 > 192.168.50.100.P [S.]"],
      ["out ttl 63 192.168.50.100.P > 172.18.0.2.8080 [S]", "in ttl 63 172.18.0.2.8080 > 192.168.50.100.P [S.]"],
      ["in ttl 63 192.168.50.100.P > 172.18.0.2.8080 [S]", "out ttl 63 172.18.0.2.8080 > 192.168.50.100.P [S.]"],
      ["out ttl 62 10.0.0.2.P > 10.0.0.6.8080 [S]", "in ttl 64 10.0.0.6.8080 > 10.0.0.2.P [S.]"],
      ["in ttl 62 10.0.0.2.P > 10.0.0.6.8080 [S] in VXLAN", "out ttl 64 10.0.0.6.8080 > 10.0.0.2.P [S.] in VXLAN"],
      ["in ttl 62 10.0.0.2.P > 10.0.0.6.8080 [S]", "out ttl 64 10.0.0.6.8080 > 10.0.0.2.P [S.]"],
    ]);
  });

  it("serves on every node, also where there is no task, and each node takes turns by itself", () => {
    const lab = published();
    const ask = (address: string) => [1, 2, 3, 4].map(() => lab.ask(lab.client, address, 8_080));
    for (const [node, own] of [
      ["192.168.50.11", "10.0.0.2"],
      ["192.168.50.12", "10.0.0.3"],
      ["192.168.50.13", "10.0.0.4"],
    ] as const)
      expect(ask(node)).toEqual(["pub.2", "pub.1", "pub.2", "pub.1"].map((task) => `${task} sees ${own}`));
  });

  it("serves the node's own programs, by its address and by 127.0.0.1", () => {
    const lab = published();
    const node3 = lab.nodes[2]!.host;
    expect(lab.ask(node3, "192.168.50.13", 8_080)).toBe("pub.2 sees 10.0.0.4");
    expect(lab.ask(node3, "127.0.0.1", 8_080)).toBe("pub.1 sees 10.0.0.4");
  });

  it("refuses ports that nobody publishes", () => {
    const lab = published();
    expect(lab.ask(lab.client, "192.168.50.13", 8_099)).toBe("ECONNREFUSED");
  });

  it("lets nothing else of a task be reached on the ingress network, and the task reach nothing", () => {
    const lab = published();
    const sandbox = lab.nodes[0]!.ingress.namespace;
    const task = lab.world.namespaces.get("pub.2")!;
    expect(lab.ask(sandbox, "10.0.0.7", 81)).toBe("EINPROGRESS");
    expect(lab.ask(task, "10.0.0.2", 80)).toBe("EINPROGRESS");
    expect(lab.world.frames.dropsByReason.get("netfilter-drop")).toBeGreaterThan(0);
  });

  it("stops serving with the last task: connections are refused", () => {
    const lab = published();
    for (const { ingress } of lab.nodes) {
      for (const task of ["10.0.0.6", "10.0.0.7"]) ingress.removeBackend(PUBLISHED, ip(task));
      ingress.removeService(PUBLISHED);
    }
    expect(lab.ask(lab.client, "192.168.50.11", 8_080)).toBe("ECONNREFUSED");
  });
});

describe("a virtual address inside an overlay network", () => {
  it("is served in turn as recorded: .5 .3 .4 and again; tasks see the load balancer of the client's node", () => {
    const { lab, c1 } = balanced();
    const answers = Array.from({ length: 6 }, () => lab.ask(c1, "10.0.1.2", 80));
    expect(answers).toEqual(
      ["web.2", "web.3", "web.1", "web.2", "web.3", "web.1"].map((task) => `${task} sees 10.0.1.6`),
    );
    const c2 = lab.container(2, "c2", "10.0.1.12");
    expect(lab.ask(c2, "10.0.1.2", 80)).toBe("web.2 sees 10.0.1.7");
  });

  it("is two hops away from tasks: TTL 63 both ways, ports as they were", () => {
    const { lab, tasks, c1 } = balanced();
    const client = lab.watch(c1, "eth0");
    const task = lab.watch(tasks[2], "eth0");
    lab.ask(c1, "10.0.1.2", 80);
    const port = /\.(\d+) >/.exec(tcpLines(client)[0]!)?.[1];
    const lines = [client, task].flatMap((seen) => tcpLines(seen).slice(0, 2));
    expect(lines.map((text) => text.replaceAll(`${port}`, "P"))).toEqual([
      "out ttl 64 10.0.1.11.P > 10.0.1.2.80 [S]",
      "in ttl 63 10.0.1.2.80 > 10.0.1.11.P [S.]",
      "in ttl 63 10.0.1.6.P > 10.0.1.5.80 [S]",
      "out ttl 64 10.0.1.5.80 > 10.0.1.6.P [S.]",
    ]);
  });

  it("is reached by its own tasks too, who may get themselves", () => {
    const { lab, tasks } = balanced();
    expect(lab.ask(tasks[2], "10.0.1.2", 80)).toBe("web.2 sees 10.0.1.6");
  });

  it("loses a connection that is idle for more than 900 seconds: the next byte is answered by a reset", () => {
    const { lab, c1 } = balanced();
    const say = (text: string) => {
      socket.write(new TextEncoder().encode(text));
      lab.pass(1);
      const answer = socket.read(100);
      return answer instanceof Uint8Array ? new TextDecoder().decode(answer) : answer;
    };
    const socket = lab.connect(c1, "10.0.1.2", 80);
    expect(say("one")).toBe("web.2 sees 10.0.1.6");
    lab.pass(890);
    expect(say("two")).toBe("web.2 sees 10.0.1.6");
    lab.pass(905);
    expect(say("three")).toBe("ECONNRESET");
  });

  it("drains a task: new connections go elsewhere, those that are there live on", () => {
    const { lab, c1 } = balanced();
    const socket = lab.connect(c1, "10.0.1.2", 80);
    for (const { internal } of lab.nodes) internal.drainBackend(INTERNAL, ip("10.0.1.5"));
    const answers = Array.from({ length: 4 }, () => lab.ask(c1, "10.0.1.2", 80));
    expect(answers).toEqual(["web.3", "web.1", "web.3", "web.1"].map((task) => `${task} sees 10.0.1.6`));
    socket.write(Uint8Array.of(1));
    lab.pass(0.5);
    expect(new TextDecoder().decode(socket.read(100) as Uint8Array)).toBe("web.2 sees 10.0.1.6");
  });

  it("refuses connections while every task is drained", () => {
    const { lab, c1 } = balanced();
    for (const task of ["10.0.1.3", "10.0.1.4", "10.0.1.5"]) lab.nodes[0]!.internal.drainBackend(INTERNAL, ip(task));
    expect(lab.ask(c1, "10.0.1.2", 80)).toBe("ECONNREFUSED");
  });

  it("resets connections to ports where no task listens", () => {
    const { lab, c1 } = balanced();
    expect(lab.ask(c1, "10.0.1.2", 81)).toBe("ECONNREFUSED");
  });

  it("leaks no frame, whatever was said", () => {
    const { lab, c1 } = balanced();
    const datagrams = new UdpSocket(c1 as NetworkNamespace);
    datagrams.sendTo(Uint8Array.of(1, 2, 3), ip("10.0.1.2"), 53);
    lab.ask(c1, "10.0.1.2", 80);
    lab.pass(2_000);
    expect(lab.world.frames.inFlight).toBe(0);
  });
});
