/**
 * The recorded cases one after the other on our lab, as they followed each other on the real one: every command at its time, every capture while the recorded
 * one ran. A case begins with what those before it have left.
 */
import type { CapturedFrame } from "../../../capture/capture-frame.ts";
import { TextBuffer } from "../../../commands/host.ts";
import { runLine } from "../../../commands/shell.ts";
import type { Word } from "../../../commands/word.ts";
import type { NetDevice } from "../../../linux/net-device.ts";
import { addTap } from "../../../linux/tap-set.ts";
import { type Nanoseconds, SECOND } from "../../../sim/time.ts";
import type { Store } from "../../../swarm/store/store.ts";
import { formatIpv4, parseIpv4, parsePrefix } from "../../../wire/address.ts";
import { getU16 } from "../../../wire/bytes.ts";
import { Conductor } from "./conductor.ts";
import { FrameTap } from "./frame-tap.ts";
import { type LabNode, RecordedLab } from "./lab.ts";
import { Naming, recordedNaming, roleOf, virtualName } from "./naming.ts";
import type { RecordedStep } from "./notes.ts";
import { findDevice } from "./places.ts";
import { type RecordedCapture, type RecordedCase, timeOfDay } from "./recording.ts";
import { typedLines } from "./typed-line.ts";

/** The machines have been up for so long when the first command comes. */
const BEFORE_NS: Nanoseconds = 20 * SECOND;
const NODES = 3;
const ETHER_TYPE_AT = 12;
const ETHERTYPE_IPV6 = 0x86dd;
/** A command that shows no sign for so long began late. */
const MUCH_LATER_NS: Nanoseconds = 4 * SECOND;

/** One case as it went on our lab. */
export interface CaseRun {
  readonly recorded: RecordedCase;
  readonly captures: ReadonlyMap<string, readonly CapturedFrame[]>;
  /** Who had which address in ours. */
  readonly naming: Naming;
  readonly recordedNaming: Naming;
  readonly outputs: readonly { readonly host: string; readonly line: string; readonly text: string }[];
  readonly problems: readonly string[];
}

export interface SessionSettings {
  readonly cases: readonly RecordedCase[];
  readonly words: ReadonlyMap<string, Word>;
  readonly seed: string;
  /** Called when the recorded machines had told all of themselves. */
  readonly dumped: (run: CaseRun, lab: RecordedLab) => void;
  /** Called when a case is over, while everything is still there. */
  readonly ended: (run: CaseRun, lab: RecordedLab) => void;
}

/** Something to do at a time of the day. */
interface Deed {
  readonly atNs: Nanoseconds;
  readonly act: () => void;
}

interface OpenCase {
  readonly recorded: RecordedCase;
  readonly recordedNaming: Naming;
  readonly naming: Naming;
  readonly captures: Map<string, CapturedFrame[]>;
  readonly open: Map<string, () => void>;
  readonly outputs: { host: string; line: string; buffer: TextBuffer }[];
  readonly problems: string[];
}

export function runSession(settings: SessionSettings): void {
  new Session(settings).run();
}

class Session {
  readonly #settings: SessionSettings;
  readonly #lab: RecordedLab;
  readonly #conductor: Conductor;
  /** The time of the day at which the simulation's clock shows 0. */
  readonly #zeroNs: Nanoseconds;
  readonly #startSeconds: number;
  #cutsLeader = false;

