/** What running a stack file came to: a plain value, printed by the command line and given as JSON (version 1). */
import type { Nanoseconds } from "../../sim/time.ts";
import type { Network } from "../../swarm/api/objects.ts";
import { formatIpv4, type Ipv4Address } from "../../wire/address.ts";
import type { CommandResult } from "../expectations.ts";
import type { RunReport } from "../report.ts";
import { type CheckKind, planChecks } from "./reach-checks.ts";
import type { Missing } from "./settled.ts";
import type { StackRunSettings } from "./stack-run-settings.ts";
import { type StackView, type TaskView, vnisOf } from "./stack-view.ts";

export interface CheckResult {
  readonly kind: CheckKind;
  readonly from: string;
  readonly to: string;
  /** What was typed. */
  readonly line: string;
  /** Must it have succeeded? */
  readonly expected: boolean;
  readonly holds: boolean;
  readonly found: string;
  /** It held only when it was tried again, so long after the first time. */
  readonly lateNs?: Nanoseconds;
}

export interface StackReport {
  readonly version: 1;
  readonly stack: string;
  readonly seed: string;
  /** Virtual time at which the swarm stood, at which the stack came to rest, and at the end. */
  readonly readyNs: Nanoseconds | undefined;
  readonly settledNs: Nanoseconds | undefined;
  readonly endNs: Nanoseconds;
  readonly events: number;
  readonly nodes: readonly {
    readonly name: string;
    readonly role: "manager" | "worker";
    readonly address: string;
    readonly labels: Readonly<Record<string, string>>;
  }[];
  /** What runs. */
  readonly tasks: readonly {
    readonly name: string;
    readonly service: string;
    readonly image: string;
    readonly node: string;
    readonly addresses: readonly { readonly network: string; readonly address: string }[];
    /** `http 80` */
    readonly serves: readonly string[];
  }[];
  /** What should run and does not, and why. */
  readonly missing: readonly Missing[];
  readonly ports: readonly {
    readonly service: string;
    readonly protocol: string;
    readonly published: number;
    readonly target: number;
    readonly mode: "ingress" | "host";
    /** Where it answers. */
    readonly nodes: readonly string[];
  }[];
  readonly networks: readonly {
    readonly name: string;
    readonly driver: string;
    readonly subnets: readonly string[];
    readonly vnis: readonly number[];
    /** Of the interfaces in it; undefined where no task is in it. */
    readonly mtu: number | undefined;
    readonly encrypted: boolean;
    readonly internal: boolean;
    readonly attachable: boolean;
  }[];
  /** What the stack needs from outside and was made up. */
  readonly made: readonly string[];
  /** What Docker ignores of the stack files. */
  readonly ignored: readonly {
    readonly service: string;
    readonly key: string;
    readonly file: string;
    readonly line: number;
    readonly column: number;
  }[];
  readonly deployment: { readonly status: number | undefined; readonly stdout: string; readonly stderr: string };
  readonly checks: {
    readonly total: number;
    readonly held: number;
    /** So many tasks of each service were looked at; undefined: all. */
    readonly tasksOfService: number | undefined;
    readonly failed: readonly CheckResult[];
    /** They held only after a while. */
    readonly late: readonly CheckResult[];
    readonly byKind: Readonly<Record<CheckKind, number>>;
  };
  readonly problems: readonly string[];
  /** The stack was taken, all its tasks run, and all checks hold. */
  readonly holds: boolean;
  readonly files: readonly string[];
}

export interface StackOutcome {
  readonly settings: StackRunSettings;
  /** Undefined: the swarm did not come up. */
  readonly view: StackView | undefined;
  readonly made: readonly string[];
  readonly deployment: CommandResult | undefined;
  readonly restlessFor: string | undefined;
  readonly missing: readonly Missing[];
  readonly settledNs: Nanoseconds | undefined;
  readonly checks: readonly CheckResult[];
  readonly tasksOfService: number | undefined;
  readonly run: RunReport;
}

export function reportOf(outcome: StackOutcome): StackReport {
  const { settings, view, deployment, missing, checks, run } = outcome;
  const tasks = view?.runningTasks() ?? [];
  const networks = view?.networks ?? [];
  const names = new Map(networks.map(({ id, spec }) => [id, spec.annotations.name]));
  const failed = checks.filter(({ holds }) => !holds);
  const problems = [...run.problems];
  if (outcome.restlessFor !== undefined) problems.push(`the stack did not come to rest: ${outcome.restlessFor}`);
  const byKind = { name: 0, address: 0, apart: 0, published: 0, closed: 0 };
  for (const { kind } of checks) byKind[kind]++;
  const isDeployed = deployment?.status === 0;
  return {
    version: 1,
    stack: settings.name,
    seed: settings.seed,
    readyNs: run.readyNs,
    settledNs: outcome.settledNs,
    endNs: run.endNs,
    events: run.events,
    nodes: settings.nodes.map(({ name, role, labels }) => ({
      name,
      role,
      address: addressText(view?.machines.find((machine) => machine.name === name)?.address),
      labels: Object.fromEntries(labels),
    })),
    tasks: tasks.map((task) => ({
      name: task.name,
      service: task.task.serviceAnnotations.name,
      image: task.container.spec.image,
      node: task.node.name,
      addresses: task.attachments.map(({ networkId, address }) => ({
        network: names.get(networkId) ?? networkId,
        address: formatIpv4(address),
      })),
      serves: task.served.map(({ kind, port }) => `${kind} ${port}`),
    })),
    missing,
    ports: view === undefined ? [] : portsOf(view),
    networks: networks.map((network) => ({
      name: network.spec.annotations.name,
      driver: network.spec.driver?.name ?? "overlay",
      subnets: (network.ipam?.configs ?? []).map(({ subnet }) => subnet),
      vnis: vnisOf(network),
      mtu: mtuOf(network, tasks),
      encrypted: network.spec.driver?.options.has("encrypted") ?? false,
      internal: network.spec.internal,
      attachable: network.spec.attachable,
    })),
    made: outcome.made,
    ignored: settings.loaded.ignored.map(({ service, key, place }) => ({ service, key, ...place })),
    deployment: {
      status: deployment?.status,
      stdout: deployment?.stdout ?? "",
      stderr: deployment?.stderr ?? "",
    },
    checks: {
      total: checks.length,
      held: checks.length - failed.length,
      tasksOfService: outcome.tasksOfService,
      failed,
      late: checks.filter(({ lateNs }) => lateNs !== undefined),
      byKind,
    },
    problems,
    holds: isDeployed && problems.length === 0 && missing.length === 0 && failed.length === 0,
    files: [],
  };
}

function portsOf(view: StackView): StackReport["ports"] {
  return planChecks(view).publications.map(({ service, port, nodes }) => ({
    service,
    protocol: port.protocol,
    published: port.publishedPort,
    target: port.targetPort,
    mode: port.publishMode,
    nodes,
  }));
}

function mtuOf({ id }: Network, tasks: readonly TaskView[]): number | undefined {
  for (const { attachments, container } of tasks) {
    const address = attachments.find(({ networkId }) => networkId === id)?.address;
    if (address === undefined) continue;
    for (const device of container.namespace?.devices ?? [])
      if (device.addresses.some((each) => each.address === address)) return device.mtu;
  }
  return undefined;
}

function addressText(address: Ipv4Address | undefined): string {
  return address === undefined ? "" : formatIpv4(address);
}
