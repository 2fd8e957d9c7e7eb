/**
 * A node that runs (swarmkit node/node.go): comes by its certificate, keeps it fresh, runs the agent, and a manager while it is to be one. It ends
 * with `stop`, with `leave`, or by itself when something fails; what it knows is on the disk.
 */
import type { NetworkNamespace } from "../linux/namespace.ts";
import { assert } from "../sim/assert.ts";
import type { Random } from "../sim/random.ts";
import type { Clock } from "../sim/simulation.ts";
import { type Nanoseconds, SECOND } from "../sim/time.ts";
import { IPV4_ANY } from "../wire/address.ts";
import type { Agent, AgentFactory, ManagerConnection } from "./agent-settings.ts";
import type { Node } from "./api/objects.ts";
import type { NodeRole } from "./api/specs.ts";
import type { Identify } from "./ca/caller.ts";
import {
  type Abandon,
  fetchRoot,
  type Got,
  type RequestSettings,
  requestCertificate,
} from "./ca/certificate-request.ts";
import type { Identity } from "./ca/identity.ts";
import type { KeyedCertificate, Pki } from "./ca/pki.ts";
import { Renewer } from "./ca/renewer.ts";
import { newRoot, nodeValidity } from "./ca/root.ts";
import { GrpcChannel } from "./grpc/channel.ts";
import { drawBytes, newId, parseJoinToken, UNLOCK_KEY_BYTES } from "./identifiers.ts";
import type { Channel } from "./manager/channel.ts";
import type { ClusterBeginnings, ClusterOptions } from "./manager/first-objects.ts";
import type { LeaderWork } from "./manager/leader-work.ts";
import { Manager, type ManagerEvents } from "./manager/manager.ts";
import { ManagerSupervisor } from "./manager-supervisor.ts";
import { localAddressTo, parseHostPort } from "./node-addresses.ts";
import type { NodeConfig, NodeDisk } from "./node-disk.ts";
import { identifier, type NodeCredentials, type Purpose, type SecurityOf } from "./node-security.ts";
import { OBSERVATION_WEIGHT, Remotes } from "./remotes.ts";

/** grpc's limit for pauses between attempts, as swarmkit sets it. */
const MOST_BACKOFF_NS: Nanoseconds = 8 * SECOND;

/** What a node has around it, however often it joins and leaves. */
export interface NodeSurroundings {
  /** The host's. */
  readonly namespace: NetworkNamespace;
  readonly hostname: string;
  readonly random: Random;
  readonly pki: Pki;
  /** The host's clock, in seconds since the start of the run. */
  nowSeconds(): number;
  readonly security: SecurityOf;
  readonly agent: AgentFactory;
  /** The leader's components, for a manager on this node. */
  readonly work: readonly LeaderWork[];
}

export interface RunnerSettings extends NodeSurroundings {
  readonly config: NodeConfig;
  readonly disk: NodeDisk;
  /** Of `docker swarm join`. */
  readonly joinToken: string | undefined;
  /** Of `docker swarm init`: a new cluster begins. */
  readonly options: ClusterOptions | undefined;
  readonly forceNewCluster: boolean;
  readonly events: RunnerEvents;
}

export interface RunnerEvents {
  /** The agent has its session, and the manager, if there is one, answers. */
  ready(): void;
  /** It has ended. */
  failed(error: string): void;
}

export class NodeRunner {
  readonly #settings: RunnerSettings;
  readonly #clock: Clock;
  readonly #credentials: NodeCredentials;
  readonly #identify: Identify;
  readonly #remotes: Remotes;
  readonly #supervisor: ManagerSupervisor;
  readonly #renewer: Renewer;
  #abandon: Abandon = () => {};
  #agent: Agent | undefined;
  #isAgentStarted = false;
  #isAgentReady = false;
  #isReady = false;
  #isStopped = false;
  #beginnings: ClusterBeginnings | undefined;
  #wantedRole: NodeRole | undefined;
  #channels = 0;

