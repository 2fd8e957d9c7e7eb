/**
 * What dockerd's cluster component does on one node (moby daemon/cluster: swarm.go, noderunner.go, errors.go): init, join, leave, unlock, restarts; and what it
 * answers when the node is no manager. All errors are in dockerd's words, without the client's prefix.
 */
import { type Nanoseconds, SECOND } from "../sim/time.ts";
import { Timer } from "../sim/timer.ts";
import type { Availability } from "./ca/ca-shapes.ts";
import type { Identity } from "./ca/identity.ts";
import { isValidAt } from "./ca/root.ts";
import { parseUnlockKey } from "./identifiers.ts";
import type { Channel } from "./manager/channel.ts";
import { type ClusterOptions, DEFAULT_CLUSTER_OPTIONS } from "./manager/first-objects.ts";
import type { Manager } from "./manager/manager.ts";
import {
  formatHostPort,
  parseHostPort,
  resolveAdvertiseAddress,
  resolveDataPathAddress,
  resolveListenAddress,
} from "./node-addresses.ts";
import { type NodeConfig, NodeDisk } from "./node-disk.ts";
import { NodeRunner, type NodeSurroundings } from "./node-runner.ts";
import { refuseLeaving } from "./swarm-leave.ts";

export interface SwarmNodeSettings extends NodeSurroundings {
  /** The node has left: the engine's part in the swarm ends. */
  left(): void;
  /** Whatever `docker info` shows of the swarm may have changed. */
  changed?(): void;
}

/** Texts as the user wrote them; empty or absent: not given. */
export interface InitOptions {
  readonly listenAddress?: string;
  readonly advertiseAddress?: string;
  readonly dataPathAddress?: string;
  readonly availability?: Availability;
  readonly forceNewCluster?: boolean;
  readonly cluster?: Partial<ClusterOptions>;
}

export interface JoinOptions {
  readonly remoteAddress: string;
  readonly token: string;
  readonly listenAddress?: string;
  readonly advertiseAddress?: string;
  readonly dataPathAddress?: string;
  readonly availability?: Availability;
}

/** `docker info`, Swarm. */
export type LocalNodeState = "inactive" | "pending" | "active" | "error" | "locked";

/** Undefined: it went well. */
export type Outcome = (error: string | undefined) => void;

const CONNECT_TIMEOUT_NS: Nanoseconds = 20 * SECOND;
const FIRST_RECONNECT_NS: Nanoseconds = SECOND / 10;
const MOST_RECONNECT_NS: Nanoseconds = 30 * SECOND;

const NOT_IN_SWARM = "This node is not part of a swarm";
const IN_SWARM =
  'This node is already part of a swarm. Use "docker swarm leave" to leave this swarm and join another one.';
const JOIN_TIMEOUT =
  "Timeout was reached before node joined. The attempt to join the swarm will continue in the background. " +
  'Use the "docker info" command to see the current swarm status of your node.';
const LOCKED =
  "Swarm is encrypted and needs to be unlocked before it can be used. " +
  'Please use "docker swarm unlock" to unlock it.';
const EXPIRED = "Swarm certificates have expired. To replace them, leave the swarm and join again.";
const NO_MANAGER = "This node is not a swarm manager.";
const NO_SWARM = `${NO_MANAGER} Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.`;
const PREPARING = `${NO_MANAGER} Manager is being prepared or has trouble connecting to the cluster.`;
const WORKER =
  `${NO_MANAGER} Worker nodes can't be used to view or modify cluster state. ` +
  "Please run this command on a manager node or promote the current node to a manager.";
const LOCKED_LEAVE = "Swarm is encrypted and locked. Please unlock it first or use `--force` to ignore this message.";

export class SwarmNode {
  readonly disk = new NodeDisk();
  readonly #settings: SwarmNodeSettings;
  readonly #reconnect: Timer;
  readonly #joinTimer: Timer;
  #runner: NodeRunner | undefined;
  #error: string | undefined;
  #isLocked = false;
  /** Of the join that is under way. */
  #joining: Outcome | undefined;
  #reconnectNs = FIRST_RECONNECT_NS;
  #starts = 0;

