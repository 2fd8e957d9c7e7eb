/** From a plan to a scenario that anybody can run: `vxlab run`. */
import type {
  AttachmentInput,
  ContainerInput,
  FaultInput,
  NetworkInput,
  NodeInput,
  ScenarioInput,
  StepInput,
} from "../../scenario/input.ts";
import type {
  ContainerPlan,
  ContainerTraffic,
  ExchangeTraffic,
  ExtraPlan,
  FaultPlan,
  PortTraffic,
  TrafficPlan,
  WorldPlan,
} from "./plan.ts";

/** All faults are over, and connections have given up or ended. */
const END_MS = 16_000;
const SERVE_FROM_MS = 1_000;

export function scenarioOfPlan(plan: WorldPlan, name = "random-world"): ScenarioInput {
  const reader = new PlanReader(plan);
  return {
    name,
    seed: plan.seed,
    until: `${END_MS}ms`,
    nodes: reader.nodes(),
    ...(plan.networks.length > 0 && { networks: reader.networks() }),
    ...(plan.containers.length > 0 && { containers: reader.containers() }),
    steps: reader.steps(),
  };
}

/** What the plan's numbers mean. */
export class PlanReader {
  readonly #plan: WorldPlan;

  constructor(plan: WorldPlan) {
    this.#plan = plan;
  }

  node(index: number): string {
    return `n${(index % this.#plan.nodes) + 1}`;
  }

  nodeAddress(index: number): string {
    return `192.168.50.${(index % this.#plan.nodes) + 11}`;
  }

  container(index: number): ContainerPlan | undefined {
    const { containers } = this.#plan;
    return containers.length === 0 ? undefined : containers[index % containers.length];
  }

  containerName(index: number): string {
    return `c${(index % this.#plan.containers.length) + 1}`;
  }

