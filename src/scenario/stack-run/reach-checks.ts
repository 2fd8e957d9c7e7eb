/**
 * Who must reach whom in a stack, and who must not, as lines that are typed in the tasks' own containers: tasks that share a network reach each other's
 * services by name and by address on what they serve; those that share none can do neither. From outside, published ports answer on the nodes that publish them,
 * and what is not published answers nowhere.
 */
import type { Network, Service } from "../../swarm/api/objects.ts";
import type { PortConfig } from "../../swarm/api/parts.ts";
import { formatIpv4, type Ipv4Address, parsePrefix } from "../../wire/address.ts";
import type { Served } from "../image-programs.ts";
import type { MachineView, StackView, TaskView } from "./stack-view.ts";

export type CheckKind = "name" | "address" | "apart" | "published" | "closed";

export interface ReachCheck {
  readonly kind: CheckKind;
  readonly from: string;
  readonly to: string;
  /** Undefined: from the machine outside. */
  readonly task: TaskView | undefined;
  readonly line: string;
  /** What its text must be like, where the exit status alone does not say it. */
  readonly output?: RegExp;
  /** Must it succeed? */
  readonly expected: boolean;
}

/** What a published port of a service is to do. */
export interface Publication {
  readonly service: string;
  readonly port: PortConfig;
  /** Nodes on which it answers. */
  readonly nodes: readonly string[];
}

/** More checks than these take longer than people wait: then tasks stand for others of their service. */
const MOST_CHECKS = 3_000;
const MOST_PORTS = 8;
/** Ports that every node of a swarm has open. */
const NODE_PORTS: ReadonlySet<number> = new Set([2_377, 7_946]);
/** In seconds. */
const PATIENCE = 3;
const SHORT_PATIENCE = 1;

export interface CheckPlan {
  readonly checks: readonly ReachCheck[];
  readonly publications: readonly Publication[];
  /** So many tasks of each service were looked at; undefined: all. */
  readonly tasksOfService: number | undefined;
}

export function planChecks(view: StackView): CheckPlan {
  const planner = new Planner(view);
  const publications = view.services.flatMap((service) => planner.publications(service));
  const outside = [...planner.publishedChecks(publications), ...planner.closedChecks(publications)];
  const most = Math.max(0, ...planner.services.map(({ tasks }) => tasks.length));
  for (let count = most; ; count = Math.floor(count / 2)) {
    const inside = planner.insideChecks(count);
    if (inside.length + outside.length > MOST_CHECKS && count > 1) continue;
    const checks = [...inside, ...outside].slice(0, MOST_CHECKS);
    return { checks, publications, tasksOfService: count < most ? count : undefined };
  }
}

interface ServiceView {
  readonly service: Service;
  /** As the others call it. */
  readonly alias: string;
  readonly tasks: readonly TaskView[];
}

class Planner {
  readonly services: readonly ServiceView[];
  readonly #machines: readonly MachineView[];
  readonly #networks: ReadonlyMap<string, Network>;

  constructor(view: StackView) {
    const tasks = view.runningTasks();
    this.services = view.services.map((service) => ({
      service,
      alias: service.spec.annotations.name.slice(view.stack.length + 1),
      tasks: tasks.filter(({ task }) => task.serviceId === service.id),
    }));
    this.#machines = view.machines;
    this.#networks = new Map(view.networks.map((network) => [network.id, network]));
  }

  insideChecks(tasksOfService: number): ReachCheck[] {
    const checks: ReachCheck[] = [];
    for (const { tasks } of this.services)
      for (const from of tasks.slice(0, tasksOfService))
        for (const to of this.services) {
          const targets = to.tasks.slice(0, tasksOfService).filter((task) => task !== from);
          if (targets.length === 0) continue;
          const shared = this.#shared(from, targets[0]!);
          if (shared !== undefined && to.service.id !== from.task.serviceId)
            checks.push(...nameChecks(from, to, targets[0]!));
          for (const target of targets) checks.push(...this.#addressChecks(from, target));
          if (shared === undefined) checks.push(namelessCheck(from, to));
        }
    return checks;
  }

  #addressChecks(from: TaskView, to: TaskView): ReachCheck[] {
    const address = this.#shared(from, to);
    if (address !== undefined) {
      const there = formatIpv4(address);
      const common = { kind: "address", from: from.name, to: to.name, task: from, expected: true } as const;
      return questions(there, to.served, PATIENCE).map((question) => ({ ...common, ...question }));
    }
    const [elsewhere] = this.#overlays(to);
    if (elsewhere === undefined) return [];
    const common = { kind: "apart", from: from.name, to: to.name, task: from, expected: false } as const;
    const there = formatIpv4(elsewhere.address);
    return questions(there, to.served.slice(0, 1), SHORT_PATIENCE).map((question) => ({ ...common, ...question }));
  }

  /** The address of `to` in the first network that `from` is in as well. */
  #shared(from: TaskView, to: TaskView): Ipv4Address | undefined {
    const own = new Set(this.#overlays(from).map(({ networkId }) => networkId));
    return this.#overlays(to).find(({ networkId }) => own.has(networkId))?.address;
  }

  /** Networks of the node's own, such as `host`, are no networks in this sense. */
  #overlays({ attachments }: TaskView): TaskView["attachments"] {
    return attachments.filter(
      ({ networkId }) => (this.#networks.get(networkId)?.spec.driver?.name ?? "overlay") === "overlay",
    );
  }

