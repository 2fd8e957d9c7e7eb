/** What the workloads of bench-linux.ts stand on: a machine that is set up with command lines, and the measurement of a run. */
import { Host, TextBuffer } from "../commands/host.ts";
import { runLine } from "../commands/shell.ts";
import { WORDS } from "../commands/words.ts";
import { type LinkSettings, PERFECT_LINK } from "../linux/link-settings.ts";
import type { NetworkNamespace } from "../linux/namespace.ts";
import type { NetDevice } from "../linux/net-device.ts";
import type { Process, Program } from "../linux/process.ts";
import { World } from "../linux/world.ts";

/** What was given as `name=value`. */
export type Options = ReadonlyMap<string, number>;
/** One line of results. */
export type Figures = Record<string, number | string | boolean>;

/** A machine that runs command lines, all of which must succeed. */
export class Machine {
  readonly world: World;
  readonly namespaces = new Map<string, NetworkNamespace>();
  readonly host: Host;

  constructor(names: readonly string[]) {
    this.world = new World({ seed: 1, stormLimit: 0 });
    const namespace = this.world.createNamespace("machine");
    this.host = this.#hostOf("machine", namespace);
    for (const name of names) this.type(`ip netns add ${name}`, `ip -n ${name} link set lo up`);
  }

  type(...lines: string[]): void {
    for (const line of lines) {
      const said = new TextBuffer();
      const host = this.host;
      const process = host.spawn("sh", { stdout: said, stderr: said }, (self) => runLine(self, host.context(), line));
      if (process.exitStatus !== 0) throw new Error(`${line}: ${said.text}`);
    }
  }

  in(name: string): NetworkNamespace {
    return this.namespaces.get(name)!;
  }

  run(name: string, program: (process: Process, namespace: NetworkNamespace) => Program): void {
    const streams = { stdout: new TextBuffer(), stderr: new TextBuffer() };
    this.#hostOf(name, this.in(name)).spawn(name, streams, (process) => program(process, this.in(name)));
  }

  /** A link of its own between two namespaces, both ends up. */
  link(a: string, aName: string, b: string, bName: string, settings: Partial<LinkSettings>): [NetDevice, NetDevice] {
    const link = this.world.createLink(
      "nic",
      { namespace: this.in(a), name: aName },
      { namespace: this.in(b), name: bName },
    );
    link.aToB.settings = { ...PERFECT_LINK, ...settings };
    link.bToA.settings = { ...PERFECT_LINK, ...settings };
    link.a.setUp(true);
    link.b.setUp(true);
    return [link.a, link.b];
  }

  #hostOf(name: string, namespace: NetworkNamespace): Host {
    return new Host({ name, world: this.world, namespace, words: WORDS, namedNamespaces: this.namespaces });
  }
}

/** Runs until `until`, and says what it took. */
export function measure(
  machine: Machine,
  untilNs: number,
  until?: () => boolean,
): { readonly wallS: number; readonly cpuS: number } {
  const cpuStart = process.cpuUsage();
  const start = process.hrtime.bigint();
  machine.world.simulation.run(untilNs, until);
  const wallS = Number(process.hrtime.bigint() - start) / 1e9;
  const cpu = process.cpuUsage(cpuStart);
  return { wallS, cpuS: (cpu.user + cpu.system) / 1e6 };
}

export function round(value: number, digits: number): number {
  return Math.round(value * 10 ** digits) / 10 ** digits;
}
