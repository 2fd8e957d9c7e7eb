/** A service of a stack as the spec that the managers get (docker/cli compose/convert/service.go). What the client refuses on the way is a `StackError` in its words. */
import {
  type ContainerSpec,
  containerSpecShape,
  type HealthConfig,
  healthConfigShape,
  type NetworkAttachmentConfig,
  networkAttachmentConfigShape,
  type ServiceSpec,
  serviceSpecShape,
  taskSpecShape,
} from "../api/specs.ts";
import { effectiveCapabilities } from "./capabilities.ts";
import { familiarImage, imageProblem } from "./image-reference.ts";
import type { LoadedStack } from "./load-stack.ts";
import { DEFAULT_NETWORK, isUserDefined, networkName } from "./network-specs.ts";
import {
  durationNs,
  endpointSpec,
  placement,
  resourceRequirements,
  restartPolicy,
  serviceMode,
  updateConfig,
} from "./service-deploy.ts";
import { serviceFiles } from "./service-files.ts";
import { serviceMounts } from "./service-mounts.ts";
import { StackError } from "./stack-error.ts";
import { IMAGE_LABEL, labelsOf, scopedName, textMap } from "./stack-labels.ts";
import type { Structure, Value } from "./value.ts";

/** What the swarm has: identifiers by name. */
export interface Present {
  secret(name: string): string | undefined;
  config(name: string): string | undefined;
}

/** Before anything is asked of the swarm: every service names an image. Throws a `StackError`. */
export function checkImages(loaded: LoadedStack): void {
  for (const [name, { image }] of loaded.stack.services) {
    const problem = imageProblem(text(image));
    if (problem !== undefined)
      throw new StackError(
        `invalid image reference for service ${name}: ${problem}`,
        loaded.placeOf(["services", name, "image"]),
      );
  }
}

/** Attachments hold names of networks: the caller puts their identifiers in. Throws a `StackError`. */
export function stackService(loaded: LoadedStack, stackName: string, name: string, present: Present): ServiceSpec {
  return new ServiceConversion(loaded, stackName, name, present).spec();
}

class ServiceConversion {
  readonly #loaded: LoadedStack;
  readonly #stackName: string;
  readonly #name: string;
  readonly #service: Structure;
  readonly #present: Present;

  constructor(loaded: LoadedStack, stackName: string, name: string, present: Present) {
    this.#loaded = loaded;
    this.#stackName = stackName;
    this.#name = name;
    this.#service = loaded.stack.services.get(name) ?? {};
    this.#present = present;
  }

