/** Machines with an engine each: what tests of the word `docker` type into. Containers run this project's own words. */
import { Host, TextBuffer } from "../../../src/commands/host.ts";
import { runLine } from "../../../src/commands/shell.ts";
import { WORDS } from "../../../src/commands/words.ts";
import type { Container } from "../../../src/docker/container/container.ts";
import { Engine } from "../../../src/docker/engine.ts";
import type { ProgramStarter } from "../../../src/docker/program-starter.ts";
import type { Process, TextSink } from "../../../src/linux/process.ts";
import { World } from "../../../src/linux/world.ts";
import { SECOND } from "../../../src/sim/time.ts";
import { parseIpv4 } from "../../../src/wire/address.ts";

interface Streams {
  readonly stdout: TextSink;
  readonly stderr: TextSink;
}

/** Starts words in containers: each container is a host of its own. */
class Programs implements ProgramStarter {
  readonly #world: World;
  readonly #hosts = new WeakMap<object, Host>();

  constructor(world: World) {
    this.#world = world;
  }

  start(container: Container, streams: Streams): Process {
    const { command } = container.spec;
    return this.run(container, command.length > 0 ? command : ["sleep", "100000"], streams);
  }

  run(container: Container, command: readonly string[], streams: Streams): Process {
    const host = this.#hostOf(container);
    return host.spawn(command[0] ?? "sh", streams, function* (process) {
      const word = WORDS.get(command[0] ?? "");
      if (word === undefined) {
        process.stderr.write(`${command[0]}: not found\n`);
        return 127;
      }
      return yield* word.run(process, host.context(), command.slice(1));
    });
  }

  #hostOf(container: Container): Host {
    const namespace = container.namespace!;
    let host = this.#hosts.get(namespace);
    if (host === undefined) {
      host = new Host({ name: container.hostname, world: this.#world, namespace, words: WORDS });
      for (const [name, value] of container.spec.environment ?? []) host.environment.set(name, value);
      for (const { address, names } of container.hosts)
        for (const name of names) host.hostsFile.set(name, parseIpv4(address) ?? parseIpv4("127.0.0.1")!);
      host.followResolvConf(() => container.resolver);
      this.#hosts.set(namespace, host);
    }
    return host;
  }
}

export class EngineLab {
  readonly world: World;
  readonly host: Host;
  readonly engine: Engine;

  constructor(release: "current" | "20.10" = "current", seed = "engine lab") {
    this.world = new World({ seed });
    const namespace = this.world.createNamespace("node1");
    namespace.loopback.setUp(true);
    this.host = new Host({ name: "node1", world: this.world, namespace, words: WORDS });
    this.engine = new Engine({
      world: this.world,
      host: namespace,
      hostname: "node1",
      release,
      programs: new Programs(this.world),
    });
    this.host.engine = this.engine;
    this.pass(2);
  }

  pass(seconds: number): void {
    this.world.simulation.run(this.world.simulation.nowNs + Math.round(seconds * SECOND));
  }

  start(line: string) {
    const stdout = new TextBuffer();
    const stderr = new TextBuffer();
    const process = this.host.spawn("bash", { stdout, stderr }, (self) => runLine(self, this.host.context(), line));
    return { process, stdout, stderr };
  }

  /** Types a line and lets up to `seconds` go by until it has ended. */
  run(line: string, seconds = 60): { status: number | undefined; stdout: string; stderr: string } {
    const { process, stdout, stderr } = this.start(line);
    for (let passed = 0; process.running && passed < seconds; passed += 0.25) this.pass(0.25);
    return { status: process.exitStatus, stdout: stdout.text, stderr: stderr.text };
  }
}
