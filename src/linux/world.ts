/** All the hosts of a run and what they share: the clock, the frames, the root of chance, and the links between namespaces. */
import { assert } from "../sim/assert.ts";
import { Random } from "../sim/random.ts";
import { Simulation } from "../sim/simulation.ts";
import { MICROSECOND, type Nanoseconds } from "../sim/time.ts";
import type { MacAddress } from "../wire/address.ts";
import { FrameStore } from "./frame-store.ts";
import { type LinkSettings, PERFECT_LINK } from "./link-settings.ts";
import { type DeviceWatcher, NetworkNamespace } from "./namespace.ts";
import type { NetDevice } from "./net-device.ts";
import { DEFAULT_STORM_LIMIT, StormGuard } from "./storm-guard.ts";
import { WireEnd } from "./wire-end.ts";

export interface WorldSettings {
  readonly seed: string | number;
  /** Time to cross a veth pair or the loopback, so that captures of several interfaces have one readable order; default 1 us, may be 0. */
  readonly crossingNs?: Nanoseconds;
  /** How often one bridge may relay one packet before the run is stopped as a storm; 0: never. */
  readonly stormLimit?: number;
}

/** One end of a link to be made. */
export interface LinkEnd {
  readonly namespace: NetworkNamespace;
  readonly name: string;
  readonly address?: MacAddress | undefined;
  readonly mtu?: number;
}

export class World {
  readonly simulation: Simulation;
  readonly frames: FrameStore;
  readonly random: Random;
  readonly crossingNs: Nanoseconds;
  readonly stormGuard: StormGuard | undefined;
  /** Told of every device that comes into a namespace made from now on. */
  deviceWatcher: DeviceWatcher | undefined = undefined;
  /** What every link is until it gets settings of its own. */
  readonly #cable: LinkSettings;
  readonly #namespaces = new Map<string, NetworkNamespace>();

  constructor(settings: WorldSettings) {
    this.random = new Random(settings.seed);
    this.simulation = new Simulation(this.random);
    this.frames = new FrameStore(this.simulation);
    this.crossingNs = settings.crossingNs ?? MICROSECOND;
    this.#cable = { ...PERFECT_LINK, delayNs: this.crossingNs };
    this.stormGuard =
      settings.stormLimit === 0
        ? undefined
        : new StormGuard(this.simulation, settings.stormLimit ?? DEFAULT_STORM_LIMIT);
  }

  get namespaces(): ReadonlyMap<string, NetworkNamespace> {
    return this.#namespaces;
  }

  /** A namespace with its loopback device. The name is free. */
  createNamespace(name: string): NetworkNamespace {
    assert(!this.#namespaces.has(name), `a second namespace ${name}`);
    const namespace = new NetworkNamespace(
      name,
      this.simulation,
      this.frames,
      this.random.fork(`namespace ${name}`),
      this.crossingNs,
    );
    namespace.stormGuard = this.stormGuard;
    this.#namespaces.set(name, namespace);
    namespace.deviceWatcher = this.deviceWatcher;
    this.deviceWatcher?.deviceCame(namespace.loopback);
    return namespace;
  }

  /** A veth pair, or a cable between two nics: both ends are made, connected, down. */
  createLink(
    kind: "veth" | "nic",
    a: LinkEnd,
    b: LinkEnd,
  ): { a: NetDevice; b: NetDevice; aToB: WireEnd; bToA: WireEnd } {
    const aToB = new WireEnd(this.simulation, this.frames, this.#cable);
    const bToA = new WireEnd(this.simulation, this.frames, this.#cable);
    const deviceA = a.namespace.addDevice({
      name: a.name,
      kind,
      address: a.address ?? a.namespace.drawMac(a.name),
      mtu: a.mtu ?? 1500,
      driver: aToB,
    });
    const deviceB = b.namespace.addDevice({
      name: b.name,
      kind,
      address: b.address ?? b.namespace.drawMac(b.name),
      mtu: b.mtu ?? 1500,
      driver: bToA,
    });
    aToB.connect(deviceA, deviceB, this.simulation.register(deviceB));
    bToA.connect(deviceB, deviceA, this.simulation.register(deviceA));
    return { a: deviceA, b: deviceB, aToB, bToA };
  }

  /** `ip netns del`: its devices go, and with each veth its peer. */
  removeNamespace(namespace: NetworkNamespace): void {
    for (const device of namespace.devices) {
      const peer = device.kind === "veth" && device.driver instanceof WireEnd ? device.driver.peer : undefined;
      if (namespace.device(device.name) === device) namespace.removeDevice(device);
      for (const other of this.#namespaces.values())
        if (peer !== undefined && other.device(peer.name) === peer) other.removeDevice(peer);
    }
    namespace.end();
    this.#namespaces.delete(namespace.name);
  }
}
