/** The embedded resolvers of one engine: each sandbox that has a network with names gets one, which asks the networks that the sandbox is in just then. */
import type { Sandbox, SandboxResolver } from "../sandbox.ts";
import { EmbeddedResolver, type ResolverEnvironment } from "./embedded-resolver.ts";
import { LocalNames } from "./local-names.ts";
import type { NameDirectory } from "./name-directory.ts";
import type { NetworkNames } from "./name-source.ts";
import { outerServers, type ResolvConf, setsNdots } from "./resolv-conf.ts";
import { SandboxNames } from "./sandbox-names.ts";

export interface SandboxResolversSettings {
  readonly environment: ResolverEnvironment;
  readonly names: NameDirectory;
  /** The machine's /etc/resolv.conf, now. */
  readonly machineConfiguration: () => ResolvConf;
  /** What `--dns`, `--dns-search` and `--dns-option` said of the sandbox's container; undefined: nothing. */
  readonly wishes: (sandbox: Sandbox) => ResolvConf | undefined;
}

export class SandboxResolvers implements SandboxResolver {
  readonly #settings: SandboxResolversSettings;
  readonly #resolvers = new Map<Sandbox, EmbeddedResolver>();

  constructor(settings: SandboxResolversSettings) {
    this.#settings = settings;
  }

  of(sandbox: Sandbox): EmbeddedResolver | undefined {
    return this.#resolvers.get(sandbox);
  }

  start(sandbox: Sandbox): void {
    const { environment, names, machineConfiguration, wishes } = this.#settings;
    const machine = machineConfiguration();
    const wished = wishes(sandbox);
    const resolver = new EmbeddedResolver({
      environment,
      namespace: sandbox.namespace,
      names: new SandboxNames(() => networkNames(sandbox, names)),
      outerServers: outerServers(machine, wished),
      ndotsSet: setsNdots(machine, wished),
      reachesOutside: () => sandbox.exit !== undefined,
    });
    resolver.start();
    this.#resolvers.set(sandbox, resolver);
  }

  stop(sandbox: Sandbox): void {
    this.#resolvers.get(sandbox)?.stop();
    this.#resolvers.delete(sandbox);
  }
}

function* networkNames(sandbox: Sandbox, directory: NameDirectory): Generator<NetworkNames> {
  for (const { network } of sandbox.endpoints) {
    const { name: networkName } = network;
    if (network.scope === "local") {
      if (network.resolvesNames) yield { networkName, rank: "local", names: new LocalNames(network) };
      continue;
    }
    const names = directory.find(network.id);
    if (names !== undefined) yield { networkName, rank: network.ingress ? "ingress" : "swarm", names };
  }
}
