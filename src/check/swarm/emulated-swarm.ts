/**
 * Machines with dockerd behind one switch, for laws and benches of the swarm: they form a cluster, lose power, links and packets, and their containers do
 * nothing but wait.
 */
import { Host, NOWHERE } from "../../commands/host.ts";
import { createBridge } from "../../linux/bridge.ts";
import { PERFECT_LINK } from "../../linux/link-settings.ts";
import type { NetworkNamespace } from "../../linux/namespace.ts";
import type { NetDevice } from "../../linux/net-device.ts";
import { type Process, type Program, WaitQueue } from "../../linux/process.ts";
import type { WireEnd } from "../../linux/wire-end.ts";
import { World } from "../../linux/world.ts";
import { assert } from "../../sim/assert.ts";
import { MICROSECOND, SECOND } from "../../sim/time.ts";
import { x509Pki } from "../../swarm/ca/x509-pki.ts";
import { Daemon } from "../../swarm/daemon.ts";
import { ShownCertificates } from "../../swarm/grpc/security.ts";
import type { Manager } from "../../swarm/manager/manager.ts";
import { clearSecurity } from "../../swarm/node-security.ts";
import { formatIpv4, type Ipv4Address } from "../../wire/address.ts";

const START_SECONDS = 1_767_225_600; // 2026-01-01
const FIRST = 0x0a64_000b; // 10.100.0.11
const PREFIX = 16;
const DELAY_NS = 50 * MICROSECOND;
const JOIN_LIMIT_NS = 60 * SECOND;
const NO_WORDS = new Map();
/** 128 + SIGTERM. */
const TERMINATED = 143;

export interface EmulatedMachine {
  readonly name: string;
  readonly address: Ipv4Address;
  readonly daemon: Daemon;
  readonly namespace: NetworkNamespace;
  /** The switch's end of its cable. */
  readonly port: NetDevice;
  /** Its cable, out and in. */
  readonly wires: readonly [out: WireEnd, in_: WireEnd];
}

export class EmulatedSwarm {
  readonly world: World;
  readonly machines: readonly EmulatedMachine[];

  constructor(count: number, seed: string | number) {
    this.world = new World({ seed, stormLimit: 0 });
    const wire = this.world.createNamespace("switch");
    const bridge = createBridge(wire, { name: "br0", mtu: 1_500 });
    bridge.device.setUp(true);
    const start = (container: { readonly name: string; readonly namespace: NetworkNamespace | undefined }) =>
      this.#idle(container.name, container.namespace);
    const surroundings = {
      world: this.world,
      pki: x509Pki(START_SECONDS),
      security: clearSecurity(new ShownCertificates()),
      release: "current",
      programs: { start, run: start },
      gossipInClear: true,
      pullNs: 0,
    } as const;
    this.machines = Array.from({ length: count }, (_, index) => {
      const name = `node${index + 1}`;
      const address = (FIRST + index) as Ipv4Address;
      const namespace = this.world.createNamespace(name);
      const link = this.world.createLink("nic", { namespace, name: "eth0" }, { namespace: wire, name: `port${index}` });
      for (const end of [link.aToB, link.bToA]) end.settings = { ...PERFECT_LINK, delayNs: DELAY_NS };
      bridge.addPort(link.b);
      link.b.setUp(true);
      link.a.setUp(true);
      namespace.addAddress(link.a, { address, length: PREFIX });
      const daemon = new Daemon(surroundings, { host: namespace, hostname: name, handles: new Map() });
      return { name, address, daemon, namespace, port: link.b, wires: [link.aToB, link.bToA] };
    });
  }

  #idle(name: string, namespace: NetworkNamespace | undefined): Process {
    assert(namespace !== undefined, "a program without a namespace");
    const host = new Host({ name, world: this.world, namespace, words: NO_WORDS });
    return host.spawn("sleep", { stdout: NOWHERE, stderr: NOWHERE }, untilTerminated);
  }

  get nowNs(): number {
    return this.world.simulation.nowNs;
  }

  /** Runs for so long, or until it is so; whether it was. */
  run(forNs: number, until?: () => boolean): boolean {
    return this.world.simulation.run(this.nowNs + forNs, until);
  }

  /** The first is the first manager; so many in all are managers, the others workers. */
  form(managers: number): void {
    this.#settle((done) => this.machines[0]!.daemon.node.init({}, done));
    const tokens = this.leader?.store?.cluster?.rootCa.joinTokens;
    assert(tokens !== undefined, "the first manager leads nothing");
    const remoteAddress = `${formatIpv4(this.machines[0]!.address)}:2377`;
    for (const [index, { daemon }] of this.machines.entries()) {
      if (index === 0) continue;
      const token = index < managers ? tokens.manager : tokens.worker;
      this.#settle((done) => daemon.node.join({ remoteAddress, token }, done));
    }
  }

  #settle(start: (done: (error: string | undefined) => void) => void): void {
    const ends: (string | undefined)[] = [];
    start((error) => ends.push(error));
    if (ends.length === 0) this.run(JOIN_LIMIT_NS, () => ends.length > 0);
    assert(ends.length > 0 && ends[0] === undefined, ends[0] ?? "no answer");
  }

  /** The manager that leads in the highest term. */
  get leader(): Manager | undefined {
    return this.machines
      .flatMap(({ daemon }) => (daemon.node.manager?.isReady === true ? [daemon.node.manager] : []))
      .sort((a, b) => (b.raft?.term ?? 0) - (a.raft?.term ?? 0))[0];
  }
}

function* untilTerminated(): Program {
  const never = new WaitQueue();
  while ((yield { queues: [never] }) !== "signal");
  return TERMINATED;
}
