/**
 * A manager (swarmkit manager/manager.go): serves the API on port 2377 (remote-api.ts), is a member of raft, keeps the store, passes on to the leader what
 * only the leader answers, and does the leader's work while it leads.
 */
import type { NetworkNamespace } from "../../linux/namespace.ts";
import { drawId, type RaftId } from "../../raft/messages.ts";
import { SWARM_SETTINGS } from "../../raft/settings.ts";
import type { Random } from "../../sim/random.ts";
import type { Clock } from "../../sim/simulation.ts";
import { type Nanoseconds, SECOND } from "../../sim/time.ts";
import { formatIpv4, type Ipv4Address } from "../../wire/address.ts";
import type { ManagerStatus } from "../api/objects.ts";
import type { Identify } from "../ca/caller.ts";
import { authorityWork } from "../ca/certificate-authority.ts";
import type { Identity } from "../ca/identity.ts";
import type { Pki } from "../ca/pki.ts";
import type { Security } from "../grpc/security.ts";
import { formatStatus } from "../grpc/status.ts";
import type { Store } from "../store/store.ts";
import type { Cancel, Channel } from "./channel.ts";
import { type ClusterBeginnings, createFirstObjects } from "./first-objects.ts";
import { LeaderConnection } from "./leader-connection.ts";
import { LeaderServices } from "./leader-services.ts";
import type { LeaderWork, ManagerList } from "./leader-work.ts";
import { LocalChannel } from "./local-channel.ts";
import type { ManagerDisk } from "./manager-disk.ts";
import { ManagerRaft } from "./manager-raft.ts";
import { MembershipChanges } from "./membership-changes.ts";
import { RaftProxy } from "./raft-proxy.ts";
import { JOIN, joinRequestShape, joinResponseShape, type RaftMember } from "./raft-shapes.ts";
import { RemoteApi } from "./remote-api.ts";
import { roleManagerWork } from "./role-manager.ts";

const JOIN_TIMEOUT_NS: Nanoseconds = 10 * SECOND;

export interface ManagerSettings {
  readonly namespace: NetworkNamespace;
  readonly random: Random;
  readonly pki: Pki;
  readonly identity: Identity;
  readonly listenAddress: Ipv4Address;
  readonly port: number;
  /** Undefined: the leader finds out when this manager joins. */
  readonly advertiseAddress: Ipv4Address | undefined;
  readonly disk: ManagerDisk;
  /** A manager to join by when the disk is empty; undefined: this is the first. */
  readonly joinAddress: string | undefined;
  readonly forceNewCluster: boolean;
  /** Known to the first manager alone. */
  readonly beginnings: ClusterBeginnings | undefined;
  readonly work: readonly LeaderWork[];
  /** The host's clock. */
  nowSeconds(): number;
  readonly security: Security;
  readonly identify: Identify;
  /** A new connection with the node's certificate to `address:port`. */
  connect(address: string): Channel;
  readonly events: ManagerEvents;
}

export interface ManagerEvents {
  /** It is a member of raft and answers its own node's programs. */
  started(): void;
  /** It could not be started. */
  failed(error: string): void;
  removedFromRaft(): void;
}

export class Manager implements ManagerList {
  readonly #settings: ManagerSettings;
  readonly #clock: Clock;
  readonly #api: RemoteApi;
  #raft: ManagerRaft | undefined;
  #changes: MembershipChanges | undefined;
  #services: LeaderServices | undefined;
  #leader: LeaderConnection | undefined;
  #proxy: RaftProxy | undefined;
  #channel: LocalChannel | undefined;
  #listeners: readonly (() => void)[] = [];
  #cancelJoin: Cancel = () => {};
  #isStopped = false;

  constructor(settings: ManagerSettings) {
    this.#settings = settings;
    this.#clock = settings.namespace.clock;
    this.#api = new RemoteApi(settings);
  }