  constructor(settings: SwarmNodeSettings) {
    const { clock } = settings.namespace;
    this.#settings = settings;
    this.#reconnect = new Timer(clock, () => this.#start(undefined, undefined, false));
    this.#joinTimer = new Timer(clock, () => this.#finishJoin(JOIN_TIMEOUT));
  }

  // ---- What it knows

  get state(): LocalNodeState {
    if (this.#isLocked) return "locked";
    if (this.#error !== undefined || this.#reconnect.armed) return "error";
    if (this.#runner === undefined) return "inactive";
    return this.#runner.isReady ? "active" : "pending";
  }
  get error(): string | undefined {
    return this.#error;
  }
  /** Undefined outside a swarm. */
  get nodeId(): string | undefined {
    return this.#identity?.nodeId;
  }
  get clusterId(): string | undefined {
    return this.#identity?.clusterId;
  }
  get #identity(): Identity | undefined {
    const { certificate } = this.disk;
    return certificate === undefined ? undefined : this.#settings.pki.read(certificate.certificate)?.identity;
  }
  get config(): NodeConfig | undefined {
    return this.disk.config;
  }
  get manager(): Manager | undefined {
    return this.#runner?.manager;
  }
  /** Managers as this node knows them: `docker info`, Manager Addresses. */
  get managerAddresses(): readonly string[] {
    return (this.#runner?.remotes.peers ?? []).map(({ address }) => address).sort();
  }

  /** The way to the cluster's API, or why there is none here. */
  get control(): { readonly channel: Channel } | { readonly error: string } {
    const channel = this.#runner?.manager?.channel;
    if (channel !== undefined) return { channel };
    if (this.#isLocked) return { error: LOCKED };
    if (this.#error === EXPIRED) return { error: EXPIRED };
    if (this.#runner === undefined) return { error: NO_SWARM };
    return { error: this.#runner.manager === undefined ? WORKER : PREPARING };
  }

  // ---- What users do

  init(options: InitOptions, done: Outcome): void {
    const isForced = options.forceNewCluster === true && !this.disk.isEmpty;
    if (!this.disk.isEmpty && !isForced) {
      done(IN_SWARM);
      return;
    }
    if (isForced && this.disk.manager.raftId === undefined) {
      done(WORKER);
      return;
    }
    const config = this.#configure(options, true, undefined);
    if ("error" in config) {
      done(config.error);
      return;
    }
    this.#stop();
    this.disk.config = config;
    this.#joining = done;
    this.#start(isForced ? undefined : { ...DEFAULT_CLUSTER_OPTIONS, ...options.cluster }, undefined, isForced);
  }

  join(options: JoinOptions, done: Outcome): void {
    if (!this.disk.isEmpty) {
      done(IN_SWARM);
      return;
    }
    const remote = parseHostPort(options.remoteAddress);
    const config = this.#configure(
      options,
      false,
      remote === undefined ? options.remoteAddress : formatHostPort(remote),
    );
    if ("error" in config || remote === undefined) {
      done("error" in config ? config.error : noSuchHost(options.remoteAddress));
      return;
    }
    this.disk.config = config;
    this.#joining = done;
    this.#joinTimer.set(CONNECT_TIMEOUT_NS);
    this.#start(undefined, options.token, false);
  }

  leave(isForced: boolean, done: Outcome): void {
    if (this.disk.isEmpty) {
      done(NOT_IN_SWARM);
      return;
    }
    const refusal = isForced ? undefined : this.#isLocked ? LOCKED_LEAVE : refuseLeaving(this.manager, this.nodeId);
    if (refusal !== undefined) {
      done(refusal);
      return;
    }
    const left = () => {
      this.#stop();
      this.disk.clear();
      this.#settings.left();
      this.#changed();
      done(undefined);
    };
    if (this.#runner === undefined) left();
    else this.#runner.leave(left);
  }

  unlock(text: string, done: Outcome): void {
    if (!this.#isLocked) {
      done("channel" in this.control ? "swarm is not locked" : this.control.error);
      return;
    }
    const key = parseUnlockKey(text);
    const { lockKey } = this.disk;
    if (key === undefined) done("invalid key string");
    else if (lockKey?.every((byte, at) => byte === key[at]) !== true)
      done("swarm could not be unlocked: invalid key provided");
    else {
      this.#isLocked = false;
      this.#joining = (error) =>
        done(error === undefined ? undefined : `swarm component could not be started: ${error}`);
      this.#start(undefined, undefined, false);
    }
  }

  // ---- What happens to the machine

  /** dockerd or the whole machine stops, at once. */
  powerOff(): void {
    this.#stop();
    this.#changed();
  }

  /** dockerd starts: a node of a swarm goes on where it was, unless its keys are locked or have expired. */
  restart(): void {
    this.#stop();
    const { certificate, lockKey } = this.disk;
    if (this.disk.isEmpty) return;
    const content = certificate === undefined ? undefined : this.#settings.pki.read(certificate.certificate);
    if (content?.identity === undefined) this.disk.clear();
    else if (lockKey !== undefined && content.identity.role === "manager") this.#isLocked = true;
    else if (!isValidAt(content, this.#settings.nowSeconds())) this.#error = EXPIRED;
    else this.#start(undefined, undefined, false);
    this.#changed();
  }

  #stop(): void {
    this.#reconnect.stop();
    this.#joinTimer.stop();
    this.#runner?.stop();
    this.#runner = undefined;
    this.#error = undefined;
    this.#isLocked = false;
    this.#reconnectNs = FIRST_RECONNECT_NS;
    this.#finishJoin("context canceled");
  }

  #configure(
    options: Omit<InitOptions, "cluster">,
    isFirst: boolean,
    joinAddress: string | undefined,
  ): NodeConfig | { readonly error: string } {
    const { namespace } = this.#settings;
    const listen = resolveListenAddress(namespace, options.listenAddress ?? "");
    if ("error" in listen) return listen;
    const text = options.advertiseAddress ?? "";
    const found = text === "" && !isFirst ? undefined : resolveAdvertiseAddress(namespace, text, listen.port);
    if (found !== undefined && "error" in found && isFirst) return found;
    // A joiner that says nothing of use is known by the address that its connection comes from.
    const advertise = found === undefined || "error" in found ? undefined : found;
    const dataPathAddress = resolveDataPathAddress(namespace, options.dataPathAddress ?? "");
    if (typeof dataPathAddress === "object") return dataPathAddress;
    return { listen, advertise, dataPathAddress, joinAddress, availability: options.availability ?? "active" };
  }

  #start(options: ClusterOptions | undefined, joinToken: string | undefined, forceNewCluster: boolean): void {
    const { config } = this.disk;
    if (config === undefined) return;
    const runner: NodeRunner = new NodeRunner({
      ...this.#settings,
      nowSeconds: () => this.#settings.nowSeconds(),
      random: this.#settings.random.fork(`start ${this.#starts++}`),
      config,
      disk: this.disk,
      joinToken,
      options,
      forceNewCluster,
      events: {
        ready: () => {
          if (runner === this.#runner) this.#ready();
        },
        failed: (error) => {
          if (runner === this.#runner) this.#failed(error);
        },
      },
    });
    this.#error = undefined;
    this.#runner = runner;
    runner.start();
    this.#changed();
  }

  #ready(): void {
    this.#reconnectNs = FIRST_RECONNECT_NS;
    this.#joinTimer.stop();
    this.#finishJoin(undefined);
    this.#changed();
  }

  /** The first attempt's failure is told, and nothing stays of it; a node that was one tries again and again. */
  #failed(error: string): void {
    const isFirst = this.#joining !== undefined;
    this.#runner = undefined;
    this.#joinTimer.stop();
    if (isFirst && this.disk.manager.raftId === undefined) {
      this.disk.clear();
      this.#finishJoin(error);
    } else {
      this.#error = error;
      this.#finishJoin(error);
      this.#reconnectNs = Math.min(this.#reconnectNs * 2, MOST_RECONNECT_NS);
      if (this.disk.certificate !== undefined) this.#reconnect.set(this.#reconnectNs);
    }
    this.#changed();
  }

  #finishJoin(error: string | undefined): void {
    const done = this.#joining;
    this.#joining = undefined;
    done?.(error);
  }

  #changed(): void {
    this.#settings.changed?.();
  }
}

function noSuchHost(remote: string): string {
  const host = remote.replace(/:[0-9]*$/, "");
  const dialing = `transport: Error while dialing: dial tcp: lookup ${host}: no such host`;
  return `rpc error: code = Unavailable desc = connection error: desc = "${dialing}"`;
}
