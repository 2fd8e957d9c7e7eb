/** Starts programs in containers: each container is a host of its own, whose names are asked where the engine says. */
import { Host, type Streams } from "../commands/host.ts";
import { WORDS } from "../commands/words.ts";
import type { Container } from "../docker/container/container.ts";
import type { ProgramStarter } from "../docker/program-starter.ts";
import { type Process, type Program, WaitQueue } from "../linux/process.ts";
import type { World } from "../linux/world.ts";
import { assert } from "../sim/assert.ts";
import { parseIpv4 } from "../wire/address.ts";
import { isOwnLine, plainName, programOf, type ServingHint } from "./image-programs.ts";

const NOT_FOUND = 127;
/** 128 and SIGTERM. */
const TERMINATED = 143;

export class ContainerPrograms implements ProgramStarter {
  readonly #world: World;
  /** A container that is started again has another namespace, and is another host. */
  readonly #hosts = new WeakMap<Container, Host>();

  /** By service: what its file says that it serves. */
  readonly #serving: ReadonlyMap<string, ServingHint>;

  constructor(world: World, serving: ReadonlyMap<string, ServingHint>) {
    this.#world = world;
    this.#serving = serving;
  }

  start(container: Container, streams: Streams): Process {
    const host = this.hostOf(container);
    const hint = this.#serving.get(container.spec.service?.name ?? "");
    const program = programOf(container, (word) => WORDS.has(word), hint);
    if (program === "idle") return host.spawn("idle", streams, idle);
    const [name = "", ...argv] = program;
    const word = WORDS.get(name);
    assert(word !== undefined, `an image's program ${name} is no word`);
    // What serves in place of an image's program says so in the container's log.
    if (name === "serve")
      for (let at = 0; at < argv.length; at += 2)
        streams.stdout.write(`serving ${argv[at]} on port ${argv[at + 1] ?? "of its own"}\n`);
    return host.spawn(name, streams, (process) => word.run(process, host.context(), argv));
  }

  run(container: Container, command: readonly string[], streams: Streams): Process {
    const host = this.hostOf(container);
    const name = plainName(command[0] ?? "");
    const word = WORDS.get(name);
    const isForeignCheck = command === container.spec.healthCheck?.command && !isOwnCheck(command);
    return host.spawn(name, streams, function* (process) {
      if (isForeignCheck) return 0;
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

/** Health checks by programs of the image, which is a name alone, find it healthy; those by words of ours are made. */
function isOwnCheck(command: readonly string[]): boolean {
  const [program = "", option, line = ""] = command;
  if (program !== "sh" || option !== "-c") return WORDS.has(plainName(program));
  return isOwnLine(line, (word) => WORDS.has(word));
}

function* idle(): Program {
  const never = new WaitQueue();
  while ((yield { queues: [never] }) !== "signal");
  return TERMINATED;
}
