/**
 * A scenario brought to life: its world, its hosts, its capture points. What `vxlab run` runs and what programs use: run it until a time or
 * until something is true, type commands, read tables and counters, listen to frames.
 */
import { MemorySink } from "../capture/byte-sink.ts";
import { SECRETS_TLS_KEY_LOG } from "../capture/pcapng-format.ts";
import { PcapngWriter } from "../capture/pcapng-writer.ts";
import type { Host } from "../commands/host.ts";
import { DEFAULT_START_SECONDS } from "../commands/wall-date.ts";
import { DROP_REASONS, type DropReason } from "../linux/drop-reason.ts";
import type { FrameId, FrameObserver, Place } from "../linux/frame-store.ts";
import type { NetDevice } from "../linux/net-device.ts";
import { World } from "../linux/world.ts";
import { assert, unreachable } from "../sim/assert.ts";
import { MILLISECOND, type Nanoseconds, SECOND } from "../sim/time.ts";
import { describe } from "../wire/describe.ts";
import { planMachines } from "./address-plan.ts";
import { StaticHosts } from "./build.ts";
import { CapturePoints, type FrameListener, matchesPlace } from "./capture-points.ts";
import { ClusterChecks } from "./cluster-checks.ts";
import { RunningCommand } from "./command-runner.ts";
import { Deployment } from "./deployment.ts";
import { EngineHosts } from "./engine-hosts.ts";
import { hasEngines } from "./engine-needs.ts";
import { type CommandResult, checkCount, checkResult, type ExpectationResult, FrameCounter } from "./expectations.ts";
import { Faults } from "./faults.ts";
import type { Hosts } from "./hosts.ts";
import type { ScenarioInput } from "./input.ts";
import { type Scenario, scenarioFrom, scenarioProblem } from "./load.ts";
import { nearest } from "./problem.ts";
import type { RunReport } from "./report.ts";
import { Timeline } from "./timeline.ts";

/** The end of a run is looked for this often; fixed, so that it does not depend on how the run is sliced. */
const LOOK_NS = 10 * MILLISECOND;
/** What is still on its way when all is done gets this long to arrive. */
const LINGER_NS = 100 * MILLISECOND;
/** A run without `until` whose commands never end is ended here. */
const LONGEST_NS = 24 * 3_600 * SECOND;

export class Lab {
  readonly scenario: Scenario;
  readonly world: World;
  readonly captures: CapturePoints;
  /** Wall clock at virtual time 0, seconds since 1970. */
  readonly startSeconds: number;
  readonly #hosts: Hosts;
  /** Where there are engines. */
  readonly #engines: EngineHosts | undefined;
  readonly #clusterChecks: ClusterChecks | undefined;
  #deployment: Deployment | undefined = undefined;
  /** From when the steps count; undefined until then. */
  #readyNs: Nanoseconds | undefined = undefined;
  #timeline: Timeline | undefined = undefined;
  /** Writers that begin when all is ready. */
  readonly #waitingWriters: (() => void)[] = [];
  readonly #writers: PcapngWriter[] = [];
  readonly #notReady: string[] = [];
  readonly #counters = new Map<number, FrameCounter>(); // by index of the expectation
  /** `before`: while all was made ready; expectations count what comes after. */
  readonly #dropsAt = new Map<string, { reason: DropReason; at: string; count: number; before?: number }>();
  #doneNs: Nanoseconds | undefined = undefined;
  #over = false;

  /** Builds the world. An object of a scenario file's form is taken too. Throws `ScenarioError` for a scenario that cannot be built. */
  constructor(scenario: Scenario | ScenarioInput) {
    this.scenario = isLoaded(scenario) ? scenario : scenarioFrom(scenario);
    this.startSeconds = this.scenario.start ?? DEFAULT_START_SECONDS;
    this.world = new World({
      seed: this.scenario.seed ?? "1",
      ...(this.scenario.crossing !== undefined && { crossingNs: this.scenario.crossing }),
    });
    this.captures = new CapturePoints(this.world.simulation, this.world.frames, (device) =>
      this.#hosts.placeOf(device),
    );
    if (hasEngines(this.scenario)) {
      this.world.deviceWatcher = this.captures;
      this.#engines = new EngineHosts(this.scenario, this.world, planMachines(this.scenario));
      this.#clusterChecks = new ClusterChecks(this.#engines);
      this.#hosts = this.#engines;
    } else this.#hosts = new StaticHosts(this.scenario, this.world);
    this.world.frames.observer = this.#dropCounter();
    if (this.#engines === undefined) {
      this.#checkPlaces();
      this.#begin();
    }
  }

