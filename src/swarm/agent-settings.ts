/**
 * What a node gives its agent, and what it asks of it (swarmkit node/node.go and agent/config.go). The agent itself is src/swarm/agent; the node makes one
 * when it has a certificate, and keeps it through promotions and demotions.
 */
import type { NetworkNamespace } from "../linux/namespace.ts";
import type { Random } from "../sim/random.ts";
import type { Clock } from "../sim/simulation.ts";
import type { Ipv4Address } from "../wire/address.ts";
import type { Node } from "./api/objects.ts";
import type { Channel } from "./manager/channel.ts";
import type { Peer, Remotes } from "./remotes.ts";

/** A way to some manager. */
export interface ManagerConnection {
  readonly channel: Channel;
  /** Undefined: the node's own manager, over the local socket. */
  readonly peer: Peer | undefined;
  /** Says how it went, so that good managers are chosen more often, and closes the channel. */
  close(success: boolean): void;
}

/** What the node says of itself to the others. */
export interface NodeAddresses {
  /** Where the others reach it: as the user said, else the address from which it talks to the managers. */
  readonly advertise: Ipv4Address;
  /** Of the VXLAN endpoint; undefined: the advertised one. */
  readonly dataPath: Ipv4Address | undefined;
  readonly listen: Ipv4Address;
}

export interface AgentSettings {
  readonly clock: Clock;
  readonly random: Random;
  /** The host's. */
  readonly namespace: NetworkNamespace;
  readonly hostname: string;
  readonly nodeId: string;
  readonly clusterId: string;
  /** The managers known; the agent replaces the list by what its session brings. */
  readonly remotes: Remotes;
  readonly addresses: NodeAddresses;
  /** The node's own manager if it has one that answers, else one of the remotes. Undefined: none is known. */
  connect(): ManagerConnection | undefined;
  /** What the agent remembers over a restart (swarmkit's tasks.db); it may write to it at any time. */
  readonly disk: AgentDisk;
  /** The session has brought this node's object: it says which role is wanted, and whether the certificate is to be renewed. */
  nodeChanged(node: Node): void;
  /** The session has brought a root certificate in PEM. */
  rootCertificateChanged(certificate: Uint8Array): void;
  /** The first session stands: `docker swarm join` has succeeded. */
  ready(): void;
}

export interface AgentDisk {
  /** By task id: what the agent knows of the tasks assigned to it. */
  readonly tasks: Map<string, Uint8Array>;
}

export interface Agent {
  start(): void;
  /** Shuts the tasks down in good order, for a node that leaves. */
  leave(done: () => void): void;
  /** The power is off, or dockerd has been killed: nothing more is sent. */
  stop(): void;
}

export type AgentFactory = (settings: AgentSettings) => Agent;
