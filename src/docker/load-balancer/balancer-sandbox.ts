/**
 * The sandbox that a network of the swarm has on each of its nodes, libnetwork createLoadBalancerSandbox: `lb_` and nine characters of the network's id, in the
 * overlay alone; for the ingress network `ingress_sbox`, which is in docker_gwbridge too, so that the host can reach it.
 */
import type { NetworkNamespace } from "../../linux/namespace.ts";
import { assert } from "../../sim/assert.ts";
import type { Ipv4Address } from "../../wire/address.ts";
import type { Endpoint } from "../endpoint.ts";
import type { Engine } from "../engine.ts";
import type { NodeOverlay } from "../overlay/node-overlay.ts";
import { isRefusal, type Refusal, refuse } from "../refusal.ts";
import { Sandbox } from "../sandbox.ts";
import type { IngressRules } from "./ingress-rules.ts";
import type { IpvsModule } from "./ipvs-module.ts";
import { LoadBalancer } from "./load-balancer.ts";

/** The network's option for direct routing: tasks answer clients themselves. */
const DIRECT_OPTION = "dsr";
const ID_CHARACTERS = 9;

export interface BalancerSandboxSettings {
  readonly engine: Engine;
  readonly network: NodeOverlay;
  /** The address that the manager has given this node in the network. */
  readonly address: Ipv4Address;
  readonly module: IpvsModule;
  readonly rules: IngressRules;
  /** The node's named namespaces. */
  readonly handles: Pick<Map<string, NetworkNamespace>, "set" | "delete"> | undefined;
}

export class BalancerSandbox {
  readonly handle: string;
  readonly endpoint: Endpoint;
  readonly balancer: LoadBalancer;
  readonly #settings: BalancerSandboxSettings;
  readonly #sandbox: Sandbox;

  /** Makes it, or says in Docker's words why it cannot be; then nothing is left of it. */
  static make(settings: BalancerSandboxSettings): BalancerSandbox | Refusal {
    const { engine, network, address, handles } = settings;
    const handle = network.ingress ? "ingress_sbox" : `lb_${network.id.slice(0, ID_CHARACTERS)}`;
    const namespace = engine.world.createNamespace(`${engine.host.name}/${handle}`);
    // A new namespace starts with what the host has: forwarding is on.
    namespace.sysctl.set("net.ipv4.ip_forward", engine.host.sysctl.get("net.ipv4.ip_forward") ?? "1");
    // None is seen on a real node, though its answers go out by the interface that they came in by (recording 02).
    for (const which of ["all", "default"]) namespace.sysctl.set(`net.ipv4.conf.${which}.send_redirects`, "0");
    const label = network.ingress ? "ingress-sbox" : `lb-${network.name}`;
    // Nobody is told of its joining but by its owner: it is no container.
    const host = { release: engine.release, resolver: engine.resolver, gatewayNetwork: () => engine.gatewayNetwork() };
    const sandbox = new Sandbox({ id: handle, namespace, host, label, needsGateway: network.ingress });
    engine.sandboxes.add(sandbox);
    const endpoint = network.createEndpoint({ name: `${network.name}-endpoint`, address });
    const refusal = isRefusal(endpoint) ? endpoint : sandbox.join(endpoint);
    if (isRefusal(endpoint) || refusal !== undefined) {
      if (!isRefusal(endpoint) && endpoint.sandbox === undefined) network.deleteEndpoint(endpoint);
      engine.removeSandbox(sandbox);
      return refusal ?? refuse("system", "no endpoint");
    }
    handles?.set(handle, namespace);
    return new BalancerSandbox(settings, handle, sandbox, endpoint);
  }

  private constructor(settings: BalancerSandboxSettings, handle: string, sandbox: Sandbox, endpoint: Endpoint) {
    const { network, module, rules } = settings;
    assert(endpoint.device !== undefined, "a load balancer without its interface");
    this.#settings = settings;
    this.#sandbox = sandbox;
    this.handle = handle;
    this.endpoint = endpoint;
    const gateway = sandbox.gatewayEndpoint;
    this.balancer = new LoadBalancer({
      namespace: sandbox.namespace,
      device: endpoint.device,
      address: endpoint.address,
      module,
      method: network.options.has(DIRECT_OPTION) ? "route" : "masquerade",
      ingress:
        !network.ingress || gateway === undefined ? undefined : { rules, gatewayAddress: gateway.address.address },
    });
  }

  get directReturn(): boolean {
    return this.#settings.network.options.has(DIRECT_OPTION);
  }

  /** The network leaves the node. */
  remove(): void {
    this.#settings.handles?.delete(this.handle);
    this.#settings.engine.removeSandbox(this.#sandbox);
  }
}
