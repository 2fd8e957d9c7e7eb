/** What an engine is made with, what it is asked for, whom it tells, and what it needs of swarm mode: the shapes around engine.ts. */
import type { NetworkNamespace } from "../linux/namespace.ts";
import type { World } from "../linux/world.ts";
import type { Ipv4Address } from "../wire/address.ts";
import type { Container } from "./container/container.ts";
import type { Network, NetworkSubnet } from "./network.ts";
import type { ProgramStarter } from "./program-starter.ts";
import type { Refusal } from "./refusal.ts";
import type { ResolvConf } from "./resolver/resolv-conf.ts";
import type { SandboxResolver } from "./sandbox.ts";

export type Release = "current" | "20.10";

export interface EngineSettings {
  readonly world: World;
  /** The node's own namespace. */
  readonly host: NetworkNamespace;
  readonly hostname: string;
  readonly release: Release;
  readonly programs: ProgramStarter;
  /** Default true, as the engine's. */
  readonly userlandProxy?: boolean | undefined;
  /** What a container's namespace is called in the world, where all names are different; `node1/web.1.abc` when absent. */
  readonly namespaceName?: ((container: { readonly id: string; readonly name: string }) => string) | undefined;
  /** The host's /etc/resolv.conf. */
  readonly resolverConfiguration?: ResolvConf | undefined;
  /**
   * Whether interfaces tell their addresses when they come into a container; as the release has it when absent. Every one is heard by all
   * containers of the network on this node: a world of very many may do without.
   */
  readonly announcesAddresses?: boolean | undefined;
  /** Answers at 127.0.0.11; the engine's own when absent. */
  readonly resolver?: SandboxResolver | undefined;
}

/** `docker network create`, for networks of this engine alone. */
export interface NetworkRequest {
  readonly name: string;
  readonly driver: "bridge";
  readonly internal?: boolean | undefined;
  readonly attachable?: boolean | undefined;
  readonly options?: ReadonlyMap<string, string> | undefined;
  readonly labels?: ReadonlyMap<string, string> | undefined;
  /** Undefined: a predefined one. */
  readonly subnet?: Omit<NetworkSubnet, "vni"> | undefined;
}

/** Told what happens, after it has happened: to a container's state, health or networks; to networks. */
export interface EngineListener {
  containerChanged?(container: Container): void;
  containerRemoved?(container: Container): void;
  networkChanged?(network: Network, change: "created" | "removed"): void;
}

/** A container's place in a network of the swarm: the manager gives it, and it goes back when the container ends. */
export interface Place {
  readonly attachmentId: string;
  readonly network: Network;
  readonly address: Ipv4Address;
}
export interface Places {
  /** `network`: a name or an identifier. `answer` comes once, later. */
  request(
    request: { readonly network: string; readonly containerId: string; readonly address: Ipv4Address | undefined },
    answer: (answer: Place | Refusal) => void,
  ): void;
  release(attachmentId: string): void;
}

/** Swarm mode, as far as the engine itself has to do with it (cluster-networking.ts). */
export interface ClusterPart {
  /** The swarm's networks that are on this node. */
  readonly networks: ReadonlyMap<string, Network>;
  /** Who gives containers places in the swarm's networks; undefined: nobody. */
  readonly places: Places | undefined;
}