  /** Complaints come in the client's order: files, then the parts in the order in which it converts them. */
  spec(): ServiceSpec {
    const service = this.#service;
    const { stack } = this.#loaded;
    const deploy = (service.deploy ?? {}) as Structure;
    const secrets = this.#files("secret");
    const configs = this.#files("config");
    const credential = (service.credential_spec as Structure | undefined)?.config;
    if (typeof credential === "string" && !stack.configs.has(credential))
      this.#refuse(["credential_spec", "config"], `undefined config "${credential}"`);
    const mode = this.#granted(["deploy", deploy.replicas === undefined ? "mode" : "replicas"], serviceMode(deploy));
    const mounts = serviceMounts(structures(service.volumes), stack, this.#stackName);
    if ("problem" in mounts) return this.#refuse(["volumes", `${mounts.at}`], mounts.problem);
    const resources = this.#granted(["deploy", "resources"], resourceRequirements(deploy));
    const restart = this.#granted(
      deploy.restart_policy === undefined ? ["restart"] : ["deploy", "restart_policy"],
      restartPolicy(service.restart, deploy.restart_policy as Structure | undefined),
    );
    const healthcheck = this.#healthCheck(service.healthcheck as Structure | undefined);
    const networks = this.#networks(service.networks);
    const logging = service.logging as Structure | undefined;
    return serviceSpecShape.make({
      annotations: {
        name: scopedName(this.#stackName, this.#name),
        labels: labelsOf(this.#stackName, deploy.labels, [[IMAGE_LABEL, text(service.image)]]),
      },
      task: taskSpecShape.make({
        container: {
          ...this.#container(healthcheck),
          mounts,
          secrets: secrets.map(({ id, name, file }) => ({ secretId: id, secretName: name, file })),
          configs: configs.map(({ id, name, file }) => ({ configId: id, configName: name, file })),
        },
        resources,
        restart,
        placement: placement(deploy),
        logDriver:
          logging === undefined ? undefined : { name: text(logging.driver), options: textMap(logging.options) },
        networks,
      }),
      ...mode,
      update: updateConfig(deploy.update_config as Structure | undefined),
      rollback: updateConfig(deploy.rollback_config as Structure | undefined),
      endpoint: endpointSpec(deploy, structures(service.ports)),
    });
  }

  #container(healthcheck: HealthConfig | undefined): ContainerSpec {
    const service = this.#service;
    const [capabilityAdd, capabilityDrop] = effectiveCapabilities(texts(service.cap_add), texts(service.cap_drop));
    const dns = { nameservers: texts(service.dns), search: texts(service.dns_search), options: [] };
    return containerSpecShape.make({
      image: familiarImage(text(service.image)),
      labels: labelsOf(this.#stackName, service.labels),
      command: texts(service.entrypoint),
      args: texts(service.command),
      env: environmentLines(service.environment),
      dir: text(service.working_dir),
      user: text(service.user),
      stopGracePeriod: durationNs(service.stop_grace_period),
      tty: service.tty === true,
      hostname: text(service.hostname),
      dns: dns.nameservers.length + dns.search.length === 0 ? undefined : dns,
      healthcheck,
      hosts: texts(service.extra_hosts).flatMap(hostLine),
      openStdin: service.stdin_open === true,
      readOnly: service.read_only === true,
      stopSignal: text(service.stop_signal),
      isolation: text(service.isolation),
      init: service.init === true,
      sysctls: textMap(service.sysctls),
      capabilityAdd,
      capabilityDrop,
    });
  }

  #files(kind: "secret" | "config") {
    const key = `${kind}s`;
    const files = serviceFiles(kind, structures(this.#service[key]), this.#loaded, this.#stackName, (name) =>
      this.#present[kind](name),
    );
    if ("problem" in files) return this.#refuse([key, `${files.at}`], files.problem);
    return files;
  }

  #healthCheck(health: Structure | undefined): HealthConfig | undefined {
    if (health === undefined) return undefined;
    const test = texts(health.test);
    if (health.disable === true) {
      if (test.length > 0) this.#refuse(["healthcheck", "disable"], "test and disable can't be set at the same time");
      return healthConfigShape.make({ test: ["NONE"] });
    }
    return healthConfigShape.make({
      test,
      interval: durationNs(health.interval),
      timeout: durationNs(health.timeout),
      retries: Number(health.retries ?? 0),
      startPeriod: durationNs(health.start_period),
      startInterval: durationNs(health.start_interval),
    });
  }

  /** In the order of the networks' names. */
  #networks(value: Value | undefined): NetworkAttachmentConfig[] {
    const { stack } = this.#loaded;
    const wanted: ReadonlyMap<string, Value> = value instanceof Map && value.size > 0 ? value : ONLY_DEFAULT;
    const attachments = [...wanted].map(([key, given]) => {
      if (key !== DEFAULT_NETWORK && !stack.networks.has(key))
        this.#refuse(["networks", key], `undefined network "${key}"`);
      const attachment = (given ?? {}) as Structure;
      const target = networkName(stack, this.#stackName, key);
      const aliases = texts(attachment.aliases);
      return networkAttachmentConfigShape.make({
        target,
        aliases: isUserDefined(target) ? [...aliases, this.#name] : aliases,
        driverOptions: textMap(attachment.driver_opts),
      });
    });
    return attachments.sort((a, b) => (a.target < b.target ? -1 : a.target > b.target ? 1 : 0));
  }

  #granted<T>(path: readonly string[], part: T | string): T {
    return typeof part === "string" ? this.#refuse(path, part) : part;
  }

  #refuse(path: readonly string[], problem: string): never {
    throw new StackError(`service ${this.#name}: ${problem}`, this.#loaded.placeOf(["services", this.#name, ...path]));
  }
}

const ONLY_DEFAULT: ReadonlyMap<string, Value> = new Map([[DEFAULT_NETWORK, null]]);

function text(value: Value | undefined): string {
  return typeof value === "string" ? value : "";
}

function texts(value: Value | undefined): readonly string[] {
  return Array.isArray(value) ? (value as readonly string[]) : [];
}

function structures(value: Value | undefined): readonly Structure[] {
  return Array.isArray(value) ? (value as readonly Structure[]) : [];
}

/** A variable without a value is named alone: the container's own is taken away. */
function environmentLines(value: Value | undefined): string[] {
  if (!(value instanceof Map)) return [];
  return [...value]
    .map(([name, content]) => (content === null ? name : `${name}=${String(content)}`))
    .sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
}

/** `name:address` becomes a line of /etc/hosts. */
function hostLine(host: string): string[] {
  const colon = host.indexOf(":");
  return colon < 0 ? [] : [`${host.slice(colon + 1)} ${host.slice(0, colon)}`];
}
