/** Makes an engine's bridge networks: options read, a subnet found that nobody has, the bridge and its rules set up; docker0 and docker_gwbridge as the engine has them. */
import type { Random } from "../../sim/random.ts";
import { formatPrefix, networkOf, type Prefix } from "../../wire/address.ts";
import type { NetworkRequest } from "../engine-settings.ts";
import { drawIdentifier } from "../identifiers.ts";
import { LOCAL_POOLS, POOL_OVERLAPS, POOLS_USED_UP, SubnetPools } from "../ipam/subnet-pools.ts";
import { isRefusal, type Refusal, refuse } from "../refusal.ts";
import type { ResolvConf } from "../resolver/resolv-conf.ts";
import { type BridgeHost, BridgeNetwork } from "./bridge-network.ts";
import {
  BRIDGE_NAME,
  DEFAULT_BRIDGE,
  ENABLE_ICC,
  ENABLE_MASQUERADE,
  HOST_BINDING,
  MTU,
  readBridgeSettings,
} from "./settings.ts";

/** The default network. */
export const DOCKER0: NetworkRequest = {
  name: "bridge",
  driver: "bridge",
  options: new Map([
    [DEFAULT_BRIDGE, "true"],
    [ENABLE_ICC, "true"],
    [ENABLE_MASQUERADE, "true"],
    [HOST_BINDING, "0.0.0.0"],
    [BRIDGE_NAME, "docker0"],
    [MTU, "1500"],
  ]),
};

/** The way out of containers whose networks have none. */
export const DOCKER_GWBRIDGE: NetworkRequest = {
  name: "docker_gwbridge",
  driver: "bridge",
  options: new Map([
    [ENABLE_ICC, "false"],
    [ENABLE_MASQUERADE, "true"],
    [BRIDGE_NAME, "docker_gwbridge"],
  ]),
};

export interface BridgeMakerHost extends BridgeHost {
  readonly random: Random;
  readonly resolverConfiguration: ResolvConf;
}

const NO_TEXTS: ReadonlyMap<string, string> = new Map();

export class BridgeMaker {
  readonly #host: BridgeMakerHost;
  readonly #pools = new SubnetPools(LOCAL_POOLS);

  constructor(host: BridgeMakerHost) {
    this.#host = host;
  }

  /** The network with its bridge and its rules, or why there is none. */
  make(request: NetworkRequest): BridgeNetwork | Refusal {
    const id = drawIdentifier(this.#host.random);
    const options = request.options ?? NO_TEXTS;
    const bridge = readBridgeSettings(id, options);
    if (isRefusal(bridge)) return bridge;
    const subnet = this.#takeSubnet(request.subnet?.subnet);
    if (isRefusal(subnet)) return subnet;
    const network = BridgeNetwork.make(this.#host, {
      id,
      name: request.name,
      internal: request.internal ?? false,
      attachable: request.attachable ?? false,
      options,
      labels: request.labels ?? NO_TEXTS,
      subnet,
      gateway: request.subnet?.gateway,
      range: request.subnet?.range,
      auxiliary: request.subnet?.auxiliary,
      createdNs: this.#host.world.simulation.nowNs,
      random: this.#host.random.fork(`network ${id}`),
      bridge,
    });
    const refusal = isRefusal(network) ? network : network.setUp();
    if (refusal !== undefined) {
      this.#pools.release(subnet);
      return refusal;
    }
    return network;
  }

  /** Ends a network that nobody is in: its bridge, its rules, its subnet. */
  unmake(network: BridgeNetwork): void {
    network.tearDown();
    for (const { subnet } of network.subnets) this.#pools.release(subnet);
  }

  #takeSubnet(wanted: Prefix | undefined): Prefix | Refusal {
    if (wanted === undefined) {
      const onLink = this.#host.host.routes
        .list()
        .filter(({ destination, type }) => type === "unicast" && destination.length > 0);
      const servers = this.#host.resolverConfiguration.servers.map((address) => ({ address, length: 32 }));
      return (
        this.#pools.choose([...onLink.map(({ destination }) => destination), ...servers]) ??
        refuse("invalid", POOLS_USED_UP)
      );
    }
    if (networkOf(wanted) !== wanted.address)
      return refuse(
        "invalid",
        `invalid subnet ${formatPrefix(wanted)}: it should be ${formatPrefix({ ...wanted, address: networkOf(wanted) })}`,
      );
    if (this.#pools.claim(wanted)) return wanted;
    const prefix = this.#host.release === "current" ? "invalid pool request: " : "";
    return refuse("forbidden", `${prefix}${POOL_OVERLAPS}`);
  }
}