  constructor(settings: SessionSettings) {
    this.#settings = settings;
    const first = settings.cases[0]!;
    this.#zeroNs = Math.floor((first.notes.steps[0]!.atNs - BEFORE_NS) / SECOND) * SECOND;
    const day = Math.floor((first.captures[0]?.frames[0]?.time.seconds ?? 0) / 86_400) * 86_400;
    this.#startSeconds = day + this.#zeroNs / SECOND;
    this.#conductor = new Conductor(
      settings.cases,
      (node) => this.#lab.nodes.get(node)?.daemon.node.nodeId,
      () => this.#nowNs,
    );
    this.#lab = new RecordedLab({
      seed: settings.seed,
      nodes: NODES,
      words: settings.words,
      startSeconds: this.#startSeconds,
      preparationNs: (_node, task) => this.#conductor.preparationNs(task),
    });
  }

  get #nowNs(): Nanoseconds {
    return this.#zeroNs + this.#lab.world.simulation.nowNs;
  }

  run(): void {
    for (const [index, recorded] of this.#settings.cases.entries()) {
      const run: OpenCase = {
        recorded,
        recordedNaming: recordedNaming(recorded, this.#settings.cases.slice(0, index)),
        naming: new Naming(),
        captures: new Map(),
        open: new Map(),
        outputs: [],
        problems: [],
      };
      this.#removeForgotten(run);
      for (const { atNs, act } of this.#deeds(run)) {
        this.#runTo(run, atNs);
        act();
      }
      for (const close of run.open.values()) close();
      const outputs = run.outputs.map(({ host, line, buffer }) => ({ host, line, text: buffer.text }));
      this.#settings.ended({ ...run, outputs }, this.#lab);
    }
  }

  /** Services and bridges that the recorded swarm no longer had: they went in a case that is not in this set. */
  #removeForgotten(run: OpenCase): void {
    this.#removeServices(run);
    const typed = run.recorded.notes.steps.map((step) => (step.kind === "command" ? step.line : "")).join("\n");
    const atNs = run.recorded.notes.steps[0]!.atNs;
    for (const [host, { sections }] of run.recorded.states) {
      const shown = sections.find(({ command }) => command === "docker network ls")?.text;
      for (const { name, driver } of this.#lab.nodes.get(host)?.daemon.engine.networks.values() ?? [])
        if (
          driver === "bridge" &&
          shown !== undefined &&
          !new RegExp(`\\s${name}\\s`).test(shown) &&
          !typed.includes(name)
        )
          this.#act(run, { kind: "command", atNs, host, line: `docker network rm ${name}`, output: "" });
    }
  }

  #removeServices(run: OpenCase): void {
    const listed = [...run.recorded.states.values()].flatMap(({ sections }) =>
      sections.filter(({ command }) => command === "docker service ls").map(({ text }) => text),
    );
    if (listed.length === 0) return;
    const typed = run.recorded.notes.steps.map((step) => (step.kind === "command" ? step.line : "")).join("\n");
    for (const { spec } of this.#leaderStore()?.all("service") ?? []) {
      const { name } = spec.annotations;
      const isKnown = new RegExp(`\\s${name}\\s`).test(listed.join("\n")) || new RegExp(`\\b${name}\\b`).test(typed);
      if (isKnown) continue;
      const atNs = run.recorded.notes.steps[0]!.atNs;
      this.#act(run, { kind: "command", atNs, host: "node1", line: `docker service rm ${name}`, output: "" });
    }
  }

  /** Time passes; what must not be missed is looked at every second. */
  #runTo(run: OpenCase, atNs: Nanoseconds): void {
    for (;;) {
      this.#conductor.follow(this.#leaderStore());
      this.#note(run.naming);
      const leftNs = atNs - this.#nowNs;
      if (leftNs <= 0) return;
      const { simulation } = this.#lab.world;
      simulation.run(simulation.nowNs + Math.min(leftNs, SECOND));
    }
  }

  #deeds(run: OpenCase): Deed[] {
    const { steps } = run.recorded.notes;
    const deeds: Deed[] = steps.map((step, at) => ({
      atNs: startOf(step, steps[at + 1]?.atNs, run.recorded),
      act: () => this.#act(run, step),
    }));
    const inner = this.#innerWindow(steps);
    for (const capture of run.recorded.captures) {
      const isOutside = capture.place === "underlay";
      const firstNs = timeOfDay(capture.frames[0]?.time);
      const lastNs = timeOfDay(capture.frames.at(-1)?.time);
      const fromNs = isOutside && firstNs !== undefined ? Math.min(firstNs, inner.fromNs) : inner.fromNs;
      const toNs = isOutside && lastNs !== undefined ? Math.max(lastNs, inner.toNs) : inner.toNs;
      deeds.push({ atNs: fromNs, act: () => this.#open(run, capture) });
      deeds.push({ atNs: toNs, act: () => run.open.get(capture.file)?.() });
    }
    for (const { machine, container, address, count, fromNs } of run.recorded.loops) {
      const line = `docker exec ${container} ping -c ${count} ${formatIpv4(address)}`;
      deeds.push({
        atNs: fromNs,
        act: () => this.#act(run, { kind: "command", atNs: fromNs, host: machine, line, output: "" }),
      });
    }
    // Sorted stably: a capture that begins with a command sees it.
    return deeds.sort((a, b) => a.atNs - b.atNs);
  }

  /** While the captures within the machines ran. */
  #innerWindow(steps: readonly RecordedStep[]): { fromNs: Nanoseconds; toNs: Nanoseconds } {
    const remark = (pattern: RegExp) => steps.find((step) => step.kind === "remark" && pattern.test(step.text))?.atNs;
    return {
      fromNs: remark(/^captures .*started/) ?? steps[0]!.atNs,
      toNs: remark(/^captures stopped/) ?? steps.at(-1)!.atNs,
    };
  }

  #open(run: OpenCase, capture: RecordedCapture): void {
    const frames: CapturedFrame[] = [];
    run.captures.set(capture.file, frames);
    const device = findDevice(this.#lab, run.recorded, capture);
    if (device === undefined) run.problems.push(`${capture.file}: there is no such interface in our lab`);
    else run.open.set(capture.file, this.#tap(device, frames));
  }

  #tap(device: NetDevice, frames: CapturedFrame[]): () => void {
    const tap = new FrameTap(this.#lab.world, frames, device.kind === "loopback", this.#startSeconds);
    // tcpdump listens to everything; a bridge then shows what it forwards.
    return addTap(device, tap, true);
  }

  #act(run: OpenCase, step: RecordedStep): void {
    if (step.kind === "remark") {
      this.#heed(step.text);
      if (/^state dumped/.test(step.text)) this.#settings.dumped({ ...run, outputs: [] }, this.#lab);
      return;
    }
    const node = this.#lab.nodes.get(step.host);
    const host = this.#lab.host(step.host);
    if (host === undefined) {
      run.problems.push(`no machine ${step.host} for: ${step.line}`);
      return;
    }
    const lines: string[] = [];
    for (const line of typedLines(step.line)) {
      if (node !== undefined && /^kill -9 .*docker\.pid/.test(line)) node.daemon.stop();
      else if (node !== undefined && /^systemctl stop docker/.test(line)) node.daemon.stop();
      else if (node !== undefined && /^systemctl start docker/.test(line)) node.daemon.start();
      else lines.push(this.#translate(run, step.host, line, step.output));
    }
    if (lines.length === 0) return;
    const buffer = new TextBuffer();
    run.outputs.push({ host: step.host, line: lines.join("; "), buffer });
    host.spawn("sh", { stdout: buffer, stderr: buffer }, (process) =>
      runLine(process, host.context(), lines.join("; ")),
    );
  }

  /** Remarks that tell what was done to the cables. */
  #heed(text: string): void {
    const named = /(?:tap|node)(\d)/i.exec(text)?.[1];
    const node = named === undefined ? undefined : this.#lab.nodes.get(`node${named}`);
    if (/^the leader is /.test(text) && this.#cutsLeader) {
      this.#cutsLeader = false;
      const leader = [...this.#lab.nodes.values()].find(({ daemon }) => daemon.node.manager?.isLeader === true);
      if (leader !== undefined) this.#lab.setCut(leader, true);
    } else if (/^cut of the leader/i.test(text)) this.#cutsLeader = true;
    else if (/^cut\b/i.test(text) && node !== undefined) this.#lab.setCut(node, true);
    else if (/^heal\b/i.test(text)) for (const each of this.#lab.nodes.values()) this.#lab.setCut(each, false);
  }

  /** Names and addresses of the recorded swarm become ours. */
  #translate(run: OpenCase, machine: string, line: string, output: string): string {
    return line
      .replace(/SWMTKN-1-\S+/, () => this.#token(/as a manager/.test(output)))
      .replace(/\b([\w-]+\.\d+)\.[a-z0-9]{25}\b/g, (whole, role: string) => this.#containerName(role) ?? whole)
      .replace(/\b\d+\.\d+\.\d+\.\d+\b/g, (text) => {
        const address = parseIpv4(text);
        const name = address === undefined ? undefined : run.recordedNaming.nameOf(machine, address);
        const ours = name === undefined ? undefined : run.naming.addressOf(machine, name);
        return ours === undefined ? text : formatIpv4(ours);
      });
  }

  #token(asManager: boolean): string {
    const tokens = this.#leaderStore()?.cluster?.rootCa.joinTokens;
    return (asManager ? tokens?.manager : tokens?.worker) ?? "SWMTKN-1-none";
  }

  #containerName(role: string): string | undefined {
    for (const { daemon } of this.#lab.nodes.values())
      for (const { name, running } of daemon.engine.containers.values())
        if (running && roleOf(name) === role) return name;
    return undefined;
  }

  #leaderStore(): Store | undefined {
    const managers = [...this.#lab.nodes.values()].flatMap(({ daemon }) => daemon.node.manager ?? []);
    const leaders = managers.filter(({ isReady }) => isReady).sort((a, b) => (b.raft?.term ?? 0) - (a.raft?.term ?? 0));
    return leaders[0]?.store;
  }

  /** Who has which address now. */
  #note(naming: Naming): void {
    for (const service of this.#leaderStore()?.all("service") ?? [])
      for (const { address } of service.endpoint?.virtualIps ?? []) {
        const virtual = parsePrefix(address);
        if (virtual !== undefined)
          naming.add("", virtual.address, virtualName(service.spec.annotations.name, virtual.address), true);
      }
    for (const node of this.#lab.nodes.values()) this.#noteNode(naming, node);
  }

  #noteNode(naming: Naming, { name: node, daemon, host }: LabNode): void {
    for (const container of daemon.engine.containers.values())
      if (container.running)
        for (const { device, address } of container.endpoints)
          if (device !== undefined && address.length > 0)
            naming.add(node, address.address, `${roleOf(container.name)}/${device.name}`, true);
    for (const network of daemon.networking.networks.values()) {
      const handle = network.ingress ? "ingress_sbox" : `lb_${network.id.slice(0, 9)}`;
      for (const device of host.namedNamespaces.get(handle)?.devices ?? [])
        for (const { address, length } of device.addresses)
          if (length < 32 && device.name !== "lo")
            naming.add(node, address, `balancer(${network.name})@${node}/${device.name}`, true);
    }
  }
}

/**
 * When a command really began: `docker exec` took the recorded machines up to twenty seconds, and what it started shows in the container's captures.
 */
function startOf(step: RecordedStep, nextNs: Nanoseconds | undefined, { captures }: RecordedCase): Nanoseconds {
  const container =
    step.kind === "command" ? /^docker exec (\S+) (?:ping|nslookup|wget)/.exec(step.line)?.[1] : undefined;
  if (step.kind !== "command" || container === undefined) return step.atNs;
  const times = captures
    .filter(({ machine, place }) => machine === step.host && place === container)
    .flatMap(({ frames }) => frames.filter(({ bytes }) => getU16(bytes, ETHER_TYPE_AT) !== ETHERTYPE_IPV6))
    .map(({ time }) => timeOfDay(time)!)
    .filter((timeNs) => timeNs >= step.atNs && timeNs < (nextNs ?? 0));
  const firstNs = times.length === 0 ? step.atNs : Math.min(...times);
  return firstNs < step.atNs + MUCH_LATER_NS ? step.atNs : firstNs;
}
