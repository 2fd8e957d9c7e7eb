/** An agent's executor on an engine: the node's description, its part in the swarm's networks, and a controller for each task. */
import type { ClusterNetworking } from "../../docker/cluster-networking.ts";
import type { ContainerLog } from "../../docker/container/log.ts";
import type { Engine } from "../../docker/engine.ts";
import type { NetworkKey } from "../../docker/overlay/network-key.ts";
import { isRefusal } from "../../docker/refusal.ts";
import type { Nanoseconds } from "../../sim/time.ts";
import { type Ipv4Address, parseIpv4 } from "../../wire/address.ts";
import { type EncryptionKey, type NodeDescription, nodeDescriptionShape, type Task } from "../api/objects.ts";
import { GOSSIP_SUBSYSTEM } from "../keys/key-manager.ts";
import type { Channel } from "../manager/channel.ts";
import { Attachments } from "./attachments.ts";
import { ContainerController } from "./container-controller.ts";
import type { Executor, NodeConfiguration } from "./executor.ts";
import { NodeNetworks } from "./node-networks.ts";
import { containerName } from "./task-container.ts";
import type { Controller } from "./task-manager.ts";
import type { Dependencies } from "./worker.ts";

/** What a machine has for tasks. */
export interface Machine {
  readonly nanoCpus: number;
  readonly memoryBytes: number;
  readonly engineVersion: string;
  /** Of the daemon, not of the node. */
  readonly labels: ReadonlyMap<string, string>;
}

/** Where the node is to be found; known when it has joined. */
export interface NodeAddresses {
  readonly advertiseAddress: Ipv4Address;
  readonly dataPathAddress: Ipv4Address | undefined;
  readonly listenAddress: Ipv4Address;
}

export interface EngineExecutorSettings {
  readonly engine: Engine;
  readonly networking: ClusterNetworking;
  readonly nodeId: string;
  readonly machine: Machine;
  readonly addresses: () => NodeAddresses;
  readonly gossipInClear: boolean;
  readonly pull: (image: string, task: Task) => Nanoseconds;
  /** To some manager, for one call; undefined: none is known. */
  readonly channel: () => Channel | undefined;
}

export class EngineExecutor implements Executor {
  readonly #settings: EngineExecutorSettings;
  readonly #networks: NodeNetworks;
  readonly #attachments: Attachments;
  #isPart = false;

  constructor(settings: EngineExecutorSettings) {
    const { engine, networking, channel } = settings;
    this.#settings = settings;
    this.#networks = new NodeNetworks(networking);
    this.#attachments = new Attachments({
      clock: engine.world.simulation,
      networks: this.#networks,
      here: (id) => networking.networks.get(id),
      channel,
    });
  }

  describe(): NodeDescription {
    const { engine, machine } = this.#settings;
    const { nanoCpus, memoryBytes, engineVersion, labels } = machine;
    return nodeDescriptionShape.make({
      hostname: engine.hostname,
      platform: { architecture: "x86_64", os: "linux" },
      resources: { nanoCpus, memoryBytes },
      engine: { engineVersion, labels, plugins: PLUGINS },
    });
  }

  configure({ node, managers, keys }: NodeConfiguration): void {
    const { networking, nodeId, addresses, gossipInClear } = this.#settings;
    const { advertiseAddress, dataPathAddress, listenAddress } = addresses();
    const bootstrap = managers.flatMap((manager) => {
      const address = parseIpv4(manager.slice(0, manager.lastIndexOf(":")));
      return address === undefined || address === advertiseAddress ? [] : [address];
    });
    if (this.#isPart) {
      networking.setBootstrap(bootstrap);
      networking.setKeys(keys.map(networkKeyOf));
    } else if (keys.length > 0) {
      this.#isPart = true;
      networking.start({
        nodeId,
        advertiseAddress,
        dataPathAddress,
        dataPathPort: node?.vxlanUdpPort,
        listenAddress,
        bootstrap,
        keys: keys.map(networkKeyOf),
        gossipInClear,
      });
    }
    if (this.#isPart && node !== undefined) this.#networks.setNode(node);
    networking.places = this.#attachments;
  }

  controllerFor(task: Task, dependencies: Dependencies): Controller {
    if (task.spec.attachment !== undefined) return this.#attachments.controllerFor(task);
    const { engine, networking, nodeId, pull } = this.#settings;
    const place = { nodeId, hostname: engine.hostname };
    return new ContainerController({
      engine,
      networking,
      networks: this.#networks,
      place,
      dependencies,
      pull,
      task,
    });
  }

  logOf(task: Task): ContainerLog | undefined {
    const container = this.#settings.engine.findContainer(containerName(task));
    return isRefusal(container) ? undefined : container.log;
  }

  leave(done: () => void): void {
    this.#end();
    this.#settings.networking.leave(done);
  }

  stop(): void {
    this.#end();
    this.#settings.networking.stop();
  }

  #end(): void {
    this.#isPart = false;
    this.#networks.clear();
    this.#attachments.stop();
    this.#settings.networking.places = undefined;
  }
}

/** What every engine brings with it. */
const PLUGINS = [
  ...["awslogs", "fluentd", "gcplogs", "gelf", "journald", "json-file", "local", "splunk", "syslog"].map((name) => ({
    type: "Log",
    name,
  })),
  ...["bridge", "host", "ipvlan", "macvlan", "null", "overlay"].map((name) => ({ type: "Network", name })),
  { type: "Volume", name: "local" },
];

function networkKeyOf({ subsystem, key, lamportTime }: EncryptionKey): NetworkKey {
  return { subsystem: subsystem === GOSSIP_SUBSYSTEM ? "gossip" : "ipsec", key, lamportTime };
}
