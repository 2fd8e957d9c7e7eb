/** One node with an engine and a client outside, as in the recordings: node1 is 192.168.50.11, the client 192.168.50.100. Containers run shell lines. */
import { Host, TextBuffer } from "../../src/commands/host.ts";
import { runLine } from "../../src/commands/shell.ts";
import { WORDS } from "../../src/commands/words.ts";
import type { Container } from "../../src/docker/container/container.ts";
import type { ContainerSpec } from "../../src/docker/container-spec.ts";
import { Engine, type Release } from "../../src/docker/engine.ts";
import type { ProgramStarter } from "../../src/docker/program-starter.ts";
import { isRefusal } from "../../src/docker/refusal.ts";
import type { NetworkNamespace } from "../../src/linux/namespace.ts";
import { netfilterOf } from "../../src/linux/netfilter/attach.ts";
import { save } from "../../src/linux/netfilter/iptables-save.ts";
import type { Process } from "../../src/linux/process.ts";
import { World } from "../../src/linux/world.ts";
import { SECOND } from "../../src/sim/time.ts";
import { IPV4_ANY } from "../../src/wire/address.ts";
import { ip, net } from "../linux/two-hosts.ts";

/** Runs a container's command as a line of a shell; `deaf` runs on whatever signal it gets. */
export class ShellStarter implements ProgramStarter {
  readonly #world: World;
  readonly #hosts = new WeakMap<NetworkNamespace, Host>();

  constructor(world: World) {
    this.#world = world;
  }

  hostOf(container: Container): Host {
    const namespace = container.namespace!;
    let host = this.#hosts.get(namespace);
    if (host === undefined) {
      host = new Host({ name: container.hostname, world: this.#world, namespace, words: WORDS });
      host.resolvConf = container.resolver;
      this.#hosts.set(namespace, host);
    }
    return host;
  }

  start(container: Container, streams: Parameters<ProgramStarter["start"]>[1]): Process {
    return this.run(container, container.spec.command, streams);
  }

  run(container: Container, command: readonly string[], streams: Parameters<ProgramStarter["start"]>[1]): Process {
    const host = this.hostOf(container);
    if (command[0] === "deaf")
      return host.spawn("deaf", streams, function* () {
        for (;;) yield { queues: [] };
      });
    return host.spawn(command[0] ?? "sh", streams, (process) => runLine(process, host.context(), command.join(" ")));
  }
}

export class EngineLab {
  readonly world = new World({ seed: "engine" });
  readonly node: Host;
  readonly client: Host;
  readonly programs: ShellStarter;
  readonly engine: Engine;

  constructor(release: Release, settings: { readonly userlandProxy?: boolean } = {}) {
    const { world } = this;
    const node = world.createNamespace("node1");
    const client = world.createNamespace("client");
    const { a, b } = world.createLink("nic", { namespace: node, name: "eth0" }, { namespace: client, name: "eth0" });
    for (const [namespace, device, address] of [
      [node, a, "192.168.50.11/24"],
      [client, b, "192.168.50.100/24"],
    ] as const) {
      namespace.loopback.setUp(true);
      namespace.addAddress(device, net(address));
      device.setUp(true);
    }
    node.routes.add({ destination: { address: IPV4_ANY, length: 0 }, gateway: ip("192.168.50.100"), device: a });
    this.node = new Host({ name: "node1", world, namespace: node, words: WORDS });
    this.client = new Host({ name: "client", world, namespace: client, words: WORDS });
    this.programs = new ShellStarter(world);
    this.engine = new Engine({
      world,
      host: node,
      hostname: "node1",
      release,
      programs: this.programs,
      resolverConfiguration: { servers: [ip("192.168.50.100")], search: [], options: [] },
      ...settings,
    });
  }

  /** `docker run -d`. */
  start(name: string, command: string, spec: Partial<ContainerSpec> = {}): Container {
    const container = this.engine.createContainer({
      name,
      image: "bb",
      command: [command],
      hostname: name,
      networks: [],
      ...spec,
    });
    if (isRefusal(container)) throw new Error(container.message);
    const refusal = container.start();
    if (refusal !== undefined) throw new Error(refusal.message);
    return container;
  }

  bridge(name: string, settings: Partial<Parameters<Engine["createNetwork"]>[0]> = {}): string {
    const network = this.engine.createNetwork({ name, driver: "bridge", ...settings });
    if (isRefusal(network)) throw new Error(network.message);
    return `br-${network.id.slice(0, 12)}`;
  }

  /** Runs a command to its end. */
  on(where: Host | Container, line: string, limitNs = 60 * SECOND): { status: number | undefined; text: string } {
    const host = where instanceof Host ? where : this.programs.hostOf(where);
    const out = new TextBuffer();
    const process = host.spawn("sh", { stdout: out, stderr: out }, (self) => runLine(self, host.context(), line));
    const { simulation } = this.world;
    if (process.running) simulation.run(simulation.nowNs + limitNs, () => !process.running);
    return { status: process.exitStatus, text: out.text };
  }

  wait(delayNs: number): void {
    this.world.simulation.run(this.world.simulation.nowNs + delayNs);
  }
}

/** The rules and chains of some tables, without comments. */
export function savedRules(
  namespace: NetworkNamespace,
  tables: readonly ("filter" | "nat" | "mangle" | "raw")[],
): string[] {
  return tables.flatMap((table) =>
    save(netfilterOf(namespace), { counters: false, date: "", table })
      .split("\n")
      .filter((line) => line !== "" && !line.startsWith("#"))
      .map((line) => line.replace(/\[\d+:\d+\]/, "[0:0]")),
  );
}
