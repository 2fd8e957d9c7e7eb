/** `docker stack deploy`: what a stack file says is made, or changed to be so (docker/cli command/stack/swarm/deploy_composefile.go). */
import type { Process } from "../../../linux/process.ts";
import { filtersShape } from "../../../swarm/api/control.ts";
import type { Service } from "../../../swarm/api/objects.ts";
import type { ConfigSpec, NetworkSpec, SecretSpec, ServiceSpec } from "../../../swarm/api/specs.ts";
import type { Call, ControlClient } from "../../../swarm/control/control-client.ts";
import { fileObjectName, stackConfigs, stackSecrets } from "../../../swarm/stack/file-object-specs.ts";
import type { LoadedStack } from "../../../swarm/stack/load-stack.ts";
import { isUserDefined, type StackNetworks, stackNetworks } from "../../../swarm/stack/network-specs.ts";
import { engineComplaint } from "../../../swarm/stack/service-deploy.ts";
import { checkImages, type Present, stackService } from "../../../swarm/stack/service-spec.ts";
import { IMAGE_LABEL } from "../../../swarm/stack/stack-labels.ts";
import { ignoredText } from "../../../swarm/stack/unsupported-options.ts";
import type { Structure } from "../../../swarm/stack/value.ts";
import { CommandError } from "../../command-error.ts";
import type { CommandContext } from "../../word.ts";
import { type Asking, ask, clientOf, daemonError, must, swarmNodeOf } from "../cluster.ts";
import type { DockerCommand } from "../command.ts";
import { engineOf, granted } from "../daemon.ts";
import { waitOnService } from "../service/progress.ts";
import { removeServices } from "./rm.ts";
import { checkStackName, networksOf, servicesOf } from "./stack-objects.ts";
import { COMPOSE_FILE_FLAG, machineFile, orRefused, readStack } from "./stack-source.ts";

const IN_BACKGROUND =
  "Since --detach=false was not specified, tasks will be created in the background.\nIn a future release, --detach=false will become the default.\n";
const NO_MANAGER =
  'this node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again';

export const STACK_DEPLOY: DockerCommand = {
  path: "stack deploy",
  aliases: ["stack up"],
  takes: "[OPTIONS] STACK",
  summary: "Deploy a new stack or update an existing stack",
  flags: [
    COMPOSE_FILE_FLAG,
    {
      name: "detach",
      letter: "d",
      kind: "bool",
      usage: "Exit immediately instead of waiting for the stack services to converge",
      byDefault: "true",
    },
    { name: "prune", kind: "bool", usage: "Prune services that are no longer referenced" },
    { name: "quiet", letter: "q", kind: "bool", usage: "Suppress progress output" },
    {
      name: "resolve-image",
      kind: "string",
      usage: 'Query the registry to resolve image digest and supported platforms ("always", "changed", "never")',
      byDefault: '"always"',
    },
    {
      name: "with-registry-auth",
      kind: "bool",
      usage: "Send registry authentication details to Swarm agents",
    },
  ],
  least: 1,
  most: 1,
  *run(process, context, flags, operands) {
    const stack = operands[0]!;
    checkStackName(stack);
    if (!flags.has("compose-file")) throw new CommandError(1, "Specify a Compose file (with --compose-file)");
    const loaded = readStack(process, context, flags, { forDeployment: true });
    process.stderr.write(ignoredText(loaded.ignored));
    orRefused(() => checkImages(loaded));
    const isDetached = flags.bool("detach", true);
    const resolve = flags.string("resolve-image") ?? "always";
    if (!["always", "changed", "never"].includes(resolve))
      throw new CommandError(1, `Invalid option ${resolve} for flag --resolve-image`);
    if (!flags.has("detach")) process.stderr.write(IN_BACKGROUND);
    if ("error" in swarmNodeOf(context).control) throw new CommandError(1, NO_MANAGER);
    const deployment = new Deployment(process, context, loaded, stack);
    const ids = yield* deployment.run(flags.bool("prune"));
    let status = 0;
    if (!isDetached)
      for (const id of ids) status ||= yield* waitOnService(process, clientOf(context), id, flags.bool("quiet"));
    return status;
  },
};

/** What swarmkit says of less than nothing, which cannot be sent to it here. */
function cpuComplaint(nanoCpus: number): string {
  return `invalid cpu value ${nanoCpus / 1e9}: Must be at least 0.001`;
}

class Deployment {
  readonly #process: Process;
  readonly #context: CommandContext;
  readonly #client: ControlClient;
  readonly #loaded: LoadedStack;
  readonly #stack: string;

  constructor(process: Process, context: CommandContext, loaded: LoadedStack, stack: string) {
    this.#process = process;
    this.#context = context;
    this.#client = clientOf(context);
    this.#loaded = loaded;
    this.#stack = stack;
  }

