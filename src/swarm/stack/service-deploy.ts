/** What stands below `deploy` in a service, and `restart`, as parts of a spec (docker/cli compose/convert/service.go). A text in place of a part is the client's complaint. */
import { type EndpointSpec, endpointSpecShape, portConfigShape, type Resources } from "../api/parts.ts";
import {
  type Placement,
  placementShape,
  type RestartPolicy,
  restartPolicyShape,
  type ServiceSpec,
  type UpdateConfig,
  updateConfigShape,
} from "../api/specs.ts";
import { parseCpus } from "./decimal-cpus.ts";
import { parseDuration } from "./duration.ts";
import { isFloat, type Structure, type Value } from "./value.ts";

export type ServiceMode = Pick<ServiceSpec, "replicated" | "global" | "replicatedJob" | "globalJob">;

export function serviceMode(deploy: Structure): ServiceMode | string {
  const none = { replicated: undefined, global: undefined, replicatedJob: undefined, globalJob: undefined };
  const replicas = deploy.replicas === undefined ? undefined : Number(deploy.replicas);
  switch (deploy.mode ?? "") {
    case "global":
    case "global-job":
      if (replicas !== undefined) return "replicas can only be used with replicated or replicated-job mode";
      return deploy.mode === "global" ? { ...none, global: {} } : { ...none, globalJob: {} };
    case "replicated-job":
      return { ...none, replicatedJob: { maxConcurrent: replicas ?? 1, totalCompletions: replicas ?? 1 } };
    case "replicated":
    case "":
      return { ...none, replicated: { replicas: replicas ?? 1 } };
    default:
      return `Unknown mode: ${String(deploy.mode)}`;
  }
}

const CONDITIONS = ["none", "on-failure", "any"] as const;
const ACTIONS = ["pause", "continue", "rollback"] as const;
const ENDPOINT_MODES = ["vip", "dnsrr"] as const;

/** Words that the client passes on as they are and dockerd does not know (moby daemon/cluster/convert/service.go): its complaint, and where below `deploy`. */
export function engineComplaint(
  deploy: Structure,
): { readonly path: readonly string[]; readonly message: string } | undefined {
  const strange = (part: Value | undefined, key: string, known: readonly string[]): string | undefined => {
    const word = (part as Structure | undefined)?.[key];
    return word === undefined || word === "" || known.includes(String(word)) ? undefined : String(word);
  };
  const condition = strange(deploy.restart_policy, "condition", CONDITIONS);
  if (condition !== undefined)
    return {
      path: ["restart_policy", "condition"],
      message: `invalid RestartPolicyCondition: "${condition}"`,
    };
  for (const [part, name] of [
    ["update_config", "update"],
    ["rollback_config", "rollback"],
  ] as const) {
    const action = strange(deploy[part], "failure_action", ACTIONS);
    if (action !== undefined)
      return { path: [part, "failure_action"], message: `unrecongized ${name} failure action ${action}` };
  }
  const mode = String(deploy.endpoint_mode ?? "").toLowerCase();
  if (mode === "" || ENDPOINT_MODES.some((each) => each === mode)) return undefined;
  return { path: ["endpoint_mode"], message: `invalid resolution mode: "${mode}"` };
}

/** `restart` holds where `deploy.restart_policy` is absent. */
export function restartPolicy(
  restart: Value | undefined,
  policy: Structure | undefined,
): RestartPolicy | undefined | string {
  if (policy === undefined) return policyOfWord(typeof restart === "string" ? restart : "");
  const { condition, delay, max_attempts = 0, window } = policy;
  return restartPolicyShape.make({
    condition: CONDITIONS.find((each) => each === condition) ?? "any",
    delay: durationNs(delay),
    maxAttempts: Number(max_attempts),
    window: durationNs(window),
  });
}

