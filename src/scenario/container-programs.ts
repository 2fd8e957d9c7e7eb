/** Starts programs in containers: each container is a host of its own, whose names are asked where the engine says. */
import { Host, type Streams } from "../commands/host.ts";
import { WORDS } from "../commands/words.ts";
import type { Container } from "../docker/container/container.ts";
import type { ProgramStarter } from "../docker/program-starter.ts";
import { type Process, type Program, WaitQueue } from "../linux/process.ts";
import type { World } from "../linux/world.ts";
import { assert } from "../sim/assert.ts";
import { parseIpv4 } from "../wire/address.ts";
import { programOf } from "./image-programs.ts";

const NOT_FOUND = 127;
/** 128 and SIGTERM. */
const TERMINATED = 143;

export class ContainerPrograms implements ProgramStarter {
  readonly #world: World;
  /** A container that is started again has another namespace, and is another host. */
  readonly #hosts = new WeakMap<Container, Host>();

  constructor(world: World) {
    this.#world = world;
  }

  start(container: Container, streams: Streams): Process {
    const host = this.hostOf(container);
    const program = programOf(container, (word) => WORDS.has(word));
    if (program === "idle") return host.spawn("idle", streams, idle);
    const [name = "", ...argv] = program;
    const word = WORDS.get(name);
    assert(word !== undefined, `an image's program ${name} is no word`);
    // What serves in place of an image's program says so in the container's log.
    if (name === "serve") streams.stdout.write(`serving ${argv[0] ?? ""} on port ${argv[1] ?? "of its own"}\n`);
    return host.spawn(name, streams, (process) => word.run(process, host.context(), argv));
  }

  run(container: Container, command: readonly string[], streams: Streams): Process {
    const host = this.hostOf(container);
    const name = (command[0] ?? "").replace(/^(\/usr)?(\/local)?\/s?bin\//, "");
    const word = WORDS.get(name);
    return host.spawn(name, streams, function* (process) {
      if (word !== undefined) return yield* word.run(process, host.context(), command.slice(1));
      process.stderr.write(
        `OCI runtime exec failed: exec failed: unable to start container process: exec: "${command[0] ?? ""}": executable file not found in $PATH\n`,
      );
      return NOT_FOUND;
    });
  }

  /** The running container as its users see it. */
  hostOf(container: Container): Host {
    const { namespace } = container;
    assert(namespace !== undefined, "a program in a container without a namespace");
    let host = this.#hosts.get(container);
    if (host?.namespace !== namespace) {
      host = new Host({ name: container.hostname, world: this.#world, namespace, words: WORDS });
      for (const [name, value] of container.spec.environment ?? []) host.environment.set(name, value);
      host.followResolvConf(() => container.resolver);
      this.#hosts.set(container, host);
    }
    // Networks may have come and gone since the last program.
    host.hostsFile.clear();
    for (const { address, names } of container.hosts) {
      const parsed = parseIpv4(address);
      if (parsed !== undefined) for (const name of names) host.hostsFile.set(name, parsed);
    }
    return host;
  }
}

function* idle(): Program {
  const never = new WaitQueue();
  while ((yield { queues: [never] }) !== "signal");
  return TERMINATED;
}
