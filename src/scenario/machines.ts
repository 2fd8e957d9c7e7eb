/** A scenario's machines: hosts with one cable each to the underlay, and the machine that `setup:` lines run on. */
import { Host } from "../commands/host.ts";
import { WORDS } from "../commands/words.ts";
import { PERFECT_LINK } from "../linux/link-settings.ts";
import type { NetworkNamespace } from "../linux/namespace.ts";
import type { World } from "../linux/world.ts";
import { MICROSECOND, SECOND } from "../sim/time.ts";
import type { Ipv4Address, Prefix } from "../wire/address.ts";
import { RunningCommand } from "./command-runner.ts";
import { linkSettingsOf } from "./faults.ts";
import { type Scenario, scenarioProblem } from "./load.ts";
import { Underlay } from "./underlay.ts";

const DEFAULT_UNDERLAY_DELAY_NS = 50 * MICROSECOND;
const DEFAULT_UNDERLAY_MTU = 1_500;
/** The machine that `setup:` lines run on, where a scenario has no machines. */
const SETUP_MACHINE = "host";
/** A setup command gets this much virtual time. */
const SETUP_LIMIT_NS = 600 * SECOND;

export interface MachineAddresses {
  readonly underlay: Prefix;
  readonly nodes: ReadonlyMap<string, Ipv4Address>;
}

export class Machines {
  readonly underlay: Underlay;
  readonly hosts = new Map<string, Host>();
  readonly #scenario: Scenario;
  readonly #world: World;

  constructor(scenario: Scenario, world: World, addresses: MachineAddresses) {
    this.#scenario = scenario;
    this.#world = world;
    this.underlay = new Underlay(world);
    const { nodes = new Map(), underlay } = scenario;
    const common = { ...PERFECT_LINK, delayNs: DEFAULT_UNDERLAY_DELAY_NS, ...linkSettingsOf(underlay?.link ?? {}) };
    for (const [name, spec] of nodes) {
      const namespace = world.createNamespace(name);
      this.underlay.plug(namespace, {
        address: { address: addresses.nodes.get(name)!, length: addresses.underlay.length },
        mtu: underlay?.mtu ?? DEFAULT_UNDERLAY_MTU,
        link: { ...common, ...linkSettingsOf(spec.link ?? {}) },
      });
      this.hosts.set(name, this.hostOf(name, namespace));
    }
    if (nodes.size === 0 && scenario.setup !== undefined)
      this.hosts.set(SETUP_MACHINE, this.hostOf(SETUP_MACHINE, world.createNamespace(SETUP_MACHINE)));
  }

  /** Where `setup:` lines run: on a machine of their own, or on the first of the scenario's. */
  get setupMachine(): Host | undefined {
    return this.hosts.get(SETUP_MACHINE) ?? [...this.hosts.values()][0];
  }

  /** A host that lives in a namespace; one of a machine's named namespaces shares these with it. */
  hostOf(name: string, namespace: NetworkNamespace, machine?: Host): Host {
    return new Host({
      name,
      world: this.#world,
      namespace,
      words: WORDS,
      ...(machine !== undefined && { namedNamespaces: machine.namedNamespaces }),
    });
  }

  /** Runs the scenario's own `setup:` lines, then those of its machines. */
  runSetup(): void {
    const machine = this.setupMachine;
    for (const [index, line] of (this.#scenario.setup ?? []).entries())
      if (machine !== undefined) this.mustSucceed(machine, line, `setup[${index}]`);
    for (const [name, spec] of this.#scenario.nodes ?? [])
      for (const [index, line] of (spec.setup ?? []).entries())
        this.mustSucceed(this.hosts.get(name)!, line, `nodes.${name}.setup[${index}]`);
  }

  /** Runs a line to its end before anything else goes on; throws a `ScenarioError` when it fails. */
  mustSucceed(host: Host, line: string, path: string): void {
    const command = new RunningCommand(host, line);
    const { simulation } = this.#world;
    if (!command.ended) simulation.run(simulation.nowNs + SETUP_LIMIT_NS, () => command.ended);
    this.expectSuccess(command, path);
  }

  /** Throws a `ScenarioError` when a command that `path` names has not ended well. */
  expectSuccess(command: RunningCommand, path: string): void {
    const { status, stdout, stderr } = command.result;
    if (status === 0) return;
    const [first = "", second = ""] = (stderr + stdout).trim().split("\n");
    const said = first.endsWith(":") ? `${first} ${second}` : first;
    const found =
      status === undefined
        ? "a command that does not end"
        : `a command that ends with status ${status}${said === "" ? "" : `: ${said}`}`;
    throw scenarioProblem(this.#scenario, path, found, "a command that succeeds");
  }
}