function policyOfWord(restart: string): RestartPolicy | undefined | string {
  const colon = restart.indexOf(":");
  const word = colon < 0 ? restart : restart.slice(0, colon);
  const count = colon < 0 ? "0" : restart.slice(colon + 1);
  if (colon === 0) return "invalid restart policy format: no policy provided before colon";
  if (!/^[-+]?\d+$/.test(count)) return "invalid restart policy format: maximum retry count must be an integer";
  switch (word) {
    case "":
    case "no":
      return undefined;
    case "always":
    case "unless-stopped":
      return restartPolicyShape.make({ condition: "any" });
    case "on-failure":
      return restartPolicyShape.make({ condition: "on-failure", maxAttempts: Math.max(0, Number(count)) });
    default:
      return `unknown restart policy: ${restart}`;
  }
}

export function updateConfig(config: Structure | undefined): UpdateConfig | undefined {
  if (config === undefined) return undefined;
  const { parallelism = 1, delay, failure_action, monitor, max_failure_ratio, order } = config;
  return updateConfigShape.make({
    parallelism: Number(parallelism),
    delay: durationNs(delay),
    failureAction: ACTIONS.find((each) => each === failure_action) ?? "pause",
    monitor: durationNs(monitor),
    maxFailureRatio: isFloatValue(max_failure_ratio) ? max_failure_ratio.float : 0,
    order: order === "start-first" ? "start-first" : "stop-first",
  });
}

export function placement(deploy: Structure): Placement {
  const { constraints, preferences, max_replicas_per_node } = (deploy.placement ?? {}) as Structure;
  return placementShape.make({
    constraints: (constraints ?? []) as readonly string[],
    preferences: ((preferences ?? []) as readonly Structure[]).map(({ spread }) => ({
      spread: { descriptor: String(spread ?? "") },
    })),
    maxReplicas: Number(max_replicas_per_node ?? 0),
  });
}

/** Both parts absent where nothing is said. */
export function resourceRequirements(
  deploy: Structure,
): { readonly limits: Resources | undefined; readonly reservations: Resources | undefined } | string {
  const { limits, reservations } = (deploy.resources ?? {}) as Structure;
  const [most, least] = [limits, reservations].map((part) => resources(part as Structure | undefined));
  if (typeof most === "string") return most;
  return typeof least === "string" ? least : { limits: most, reservations: least };
}

function resources(part: Structure | undefined): Resources | undefined | string {
  if (part === undefined) return undefined;
  const nanoCpus = part.cpus === undefined ? 0 : parseCpus(String(part.cpus));
  if (typeof nanoCpus === "string") return nanoCpus;
  // More memory than any machine has is as good as the largest number that can be sent.
  const memoryBytes = Math.min(Number(part.memory ?? 0), Number.MAX_SAFE_INTEGER);
  return { nanoCpus: Math.min(nanoCpus, Number.MAX_SAFE_INTEGER), memoryBytes };
}

export function endpointSpec(deploy: Structure, ports: readonly Structure[]): EndpointSpec {
  const mode = String(deploy.endpoint_mode ?? "").toLowerCase();
  const configs = ports.map(({ mode, target, published, protocol }) =>
    portConfigShape.make({
      protocol: protocol === "udp" || protocol === "sctp" ? protocol : "tcp",
      targetPort: Number(target ?? 0),
      publishedPort: Number(published ?? 0),
      publishMode: mode === "host" ? "host" : "ingress",
    }),
  );
  return endpointSpecShape.make({
    mode: ENDPOINT_MODES.find((each) => each === mode) ?? "vip",
    ports: configs.sort((a, b) => a.publishedPort - b.publishedPort),
  });
}

/** Of a text such as `1m30s`; undefined when there is none. */
export function durationNs(value: Value | undefined): number | undefined {
  const parsed = typeof value === "string" ? parseDuration(value) : undefined;
  return parsed === undefined ? undefined : Number(parsed);
}

function isFloatValue(value: Value | undefined): value is { readonly float: number; readonly text: string } {
  return value !== undefined && isFloat(value);
}
