/**
 * dockerd on one machine: an engine, what swarm mode adds to its networks, and the machine's part in a cluster. This is where the floors of Docker meet;
 * words and scenarios talk to it.
 */
import { ClusterNetworking } from "../docker/cluster-networking.ts";
import { Engine, type Release } from "../docker/engine.ts";
import type { ProgramStarter } from "../docker/program-starter.ts";
import type { NetworkNamespace } from "../linux/namespace.ts";
import type { World } from "../linux/world.ts";
import { assert } from "../sim/assert.ts";
import { type Nanoseconds, SECOND } from "../sim/time.ts";
import { IPV4_ANY } from "../wire/address.ts";
import { NodeAgent } from "./agent/agent.ts";
import { EngineExecutor, type Machine, type NodeAddresses } from "./agent/engine-executor.ts";
import type { Task } from "./api/objects.ts";
import type { Pki } from "./ca/pki.ts";
import { DISPATCHER_WORK } from "./dispatcher/dispatcher.ts";
import { LOG_BROKER_WORK } from "./dispatcher/log-broker.ts";
import { RESOURCE_ALLOCATOR_WORK } from "./dispatcher/resource-allocator.ts";
import { LEADER_COMPONENTS } from "./leader-components.ts";
import type { LeaderWork } from "./manager/leader-work.ts";
import { localAddressTo, parseHostPort } from "./node-addresses.ts";
import type { SecurityOf } from "./node-security.ts";
import { SwarmNode } from "./swarm-node.ts";

const GIBIBYTE = 1024 ** 3;

/** What the daemons of one world have in common. */
export interface DaemonSurroundings {
  readonly world: World;
  readonly pki: Pki;
  readonly security: SecurityOf;
  readonly release: Release;
  readonly programs: ProgramStarter;
  /** Undefined: as Docker has it. */
  readonly userlandProxy?: boolean | undefined;
  /** Gossip is written so that people can read it. */
  readonly gossipInClear: boolean;
  /** How long an image takes to come to a node. */
  readonly pullNs: Nanoseconds;
  /** How long a task takes on a machine before its container is made, beside the image's way; 0 when absent. */
  readonly preparationNs?: ((task: Task) => Nanoseconds) | undefined;
}

export interface DaemonSettings {
  readonly host: NetworkNamespace;
  readonly hostname: string;
  /** The machine's named namespaces. */
  readonly handles: Map<string, NetworkNamespace>;
  readonly machine?: Partial<Machine> | undefined;
  /** The machine's clock is off by so much. */
  readonly clockOffsetSeconds?: number | undefined;
}

/** The leader's components that every daemon brings; others may come with further services. */
const WORK: readonly LeaderWork[] = [DISPATCHER_WORK, RESOURCE_ALLOCATOR_WORK, LOG_BROKER_WORK, ...LEADER_COMPONENTS];

export class Daemon {
  readonly engine: Engine;
  readonly networking: ClusterNetworking;
  readonly node: SwarmNode;
  readonly #host: NetworkNamespace;
  readonly #images = new Set<string>();
  readonly #pullNs: Nanoseconds;
  #hasPower = true;

  constructor(surroundings: DaemonSurroundings, settings: DaemonSettings, work: readonly LeaderWork[] = []) {
    const { world, pki, security, release, programs, userlandProxy, gossipInClear } = surroundings;
    const { host, hostname, handles, machine } = settings;
    this.#host = host;
    this.#pullNs = surroundings.pullNs;
    this.engine = new Engine({ world, host, hostname, release, programs, userlandProxy });
    this.networking = new ClusterNetworking({ engine: this.engine, handles });
    const full: Machine = {
      nanoCpus: 4e9,
      memoryBytes: 8 * GIBIBYTE,
      engineVersion: release === "current" ? "28.2.2" : "20.10.24",
      labels: new Map(),
      ...machine,
    };
    this.node = new SwarmNode({
      namespace: host,
      hostname,
      random: world.random.fork(`swarm ${hostname}`),
      pki,
      security,
      nowSeconds: () => Math.floor(world.simulation.nowNs / SECOND) + (settings.clockOffsetSeconds ?? 0),
      agent: (agent) =>
        new NodeAgent(
          agent,
          new EngineExecutor({
            engine: this.engine,
            networking: this.networking,
            nodeId: agent.nodeId,
            machine: full,
            addresses: () => this.#addresses(),
            gossipInClear,
            pull: (image, task) => this.#pull(image) + (surroundings.preparationNs?.(task) ?? 0),
            channel: () => {
              const connection = agent.connect();
              if (connection === undefined) return undefined;
              const { channel } = connection;
              return {
                unary: channel.unary.bind(channel),
                stream: channel.stream.bind(channel),
                close: () => connection.close(true),
              };
            },
          }),
        ),
      work: [...WORK, ...work],
      left: () => undefined,
    });
  }

  get hasPower(): boolean {
    return this.#hasPower;
  }

  /** The machine loses its power: nothing more is sent, and what was in memory is gone. */
  cutPower(): void {
    this.#hasPower = false;
    // First of all: what the rest of this takes down would say goodbye.
    for (const device of this.#host.devices) if (device.kind === "nic") device.setUp(false);
    this.node.powerOff();
    this.engine.cutPower();
  }

  /** And has it again: the disk is as it was. */
  restorePower(): void {
    this.#hasPower = true;
    for (const device of this.#host.devices) if (device.kind === "nic") device.setUp(true);
    this.engine.start();
    this.node.restart();
  }

  /** `systemctl stop docker`: containers of the swarm end with it. */
  stop(): void {
    this.engine.shutdown();
    this.node.powerOff();
  }

  /** `systemctl start docker` */
  start(): void {
    this.engine.start();
    this.node.restart();
  }

  #addresses(): NodeAddresses {
    const config = this.node.config;
    assert(config !== undefined, "an agent runs on a node that is no part of a swarm");
    const { advertise, listen, dataPathAddress, joinAddress } = config;
    const remote = parseHostPort(joinAddress ?? "")?.address;
    const own = remote === undefined ? undefined : localAddressTo(this.#host, remote);
    return { advertiseAddress: advertise?.address ?? own ?? IPV4_ANY, dataPathAddress, listenAddress: listen.address };
  }

  /** An image that has come stays. */
  #pull(image: string): Nanoseconds {
    if (this.#images.has(image)) return 0;
    this.#images.add(image);
    return this.#pullNs;
  }
}
