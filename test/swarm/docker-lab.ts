/** Machines 192.168.50.11, .12, … with dockerd on them behind one switch, and a client at .100. Containers run words of the house. */
import { Host, TextBuffer } from "../../src/commands/host.ts";
import { runLine } from "../../src/commands/shell.ts";
import { WORDS } from "../../src/commands/words.ts";
import type { Container } from "../../src/docker/container/container.ts";
import type { Release } from "../../src/docker/engine.ts";
import { createBridge } from "../../src/linux/bridge.ts";
import type { NetworkNamespace } from "../../src/linux/namespace.ts";
import type { Process, TextSink } from "../../src/linux/process.ts";
import { World } from "../../src/linux/world.ts";
import { MICROSECOND, SECOND } from "../../src/sim/time.ts";
import { networkShape, serviceShape, type Task } from "../../src/swarm/api/objects.ts";
import { networkSpecShape, type ServiceSpec } from "../../src/swarm/api/specs.ts";
import { x509Pki } from "../../src/swarm/ca/x509-pki.ts";
import { CONTROL_WORK } from "../../src/swarm/control/control-api.ts";
import { Daemon } from "../../src/swarm/daemon.ts";
import { ShownCertificates } from "../../src/swarm/grpc/security.ts";
import { clearSecurity } from "../../src/swarm/node-security.ts";
import type { Store } from "../../src/swarm/store/store.ts";
import { formatIpv4, type Ipv4Address } from "../../src/wire/address.ts";
import { ip } from "../linux/two-hosts.ts";

const START_SECONDS = 1_767_225_600;
const FIRST = ip("192.168.50.11");
const CLIENT = ip("192.168.50.100");
const DELAY_NS = 200 * MICROSECOND;

export interface DockerNode {
  readonly name: string;
  readonly address: Ipv4Address;
  readonly host: Host;
  readonly daemon: Daemon;
}

export class DockerLab {
  readonly world: World;
  readonly nodes: DockerNode[] = [];
  readonly client: Host;
  readonly #switch: NetworkNamespace;
  #ids = 0;

  constructor(count: number, options: { readonly seed?: string | number; readonly release?: Release } = {}) {
    this.world = new World({ seed: options.seed ?? 1 });
    this.#switch = this.world.createNamespace("switch");
    const bridge = createBridge(this.#switch, { name: "br0", mtu: 1_500 });
    bridge.device.setUp(true);
    const plug = (name: string, address: Ipv4Address): Host => {
      const namespace = this.world.createNamespace(name);
      const link = this.world.createLink(
        "nic",
        { namespace, name: "eth0" },
        { namespace: this.#switch, name: `to-${name}` },
      );
      for (const end of [link.aToB, link.bToA]) end.settings = { ...end.settings, delayNs: DELAY_NS };
      bridge.addPort(link.b);
      link.b.setUp(true);
      link.a.setUp(true);
      namespace.addAddress(link.a, { address, length: 24 });
      return new Host({ name, world: this.world, namespace, words: WORDS });
    };
    const surroundings = {
      world: this.world,
      pki: x509Pki(START_SECONDS),
      security: clearSecurity(new ShownCertificates()),
      release: options.release ?? "current",
      programs: {
        start: (container: Container, streams: Streams) => this.#start(container, container.spec.command, streams),
        run: (container: Container, command: readonly string[], streams: Streams) =>
          this.#start(container, command, streams),
      },
      gossipInClear: true,
      pullNs: 0,
    } as const;
    for (let index = 0; index < count; index++) {
      const name = `node${index + 1}`;
      const address = (FIRST + index) as Ipv4Address;
      const host = plug(name, address);
      const settings = { host: host.namespace, hostname: name, handles: host.namedNamespaces };
      const daemon = new Daemon(surroundings, settings, [CONTROL_WORK]);
      host.engine = daemon.engine;
      host.swarmNode = daemon.node;
      this.nodes.push({ name, address, host, daemon });
    }
    this.client = plug("client", CLIENT);
  }

  #start(container: Container, command: readonly string[], streams: Streams): Process {
    const namespace = container.namespace;
    if (namespace === undefined) throw new Error("a program in a container without a namespace");
    const host = new Host({ name: container.name, world: this.world, namespace, words: WORDS });
    const line = command.length === 0 ? "serve http 80" : command.join(" ");
    return host.spawn(command[0] ?? "serve", streams, (process) => runLine(process, host.context(), line));
  }

  get nowNs(): number {
    return this.world.simulation.nowNs;
  }

  at(number: number): DockerNode {
    return this.nodes[number - 1]!;
  }

  run(seconds: number): void {
    this.world.simulation.run(this.nowNs + Math.round(seconds * SECOND));
  }

  until(isSo: () => boolean, mostSeconds = 120): number {
    const fromNs = this.nowNs;
    if (!this.world.simulation.run(fromNs + mostSeconds * SECOND, isSo)) throw new Error(`not within ${mostSeconds} s`);
    return (this.nowNs - fromNs) / SECOND;
  }

  /** Managers 1 to `managers`, and workers after them. */
  cluster(managers = 1): this {
    this.#expect((done) => this.at(1).daemon.node.init({}, done));
    for (let number = 2; number <= this.nodes.length; number++) {
      const { joinTokens } = this.store.cluster!.rootCa;
      const token = number <= managers ? joinTokens.manager : joinTokens.worker;
      const remoteAddress = `${formatIpv4(this.at(1).address)}:2377`;
      this.#expect((done) => this.at(number).daemon.node.join({ remoteAddress, token }, done));
    }
    this.run(2);
    return this;
  }

  #expect(start: (done: (error: string | undefined) => void) => void): void {
    const said: string[] = [];
    start((error) => said.push(error ?? "ok"));
    if (said.length === 0) this.world.simulation.run(this.nowNs + 60 * SECOND, () => said.length > 0);
    if (said[0] !== "ok") throw new Error(said[0] ?? "no answer");
  }

