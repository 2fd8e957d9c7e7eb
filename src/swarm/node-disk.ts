/** What a node of the swarm keeps while dockerd does not run (/var/lib/docker/swarm): it outlives restarts, and goes when the node leaves. */
import type { Ipv4Address } from "../wire/address.ts";
import type { AgentDisk } from "./agent-settings.ts";
import type { Availability } from "./ca/ca-shapes.ts";
import type { KeyedCertificate } from "./ca/pki.ts";
import { ManagerDisk } from "./manager/manager-disk.ts";
import type { HostPort } from "./node-addresses.ts";
import type { Peer } from "./remotes.ts";

/** How the node became one (docker-state.json). */
export interface NodeConfig {
  readonly listen: HostPort;
  /** Undefined: the managers find out. */
  readonly advertise: HostPort | undefined;
  readonly dataPathAddress: Ipv4Address | undefined;
  /** The manager that was named to `docker swarm join`; undefined: the cluster began here. */
  readonly joinAddress: string | undefined;
  readonly availability: Availability;
}

export class NodeDisk {
  config: NodeConfig | undefined;
  /** The root certificate in PEM. */
  root: Uint8Array | undefined;
  certificate: KeyedCertificate | undefined;
  /** With which the manager's keys are encrypted; undefined: they are not. */
  lockKey: Uint8Array | undefined;
  remotes: readonly Peer[] = [];
  readonly manager = new ManagerDisk();
  readonly agent: AgentDisk = { tasks: new Map() };

  get isEmpty(): boolean {
    return this.config === undefined;
  }

  clear(): void {
    this.config = undefined;
    this.root = undefined;
    this.certificate = undefined;
    this.lockKey = undefined;
    this.remotes = [];
    this.manager.clear();
    this.agent.tasks.clear();
  }
}