  constructor(settings: RunnerSettings) {
    const { namespace, random, disk, config, pki } = settings;
    this.#settings = settings;
    this.#clock = namespace.clock;
    this.#credentials = disk;
    this.#identify = identifier(pki, disk, () => settings.nowSeconds());
    this.#remotes = new Remotes(random.fork("remotes"), disk.remotes);
    if (disk.certificate === undefined && config.joinAddress !== undefined)
      this.#remotes.observe({ nodeId: "", address: config.joinAddress }, OBSERVATION_WEIGHT);
    this.#supervisor = new ManagerSupervisor({
      clock: this.#clock,
      disk,
      newManager: (events) => this.#newManager(events),
      renewCertificate: () => this.#renewer.renewNow(),
      started: () => {
        this.#startAgent();
        this.#mayBeReady();
      },
      failed: (error) => this.#fail(error),
    });
    this.#renewer = new Renewer({
      clock: this.#clock,
      random: random.fork("renewal"),
      pki,
      nowSeconds: () => settings.nowSeconds(),
      current: () => this.#certificate,
      request: (done) => this.#requestRenewal(done),
      renewed: (certificate) => this.#use(certificate),
    });
  }

  start(): void {
    const { disk, config, joinToken } = this.#settings;
    if (disk.certificate !== undefined) this.#run();
    else if (config.joinAddress === undefined) this.#beginCluster();
    else this.#join(joinToken ?? "");
  }

  /** At once, as when the power goes. */
  stop(): void {
    if (this.#isStopped) return;
    this.#isStopped = true;
    this.#settings.disk.remotes = this.#remotes.peers;
    this.#abandon();
    this.#renewer.stop();
    this.#agent?.stop();
    this.#supervisor.stop();
  }

  /** In good order: the tasks are shut down first. */
  leave(done: () => void): void {
    const end = () => {
      this.stop();
      done();
    };
    if (this.#agent === undefined || !this.#isAgentStarted) end();
    else this.#agent.leave(end);
  }

  // ---- What it knows

  /** Undefined while there is no certificate. */
  get identity(): Identity | undefined {
    const { disk, pki } = this.#settings;
    return disk.certificate === undefined ? undefined : pki.read(disk.certificate.certificate)?.identity;
  }
  get manager(): Manager | undefined {
    return this.#supervisor.manager;
  }
  get isReady(): boolean {
    return this.#isReady;
  }
  get remotes(): Remotes {
    return this.#remotes;
  }

  get #certificate(): KeyedCertificate {
    const { certificate } = this.#settings.disk;
    assert(certificate !== undefined, "a node without a certificate");
    return certificate;
  }

  // ---- How it comes by its certificate

  /** `docker swarm init`: it certifies itself. */
  #beginCluster(): void {
    const { pki, random, disk, options, config } = this.#settings;
    assert(options !== undefined, "a new cluster without options");
    const stream = random.fork("new cluster");
    const now = this.#settings.nowSeconds();
    const root = newRoot(pki, now, stream);
    const { request, key } = pki.newRequest(stream);
    const identity = { nodeId: newId(stream), role: "manager" as const, clusterId: newId(stream) };
    const certificate = pki.sign(root, request, identity, nodeValidity(now, options.certificateExpiryNs));
    assert(certificate !== undefined, "a request of our own that cannot be signed");
    const unlockKey = options.autoLock ? drawBytes(stream, UNLOCK_KEY_BYTES) : undefined;
    this.#beginnings = { options, root, unlockKey, availability: config.availability };
    disk.root = root.certificate;
    disk.certificate = { certificate, key };
    this.#run();
  }

  #join(token: string): void {
    const parsed = parseJoinToken(token);
    if (parsed === undefined) {
      this.#fail("invalid join token");
      return;
    }
    const { disk, config } = this.#settings;
    this.#abandon = fetchRoot(this.#request("root"), parsed.digest, (root) => {
      if ("error" in root) {
        this.#fail(root.error);
        return;
      }
      disk.root = root.value;
      const asked = { token, availability: config.availability };
      this.#abandon = requestCertificate(this.#request("certificate"), root.value, asked, (got) => {
        if ("error" in got) {
          this.#fail(got.error);
          return;
        }
        disk.certificate = got.value;
        this.#run();
      });
    });
  }

  #request(purpose: Purpose): RequestSettings {
    const { pki, random } = this.#settings;
    return {
      clock: this.#clock,
      random: random.fork(`request ${this.#channels}`),
      pki,
      nowSeconds: () => this.#settings.nowSeconds(),
      connect: (mayBeLocal) => {
        const local = mayBeLocal ? this.#localChannel() : undefined;
        if (local !== undefined) return local;
        const nodeId = this.identity?.nodeId;
        const peer = nodeId === undefined ? this.#remotes.select() : this.#remotes.select(nodeId);
        return peer === undefined ? undefined : this.#channel(peer.address, purpose);
      },
    };
  }

  #requestRenewal(done: (got: Got<KeyedCertificate>) => void): Abandon {
    const { disk } = this.#settings;
    assert(disk.root !== undefined, "a renewal without a root certificate");
    const asked = { token: "", availability: "active" as const };
    return requestCertificate(this.#request("manager"), disk.root, asked, done);
  }

  #use(certificate: KeyedCertificate): void {
    this.#settings.disk.certificate = certificate;
    this.#supervisor.setRole(this.identity?.role ?? "worker");
  }

  // ---- How it runs

  #run(): void {
    const { identity } = this;
    assert(identity !== undefined, "a node's certificate that names no node");
    this.#wantedRole = identity.role;
    this.#renewer.start();
    this.#supervisor.setRole(identity.role);
    if (!this.#isStopped && this.#remotes.peers.length > 0) this.#startAgent();
  }

  #newManager(events: ManagerEvents): Manager {
    const { namespace, random, pki, config, disk, work, forceNewCluster, security } = this.#settings;
    const identity = this.identity;
    assert(identity !== undefined, "a manager without a certificate");
    const peer = this.#remotes.select(identity.nodeId);
    return new Manager({
      namespace,
      random: random.fork(`manager ${this.#channels++}`),
      pki,
      identity,
      listenAddress: config.listen.address,
      port: config.listen.port,
      advertiseAddress: config.advertise?.address,
      disk: disk.manager,
      joinAddress: this.#beginnings === undefined ? peer?.address : undefined,
      forceNewCluster,
      beginnings: this.#beginnings,
      work,
      nowSeconds: () => this.#settings.nowSeconds(),
      security: security(this.#credentials, "server"),
      identify: this.#identify,
      connect: (address) => this.#channel(address, "manager"),
      events,
    });
  }

  #channel(address: string, purpose: Purpose): GrpcChannel {
    const { namespace, random, security } = this.#settings;
    const target = parseHostPort(address);
    return new GrpcChannel({
      namespace,
      address: target?.address ?? IPV4_ANY,
      port: target?.port ?? 0,
      random: random.fork(`channel ${this.#channels++}`),
      security: security(this.#credentials, purpose),
      maximumBackoffNs: MOST_BACKOFF_NS,
    });
  }

  /** The own manager's, which no single user may close. */
  #localChannel(): Channel | undefined {
    const channel = this.#supervisor.manager?.channel;
    if (channel === undefined) return undefined;
    return {
      unary: (...call) => channel.unary(...call),
      stream: (...call) => channel.stream(...call),
      close() {},
    };
  }

  #startAgent(): void {
    if (this.#isAgentStarted || this.#isStopped) return;
    this.#isAgentStarted = true;
    const { namespace, hostname, random, disk, config } = this.#settings;
    const identity = this.identity;
    assert(identity !== undefined, "an agent without a certificate");
    const remote = parseHostPort(this.#remotes.peers[0]?.address ?? "");
    const local = remote === undefined ? undefined : localAddressTo(namespace, remote.address);
    const agent = this.#settings.agent({
      clock: this.#clock,
      random: random.fork("agent"),
      namespace,
      hostname,
      nodeId: identity.nodeId,
      clusterId: identity.clusterId,
      remotes: this.#remotes,
      addresses: {
        advertise: config.advertise?.address ?? local ?? config.listen.address,
        dataPath: config.dataPathAddress,
        listen: config.listen.address,
      },
      connect: () => this.#connectAgent(identity.nodeId),
      disk: disk.agent,
      nodeChanged: (node) => this.#nodeChanged(node),
      rootCertificateChanged: (certificate) => this.#rootChanged(certificate),
      ready: () => {
        this.#isAgentReady = true;
        this.#mayBeReady();
      },
    });
    this.#agent = agent;
    agent.start();
  }

  #connectAgent(nodeId: string): ManagerConnection | undefined {
    const local = this.#localChannel();
    if (local !== undefined) return { channel: local, peer: undefined, close() {} };
    const peer = this.#remotes.select(nodeId) ?? this.#remotes.select();
    if (peer === undefined) return undefined;
    const channel = this.#channel(peer.address, "manager");
    const close = (success: boolean) => {
      this.#remotes.observeIfKnown(peer, success ? OBSERVATION_WEIGHT : -OBSERVATION_WEIGHT);
      channel.close();
    };
    return { channel, peer, close };
  }

  /** Another role is wanted, or another certificate. */
  #nodeChanged(node: Node): void {
    if (this.#isStopped) return;
    const { desiredRole } = node.spec;
    const isRoleChanged = desiredRole !== this.#wantedRole;
    this.#wantedRole = desiredRole;
    if (isRoleChanged) this.#renewer.expect(desiredRole);
    if (isRoleChanged || node.certificate.status.state === "rotate") this.#renewer.renewNow();
  }

  #rootChanged(certificate: Uint8Array): void {
    const { disk, pki } = this.#settings;
    const isSame = disk.root?.length === certificate.length && disk.root.every((byte, at) => byte === certificate[at]);
    if (!isSame && pki.read(certificate) !== undefined) disk.root = certificate;
  }

  #mayBeReady(): void {
    if (this.#isReady || this.#isStopped || !this.#isAgentReady) return;
    if (this.#supervisor.manager !== undefined && !this.#supervisor.hasStarted) return;
    this.#isReady = true;
    this.#settings.events.ready();
  }

  #fail(error: string): void {
    if (this.#isStopped) return;
    this.stop();
    this.#settings.events.failed(error);
  }
}
