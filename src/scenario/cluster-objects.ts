/** Makes a scenario's networks, secrets, configs and services through the cluster's API, in the order of the file. */

import { configSpecShape, networkSpecShape, secretSpecShape } from "../swarm/api/specs.ts";
import type { Call, ControlClient, Reply } from "../swarm/control/control-client.ts";
import { formatIpv4, formatPrefix } from "../wire/address.ts";
import { PREDEFINED_NETWORKS } from "./check-engines.ts";
import { driverOf } from "./engine-needs.ts";
import type { NetworkSpec } from "./format.ts";
import { type Scenario, scenarioProblem } from "./load.ts";
import { type ServiceObjects, serviceSpecOf } from "./service-source.ts";
import { answerOf, type Waiting } from "./waiting.ts";

const MTU = "com.docker.network.driver.mtu";
const VNIS = "com.docker.network.driver.overlay.vxlanid_list";

export class ClusterObjects implements ServiceObjects {
  readonly #client: ControlClient;
  readonly #scenario: Scenario;
  /** Identifiers of what was made, by name. */
  readonly #made = {
    network: new Map<string, string>(),
    secret: new Map<string, string>(),
    config: new Map<string, string>(),
  };

  constructor(client: ControlClient, scenario: Scenario) {
    this.#client = client;
    this.#scenario = scenario;
  }

  idOf(kind: "network" | "secret" | "config", name: string): string | undefined {
    return this.#made[kind].get(name);
  }

  *labelNodes(): Waiting<void> {
    for (const [name, { labels }] of this.#scenario.nodes ?? []) {
      if (labels === undefined || labels.size === 0) continue;
      const path = `nodes.${name}.labels`;
      const node = yield* this.#ask(this.#client.find("node", name), path);
      const spec = { ...node.spec, annotations: { ...node.spec.annotations, labels } };
      yield* this.#ask(this.#client.call("UpdateNode", { id: node.id, version: node.meta.version, spec }), path);
    }
  }

  *makeNetworks(): Waiting<void> {
    for (const [name, spec] of this.#scenario.networks ?? []) {
      if (driverOf(this.#scenario, spec) !== "overlay") continue;
      const path = `networks.${name}`;
      const { network } = yield* this.#ask(
        this.#client.call("CreateNetwork", { spec: networkSpecOf(name, spec) }),
        path,
      );
      if (network !== undefined) this.#made.network.set(name, network.id);
    }
  }

  *makeFiles(kind: "secret" | "config"): Waiting<void> {
    const written = kind === "secret" ? this.#scenario.secrets : this.#scenario.configs;
    for (const [name, { content, file, labels = new Map<string, string>() }] of written ?? []) {
      const path = `${kind}s.${name}`;
      const data = new TextEncoder().encode(content ?? this.#scenario.texts.get(file ?? "") ?? "");
      const annotations = { name, labels };
      if (kind === "secret") {
        const spec = secretSpecShape.make({ annotations, data });
        const { secret } = yield* this.#ask(this.#client.call("CreateSecret", { spec }), path);
        if (secret !== undefined) this.#made.secret.set(name, secret.id);
      } else {
        const spec = configSpecShape.make({ annotations, data });
        const { config } = yield* this.#ask(this.#client.call("CreateConfig", { spec }), path);
        if (config !== undefined) this.#made.config.set(name, config.id);
      }
    }
  }

  *makeServices(): Waiting<void> {
    const { services } = this.#scenario;
    if (services === undefined) return;
    // Networks that every node has by itself are in the cluster's list, too.
    for (const name of PREDEFINED_NETWORKS)
      if (name !== "none" && !this.#made.network.has(name)) {
        const { id } = yield* this.#ask(this.#client.find("network", name), "services");
        this.#made.network.set(name, id);
      }
    for (const [name, source] of services)
      yield* this.#ask(this.#client.call("CreateService", { spec: serviceSpecOf(source, this) }), `services.${name}`);
  }

  *#ask<T>(call: Call<T>, path: string): Waiting<T> {
    const reply = yield* answerOf<Reply<T>>(call);
    if ("value" in reply) return reply.value;
    throw scenarioProblem(this.#scenario, path, `what the managers refuse: ${reply.error}`, "what they accept");
  }
}

function networkSpecOf(name: string, spec: NetworkSpec) {
  const options = new Map(spec.driver_opts ?? []);
  if (spec.mtu !== undefined) options.set(MTU, String(spec.mtu));
  if (spec.vni !== undefined) options.set(VNIS, String(spec.vni));
  const subnets = [...(spec.subnet === undefined ? [] : [{ subnet: spec.subnet }]), ...(spec.ipam?.config ?? [])];
  return networkSpecShape.make({
    annotations: { name, labels: spec.labels ?? new Map() },
    driver: { name: "overlay", options },
    internal: spec.internal ?? false,
    attachable: spec.attachable ?? false,
    ipam: {
      driver: { name: "default", options: new Map() },
      configs: subnets.map((each) => ({
        family: "ipv4" as const,
        subnet: formatPrefix(each.subnet),
        range: "",
        gateway: "gateway" in each && each.gateway !== undefined ? formatIpv4(each.gateway) : "",
        reserved: new Map<string, string>(),
      })),
    },
  });
}
