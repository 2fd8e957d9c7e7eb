/** What a container is made from: `docker run`'s and `docker service create`'s wishes, understood. */
import type { Nanoseconds } from "../sim/time.ts";
import type { Ipv4Address, MacAddress } from "../wire/address.ts";
import type { PortBinding, PortProtocol } from "./bridge/published-port.ts";

export interface NetworkAttachment {
  /** Identifier or name. `host` and `none` stand alone. */
  readonly network: string;
  readonly address?: Ipv4Address | undefined;
  readonly mac?: MacAddress | undefined;
  readonly aliases: readonly string[];
  /** Other names of the task's service in this network; those of `service` when absent. */
  readonly serviceAliases?: readonly string[] | undefined;
  readonly virtualAddress?: Ipv4Address | undefined;
  /** `--gw-priority`; default 0. */
  readonly gatewayPriority?: number | undefined;
}

/** The task that a container runs, for a container of the swarm. */
export interface ContainerService {
  readonly id: string;
  readonly name: string;
  readonly taskId: string;
  /** 0 for a global service's. */
  readonly slot: number;
  readonly nodeId: string;
  /** By network. */
  readonly virtualAddresses: ReadonlyMap<string, Ipv4Address>;
  readonly aliases: readonly string[];
  readonly ingressPorts: readonly {
    readonly protocol: PortProtocol;
    readonly targetPort: number;
    readonly publishedPort: number;
  }[];
  readonly taskAliases: readonly string[];
}

export interface HealthCheck {
  /** Run in the container by whoever knows programs; empty: no check (`NONE`). */
  readonly command: readonly string[];
  readonly intervalNs?: Nanoseconds | undefined;
  readonly timeoutNs?: Nanoseconds | undefined;
  readonly startPeriodNs?: Nanoseconds | undefined;
  readonly startIntervalNs?: Nanoseconds | undefined;
  readonly retries?: number | undefined;
}

export interface Mount {
  readonly type: "bind" | "volume" | "tmpfs";
  /** The volume's name or the host's path; undefined: an anonymous volume, a tmpfs. */
  readonly source: string | undefined;
  readonly target: string;
  readonly readOnly: boolean;
}

/** A secret or a config: a file in the container. */
export interface MountedFile {
  readonly id: string;
  readonly name: string;
  readonly target: string;
  readonly data: Uint8Array;
}

export interface RestartPolicy {
  readonly condition: "no" | "always" | "on-failure" | "unless-stopped";
  /** For on-failure; 0: without end. */
  readonly maximumRetries: number;
}

export interface ContainerSpec {
  /** Undefined: the engine draws one. */
  readonly name?: string | undefined;
  readonly image: string;
  /** Empty: what the image says. */
  readonly command: readonly string[];
  readonly environment?: ReadonlyMap<string, string> | undefined;
  /** Undefined: the first 12 of the container's identifier. */
  readonly hostname?: string | undefined;
  readonly labels?: ReadonlyMap<string, string> | undefined;
  /** Empty: docker0. */
  readonly networks: readonly NetworkAttachment[];
  readonly ports?: readonly PortBinding[] | undefined;
  /** Ports that the image or `--expose` names, which `docker ps` shows. */
  readonly exposedPorts?: readonly { readonly protocol: PortProtocol; readonly port: number }[] | undefined;
  readonly service?: ContainerService | undefined;
  readonly healthCheck?: HealthCheck | undefined;
  /** `SIGTERM` or a number; SIGTERM when absent. */
  readonly stopSignal?: string | undefined;
  /** 10 s when absent. */
  readonly stopGraceNs?: Nanoseconds | undefined;
  readonly dns?:
    | {
        readonly servers: readonly Ipv4Address[];
        readonly search: readonly string[];
        readonly options: readonly string[];
      }
    | undefined;
  /** `--add-host name:address`. */
  readonly extraHosts?: readonly (readonly [name: string, address: Ipv4Address])[] | undefined;
  readonly mounts?: readonly Mount[] | undefined;
  readonly secrets?: readonly MountedFile[] | undefined;
  readonly configs?: readonly MountedFile[] | undefined;
  readonly restart?: RestartPolicy | undefined;
  /** `--rm`. */
  readonly removeAtExit?: boolean | undefined;
}
