/**
 * The spanning tree of a bridge: IEEE 802.1D-1998 §8 as the kernel's bridge does it (net/bridge/br_stp.c). Every bridge runs it; with
 * the protocol off no BPDU is sent or heeded, every port is designated and forwards at once.
 *
 * Ports are walked in the order of the bridge's list, the newest first.
 */
import { assert } from "../sim/assert.ts";
import type { Clock } from "../sim/simulation.ts";
import { type Nanoseconds, SECOND } from "../sim/time.ts";
import { Timer } from "../sim/timer.ts";
import type { MacAddress } from "../wire/address.ts";
import * as stp from "../wire/stp.ts";
import type { BridgePort, PortState } from "./bridge-port.ts";
import { JIFFY_NS } from "./jiffies.ts";

type Configuration = Extract<stp.Stp, { kind: "configuration" }>;

/** What the spanning tree needs of the bridge it lives in. */
export interface SpanningTreeBridge {
  readonly clock: Clock;
  readonly ports: readonly BridgePort[];
  readonly up: boolean;
  /** Sends a BPDU out of `port`. */
  sendBpdu(port: BridgePort, message: stp.Stp): void;
  /** The port's state has changed; dynamic fdb entries are flushed when it is `disabled`. */
  portStateChanged(port: BridgePort): void;
  /** Ageing while the topology changes, or undefined for the configured one. */
  overrideAgeing(ageingNs: Nanoseconds | undefined): void;
  /** Does any port forward? */
  setCarrier(carrier: boolean): void;
}

/** A port never has two configuration BPDUs sent within this time: §8.10.2, Hold Time. */
const HOLD_TIME_NS = SECOND;
/** MESSAGE_AGE_INCR: one jiffy. */
const MESSAGE_AGE_INCREMENT_NS = JIFFY_NS;

/** The port's part, §8.5.5. */
interface PortTree {
  readonly port: BridgePort;
  designatedRoot: stp.BridgeIdentifier;
  designatedCost: number;
  designatedBridge: stp.BridgeIdentifier;
  designatedPort: number;
  topologyChangeAcknowledge: boolean;
  configurationPending: boolean;
  /** When the information that the port holds was born at the root. */
  designatedSinceNs: Nanoseconds;
  /** Made when first set: with the protocol off, which is the rule, a port has none. */
  messageAge: Timer | undefined;
  forwardDelay: Timer | undefined;
  hold: Timer | undefined;
}

export class SpanningTree {
  readonly #bridge: SpanningTreeBridge;
  readonly #trees = new Map<BridgePort, PortTree>();
  readonly #hello: Timer;
  readonly #notification: Timer;
  readonly #topologyChangeTimer: Timer;

  #enabled = false;
  #identifier: stp.BridgeIdentifier;
  #designatedRoot: stp.BridgeIdentifier;
  #rootPathCost = 0;
  #rootPort: BridgePort | undefined = undefined;
  #topologyChange = false;
  #topologyChangeDetected = false;

  /** What this bridge would have as root. */
  readonly own = { maximumAgeNs: 20 * SECOND, helloTimeNs: 2 * SECOND, forwardDelayNs: 15 * SECOND };
  /** What holds, as the root says. */
  #maximumAgeNs = this.own.maximumAgeNs;
  #helloTimeNs = this.own.helloTimeNs;
  #forwardDelayNs = this.own.forwardDelayNs;

  constructor(bridge: SpanningTreeBridge, address: MacAddress) {
    this.#bridge = bridge;
    this.#identifier = { priority: 0x8000, address };
    this.#designatedRoot = this.#identifier;
    this.#hello = new Timer(bridge.clock, () => this.#helloExpired());
    this.#notification = new Timer(bridge.clock, () => this.#notificationExpired());
    this.#topologyChangeTimer = new Timer(bridge.clock, () => this.#topologyChangeExpired());
  }

  get enabled(): boolean {
    return this.#enabled;
  }

  get identifier(): stp.BridgeIdentifier {
    return this.#identifier;
  }

  get designatedRoot(): stp.BridgeIdentifier {
    return this.#designatedRoot;
  }

  get rootPathCost(): number {
    return this.#rootPathCost;
  }

  get rootPort(): BridgePort | undefined {
    return this.#rootPort;
  }

  get topologyChange(): boolean {
    return this.#topologyChange;
  }

  get topologyChangeDetected(): boolean {
    return this.#topologyChangeDetected;
  }