  /** The networks that a container is in: those of its list that there are, each once. */
  networksOf({ networks }: ContainerPlan): number[] {
    return [...new Set(networks.filter((network) => network < this.#plan.networks.length))];
  }

  address(container: number, network: number): string {
    const index = container % this.#plan.containers.length;
    return `10.${20 + this.#plan.networks[network]!.subnet}.0.${index + 2}`;
  }

  nodes(): Record<string, NodeInput> {
    const nodes: Record<string, NodeInput> = {};
    for (let index = 0; index < this.#plan.nodes; index++) {
      const setup = this.#plan.extras.flatMap((extra, number) => this.#nodeSetup(index, extra, number));
      nodes[this.node(index)] = {
        role: "host",
        address: this.nodeAddress(index),
        ...(setup.length > 0 && { setup: [...new Set(setup)] }),
      };
    }
    return nodes;
  }

  networks(): Record<string, NetworkInput> {
    return Object.fromEntries(
      this.#plan.networks.map(({ kind, subnet, tooLong }, index): [string, NetworkInput] => [
        `net${index}`,
        {
          driver: kind === "bridge" ? "bridge" : "overlay",
          ...(kind === "learning" && { mode: "flood-and-learn" as const }),
          subnet: `10.${20 + subnet}.0.0/24`,
          ...(tooLong === true && { mtu: 1_500 }),
        },
      ]),
    );
  }

  containers(): Record<string, ContainerInput> {
    return Object.fromEntries(
      this.#plan.containers.map((container, index): [string, ContainerInput] => {
        const networks: Record<string, AttachmentInput> = {};
        for (const network of this.networksOf(container))
          networks[`net${network}`] = { address: this.address(index, network) };
        const setup = this.#plan.extras.flatMap((extra) => this.#containerSetup(index, extra));
        return [
          this.containerName(index),
          { node: this.node(container.node), networks, ...(setup.length > 0 && { setup: [...new Set(setup)] }) },
        ];
      }),
    );
  }

  steps(): StepInput[] {
    const servers = new Map<string, StepInput>();
    const serve = (container: number, line: string): void => {
      const where = this.containerName(container);
      servers.set(`${where} ${line}`, { at: `${SERVE_FROM_MS}ms`, in: where, run: line });
    };
    const traffic = this.#plan.traffic.flatMap((one) => this.#traffic(one, serve));
    const faults = this.#plan.faults.flatMap((fault) => this.#fault(fault));
    return [...servers.values(), ...traffic, ...faults];
  }

  /** The bridge network that an extra of the node works on. */
  #bridgeOf(container: ContainerPlan): number | undefined {
    return this.networksOf(container).find((network) => this.#plan.networks[network]!.kind === "bridge");
  }

  #nodeSetup(node: number, extra: ExtraPlan, number: number): string[] {
    if (extra.kind === "publish") {
      const container = this.container(extra.container);
      const network = container === undefined ? undefined : this.#bridgeOf(container);
      if (container === undefined || network === undefined || container.node % this.#plan.nodes !== node) return [];
      const address = this.address(extra.container, network);
      const { subnet } = this.#plan.networks[network]!;
      return [
        "sysctl -w net.ipv4.ip_forward=1",
        `iptables -t nat -A PREROUTING -d ${this.nodeAddress(node)} -p tcp --dport ${8_000 + number} -j DNAT --to-destination ${address}:80`,
        `iptables -t nat -A PREROUTING -d ${this.nodeAddress(node)} -p udp --dport ${8_000 + number} -j DNAT --to-destination ${address}:7`,
        `iptables -t nat -A POSTROUTING -s 10.${20 + subnet}.0.0/24 ! -o br-net${network} -j MASQUERADE`,
      ];
    }
    if (extra.kind !== "balance" || extra.node % this.#plan.nodes !== node) return [];
    const servers = this.#servers(extra);
    const service = `${this.nodeAddress(node)}:${9_000 + number}`;
    if (servers.length === 0) return [];
    return [
      "sysctl -w net.ipv4.ip_forward=1",
      `ipvsadm -A -t ${service} -s rr`,
      ...servers.map(({ address }) => `ipvsadm -a -t ${service} -r ${address}:80 -m`),
    ];
  }

  #servers({
    node,
    network,
  }: Extract<ExtraPlan, { kind: "balance" }>): { readonly index: number; readonly address: string }[] {
    const chosen = network % Math.max(1, this.#plan.networks.length);
    if (this.#plan.networks[chosen]?.kind !== "bridge") return [];
    return this.#plan.containers.flatMap((container, index) =>
      container.node % this.#plan.nodes === node % this.#plan.nodes && this.networksOf(container)[0] === chosen
        ? [{ index, address: this.address(index, chosen) }]
        : [],
    );
  }

  #containerSetup(index: number, extra: ExtraPlan): string[] {
    if (extra.kind !== "deny" || extra.container % this.#plan.containers.length !== index) return [];
    const from = this.container(extra.from);
    if (from === undefined || extra.from % this.#plan.containers.length === index) return [];
    return this.networksOf(from).map((network) => `iptables -A INPUT -s ${this.address(extra.from, network)} -j DROP`);
  }

  #traffic(traffic: TrafficPlan, serve: (container: number, line: string) => void): StepInput[] {
    const at = `${traffic.atMs}ms`;
    if (traffic.kind === "node-ping") {
      if (this.node(traffic.from) === this.node(traffic.to)) return [];
      const run = `ping -n -c 2 -i 0.3 -W 1 -s ${traffic.sizeBytes} ${this.nodeAddress(traffic.to)}`;
      return [{ at, on: this.node(traffic.from), run }];
    }
    if (traffic.kind === "exchange") return this.#exchange(traffic, at);
    if ("extra" in traffic) return this.#toNode(traffic, at, serve);
    return this.#toContainer(traffic, at, serve);
  }

  #exchange({ from, to, network, atMs }: ExchangeTraffic, at: string): StepInput[] {
    const pair = [from, to].map((index) => index % this.#plan.containers.length);
    const own = pair.map((index) => this.networksOf(this.container(index)!).indexOf(network));
    // One exchange a world: several could give two containers the same address.
    if (this.#plan.traffic.find(({ kind }) => kind === "exchange")?.atMs !== atMs) return [];
    if (pair[0] === pair[1] || own.includes(-1) || this.#plan.networks[network]?.kind !== "learning") return [];
    return pair.map((index, which) => {
      const device = `eth${own[which]}`;
      const mac = dockerMac(this.address(pair[1 - which]!, network));
      const announce = `arping -c 1 -U -I ${device} ${this.address(index, network)}`;
      const run = `ip link set ${device} down; ip link set ${device} address ${mac}; ip link set ${device} up; ${announce}`;
      return { at, in: this.containerName(index), run };
    });
  }

  #toContainer(traffic: ContainerTraffic, at: string, serve: (container: number, line: string) => void): StepInput[] {
    const asker = this.container(traffic.from);
    const target = this.container(traffic.to);
    if (asker === undefined || target === undefined || !this.networksOf(asker).includes(traffic.network)) return [];
    // A target in another network is asked all the same, at the address that it has there: nothing must come of it.
    const there = this.networksOf(target);
    const network = there.includes(traffic.network) ? traffic.network : there[0];
    if (network === undefined) return [];
    const address = this.address(traffic.to, network);
    const where = this.containerName(traffic.from);
    if (traffic.kind === "ping")
      return [{ at, in: where, run: `ping -n -c 2 -i 0.3 -W 1 -s ${traffic.sizeBytes} ${address}` }];
    serve(traffic.to, traffic.kind === "echo" ? "serve echo" : "serve http");
    if (traffic.kind === "echo")
      return [{ at, in: where, run: `echo ${"x".repeat(1 + (traffic.sizeBytes % 1_200))} | nc -u -w 1 ${address} 7` }];
    return [{ at, in: where, run: `curl -s -m 4 http://${address}/data?size=${traffic.sizeBytes * 5}` }];
  }

  #toNode(traffic: PortTraffic, at: string, serve: (container: number, line: string) => void): StepInput[] {
    const { extras } = this.#plan;
    if (extras.length === 0) return [];
    const number = traffic.extra % extras.length;
    const extra = extras[number]!;
    const from = this.node(traffic.from);
    if (extra.kind === "publish") {
      const container = this.container(extra.container);
      if (container === undefined || this.#bridgeOf(container) === undefined || this.node(container.node) === from)
        return [];
      serve(extra.container, "serve http");
      return [{ at, on: from, run: `curl -s -m 4 http://${this.nodeAddress(container.node)}:${8_000 + number}/` }];
    }
    if (extra.kind !== "balance" || this.node(extra.node) === from) return [];
    const servers = this.#servers(extra);
    if (servers.length === 0) return [];
    for (const { index } of servers) serve(index, "serve http");
    const url = `http://${this.nodeAddress(extra.node)}:${9_000 + number}/`;
    return [{ at, on: from, run: Array.from({ length: 3 }, () => `curl -s -m 2 ${url}`).join("; ") }];
  }

  #fault({ kind, atMs, forMs, node, amount }: FaultPlan): StepInput[] {
    const all = Array.from({ length: this.#plan.nodes }, (_, index) => this.node(index));
    const fault = faultInput(kind, this.node(node), all, amount);
    return fault === undefined ? [] : [{ at: `${atMs}ms`, fault, for: `${forMs}ms` }];
  }
}

/** What Docker gives an interface with this address. */
function dockerMac(address: string): string {
  const bytes = address.split(".").map((part) => Number(part).toString(16).padStart(2, "0"));
  return `02:42:${bytes.join(":")}`;
}

/** As a scenario's step says it; undefined: with so few nodes there is no such fault. */
export function faultInput(
  kind: FaultPlan["kind"],
  link: string,
  nodes: readonly string[],
  amount: number,
): FaultInput | undefined {
  switch (kind) {
    case "loss":
      return { link, loss: `${amount}%` };
    case "duplicate":
      return { link, duplicate: `${amount}%` };
    case "corrupt":
      return { link, corrupt: `${amount}%` };
    case "reorder":
      return { link, delay: "2ms", reorder: `${amount}%` };
    case "delay":
      return { link, delay: `${amount}ms` };
    case "rate":
      return { link, rate: `${amount * 100}kbit` };
    case "down":
      return { down: link };
    case "partition": {
      const others = nodes.filter((name) => name !== link);
      return others.length === 0 ? undefined : { partition: [[link], others] };
    }
  }
}