  /** Where there are engines: runs until the steps would begin. Then everything that the scenario makes is there. */
  ready(): this {
    while (this.#readyNs === undefined && !this.#over) this.#advance(Number.POSITIVE_INFINITY);
    return this;
  }

  /** Do machines run dockerd? Then interfaces come and go. */
  get hasEngines(): boolean {
    return this.#engines !== undefined;
  }

  /** When the steps' times began to count; undefined before that, and where there are no engines. */
  get readyNs(): Nanoseconds | undefined {
    return this.#engines === undefined ? undefined : this.#readyNs;
  }

  /** Lines of a TLS key log, of a sealed control plane. */
  get keyLog(): readonly string[] {
    return [...(this.#engines?.keyLog ?? [])];
  }

  /** The keys that open sealed gossip; none where it is in clear. */
  get gossipKeys(): readonly Uint8Array[] {
    return this.scenario.swarm?.["control-plane"] === "sealed" ? (this.#engines?.gossipKeys ?? []) : [];
  }

  /** Gives a file the keys that open the sealed control plane, those that are known and those to come: Wireshark needs nothing else. */
  #writeKeys(writer: PcapngWriter, engines: EngineHosts): void {
    const write = (lines: readonly string[]): void => {
      const text = lines.map((line) => `${line}\n`).join("");
      writer.addDecryptionSecrets(SECRETS_TLS_KEY_LOG, new TextEncoder().encode(text));
    };
    if (engines.keyLog.size > 0) write([...engines.keyLog]);
    const before = engines.keyLogged;
    engines.keyLogged = (line) => {
      before(line);
      write([line]);
    };
  }

  /** Everything that the steps speak of is there: counts frames, begins the timeline. */
  #begin(): void {
    const { simulation } = this.world;
    const hosts = this.#hosts;
    this.#readyNs = simulation.nowNs;
    for (const drop of this.#dropsAt.values()) drop.before = drop.count;
    this.#countFrames();
    for (const begin of this.#waitingWriters) begin();
    if (this.#engines !== undefined)
      for (const writer of this.#writers) for (const [address, name] of hosts.names()) writer.addName(address, name);
    this.#timeline = new Timeline(this.scenario, {
      simulation,
      hosts: (name) => {
        if (name !== undefined) return hosts.find(name);
        const machine = hosts.setupMachine;
        return machine === undefined ? [] : [{ name: machine.name, host: machine }];
      },
      addressOf: (name, seenFrom) => hosts.addressOf(name, seenFrom),
      faults: new Faults(hosts),
      cluster: this.#clusterChecks,
    });
  }

  /** Machines, containers, and the namespaces that commands made. */
  get hosts(): ReadonlyMap<string, Host> {
    return this.#hosts.all();
  }

  get nowNs(): Nanoseconds {
    return this.world.simulation.nowNs;
  }

  /** The device at `place`, such as `c1/eth0`. */
  device(place: string): NetDevice | undefined {
    return this.#hosts.devices().find((device) => this.#isAt(place, device));
  }

  /** Docker's own names of namespaces count as well as ours. */
  #isAt(pattern: string, device: NetDevice): boolean {
    const shown = this.#hosts.placeOf(device);
    return matchesPlace(pattern, shown) || (shown !== device.place && matchesPlace(pattern, device.place));
  }

  /** Types a command line on a host; it begins at once and goes on while the lab runs. */
  start(host: string, line: string, as?: string): RunningCommand {
    const [found] = this.#hosts.find(host);
    if (found === undefined) throw new RangeError(`there is no machine, container or namespace ${host}`);
    return new RunningCommand(found.host, line, as, found.name);
  }

  /** Types a command line and runs the lab until it has ended, at most `mostNs` of virtual time. */
  exec(host: string, line: string, mostNs: Nanoseconds = 600 * SECOND): CommandResult {
    const command = this.start(host, line);
    if (!command.ended) this.world.simulation.run(this.nowNs + mostNs, () => command.ended);
    return command.result;
  }

  /** Runs until the virtual time `endNs`, or until `condition` (asked after every event) is true; was it? */
  runUntil(endNs: Nanoseconds, condition?: () => boolean): boolean {
    return this.world.simulation.run(endNs, condition);
  }

  /** Runs the scenario to its end. */
  run(): RunReport {
    while (!this.advance());
    return this.report();
  }

  /** Runs the scenario on, at most `mostEvents` events; true when its end has been reached. */
  advance(mostEvents = Number.POSITIVE_INFINITY): boolean {
    let left = mostEvents;
    while (!this.#over && left > 0) {
      const before = this.world.simulation.events;
      if (this.#advance(left)) return this.#over;
      left -= this.world.simulation.events - before + 1;
    }
    return this.#over;
  }

  /** Runs to the next time to look at the run's state; true when that was not reached. */
  #advance(mostEvents: number): boolean {
    if (this.#engines !== undefined) this.#deployment ??= new Deployment(this.scenario, this.#engines, this.world);
    if (this.world.simulation.run(this.#nextStopNs(), undefined, mostEvents)) {
      this.#over = this.#storm() !== undefined;
      return true;
    }
    if (this.#timeline === undefined) this.#lookAtDeployment();
    else this.#over = this.#reachedEnd();
    return false;
  }

  #lookAtDeployment(): void {
    const outcome = this.#deployment?.outcome;
    if (outcome === undefined) return;
    if ("readyNs" in outcome) {
      this.#begin();
      return;
    }
    this.#notReady.push(outcome.problem);
    this.#over = true;
  }

  /** The devices that the patterns name, in the order of hosts and interfaces: those that the scenario captures, unless others are asked for. */
  captureDevices(patterns = this.scenario.capture): readonly NetDevice[] {
    return this.#hosts
      .devices()
      .filter((device) => !this.#hosts.isUnderlay(device))
      .filter((device) => this.#isWanted(device, patterns));
  }

  #isWanted(device: NetDevice, patterns: readonly string[] | undefined): boolean {
    return patterns === undefined
      ? device.kind !== "loopback"
      : patterns.some((pattern) => this.#isAt(pattern, device));
  }

  /**
   * Calls `listener` with each device that the patterns name, and hears its frames from then on: those that are there, and where there are engines those
   * that are still to come. From when the scenario's capture begins.
   */
  follow(patterns: readonly string[] | undefined, listener: (device: NetDevice, place: string) => FrameListener): void {
    this.#whenCaptureBegins(() => {
      for (const device of this.captureDevices(patterns))
        this.captures.listen(device, listener(device, this.#hosts.placeOf(device)));
      if (this.#engines !== undefined)
        this.captures.follow({
          wants: (device) => !this.#hosts.isUnderlay(device) && this.#isWanted(device, patterns),
          follow: (device) => whenFirstSeen(() => listener(device, this.#hosts.placeOf(device))),
        });
    });
  }

  #whenCaptureBegins(begin: () => void): void {
    const isLater = this.#engines !== undefined && this.scenario["capture-from"] === "ready";
    if (isLater && this.#readyNs === undefined) this.#waitingWriters.push(begin);
    else begin();
  }

  /** Joins the captured devices, the names of the hosts and, if asked for, dropped frames to a pcapng file. The caller closes it. */
  writeTo(
    writer: PcapngWriter,
    options: {
      readonly drops?: boolean;
      readonly patterns?: readonly string[] | undefined;
      readonly names?: boolean;
    } = {},
  ): void {
    const patterns = options.patterns ?? this.scenario.capture;
    this.#whenCaptureBegins(() => {
      for (const device of this.captureDevices(patterns)) this.captures.write(device, writer);
      if (this.#engines !== undefined)
        this.captures.follow({
          wants: (device) => !this.#hosts.isUnderlay(device) && this.#isWanted(device, patterns),
          follow: writer,
        });
      if (this.#engines !== undefined) this.#writeKeys(writer, this.#engines);
    });
    if (options.names !== false) {
      this.#writers.push(writer);
      for (const [address, name] of this.#hosts.names()) writer.addName(address, name);
    }
    if (options.drops === true) this.#writeDrops(writer);
  }

  /** A capture in memory of what happens from now on. `bytes` is whole once the lab has run and `close` was called. */
  capture(patterns?: readonly string[]): { readonly close: () => Uint8Array } {
    const sink = new MemorySink();
    const writer = new PcapngWriter(sink, { startSeconds: this.startSeconds, application: "vxlab" });
    this.writeTo(writer, { patterns: patterns ?? this.scenario.capture, names: false });
    return {
      close() {
        writer.close();
        return sink.toBytes();
      },
    };
  }

  /** Calls `listener` for every frame at the devices that `pattern` names. */
  onFrame(pattern: string, listener: FrameListener): void {
    const wants = (device: NetDevice): boolean => this.#isAt(pattern, device);
    for (const device of this.#hosts.devices()) if (wants(device)) this.captures.listen(device, listener);
    if (this.#engines !== undefined) this.captures.follow({ wants, follow: () => listener });
  }

  /** What the run came to so far. */
  report(): RunReport {
    const { made, delivered, consumed, dropped, inFlight } = this.world.frames;
    assert(
      this.world.frames.countHolders() === inFlight,
      "conservation: the frames in flight are not those that were made and have not ended",
    );
    const expectations = this.#checkExpectations();
    const storm = this.#storm();
    const problems = [
      ...this.#hosts.problems,
      ...this.#notReady,
      ...(this.#timeline?.problems ?? []),
      ...(storm === undefined ? [] : [storm]),
    ];
    return {
      version: 1,
      scenario: this.scenario.name,
      seed: this.scenario.seed ?? "1",
      ...(this.readyNs !== undefined && { readyNs: this.readyNs }),
      endNs: this.nowNs,
      events: this.world.simulation.events,
      frames: { made, delivered, consumed, dropped, inFlight },
      drops: [...this.#dropsAt.values()].map(({ reason, at, count }) => ({
        reason,
        words: DROP_REASONS[reason],
        at,
        count,
      })),
      commands: (this.#timeline?.commands ?? []).map((command) => command.result),
      expectations,
      problems,
      holds: problems.length === 0 && expectations.every(({ holds }) => holds),
      files: [],
    };
  }

  /** What stopped the run before its end, in words. */
  #storm(): string | undefined {
    const storm = this.world.stormGuard?.report;
    if (storm === undefined) return undefined;
    const frame = describe(storm.frame, 0, storm.frame.length);
    return `a frame goes round and round (${storm.relays} times past ${storm.bridges.join(", ")}): ${frame}. Bridges in a loop need spanning tree: ip link set BRIDGE type bridge stp_state 1`;
  }

  /** What `until` counts from. Setup lines may have taken time: without engines it counts from the start of the run all the same. */
  get #startNs(): Nanoseconds {
    return this.readyNs ?? 0;
  }

  #nextStopNs(): Nanoseconds {
    if (this.#timeline === undefined) return (Math.floor(this.nowNs / LOOK_NS) + 1) * LOOK_NS;
    if (this.scenario.until !== undefined) return this.#startNs + this.scenario.until;
    if (this.#doneNs !== undefined) return this.#doneNs + LINGER_NS;
    return (Math.floor(this.nowNs / LOOK_NS) + 1) * LOOK_NS;
  }

  #reachedEnd(): boolean {
    if (this.scenario.until !== undefined) return this.nowNs >= this.#startNs + this.scenario.until;
    if (this.#doneNs !== undefined) return this.nowNs >= this.#doneNs + LINGER_NS;
    if (this.#timeline?.done === true) this.#doneNs = this.nowNs;
    return this.nowNs >= LONGEST_NS;
  }

  /** An interface that is not there is seldom what was meant, and "no frames" would hold of it. */
  #checkPlaces(): void {
    const places = this.captureDevices(["*"]).map((device) => this.#hosts.placeOf(device));
    const check = (path: string, pattern: string): void => {
      if (places.some((place) => matchesPlace(pattern, place))) return;
      const near = nearest(pattern, places);
      const hint = near === undefined ? undefined : `did you mean "${near}"?`;
      throw scenarioProblem(
        this.scenario,
        path,
        `"${pattern}", which no interface is called`,
        placesText(places),
        hint,
      );
    };
    const { capture = [], expect = [] } = this.scenario;
    for (const [index, pattern] of capture.entries()) check(`capture[${index}]`, pattern);
    for (const [index, expectation] of expect.entries())
      if (expectation.kind === "capture") check(`expect[${index}].capture`, expectation.capture);
  }

  #countFrames(): void {
    for (const [index, expectation] of (this.scenario.expect ?? []).entries()) {
      if (expectation.kind !== "capture") continue;
      const counter = new FrameCounter(expectation.filter);
      this.#counters.set(index, counter);
      this.onFrame(expectation.capture, ({ bytes, at, end }) => counter.see(bytes, at, end));
    }
  }

  #checkExpectations(): ExpectationResult[] {
    const eventually = [...(this.#timeline?.eventually ?? [])];
    return (this.scenario.expect ?? []).flatMap((expectation, index): ExpectationResult[] => {
      switch (expectation.kind) {
        case "result": {
          const commands = (this.#timeline?.commands ?? []).filter(({ as }) => as === expectation.of);
          if (commands.length === 0) return checkResult(expectation.result, undefined, expectation.of);
          return commands.flatMap(({ result }) => checkResult(expectation.result, result, expectation.of));
        }
        case "capture": {
          const what = expectation.filter === undefined ? "frames" : `frames of "${expectation.filter}"`;
          return [checkCount(`${expectation.capture}: ${what}`, expectation, this.#counters.get(index)?.count ?? 0)];
        }
        case "drops": {
          const place = expectation.at === undefined ? "" : ` at ${expectation.at}`;
          const found = [...this.#dropsAt.values()]
            .filter(
              ({ reason, at }) =>
                reason === expectation.drops && (expectation.at === undefined || matchesPlace(expectation.at, at)),
            )
            .reduce((sum, { count, before = 0 }) => sum + count - before, 0);
          return [checkCount(`drops ${expectation.drops}${place}`, expectation, found)];
        }
        case "eventually":
          return eventually.splice(0, 1);
        case "cluster":
          return this.#clusterChecks?.check(expectation) ?? [];
        default:
          return unreachable(expectation);
      }
    });
  }

  #dropCounter(): FrameObserver {
    return {
      dropped: (frame, reason, where) => {
        const key = `${reason} ${where.place}`;
        const known = this.#dropsAt.get(key);
        if (known === undefined) this.#dropsAt.set(key, { reason, at: this.#hosts.placeOf(where), count: 1 });
        else known.count++;
        this.#onDrop?.(frame, reason, where);
      },
    };
  }

  #onDrop: ((frame: FrameId, reason: DropReason, where: Place) => void) | undefined = undefined;

  /** Dropped frames go to an interface of their own, `drops`, with the reason and the place as comment. */
  #writeDrops(writer: PcapngWriter): void {
    const frames = this.world.frames;
    const drops = writer.addInterface("drops", "frames that were dropped, each with its reason");
    this.#onDrop = (frame, reason, where) => {
      const comment = `DROP ${reason} at ${this.#hosts.placeOf(where)}: ${DROP_REASONS[reason]}`;
      writer.frame(
        drops,
        this.nowNs,
        frames.bytes,
        frames.start(frame),
        frames.end(frame),
        0,
        frames.packetId[frame]!,
        comment,
      );
    };
  }
}

/** Makes the listener when there is something to hear. */
function whenFirstSeen(make: () => FrameListener): FrameListener {
  let made: FrameListener | undefined;
  return (frame) => {
    made ??= make();
    made(frame);
  };
}

/** Of the places in a message. */
const MOST_PLACES = 12;

/** `one of c1/eth0, c2/eth0, …`. */
export function placesText(places: readonly string[]): string {
  const shown = places.slice(0, MOST_PLACES).join(", ");
  return `one of ${shown}${places.length > MOST_PLACES ? `, … (${places.length} in all)` : ""}`;
}

function isLoaded(scenario: Scenario | ScenarioInput): scenario is Scenario {
  return "source" in scenario;
}
