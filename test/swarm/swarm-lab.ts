/** Nodes of a swarm on emulated hosts 192.168.50.11, .12, … behind one switch. Their agents only tell the node its own object. */
import { createBridge } from "../../src/linux/bridge.ts";
import type { NetworkNamespace } from "../../src/linux/namespace.ts";
import type { NetDevice } from "../../src/linux/net-device.ts";
import type { WireEnd } from "../../src/linux/wire-end.ts";
import { World } from "../../src/linux/world.ts";
import { MICROSECOND, MILLISECOND, SECOND } from "../../src/sim/time.ts";
import { Timer } from "../../src/sim/timer.ts";
import type { Agent, AgentSettings } from "../../src/swarm/agent-settings.ts";
import type { Node } from "../../src/swarm/api/objects.ts";
import type { NodeRole } from "../../src/swarm/api/specs.ts";
import { x509Pki } from "../../src/swarm/ca/x509-pki.ts";
import { ShownCertificates } from "../../src/swarm/grpc/security.ts";
import type { LeaderWork } from "../../src/swarm/manager/leader-work.ts";
import type { Manager } from "../../src/swarm/manager/manager.ts";
import { clearSecurity } from "../../src/swarm/node-security.ts";
import { sealedSecurity } from "../../src/swarm/sealed-security.ts";
import { type InitOptions, type JoinOptions, SwarmNode } from "../../src/swarm/swarm-node.ts";
import { formatIpv4, type Ipv4Address } from "../../src/wire/address.ts";
import { ip, type Seen, watch } from "../linux/two-hosts.ts";

const START_SECONDS = 1_767_225_600;
const FIRST = ip("192.168.50.11");
const DELAY_NS = 200 * MICROSECOND;

export interface LabNode {
  readonly name: string;
  readonly namespace: NetworkNamespace;
  readonly address: Ipv4Address;
  readonly wires: readonly [out: WireEnd, in_: WireEnd];
  readonly eth0: NetDevice;
  readonly seen: Seen[];
  readonly node: SwarmNode;
  clockOffsetSeconds: number;
}

export interface SwarmLabOptions {
  readonly seed?: string | number;
  readonly work?: readonly LeaderWork[];
  readonly watched?: boolean;
  readonly sealed?: boolean;
}

export class SwarmLab {
  readonly world: World;
  readonly nodes: LabNode[] = [];

  constructor(count: number, options: SwarmLabOptions = {}) {
    this.world = new World({ seed: options.seed ?? 1 });
    const wire = this.world.createNamespace("switch");
    const bridge = createBridge(wire, { name: "br0", mtu: 1_500 });
    bridge.device.setUp(true);
    const pki = x509Pki(START_SECONDS);
    const shown = new ShownCertificates();
    for (let index = 0; index < count; index++) {
      const name = `node${index + 1}`;
      const namespace = this.world.createNamespace(name);
      const address = (FIRST + index) as Ipv4Address;
      const link = this.world.createLink("nic", { namespace, name: "eth0" }, { namespace: wire, name: `port${index}` });
      for (const end of [link.aToB, link.bToA]) end.settings = { ...end.settings, delayNs: DELAY_NS };
      bridge.addPort(link.b);
      link.b.setUp(true);
      link.a.setUp(true);
      namespace.addAddress(link.a, { address, length: 24 });
      const seen = options.watched === true ? watch(this.world, link.a) : [];
      const clock = { nowSeconds: () => START_SECONDS + this.#secondsAt(lab) };
      const security =
        options.sealed === true
          ? sealedSecurity({ ...clock, random: this.world.random.fork(`tls ${name}`) })
          : clearSecurity(shown);
      const node = new SwarmNode({
        namespace,
        hostname: name,
        random: this.world.random.fork(`swarm ${name}`),
        pki,
        nowSeconds: () => this.#secondsAt(lab),
        security,
        agent: (settings) => new StubAgent(settings, this),
        work: options.work ?? [],
        left() {},
      });
      const lab: LabNode = {
        name,
        namespace,
        address,
        wires: [link.aToB, link.bToA],
        eth0: link.a,
        seen,
        node,
        clockOffsetSeconds: 0,
      };
      this.nodes.push(lab);
    }
  }

  #secondsAt({ clockOffsetSeconds }: LabNode): number {
    return Math.floor(this.nowNs / SECOND) + clockOffsetSeconds;
  }

  get nowNs(): number {
    return this.world.simulation.nowNs;
  }

  at(number: number): LabNode {
    return this.nodes[number - 1]!;
  }

  run(seconds: number): void {
    this.world.simulation.run(this.nowNs + Math.round(seconds * SECOND));
  }

  /** Runs until it is so; the seconds that it took. */
  until(isSo: () => boolean, mostSeconds = 120): number {
    const fromNs = this.nowNs;
    const isEarly = this.world.simulation.run(fromNs + mostSeconds * SECOND, isSo);
    if (!isEarly) throw new Error(`not within ${mostSeconds} s`);
    return (this.nowNs - fromNs) / SECOND;
  }