  start(): void {
    const { listenAddress, port, disk, joinAddress, identity, forceNewCluster, random } = this.#settings;
    const problem = this.#api.listen();
    if (problem !== undefined) {
      const where = `listen tcp ${formatIpv4(listenAddress)}:${port}`;
      this.#fail(`failed to listen on remote API address: ${where}: bind: address already in use`);
      return;
    }
    if (disk.raftId !== undefined) {
      if (forceNewCluster) disk.forceNewCluster(identity.nodeId, this.#address);
      this.#begin(disk.raftId, []);
    } else if (joinAddress === undefined && this.#settings.beginnings === undefined) {
      this.#fail("manager stopped: can't initialize raft node: no remote hosts provided");
    } else if (joinAddress === undefined) {
      const raftId = drawId(random.fork("raft id"));
      disk.begin(raftId, identity.nodeId, this.#address);
      this.#begin(raftId, []);
    } else this.#join(joinAddress);
  }

  /** All connections break. */
  stop(): void {
    if (this.#isStopped) return;
    this.#isStopped = true;
    this.#cancelJoin();
    this.#services?.stop();
    this.#leader?.stop();
    this.#raft?.stop();
    this.#channel?.close();
    this.#api.close();
  }

  // ---- What it knows

  /** Undefined until it is a member of raft. */
  get store(): Store | undefined {
    return this.#raft?.store;
  }
  /** The local socket: undefined until it is a member of raft. */
  get channel(): Channel | undefined {
    return this.#channel;
  }
  get isLeader(): boolean {
    return this.#raft?.isLeader === true;
  }
  /** It leads, and its components run. */
  get isReady(): boolean {
    return this.#raft?.isReady === true;
  }
  get raft(): ManagerRaft | undefined {
    return this.#raft;
  }
  get connectionCount(): number {
    return this.#api.connectionCount;
  }

  /** As `docker node ls` shows it; by node id. */
  get managers(): ReadonlyMap<string, ManagerStatus> {
    const raft = this.#raft;
    if (raft === undefined) return new Map();
    return new Map(
      raft.membership.members.map(({ raftId, nodeId, address }) => {
        const isReachable = raftId === raft.ownId || raft.isReachable(raftId);
        const reachability = isReachable ? "reachable" : "unreachable";
        return [nodeId, { raftId, address, leader: raftId === raft.leader, reachability }];
      }),
    );
  }

  canRemoveManager(nodeId: string): boolean {
    const member = this.#raft?.membership.byNode(nodeId);
    return member !== undefined && this.#changes?.canRemove(member.raftId) === true;
  }

  watchManagers(listener: () => void): () => void {
    this.#listeners = [...this.#listeners, listener];
    return () => {
      this.#listeners = this.#listeners.filter((other) => other !== listener);
    };
  }

  // ---- How it begins

  get #address(): string {
    const { advertiseAddress, port } = this.#settings;
    return `${advertiseAddress === undefined ? "0.0.0.0" : formatIpv4(advertiseAddress)}:${port}`;
  }

  #join(joinAddress: string): void {
    const channel = this.#settings.connect(joinAddress);
    const request = joinRequestShape.emit({ address: this.#address });
    const cancel = channel.unary(JOIN, request, JOIN_TIMEOUT_NS, (result) => {
      channel.close();
      const joined = "response" in result ? joinResponseShape.parse(result.response) : undefined;
      if (joined === undefined) {
        const why = "status" in result ? formatStatus(result.status) : "malformed answer";
        this.#fail(`manager stopped: can't initialize raft node: ${why}`);
        return;
      }
      this.#settings.disk.join(joined.raftId);
      this.#begin(joined.raftId, joined.members);
    });
    this.#cancelJoin = () => {
      cancel();
      channel.close();
    };
  }

  #fail(error: string): void {
    if (this.#isStopped) return;
    this.stop();
    this.#settings.events.failed(error);
  }

  #begin(raftId: RaftId, members: readonly RaftMember[]): void {
    const { random, disk, identity, events } = this.#settings;
    const raft = new ManagerRaft({
      clock: this.#clock,
      random: random.fork("raft"),
      raftId,
      disk: disk.raft,
      settings: SWARM_SETTINGS,
      members,
      connect: (address) => this.#settings.connect(address),
      events: {
        leadershipChanged: (isLeader) => this.#leadershipChanged(isLeader),
        removed: () => {
          if (!this.#isStopped) events.removedFromRaft();
        },
        membersChanged: () => {
          for (const listener of this.#listeners) listener();
        },
      },
    });
    const changes = new MembershipChanges(raft, random.fork("raft ids"));
    this.#raft = raft;
    this.#changes = changes;
    this.#services = this.#newServices(raft, changes);
    this.#leader = new LeaderConnection(raft, this.#clock);
    this.#proxy = new RaftProxy(this.#leader, this.#services, this.#clock);
    const address = this.#settings.advertiseAddress ?? this.#settings.listenAddress;
    this.#channel = new LocalChannel(this.#clock, this.#proxy, { identity, address, forwardedBy: undefined });
    raft.start();
    this.#api.begin(raft, changes, this.#services, this.#leader, this.#proxy);
    events.started();
  }

  #newServices(raft: ManagerRaft, changes: MembershipChanges): LeaderServices {
    const { pki, identity, work } = this.#settings;
    const authority = authorityWork({ pki, nowSeconds: () => this.#settings.nowSeconds() });
    const roles = roleManagerWork({
      ownId: raft.ownId,
      membership: raft.membership,
      canRemove: (member) => changes.canRemove(member),
      remove: (member, done) => changes.remove(member, done),
      transferLeadership: () => raft.transferLeadership(),
    });
    return new LeaderServices([authority, ...work, roles], identity.clusterId);
  }

  #leadershipChanged(isLeader: boolean): void {
    if (isLeader) this.#becomeLeader();
    else this.#services?.stop();
    for (const listener of this.#listeners) listener();
  }

  #becomeLeader(): void {
    const raft = this.#raft;
    if (raft === undefined) return;
    const { identity, beginnings, pki, random } = this.#settings;
    const { clusterId, nodeId } = identity;
    const term = raft.term;
    raft.store.update(
      (tx) => createFirstObjects(tx, clusterId, nodeId, beginnings, pki, random.fork("first objects")),
      () => {
        if (!raft.isReady || raft.term !== term || this.#isStopped) return;
        const context = {
          store: raft.store,
          clock: this.#clock,
          random: random.fork(`term ${term}`),
          clusterId,
          nodeId,
        };
        this.#services?.start({ ...context, managers: this });
      },
    );
  }
}