  #isOnHost({ task }: TaskView): boolean {
    return task.networks.some(({ network }) => network?.spec.driver?.name === "host");
  }

  publications(service: Service): Publication[] {
    const { name } = service.spec.annotations;
    const view = this.services.find((each) => each.service.id === service.id);
    const tasks = view?.tasks ?? [];
    return (service.endpoint?.ports ?? [])
      .filter(({ publishedPort }) => publishedPort !== 0)
      .map((port) => {
        const serving = tasks.filter(({ served }) => served.some((each) => isServedBy(port, each)));
        const all = this.#machines.map((machine) => machine.name);
        const own = all.filter((each) => serving.some(({ node }) => node.name === each));
        return { service: name, port, nodes: port.publishMode === "host" ? own : serving.length > 0 ? all : [] };
      });
  }

  publishedChecks(publications: readonly Publication[]): ReachCheck[] {
    return publications.flatMap(({ service, port, nodes }) => {
      const task = this.services.find((each) => each.service.spec.annotations.name === service)?.tasks[0];
      const served = task?.served.find((each) => isServedBy(port, each));
      return this.#machines.map((machine): ReachCheck => {
        const expected = nodes.includes(machine.name);
        const common = { kind: "published", from: OUTSIDE, task: undefined, expected } as const;
        const to = `${machine.name}:${port.publishedPort}/${port.protocol} (${service})`;
        return { ...common, to, ...askLine(formatIpv4(machine.address), port, served, expected) };
      });
    });
  }

  /** What tasks serve without publishing it answers on no node. */
  closedChecks(publications: readonly Publication[]): ReachCheck[] {
    const published = new Set(publications.map(({ port }) => port.publishedPort));
    const inside = new Set(
      this.services.flatMap(({ tasks }) =>
        tasks
          .filter((task) => !this.#isOnHost(task))
          .flatMap(({ served }) => served.filter(({ kind }) => kind !== "udp").map(({ port }) => port)),
      ),
    );
    // A task in its node's own network answers there without publishing anything.
    const onHosts = new Set(
      this.services.flatMap(({ tasks }) =>
        tasks.filter((task) => this.#isOnHost(task)).flatMap(({ served }) => served.map(({ port }) => port)),
      ),
    );
    const ports = [...inside]
      .filter((port) => !published.has(port) && !onHosts.has(port) && !NODE_PORTS.has(port))
      .slice(0, MOST_PORTS);
    return ports.flatMap((port) =>
      this.#machines.map(
        (machine): ReachCheck => ({
          kind: "closed",
          from: OUTSIDE,
          to: `${machine.name}:${port}/tcp`,
          task: undefined,
          line: `nc -z -w ${SHORT_PATIENCE} ${formatIpv4(machine.address)} ${port}`,
          expected: false,
        }),
      ),
    );
  }
}

export const OUTSIDE = "client";

type Question = Pick<ReachCheck, "line" | "output">;

function isServedBy({ targetPort, protocol }: PortConfig, { kind, port }: Served): boolean {
  return port === targetPort && (protocol === "udp" ? kind !== "http" : kind !== "udp");
}

/** Asks for what is served; where nothing is, a ping must do. */
function questions(there: string, served: readonly Served[], patience: number): Question[] {
  if (served.length === 0) return [{ line: `ping -c 1 -W ${patience} ${there}` }];
  return served
    .slice(0, MOST_PORTS)
    .map(({ kind, port }) =>
      kind === "udp" ? datagram(there, port, patience) : { line: `nc -z -w ${patience} ${there} ${port}` },
    );
}

function datagram(there: string, port: number, patience: number): Question {
  return { line: `echo vxlab | nc -u -w ${patience} ${there} ${port}`, output: /vxlab/ };
}

function nameChecks(from: TaskView, to: ServiceView, task: TaskView): ReachCheck[] {
  const common = { kind: "name", from: from.name, to: to.alias, task: from, expected: true } as const;
  return questions(to.alias, task.served, PATIENCE).map((question) => ({ ...common, ...question }));
}

/** The name may be known in a network that `from` is in, but then it is another's: never one of the service's own addresses. */
function namelessCheck(from: TaskView, { alias, service, tasks }: ServiceView): ReachCheck {
  const own = [
    ...(service.endpoint?.virtualIps ?? []).map(({ address }) => parsePrefix(address)?.address),
    ...tasks.flatMap(({ attachments }) => attachments.map(({ address }) => address)),
  ].flatMap((address) => (address === undefined ? [] : [formatIpv4(address).replaceAll(".", "\\.")]));
  return {
    kind: "apart",
    from: from.name,
    to: alias,
    task: from,
    line: `getent ahostsv4 ${alias}`,
    output: new RegExp(`^(${own.join("|")}) `, "m"),
    expected: false,
  };
}

function askLine(
  address: string,
  { publishedPort, protocol }: PortConfig,
  served: Served | undefined,
  expected: boolean,
): Question {
  const patience = expected ? PATIENCE : SHORT_PATIENCE;
  if (protocol === "udp")
    return { line: `echo vxlab | nc -u -w ${patience} ${address} ${publishedPort}`, output: /vxlab/ };
  if (served?.kind !== "http") return { line: `nc -z -w ${patience} ${address} ${publishedPort}` };
  const line = `curl -s -o /dev/null -m ${patience} -w '%{http_code}' http://${address}:${publishedPort}/`;
  return { line, output: /^200$/ };
}