  /** Of the leader of the highest term. */
  get store(): Store {
    const leaders = this.nodes.flatMap(({ daemon }) =>
      daemon.node.manager?.isReady === true ? [daemon.node.manager] : [],
    );
    const leader = leaders.sort((a, b) => (b.raft?.term ?? 0) - (a.raft?.term ?? 0))[0];
    if (leader?.store === undefined) throw new Error("no leader");
    return leader.store;
  }

  network(name: string, options: ReadonlyMap<string, string> = new Map()): string {
    const id = `network${String(this.#ids++).padStart(18, "0")}`;
    const spec = networkSpecShape.make({
      annotations: { name, labels: new Map() },
      driver: { name: "overlay", options },
      attachable: true,
    });
    this.store.update((tx) => void tx.create("network", networkShape.make({ id, spec })));
    return id;
  }

  service(spec: ServiceSpec): string {
    const id = `service${String(this.#ids++).padStart(18, "0")}`;
    this.store.update((tx) => void tx.create("service", serviceShape.make({ id, spec, specVersion: { index: 1 } })));
    return id;
  }

  running(serviceId: string): readonly Task[] {
    return this.store
      .tasksOfService(serviceId)
      .filter(({ status, desiredState }) => status.state === "running" && desiredState === "running");
  }

  containerOf(task: Task): Container {
    const node = this.nodes.find(({ daemon }) => daemon.node.nodeId === task.nodeId)!;
    return [...node.daemon.engine.containers.values()].find(({ spec }) => spec.service?.taskId === task.id)!;
  }

  /** Runs a line to its end; what it printed, and its status. */
  command(host: Host, line: string): { readonly text: string; readonly status: number | undefined } {
    const out = new TextBuffer();
    const process = host.spawn("sh", { stdout: out, stderr: out }, (own) => runLine(own, host.context(), line));
    this.world.simulation.run(this.nowNs + 120 * SECOND, () => !process.running);
    return { text: out.text, status: process.exitStatus };
  }

  inContainer(container: Container): Host {
    return new Host({ name: container.name, world: this.world, namespace: container.namespace!, words: WORDS });
  }
}

interface Streams {
  readonly stdout: TextSink;
  readonly stderr: TextSink;
}
