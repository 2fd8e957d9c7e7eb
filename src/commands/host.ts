/**
 * A machine as its user sees it: a namespace to live in, named namespaces beside it (/var/run/netns), a hosts file, a resolver, the words that
 * are installed, and processes.
 */
import type { Engine } from "../docker/engine.ts";
import { EMPTY_RESOLV_CONF, type ResolvConf } from "../docker/resolver/resolv-conf.ts";
import type { NetworkNamespace } from "../linux/namespace.ts";
import { Process, type Program, type TextSink, type Wait, type Wake } from "../linux/process.ts";
import type { World } from "../linux/world.ts";
import type { SwarmNode } from "../swarm/swarm-node.ts";
import type { Ipv4Address } from "../wire/address.ts";
import { resolveAddresses } from "./stub-resolver.ts";
import type { CommandContext, Word } from "./word.ts";

/** Asks name servers; the addresses in the order in which to try them; empty when the name is not known. */
export type Resolver = (process: Process, name: string) => Generator<Wait, readonly Ipv4Address[], Wake>;

export interface HostSettings {
  readonly name: string;
  readonly world: World;
  readonly namespace: NetworkNamespace;
  readonly words: ReadonlyMap<string, Word>;
  /** Shared by all hosts that are namespaces of one machine; its own when absent. */
  readonly namedNamespaces?: Map<string, NetworkNamespace>;
}

/** Where a command's text goes. */
export interface Streams {
  readonly stdout: TextSink;
  readonly stderr: TextSink;
}

export class Host {
  readonly name: string;
  readonly world: World;
  readonly namespace: NetworkNamespace;
  readonly words: ReadonlyMap<string, Word>;
  readonly namedNamespaces: Map<string, NetworkNamespace>;
  /** /etc/hosts. */
  readonly hostsFile = new Map<string, Ipv4Address>();
  readonly environment = new Map<string, string>();
  /** What asks them: glibc's resolver over the host's own sockets. */
  resolver: Resolver;
  /** The engine that the word `docker` speaks with; a plain machine has none. */
  engine: Engine | undefined = undefined;
  /** The machine's part in a swarm; undefined where there is no engine. */
  swarmNode: SwarmNode | undefined = undefined;
  /** Files that words read, by their path; one that does not begin with a slash lies where the user is. */
  readonly files = new Map<string, string>();
  #readResolvConf: () => ResolvConf = () => EMPTY_RESOLV_CONF;
  readonly #processes = new Map<number, Process>();
  #nextPid = 1;

  constructor(settings: HostSettings) {
    this.name = settings.name;
    this.world = settings.world;
    this.namespace = settings.namespace;
    this.words = settings.words;
    this.namedNamespaces = settings.namedNamespaces ?? new Map();
    this.environment.set("HOSTNAME", settings.name);
    this.resolver = (process, name) => {
      const { namespace, resolvConf } = this;
      return resolveAddresses(process, { namespace, configuration: resolvConf }, name);
    };
    this.hostsFile.set("localhost", 0x7f00_0001 as Ipv4Address);
  }

  /** /etc/resolv.conf: whom the words of this host ask for names. */
  get resolvConf(): ResolvConf {
    return this.#readResolvConf();
  }
  set resolvConf(configuration: ResolvConf) {
    this.#readResolvConf = () => configuration;
  }

  /** Somebody else writes /etc/resolv.conf: a container's engine. */
  followResolvConf(read: () => ResolvConf): void {
    this.#readResolvConf = read;
  }

  /** Those that run, by number. */
  get processes(): ReadonlyMap<number, Process> {
    return this.#processes;
  }

  /** A context for a command of this host: its own namespace, a copy of its environment. */
  context(): CommandContext {
    return { host: this, namespace: this.namespace, environment: new Map(this.environment), stdin: "" };
  }

  /** Starts a program; it has run until its first wait when this returns. */
  spawn(name: string, streams: Streams, program: (process: Process) => Program): Process {
    const pid = this.#nextPid++;
    const process = new Process({
      pid,
      name,
      clock: this.world.simulation,
      random: this.world.random.fork(`host ${this.name} process ${pid}`),
      stdout: streams.stdout,
      stderr: streams.stderr,
    });
    this.#processes.set(pid, process);
    process.atExit(() => this.#processes.delete(pid));
    process.start(program(process));
    return process;
  }
}

/** Collects text. */
export class TextBuffer implements TextSink {
  text = "";

  write(text: string): void {
    this.text += text;
  }
}

/** /dev/null. */
export const NOWHERE: TextSink = { write: () => undefined };

/**
 * An address, or a name of the hosts file or of the resolver; undefined when nobody knows it. What getaddrinfo(3) does for
 * IPv4.
 */
export function* lookUp(
  process: Process,
  host: Host,
  name: string,
  parse: (text: string) => Ipv4Address | undefined,
): Generator<Wait, Ipv4Address | undefined, Wake> {
  const literal = parse(name);
  if (literal !== undefined) return literal;
  const listed = host.hostsFile.get(name);
  if (listed !== undefined) return listed;
  const addresses = yield* host.resolver(process, name);
  return addresses[0];
}
