/** The keys of the scenario format that need engines: what `engine:`, `swarm:`, `services:` and their like may hold. */
import { isMap, isScalar } from "yaml";
import { networkOf, parseIpv4, parsePrefix } from "../wire/address.ts";
import { serviceShape } from "./service-source.ts";
import {
  boolean,
  byKind,
  describeNode,
  integer,
  list,
  mapOf,
  note,
  object,
  oneOf,
  optional,
  parsed,
  required,
  resolved,
  type Shape,
  text,
} from "./shape.ts";
import { duration } from "./units.ts";

export const NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,62}$/;
export const NAME_WORDS = "a name of at most 63 letters, digits, '-', '_' and '.'";

/** A text where a number, a boolean or nothing stands for its own spelling: values of options and labels. */
export const spelling: Shape<string> = {
  words: "a text or a number",
  schema: { title: "a text or a number", type: ["string", "number", "boolean", "null"] },
  read(node, reading, path) {
    const at = resolved(node, reading);
    // What is left out in a mapping of names comes as an empty one.
    if (isMap(at) && at.items.length === 0) return "";
    if (isScalar(at))
      return at.value === null ? "" : typeof at.value === "string" ? at.value : (at.source ?? String(at.value));
    return note(reading, at ?? node, path, describeNode(at ?? node), "a text or a number");
  },
};
const OPTION = /^\S+$/;
export const spellings = mapOf(spelling, "an option's name", OPTION);
const texts = list(text("a text"));

const prefix = parsed(
  "a subnet such as 10.0.1.0/24",
  (written) => {
    const found = written.includes("/") ? parsePrefix(written) : undefined;
    return found === undefined || found.length > 30 || networkOf(found) !== found.address ? undefined : found;
  },
  { type: "string", pattern: "^\\d+\\.\\d+\\.\\d+\\.\\d+/\\d+$" },
);
const address = parsed("an IPv4 address", parseIpv4, { type: "string", format: "ipv4" });

const engineFields = {
  release: optional(
    oneOf("current", "20.10"),
    "which Docker: current is 28; 20.10 behaves as the older one. current without it",
  ),
  "userland-proxy": optional(boolean, "docker-proxy for published ports; true without it, as Docker has it"),
  "pull-time": optional(duration, "how long an image takes to come to a node; 0 without it"),
} as const;

export const engine = object("the engines", engineFields);

export const swarm = object("the swarm", {
  ...engineFields,
  "control-plane": optional(
    oneOf("clear", "sealed"),
    "clear: 2377 and gossip can be read in captures; sealed: TLS 1.3 and AES-GCM, as a real swarm has them. clear without it",
  ),
  "default-addr-pool": optional(
    list(prefix, "a list of subnets", 1),
    "where overlay networks get their subnets; 10.0.0.0/8 without it",
  ),
  "default-addr-pool-mask-length": optional(integer(1, 29), "of those subnets; 24 without it"),
  "data-path-port": optional(integer(1_024, 49_151), "VXLAN's UDP port; 4789 without it"),
  autolock: optional(boolean, "managers that restart must be unlocked; false without it"),
  "task-history-limit": optional(integer(0, 1_000), "how many ended tasks of a slot are kept; 5 without it"),
  "dispatcher-heartbeat": optional(duration, "how often nodes report; 5s without it"),
});

/** What a network may have beside driver and subnet, once engines make it. */
export const engineNetworkFields = {
  driver_opts: optional(
    spellings,
    'options of the driver: encrypted: "", com.docker.network.driver.mtu: 1400, …; needs engines',
  ),
  internal: optional(boolean, "no way out; needs engines"),
  labels: optional(spellings, "needs engines"),
  ipam: optional(
    object("ipam", {
      config: optional(
        list(
          object("a subnet's configuration", {
            subnet: required(prefix, "the subnet"),
            gateway: optional(address, "its gateway; the first address without it"),
          }),
        ),
        "subnets, as in a compose file",
      ),
    }),
    "as in a compose file; needs engines",
  ),
} as const;

const variables = byKind({ map: spellings, list: texts });

/** What a container may have beside its node and networks, once an engine runs it. */
export const engineContainerFields = {
  image: optional(
    text("an image's name", /^\S+$/),
    "a name alone; alpine, which idles, without it. Needs engines, as all that follows",
  ),
  command: optional(
    byKind({ scalar: text("a command line"), list: texts }),
    "what it runs in place of what its image would",
  ),
  environment: optional(variables, "variables, as a mapping or a list of NAME=value"),
  ports: optional(list(spelling, "a list of ports"), 'published ports: "8080:80", "53:53/udp"'),
  expose: optional(list(spelling, "a list of ports"), "ports that it serves without publishing them"),
  hostname: optional(
    text("a host name", /^[a-zA-Z0-9][a-zA-Z0-9.-]{0,62}$/),
    "the beginning of its identifier without it",
  ),
  labels: optional(spellings, "labels"),
  restart: optional(
    text("no, always, unless-stopped or on-failure[:N]", /^(no|always|unless-stopped|on-failure(:\d+)?)$/),
    "what happens when it ends; no without it",
  ),
  options: optional(texts, "further options of docker run, each as one would type it"),
} as const;

export const aliases = list(text(NAME_WORDS, NAME), "a list of names");

export const services = mapOf(serviceShape, NAME_WORDS, NAME);

const fileObject = (what: string) =>
  object(`a ${what}`, {
    content: optional(text("a text"), "what it holds"),
    file: optional(text("a file's name"), "a file that holds it, beside the scenario"),
    labels: optional(spellings, "labels"),
  });
export const secrets = mapOf(fileObject("secret"), NAME_WORDS, NAME);
export const configs = mapOf(fileObject("config"), NAME_WORDS, NAME);

const stackFile = text("the name of a stack file");
export const stack = byKind({
  scalar: stackFile,
  map: object("a stack", {
    file: required(stackFile, "the stack file, beside the scenario"),
    name: optional(text(NAME_WORDS, NAME), "the stack's name; the scenario's without it"),
  }),
});

export type EngineSpec = NonNullable<ReturnType<typeof engine.read>>;
export type SwarmSpec = NonNullable<ReturnType<typeof swarm.read>>;
export type FileObjectSpec = {
  readonly content?: string;
  readonly file?: string;
  readonly labels?: ReadonlyMap<string, string>;
};