  init(number: number, options: InitOptions = {}): string {
    return this.outcome((done) => this.at(number).node.init(options, done));
  }

  join(number: number, token: string, options: Partial<JoinOptions> = {}): string {
    const remoteAddress = `${formatIpv4(this.at(1).address)}:2377`;
    return this.outcome((done) => this.at(number).node.join({ remoteAddress, token, ...options }, done));
  }

  leave(number: number, isForced = false): string {
    return this.outcome((done) => this.at(number).node.leave(isForced, done));
  }

  unlock(number: number, key: string): string {
    return this.outcome((done) => this.at(number).node.unlock(key, done));
  }

  /** "ok" or the error, when it is there. */
  outcome(start: (done: (error: string | undefined) => void) => void, mostSeconds = 60): string {
    const said: string[] = [];
    start((error) => said.push(error ?? "ok"));
    if (said.length === 0) this.world.simulation.run(this.nowNs + mostSeconds * SECOND, () => said.length > 0);
    return said[0] ?? "no answer";
  }

  /** A cluster of managers 1 to `managers`, and workers after them. */
  cluster(managers: number, workers = 0): this {
    expectOk(this.init(1));
    const { manager, worker } = this.tokens;
    for (let number = 2; number <= managers; number++) expectOk(this.join(number, manager));
    for (let number = managers + 1; number <= managers + workers; number++) expectOk(this.join(number, worker));
    this.run(3);
    return this;
  }

  get tokens(): { readonly worker: string; readonly manager: string } {
    const cluster = this.leader?.store?.cluster;
    if (cluster === undefined) throw new Error("no leader");
    return cluster.rootCa.joinTokens;
  }

  /** The one of the highest term whose components run. */
  get leader(): Manager | undefined {
    return this.nodes
      .flatMap(({ node }) => (node.manager?.isReady === true ? [node.manager] : []))
      .sort((a, b) => (b.raft?.term ?? 0) - (a.raft?.term ?? 0))[0];
  }

  /** By number. */
  get leaderNumber(): number {
    const { leader } = this;
    return leader === undefined ? 0 : this.nodes.findIndex(({ node }) => node.manager === leader) + 1;
  }

  manager(number: number): Manager {
    const { manager } = this.at(number).node;
    if (manager === undefined) throw new Error(`node${number} is no manager`);
    return manager;
  }

  setRole(number: number, desiredRole: NodeRole): void {
    const id = this.at(number).node.nodeId ?? "";
    this.leader?.store?.update((tx) => {
      const node = tx.get("node", id);
      if (node !== undefined) tx.update("node", { ...node, spec: { ...node.spec, desiredRole } });
    });
  }

  /** The node's wire is cut, or whole again. */
  cut(number: number, isCut: boolean): void {
    const { eth0, namespace } = this.at(number);
    const port = this.world.namespaces.get("switch")?.device(`port${number - 1}`);
    port?.setUp(!isCut);
    if (!isCut && !eth0.up) namespace.device("eth0")?.setUp(true);
  }

  /** `hostname status`, as `docker node ls` on the leader. */
  listManagers(number = this.leaderNumber): string[] {
    const names = new Map(this.nodes.map(({ node, name }) => [node.nodeId, name]));
    return [...this.manager(number).managers]
      .map(([id, { leader, reachability }]) => `${names.get(id) ?? id} ${leader ? "Leader" : reachability}`)
      .sort();
  }
}

function expectOk(outcome: string): void {
  if (outcome !== "ok") throw new Error(outcome);
}

const LOOK_NS = 100 * MILLISECOND;

/** In place of a session with the dispatcher: looks at the leader's store. */
class StubAgent implements Agent {
  readonly #settings: AgentSettings;
  readonly #lab: SwarmLab;
  readonly #timer: Timer;
  #seen: Node | undefined;

  constructor(settings: AgentSettings, lab: SwarmLab) {
    this.#settings = settings;
    this.#lab = lab;
    this.#timer = new Timer(settings.clock, () => this.#look());
  }

  start(): void {
    this.#timer.set(LOOK_NS);
  }

  leave(done: () => void): void {
    this.stop();
    done();
  }

  stop(): void {
    this.#timer.stop();
  }

  #look(): void {
    this.#timer.set(LOOK_NS);
    const { leader } = this.#lab;
    const node = leader?.store?.get("node", this.#settings.nodeId);
    if (leader === undefined || node === undefined) return;
    const peers = [...leader.managers].map(([nodeId, { address }]) => ({ nodeId, address, weight: 10 }));
    this.#settings.remotes.replace(peers);
    if (this.#seen === undefined) this.#settings.ready();
    if (this.#seen !== node) this.#settings.nodeChanged(node);
    this.#seen = node;
  }
}
