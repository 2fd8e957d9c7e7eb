/**
 * The lab of the recordings: machines 192.168.50.11 and on with dockerd 20.10 on them behind one bridge, and a client at .100, which is also their way out and
 * their name server, though none answers there. Containers run the recorded image's programs.
 */
import { Host, type Streams } from "../../../commands/host.ts";
import { runLine } from "../../../commands/shell.ts";
import type { Word } from "../../../commands/word.ts";
import type { Container } from "../../../docker/container/container.ts";
import type { ProgramStarter } from "../../../docker/program-starter.ts";
import { type Bridge, createBridge } from "../../../linux/bridge.ts";
import type { NetworkNamespace } from "../../../linux/namespace.ts";
import type { NetDevice } from "../../../linux/net-device.ts";
import type { Process } from "../../../linux/process.ts";
import { World } from "../../../linux/world.ts";
import { assert } from "../../../sim/assert.ts";
import { MICROSECOND, type Nanoseconds, SECOND } from "../../../sim/time.ts";
import type { Task } from "../../../swarm/api/objects.ts";
import { x509Pki } from "../../../swarm/ca/x509-pki.ts";
import { CONTROL_WORK } from "../../../swarm/control/control-api.ts";
import { Daemon } from "../../../swarm/daemon.ts";
import { sealedSecurity } from "../../../swarm/sealed-security.ts";
import { IPV4_ANY, type Ipv4Address, type MacAddress, parseIpv4, parseMac } from "../../../wire/address.ts";
import { BUSYBOX_WORDS, resolve } from "./busybox.ts";

const CLIENT = parseIpv4("192.168.50.100") as Ipv4Address;
const CLIENT_MAC = parseMac("ca:36:c1:2e:7e:86") as MacAddress;
const FIRST_NODE = parseIpv4("192.168.50.11") as Ipv4Address;
const FIRST_MAC = parseMac("52:54:00:50:00:11") as MacAddress;
const PREFIX_LENGTH = 24;
const CABLE_DELAY_NS: Nanoseconds = 200 * MICROSECOND;

export interface LabNode {
  readonly name: string;
  readonly host: Host;
  readonly daemon: Daemon;
  readonly address: Ipv4Address;
  /** The bridge's end of the machine's cable. */
  readonly plug: NetDevice;
}

export interface LabSettings {
  readonly seed: string;
  readonly nodes: number;
  readonly words: ReadonlyMap<string, Word>;
  /** At the start of the run, since 1970. */
  readonly startSeconds: number;
  /** How long a machine takes to make a task's container ready. */
  readonly preparationNs: (node: string, task: Task) => Nanoseconds;
}

export class RecordedLab {
  readonly world: World;
  readonly client: Host;
  readonly nodes = new Map<string, LabNode>();
  readonly #underlay: NetworkNamespace;
  readonly #bridge: Bridge;
  readonly #words: ReadonlyMap<string, Word>;
  readonly #containers = new WeakMap<Container, Host>();

  constructor(settings: LabSettings) {
    this.world = new World({ seed: settings.seed });
    this.#words = settings.words;
    this.#underlay = this.world.createNamespace("underlay");
    this.#bridge = createBridge(this.#underlay, { name: "br-underlay", mtu: 1_500 });
    this.#bridge.device.setUp(true);
    this.client = this.#plug("client", CLIENT, CLIENT_MAC).host;
    this.client.namespace.sysctl.set("net.ipv4.ip_forward", "1");
    for (let index = 0; index < settings.nodes; index++) this.#addNode(index, settings);
  }

  /** `client`, or a node's name. */
  host(name: string): Host | undefined {
    return name === this.client.name ? this.client : this.nodes.get(name)?.host;
  }

  /** The cable's port is taken out of the underlay's bridge, or put back; the machine keeps its carrier. */
  setCut(node: LabNode, isCut: boolean): void {
    const port = this.#bridge.ports.find(({ device }) => device === node.plug);
    if (isCut && port !== undefined) this.#bridge.removePort(node.plug);
    if (!isCut && port === undefined) this.#bridge.addPort(node.plug);
  }

  hostOf(container: Container): Host {
    const { namespace } = container;
    assert(namespace !== undefined, "a program in a container without a namespace");
    let host = this.#containers.get(container);
    if (host?.namespace !== namespace) {
      const words = new Map(this.#words);
      for (const word of BUSYBOX_WORDS) words.set(word.name, word);
      host = new Host({ name: container.hostname, world: this.world, namespace, words });
      const own = host;
      own.followResolvConf(() => container.resolver);
      own.resolver = (process, name) => resolve(process, own, name);
      this.#containers.set(container, host);
    }
    host.hostsFile.clear();
    for (const { address, names } of container.hosts) {
      const parsed = parseIpv4(address);
      if (parsed !== undefined) for (const name of names) host.hostsFile.set(name, parsed);
    }
    return host;
  }

  #addNode(index: number, settings: LabSettings): void {
    const name = `node${index + 1}`;
    const address = (FIRST_NODE + index) as Ipv4Address;
    const { host, plug } = this.#plug(name, address, (FIRST_MAC + index) as MacAddress);
    host.namespace.routes.add({
      destination: { address: IPV4_ANY, length: 0 },
      gateway: CLIENT,
      device: host.namespace.device("eth0")!,
    });
    const resolvConf = { servers: [CLIENT], search: [], options: [] };
    host.resolvConf = resolvConf;
    const daemon = new Daemon(
      {
        world: this.world,
        pki: x509Pki(settings.startSeconds),
        security: sealedSecurity({
          random: this.world.random.fork(`tls ${name}`),
          nowSeconds: () => settings.startSeconds + Math.floor(this.world.simulation.nowNs / SECOND),
        }),
        release: "20.10",
        programs: this.#programs(),
        gossipInClear: false,
        pullNs: 0,
        preparationNs: (task) => settings.preparationNs(name, task),
      },
      { host: host.namespace, hostname: name, handles: host.namedNamespaces },
      [CONTROL_WORK],
    );
    daemon.engine.resolverConfiguration = resolvConf;
    host.engine = daemon.engine;
    host.swarmNode = daemon.node;
    this.nodes.set(name, { name, host, daemon, address, plug });
  }

  #plug(name: string, address: Ipv4Address, mac: MacAddress): { host: Host; plug: NetDevice } {
    const namespace = this.world.createNamespace(name);
    const link = this.world.createLink(
      "nic",
      { namespace, name: "eth0", address: mac },
      { namespace: this.#underlay, name: `tap-${name}` },
    );
    for (const end of [link.aToB, link.bToA]) end.settings = { ...end.settings, delayNs: CABLE_DELAY_NS };
    this.#bridge.addPort(link.b);
    link.b.setUp(true);
    link.a.setUp(true);
    namespace.loopback.setUp(true);
    namespace.addAddress(link.a, { address, length: PREFIX_LENGTH });
    return { host: new Host({ name, world: this.world, namespace, words: this.#words }), plug: link.b };
  }

  #programs(): ProgramStarter {
    const spawn = (container: Container, command: readonly string[], streams: Streams): Process => {
      const host = this.hostOf(container);
      return host.spawn(command[0] ?? "sh", streams, (process) => runLine(process, host.context(), quoted(command)));
    };
    return {
      start: (container, streams) => spawn(container, container.spec.command, streams),
      run: spawn,
    };
  }
}

function quoted(command: readonly string[]): string {
  return command.map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(" ");
}