  get isRoot(): boolean {
    return compare(this.#identifier, this.#designatedRoot) === 0;
  }

  /** What the port believes of its LAN: designated root, cost, bridge and port. */
  designated(
    port: BridgePort,
  ): Readonly<Pick<PortTree, "designatedRoot" | "designatedCost" | "designatedBridge" | "designatedPort">> {
    return this.#tree(port);
  }

  /** Turns the protocol on or off: `ip link set br0 type bridge stp_state`. */
  setEnabled(enabled: boolean): void {
    if (enabled === this.#enabled) return;
    this.#enabled = enabled;
    if (enabled) {
      this.#forwardDelayNs = Math.min(Math.max(this.own.forwardDelayNs, 2 * SECOND), 30 * SECOND);
      if (this.isRoot) this.own.forwardDelayNs = this.#forwardDelayNs;
      if (this.#bridge.up) this.#hello.set(this.#helloTimeNs);
    } else {
      this.#hello.stop();
      this.#notification.stop();
    }
    this.#selectStates();
  }

  setHelloTime(helloTimeNs: Nanoseconds): void {
    this.own.helloTimeNs = helloTimeNs;
    if (this.isRoot) this.#helloTimeNs = helloTimeNs;
  }

  setMaximumAge(maximumAgeNs: Nanoseconds): void {
    this.own.maximumAgeNs = maximumAgeNs;
    if (this.isRoot) this.#maximumAgeNs = maximumAgeNs;
  }

  setForwardDelay(forwardDelayNs: Nanoseconds): void {
    this.own.forwardDelayNs = forwardDelayNs;
    if (this.isRoot) this.#forwardDelayNs = forwardDelayNs;
  }

  /** The bridge has another priority or address: br_stp_set_bridge_priority, br_stp_change_bridge_id. */
  setIdentifier(identifier: stp.BridgeIdentifier): void {
    const wasRoot = this.isRoot;
    const old = this.#identifier;
    this.#identifier = identifier;
    for (const tree of this.#trees.values()) {
      if (compare(tree.designatedBridge, old) === 0) tree.designatedBridge = identifier;
      if (compare(tree.designatedRoot, old) === 0) tree.designatedRoot = identifier;
    }
    this.#update();
    if (this.isRoot && !wasRoot) this.#becomeRoot();
  }

  setPathCost(port: BridgePort, cost: number): void {
    port.pathCost = cost;
    this.#update();
  }

  setPortPriority(port: BridgePort, priority: number): void {
    const tree = this.#tree(port);
    const designated = this.#isDesignated(tree);
    port.priority = priority;
    if (designated) tree.designatedPort = port.identifier;
    if (compare(this.#identifier, tree.designatedBridge) === 0 && port.identifier < tree.designatedPort) {
      this.#becomeDesignated(tree);
      this.#selectStates();
    }
  }

  /** By hand, while the protocol is off. */
  forceState(port: BridgePort, state: PortState): void {
    this.#setState(port, state);
    this.#selectStates();
  }

  addPort(port: BridgePort): void {
    this.#trees.set(port, {
      port,
      designatedRoot: this.#designatedRoot,
      designatedCost: this.#rootPathCost,
      designatedBridge: this.#identifier,
      designatedPort: port.identifier,
      topologyChangeAcknowledge: false,
      configurationPending: false,
      designatedSinceNs: 0,
      messageAge: undefined,
      forwardDelay: undefined,
      hold: undefined,
    });
  }

  /** The port is disabled and no longer among the bridge's. */
  removePort(port: BridgePort): void {
    assert(port.state === "disabled", "a port leaves the spanning tree alive");
    this.#trees.delete(port);
  }

  /** br_stp_enable_port: the port is up and the bridge too. */
  enablePort(port: BridgePort): void {
    const tree = this.#tree(port);
    this.#becomeDesignated(tree);
    tree.topologyChangeAcknowledge = false;
    tree.configurationPending = false;
    this.#setState(port, "blocking");
    this.#selectStates();
  }

  /** br_stp_disable_port. */
  disablePort(port: BridgePort): void {
    if (port.state === "disabled") return;
    const tree = this.#tree(port);
    const wasRoot = this.isRoot;
    this.#becomeDesignated(tree);
    this.#setState(port, "disabled");
    tree.topologyChangeAcknowledge = false;
    tree.configurationPending = false;
    tree.messageAge?.stop();
    tree.forwardDelay?.stop();
    tree.hold?.stop();
    this.#update();
    if (this.isRoot && !wasRoot) this.#becomeRoot();
  }

  /** br_stp_enable_bridge: the bridge's device came up; its ports are enabled next. */
  start(): void {
    if (this.#enabled) this.#hello.set(this.#helloTimeNs);
    this.#generateConfigurations();
  }

  /** br_stp_disable_bridge: its ports are disabled already. */
  stop(): void {
    this.#setTopologyChange(false);
    this.#topologyChangeDetected = false;
    this.#hello.stop();
    this.#notification.stop();
    this.#topologyChangeTimer.stop();
  }

  /** A BPDU came in by a port that is not disabled; the protocol is on. */
  receive(port: BridgePort, message: stp.Stp): void {
    const tree = this.#tree(port);
    if (message.kind === "configuration") {
      if (message.messageAgeTicks <= message.maximumAgeTicks) this.#receiveConfiguration(tree, message);
    } else if (this.#isDesignated(tree)) {
      this.#detectTopologyChange();
      tree.topologyChangeAcknowledge = true;
      this.#transmitConfiguration(tree);
    }
  }

  #receiveConfiguration(tree: PortTree, message: Configuration): void {
    const wasRoot = this.isRoot;
    if (!this.#supersedes(tree, message)) {
      if (this.#isDesignated(tree)) this.#transmitConfiguration(tree);
      return;
    }
    this.#record(tree, message);
    this.#update();
    if (!this.isRoot && wasRoot) {
      this.#hello.stop();
      if (this.#topologyChangeDetected) {
        this.#topologyChangeTimer.stop();
        this.#transmitNotification();
      }
    }
    if (tree.port !== this.#rootPort) return;
    this.#maximumAgeNs = fromTicks(message.maximumAgeTicks);
    this.#helloTimeNs = fromTicks(message.helloTimeTicks);
    this.#forwardDelayNs = fromTicks(message.forwardDelayTicks);
    this.#setTopologyChange(message.topologyChange);
    this.#generateConfigurations();
    if (message.topologyChangeAcknowledgement) {
      this.#topologyChangeDetected = false;
      this.#notification.stop();
    }
  }

  #record(tree: PortTree, message: Configuration): void {
    const ageNs = fromTicks(message.messageAgeTicks);
    tree.designatedRoot = message.root;
    tree.designatedCost = message.rootPathCost;
    tree.designatedBridge = message.bridge;
    tree.designatedPort = message.portIdentifier;
    tree.designatedSinceNs = this.#bridge.clock.nowNs - ageNs;
    tree.messageAge ??= new Timer(this.#bridge.clock, () => this.#messageAgeExpired(tree));
    tree.messageAge.set(fromTicks(message.maximumAgeTicks) - ageNs);
  }

  /** §8.6.2.2: is what the BPDU says better than what the port holds? */
  #supersedes(tree: PortTree, message: Configuration): boolean {
    const root = compare(message.root, tree.designatedRoot);
    if (root !== 0) return root < 0;
    if (message.rootPathCost !== tree.designatedCost) return message.rootPathCost < tree.designatedCost;
    const bridge = compare(message.bridge, tree.designatedBridge);
    if (bridge !== 0) return bridge < 0;
    if (compare(message.bridge, this.#identifier) !== 0) return true;
    return message.portIdentifier <= tree.designatedPort;
  }

  /** §8.6.7, §8.6.11: root, designated ports and states follow from what the ports hold. */
  #update(): void {
    this.#selectRoot();
    for (const port of this.#bridge.ports) {
      const tree = this.#tree(port);
      if (port.state !== "disabled" && this.#shouldBeDesignated(tree)) this.#becomeDesignated(tree);
    }
    this.#selectStates();
  }

  #selectRoot(): void {
    let best: PortTree | undefined;
    for (const port of this.#bridge.ports) {
      const tree = this.#tree(port);
      if (port.state === "disabled" || port.rootBlock || this.#isDesignated(tree)) continue;
      if (compare(this.#identifier, tree.designatedRoot) <= 0) continue;
      if (best === undefined || leadsBetter(tree, best)) best = tree;
    }
    this.#rootPort = best?.port;
    this.#designatedRoot = best?.designatedRoot ?? this.#identifier;
    this.#rootPathCost = best === undefined ? 0 : best.designatedCost + best.port.pathCost;
  }

  #shouldBeDesignated(tree: PortTree): boolean {
    if (this.#isDesignated(tree)) return true;
    if (compare(tree.designatedRoot, this.#designatedRoot) !== 0) return true;
    if (this.#rootPathCost !== tree.designatedCost) return this.#rootPathCost < tree.designatedCost;
    const bridge = compare(this.#identifier, tree.designatedBridge);
    if (bridge !== 0) return bridge < 0;
    return tree.port.identifier < tree.designatedPort;
  }

  #selectStates(): void {
    let forwards = false;
    for (const port of this.#bridge.ports) {
      if (port.state === "disabled") continue;
      const tree = this.#tree(port);
      if (port === this.#rootPort) {
        tree.configurationPending = false;
        tree.topologyChangeAcknowledge = false;
        this.#makeForwarding(tree);
      } else if (this.#isDesignated(tree)) {
        tree.messageAge?.stop();
        this.#makeForwarding(tree);
      } else {
        tree.configurationPending = false;
        tree.topologyChangeAcknowledge = false;
        this.#makeBlocking(tree);
      }
      if (port.state === "forwarding") forwards = true;
    }
    this.#bridge.setCarrier(forwards);
  }

  #makeForwarding(tree: PortTree): void {
    if (tree.port.state !== "blocking") return;
    if (!this.#enabled || this.#forwardDelayNs === 0) {
      this.#setState(tree.port, "forwarding");
      this.#detectTopologyChange();
      tree.forwardDelay?.stop();
      return;
    }
    this.#setState(tree.port, "listening");
    tree.forwardDelay ??= new Timer(this.#bridge.clock, () => this.#forwardDelayExpired(tree));
    tree.forwardDelay.set(this.#forwardDelayNs);
  }

  #makeBlocking(tree: PortTree): void {
    if (tree.port.state === "blocking") return;
    if (tree.port.state === "forwarding" || tree.port.state === "learning") this.#detectTopologyChange();
    this.#setState(tree.port, "blocking");
    tree.forwardDelay?.stop();
  }

  /** §8.6.14: the root tells everybody, others tell the root. */
  #detectTopologyChange(): void {
    if (!this.#enabled) return;
    if (this.isRoot) {
      this.#setTopologyChange(true);
      this.#topologyChangeTimer.set(this.own.forwardDelayNs + this.own.maximumAgeNs);
    } else if (!this.#topologyChangeDetected) {
      this.#transmitNotification();
    }
    this.#topologyChangeDetected = true;
  }

  /** Addresses that moved must not stay where they were: the fdb ages faster for a while. */
  #setTopologyChange(changing: boolean): void {
    if (changing === this.#topologyChange) return;
    this.#topologyChange = changing;
    if (this.#enabled) this.#bridge.overrideAgeing(changing ? this.#forwardDelayNs : undefined);
    else this.#bridge.overrideAgeing(undefined);
  }

  #becomeRoot(): void {
    this.#maximumAgeNs = this.own.maximumAgeNs;
    this.#helloTimeNs = this.own.helloTimeNs;
    this.#forwardDelayNs = this.own.forwardDelayNs;
    this.#detectTopologyChange();
    this.#notification.stop();
    if (!this.#bridge.up) return;
    this.#generateConfigurations();
    if (this.#enabled) this.#hello.set(this.#helloTimeNs);
  }

  #becomeDesignated(tree: PortTree): void {
    tree.designatedRoot = this.#designatedRoot;
    tree.designatedCost = this.#rootPathCost;
    tree.designatedBridge = this.#identifier;
    tree.designatedPort = tree.port.identifier;
  }

  #isDesignated(tree: PortTree): boolean {
    return compare(tree.designatedBridge, this.#identifier) === 0 && tree.designatedPort === tree.port.identifier;
  }

  #generateConfigurations(): void {
    for (const port of this.#bridge.ports) {
      const tree = this.#tree(port);
      if (port.state !== "disabled" && this.#isDesignated(tree)) this.#transmitConfiguration(tree);
    }
  }

  #transmitConfiguration(tree: PortTree): void {
    if (!this.#enabled) return;
    if (tree.hold?.armed === true) {
      tree.configurationPending = true;
      return;
    }
    const nowNs = this.#bridge.clock.nowNs;
    const ageNs =
      this.#rootPort === undefined
        ? 0
        : nowNs - this.#tree(this.#rootPort).designatedSinceNs + MESSAGE_AGE_INCREMENT_NS;
    if (ageNs >= this.#maximumAgeNs) return;
    this.#bridge.sendBpdu(tree.port, {
      kind: "configuration",
      topologyChange: this.#topologyChange,
      topologyChangeAcknowledgement: tree.topologyChangeAcknowledge,
      root: this.#designatedRoot,
      rootPathCost: this.#rootPathCost,
      bridge: this.#identifier,
      portIdentifier: tree.port.identifier,
      messageAgeTicks: toTicks(ageNs),
      maximumAgeTicks: toTicks(this.#maximumAgeNs),
      helloTimeTicks: toTicks(this.#helloTimeNs),
      forwardDelayTicks: toTicks(this.#forwardDelayNs),
    });
    tree.topologyChangeAcknowledge = false;
    tree.configurationPending = false;
    tree.hold ??= new Timer(this.#bridge.clock, () => {
      if (tree.configurationPending) this.#transmitConfiguration(tree);
    });
    tree.hold.set(roundToSecond(nowNs, nowNs + HOLD_TIME_NS) - nowNs);
  }

  /** To the root, again every hello time until it is acknowledged. */
  #transmitNotification(): void {
    if (this.#rootPort === undefined) return;
    this.#bridge.sendBpdu(this.#rootPort, { kind: "topology-change-notification" });
    this.#notification.set(this.own.helloTimeNs);
  }

  #helloExpired(): void {
    if (!this.#bridge.up || !this.#enabled) return;
    this.#generateConfigurations();
    const nowNs = this.#bridge.clock.nowNs;
    this.#hello.set(roundToSecond(nowNs, nowNs + this.#helloTimeNs) - nowNs);
  }

  #notificationExpired(): void {
    if (!this.isRoot && this.#bridge.up) this.#transmitNotification();
  }

  #topologyChangeExpired(): void {
    this.#topologyChangeDetected = false;
    this.#setTopologyChange(false);
  }

  #messageAgeExpired(tree: PortTree): void {
    if (tree.port.state === "disabled") return;
    const wasRoot = this.isRoot;
    this.#becomeDesignated(tree);
    this.#update();
    if (this.isRoot && !wasRoot) this.#becomeRoot();
  }

  #forwardDelayExpired(tree: PortTree): void {
    if (tree.port.state === "listening") {
      this.#setState(tree.port, "learning");
      tree.forwardDelay?.set(this.#forwardDelayNs);
    } else if (tree.port.state === "learning") {
      this.#setState(tree.port, "forwarding");
      if (this.#isDesignatedSomewhere()) this.#detectTopologyChange();
      this.#bridge.setCarrier(true);
    }
  }

  #isDesignatedSomewhere(): boolean {
    return this.#bridge.ports.some((port) => {
      const tree = this.#tree(port);
      return compare(tree.designatedBridge, this.#identifier) === 0;
    });
  }

  #setState(port: BridgePort, state: PortState): void {
    if (port.state === state) return;
    port.state = state;
    this.#bridge.portStateChanged(port);
  }

  #tree(port: BridgePort): PortTree {
    const tree = this.#trees.get(port);
    assert(tree !== undefined, "a port without a place in the spanning tree");
    return tree;
  }
}

/** Negative when `a` is the better one: lower priority, then lower address. */
function compare(a: stp.BridgeIdentifier, b: stp.BridgeIdentifier): number {
  return a.priority !== b.priority ? a.priority - b.priority : a.address - b.address;
}

/** §8.6.8.3.1: is `a` the better way to the root? */
function leadsBetter(a: PortTree, b: PortTree): boolean {
  const root = compare(a.designatedRoot, b.designatedRoot);
  if (root !== 0) return root < 0;
  const cost = a.designatedCost + a.port.pathCost - (b.designatedCost + b.port.pathCost);
  if (cost !== 0) return cost < 0;
  const bridge = compare(a.designatedBridge, b.designatedBridge);
  if (bridge !== 0) return bridge < 0;
  if (a.designatedPort !== b.designatedPort) return a.designatedPort < b.designatedPort;
  return a.port.identifier < b.port.identifier;
}

/** Times in BPDUs: the kernel counts in jiffies, and rounds down when it sends, up when it receives. */
function toTicks(timeNs: Nanoseconds): number {
  return Math.floor((Math.floor(timeNs / JIFFY_NS) * stp.TICKS_PER_SECOND * JIFFY_NS) / SECOND);
}

function fromTicks(ticks: number): Nanoseconds {
  return Math.ceil((ticks * SECOND) / JIFFY_NS / stp.TICKS_PER_SECOND) * JIFFY_NS;
}

/** round_jiffies(): to a whole second, down in its first quarter, so that timers of many bridges go off together. */
function roundToSecond(nowNs: Nanoseconds, timeNs: Nanoseconds): Nanoseconds {
  const rest = timeNs % SECOND;
  const rounded = rest < SECOND / 4 ? timeNs - rest : timeNs - rest + SECOND;
  return rounded > nowNs ? rounded : timeNs;
}