  /** The ids of the services, in the order of their names. */
  *run(isPruned: boolean): Asking<readonly string[]> {
    const loaded = this.#loaded;
    if (isPruned) yield* this.#prune();
    const networks = stackNetworks(loaded.stack, this.#stack);
    yield* this.#checkExternal(networks);
    yield* this.#makeNetworks(networks.made);
    const readFile = (path: string) => machineFile(this.#context, path);
    yield* this.#makeFiles(
      "secret",
      orRefused(() => stackSecrets(loaded, this.#stack, readFile)),
    );
    yield* this.#makeFiles(
      "config",
      orRefused(() => stackConfigs(loaded, this.#stack, readFile)),
    );
    const present = yield* this.#present();
    const specs = [...loaded.stack.services.keys()].map((name) => ({
      name,
      spec: orRefused(() => stackService(loaded, this.#stack, name, present)),
    }));
    return yield* this.#deployServices(specs);
  }

  #say(line: string): void {
    this.#process.stdout.write(`${line}\n`);
  }

  *#prune(): Asking<void> {
    const wanted = new Set([...this.#loaded.stack.services.keys()].map((name) => `${this.#stack}_${name}`));
    const services = yield* servicesOf(this.#client, this.#stack);
    const gone = services.filter(({ spec }) => !wanted.has(spec.annotations.name));
    yield* removeServices(this.#process, this.#client, gone);
  }

  *#checkExternal({ external }: StackNetworks): Asking<void> {
    for (const { name } of external) {
      if (!isUserDefined(name)) continue;
      const found = yield* ask(this.#client.find("network", name));
      if ("value" in found) continue;
      const local = [...engineOf(this.#context).networks.values()].find((network) => network.name === name);
      if (local !== undefined)
        throw new CommandError(
          1,
          `network "${name}" is declared as external, but it is not in the right scope: "local" instead of "swarm"`,
        );
      if (found.error !== `network ${name} not found`) throw daemonError(found.error);
      throw new CommandError(
        1,
        `network "${name}" is declared as external, but could not be found. You need to create a swarm-scoped network before the stack is deployed`,
      );
    }
  }

  *#makeNetworks(specs: readonly NetworkSpec[]): Asking<void> {
    const client = this.#client;
    const own = new Set((yield* networksOf(client, this.#stack)).map(({ spec }) => spec.annotations.name));
    for (const spec of specs) {
      const { name } = spec.annotations;
      if (own.has(name) || this.#hasLocal(spec)) continue;
      this.#say(`Creating network ${name}`);
      const what = `create network ${name}`;
      if (spec.driver?.name === "bridge") this.#makeLocal(spec);
      else {
        const { networks } = yield* must(
          client.call("ListNetworks", { filters: filtersShape.make({ names: [name] }) }),
        );
        if (networks.length > 0)
          throw new CommandError(
            1,
            `failed to ${what}: Error response from daemon: network with name ${name} already exists`,
          );
        yield* this.#made(what, client.call("CreateNetwork", { spec }));
      }
    }
  }

  /** A bridge network is the engine's own: made here, and of no use to services. */
  #makeLocal({ annotations: { name, labels }, driver, internal, attachable }: NetworkSpec): void {
    const options = new Map(driver?.options ?? []);
    granted(
      engineOf(this.#context).createNetwork({
        name,
        driver: "bridge",
        internal,
        attachable,
        options,
        labels: new Map(labels),
        subnet: undefined,
      }),
    );
  }

  #hasLocal({ annotations: { name }, driver }: NetworkSpec): boolean {
    const networks = engineOf(this.#context).networks.values();
    return driver?.name === "bridge" && [...networks].some((network) => network.name === name);
  }

  *#makeFiles(kind: "secret" | "config", specs: readonly (SecretSpec | ConfigSpec)[]): Asking<void> {
    const client = this.#client;
    for (const spec of specs) {
      const { name } = spec.annotations;
      const found = yield* ask(client.find(kind, name));
      if ("value" in found) {
        const { id, meta } = found.value;
        const call =
          kind === "secret"
            ? client.call("UpdateSecret", { id, version: meta.version, spec: spec as SecretSpec })
            : client.call("UpdateConfig", { id, version: meta.version, spec });
        yield* this.#made(`update ${kind} ${name}`, call as Call<unknown>);
      } else if (found.error !== `${kind} ${name} not found`) throw daemonError(found.error);
      else {
        this.#say(`Creating ${kind} ${name}`);
        const call =
          kind === "secret"
            ? client.call("CreateSecret", { spec: spec as SecretSpec })
            : client.call("CreateConfig", { spec });
        yield* this.#made(`create ${kind} ${name}`, call as Call<unknown>);
      }
    }
  }

  /** The client says what it failed to do before it says why. */
  *#made<T>(what: string, call: Call<T>): Asking<T> {
    const reply = yield* ask(call);
    if ("error" in reply) throw new CommandError(1, `failed to ${what}: Error response from daemon: ${reply.error}`);
    return reply.value;
  }

  /** Secrets and configs that the stack's services may use, asked for at once. */
  *#present(): Asking<Present> {
    const { stack } = this.#loaded;
    const namesOf = (objects: ReadonlyMap<string, Structure>) =>
      [...objects].map(([key, object]) => fileObjectName(object, this.#stack, key));
    const secretNames = namesOf(stack.secrets);
    const configNames = namesOf(stack.configs);
    const named = (names: readonly string[]) => ({ filters: filtersShape.make({ names }) });
    const secrets =
      secretNames.length === 0 ? [] : (yield* must(this.#client.call("ListSecrets", named(secretNames)))).secrets;
    const configs =
      configNames.length === 0 ? [] : (yield* must(this.#client.call("ListConfigs", named(configNames)))).configs;
    const idsOf = (objects: readonly { readonly id: string; readonly spec: SecretSpec | ConfigSpec }[]) =>
      new Map(objects.map(({ id, spec }) => [spec.annotations.name, id]));
    const [secretIds, configIds] = [idsOf(secrets), idsOf(configs)];
    return { secret: (name) => secretIds.get(name), config: (name) => configIds.get(name) };
  }

  *#deployServices(specs: readonly { readonly name: string; readonly spec: ServiceSpec }[]): Asking<string[]> {
    const services = yield* servicesOf(this.#client, this.#stack);
    const present = new Map(services.map((service) => [service.spec.annotations.name, service]));
    const ids: string[] = [];
    for (const { name, spec } of specs) {
      const before = present.get(spec.annotations.name);
      ids.push(yield* before === undefined ? this.#create(name, spec) : this.#update(name, spec, before));
    }
    return ids;
  }

  *#create(key: string, spec: ServiceSpec): Asking<string> {
    const { name } = spec.annotations;
    this.#say(`Creating service ${name}`);
    const what = `create service ${name}`;
    const complete = yield* this.#withNetworks(what, key, spec);
    const { service } = yield* this.#made(what, this.#client.call("CreateService", { spec: complete }));
    return service?.id ?? "";
  }

  /** What was not changed stays as it is: an image that was made more precise, the count of forced updates. */
  *#update(key: string, spec: ServiceSpec, { id, meta, spec: before }: Service): Asking<string> {
    const { name, labels } = spec.annotations;
    this.#say(`Updating service ${name} (id: ${id})`);
    const what = `update service ${name}`;
    const complete = yield* this.#withNetworks(what, key, spec);
    const isSameImage = before.annotations.labels.get(IMAGE_LABEL) === labels.get(IMAGE_LABEL);
    const { container } = complete.task;
    const image = isSameImage ? before.task.container?.image : undefined;
    const task = {
      ...complete.task,
      container: container === undefined ? undefined : { ...container, image: image ?? container.image },
      forceUpdate: before.task.forceUpdate,
    };
    yield* this.#made(
      what,
      this.#client.call("UpdateService", { id, version: meta.version, spec: { ...complete, task }, rollback: "none" }),
    );
    return id;
  }

  /** Networks by their identifiers, as dockerd puts them in; and what it says of words that the client let pass. */
  *#withNetworks(what: string, key: string, spec: ServiceSpec): Asking<ServiceSpec> {
    const refuse = (message: string) =>
      new CommandError(1, `failed to ${what}: Error response from daemon: ${message}`);
    const deploy = (this.#loaded.stack.services.get(key)?.deploy ?? {}) as Structure;
    const networks: ServiceSpec["task"]["networks"][number][] = [];
    for (const attachment of spec.task.networks) {
      const found = yield* ask(this.#client.find("network", attachment.target));
      if ("value" in found) networks.push({ ...attachment, target: found.value.id });
      else {
        const local = [...engineOf(this.#context).networks.values()].find(({ name }) => name === attachment.target);
        if (local === undefined) throw refuse(found.error);
        throw refuse(
          `The network ${local.name} cannot be used with services. Only networks scoped to the swarm can be used, such as those created with the overlay driver.`,
        );
      }
    }
    const complaint = engineComplaint(deploy);
    if (complaint !== undefined) throw refuse(complaint.message);
    const { limits, reservations } = spec.task.resources ?? {};
    for (const nanoCpus of [limits?.nanoCpus ?? 0, reservations?.nanoCpus ?? 0])
      if (nanoCpus < 0) throw refuse(`rpc error: code = InvalidArgument desc = ${cpuComplaint(nanoCpus)}`);
    return { ...spec, task: { ...spec.task, networks } };
  }
}
