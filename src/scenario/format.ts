/** The scenario format: every key, what it may hold and what it is for. Reader and JSON Schema both come from here. */
import { isMap, isScalar, type Node } from "yaml";
import { isGroup, networkOf, parseIpv4, parseMac, parsePrefix } from "../wire/address.ts";
import { parseTimestamp } from "./calendar.ts";
import {
  aliases,
  configs,
  engine,
  engineContainerFields,
  engineNetworkFields,
  NAME,
  NAME_WORDS,
  secrets,
  services,
  stack,
  swarm,
} from "./format-engine.ts";
import {
  boolean,
  byKind,
  describeNode,
  type Entry,
  entriesOf,
  integer,
  type JsonSchema,
  keysOf,
  list,
  mapOf,
  mapped,
  note,
  object,
  oneOf,
  optional,
  orEmpty,
  parsed,
  type Reading,
  required,
  resolved,
  type Shape,
  text,
} from "./shape.ts";
import { chance, duration, rate, size } from "./units.ts";

const name = text(NAME_WORDS, NAME);

const address = parsed("an IPv4 address", parseIpv4, { type: "string", format: "ipv4" });
const mac = parsed(
  "the MAC address of one interface, such as 02:42:0a:00:00:02",
  (written) => {
    const parsed = parseMac(written);
    return parsed === undefined || parsed === 0 || isGroup(parsed) ? undefined : parsed;
  },
  { type: "string" },
);
const subnet = parsed(
  "a subnet such as 10.0.1.0/24",
  (written) => {
    const prefix = parsePrefix(written);
    return prefix === undefined || !written.includes("/") || prefix.length > 30 || networkOf(prefix) !== prefix.address
      ? undefined
      : prefix;
  },
  { type: "string", pattern: "^\\d+\\.\\d+\\.\\d+\\.\\d+/\\d+$" },
);
const timestamp = parsed("a time such as 2026-01-01T00:00:00Z", parseTimestamp, {
  type: "string",
  format: "date-time",
});
const seed = parsed("an integer or a text", (written) => (written.length <= 200 ? written : undefined), {
  type: ["integer", "string"],
});
const mtu = integer(68, 65_535);

/** What a link does to frames, in one direction or both. */
const linkFields = {
  delay: optional(duration, "time from one end to the other"),
  jitter: optional(duration, "the delay varies by at most this much, either way"),
  rate: optional(rate, "bits a second; without it a frame takes no time to be sent"),
  queue: optional(size, "bytes that may wait for the rate; what comes beyond is dropped"),
  loss: optional(chance, "chance that a frame is lost"),
  burst: optional(
    object("burst loss", {
      enter: required(chance, "chance a frame to go from the good into the bad state"),
      leave: required(chance, "chance a frame to go back"),
      loss: optional(chance, "loss in the bad state; 100% without it"),
    }),
    "loss in bursts (Gilbert-Elliott)",
  ),
  duplicate: optional(chance, "chance that a frame comes twice"),
  reorder: optional(chance, "chance that a frame overtakes those before it"),
  corrupt: optional(chance, "chance that one bit of a frame is flipped"),
} as const;
const link = object("link settings", linkFields);
export type LinkSpec = NonNullable<ReturnType<typeof link.read>>;

const underlay = object("the underlay", {
  subnet: optional(subnet, "the machines' addresses; 192.168.50.0/24 without it"),
  mtu: optional(mtu, "of every machine's eth0; 1500 without it"),
  link: optional(link, "every machine's cable to the switch; 50us and no rate without it"),
});

const node = object("a machine", {
  role: optional(oneOf("manager", "worker", "host"), "host: outside the swarm; worker without it"),
  address: optional(address, "on the underlay; without it the next free one from .11"),
  labels: optional(mapOf(text("a text"), NAME_WORDS, NAME), "node labels"),
  link: optional(link, "this machine's cable, where it differs from the underlay's"),
  setup: optional(list(text("a command line")), "commands run on the machine before the run begins"),
});

const network = object("a network", {
  driver: optional(oneOf("overlay", "bridge"), "overlay without it"),
  mode: optional(
    oneOf("swarm", "flood-and-learn"),
    "swarm: proxy ARP, static FDB and neighbours, nothing is flooded across the tunnel; flood-and-learn: head-end replication and learning, the classic picture",
  ),
  subnet: optional(subnet, "10.0.N.0/24 without it; a bridge network has 172.N.0.0/16"),
  vni: optional(integer(1, 0xff_ffff), "4097 and up without it"),
  mtu: optional(mtu, "of the network's devices; 1450 without it, whatever the underlay carries, as Docker does"),
  attachable: optional(boolean, "plain containers may attach; without engines they always may"),
  ...engineNetworkFields,
});

const attachment = object("an attachment", {
  address: optional(address, "the next free one without it"),
  mac: optional(mac, "02:42 and the address without it"),
  aliases: optional(aliases, "further names in the network; needs engines"),
});
const attachments = byKind({ list: list(name), map: mapOf(attachment, NAME_WORDS, NAME) });
const container = object("a container", {
  node: required(name, "the machine it runs on"),
  networks: optional(attachments, "the networks it is attached to, in the order of its interfaces"),
  setup: optional(list(text("a command line")), "commands run in the container before the run begins"),
  ...engineContainerFields,
});

const BLOCKED = /^(?:(tcp|udp)\/(\d{1,5})|esp|icmp)$/;
const block = object("a block", {
  node: required(name, "the machine"),
  ports: required(
    list(text("tcp/PORT, udp/PORT, esp or icmp", BLOCKED), "a list, each tcp/PORT, udp/PORT, esp or icmp", 1),
    "what is blocked; a port counts as destination and as source",
  ),
  direction: optional(oneOf("out", "in", "both"), "seen from the machine; both without it"),
});

const fault = object("a fault", {
  link: optional(text('a place such as "node2" or "node2/eth0"'), "the link whose settings change"),
  direction: optional(oneOf("out", "in", "both"), "seen from the named end; both without it"),
  down: optional(text('a place such as "node2/eth0"'), "the interface that is taken down"),
  partition: optional(
    list(list(name, "a list of machines", 1), "two or more lists of machines", 2),
    "groups of machines that cannot reach each other over the underlay",
  ),
  kill: optional(name, "the machine that loses its power; with `for` it comes back, its disk as it was"),
  "stop-engine": optional(name, "the machine whose dockerd is stopped; with `for` it is started again"),
  block: optional(block, "packets that do not pass between a machine and the underlay"),
  ...linkFields,
});

const HOST = /^[a-zA-Z0-9][a-zA-Z0-9_.*/-]{0,126}$/;
const host = text("a name such as c1, web.1 or node1/ingress_sbox", HOST);

const step = object("a step", {
  at: required(duration, "when, from the start of the run; where there are engines, from when all is ready"),
  in: optional(
    host,
    "the container (or machine) that runs it; also a task: web.1, web.node2 of a global service, web.* for all, or a namespace of a node: node1/ingress_sbox",
  ),
  on: optional(name, "the machine that runs it"),
  run: optional(text("a command line"), "the command, as one would type it"),
  as: optional(name, "a name for the command's result, for expectations"),
  fault: optional(fault, "what breaks"),
  for: optional(
    duration,
    "how long the fault lasts, or when the command is interrupted (SIGINT); without it to the end",
  ),
});

const COUNT = /^(>=|<=|>|<|==?|!=)?\s*(\d+)$/;
export interface Count {
  readonly relation: ">=" | "<=" | ">" | "<" | "==" | "!=";
  readonly value: number;
}
const count: Shape<Count> = parsed(
  'a number, or a comparison such as ">= 2"',
  (written) => {
    const match = COUNT.exec(written.trim());
    if (match === null) return undefined;
    const relation = match[1] === undefined || match[1] === "=" ? "==" : match[1];
    return { relation: relation as Count["relation"], value: Number(match[2]) };
  },
  { type: ["integer", "string"] },
);

const texts = byKind({ scalar: text("a text"), list: list(text("a text")) });

/** What is held against a command's end and output. */
const RESULT_FIELDS = {
  transmitted: optional(count, "echo requests sent (ping, arping)"),
  received: optional(count, "answers that came (ping, arping)"),
  errors: optional(count, "ICMP errors that came (ping)"),
  exit: optional(count, "exit status"),
  status: optional(count, "of the last HTTP answer (curl)"),
  output: optional(texts, "text that the output contains; between slashes: a regular expression"),
} as const;
const result = object("a command's result", RESULT_FIELDS);
export type ResultSpec = NonNullable<ReturnType<typeof result.read>>;

const howMany = {
  exactly: optional(integer(0, 1e9), "exactly so many frames"),
  "at-least": optional(integer(0, 1e9), "at least so many frames"),
  "at-most": optional(integer(0, 1e9), "at most so many frames"),
} as const;
const captureExpectation = object("an expectation of a capture", {
  capture: required(text('an interface such as "node2/eth0"'), "the interface"),
  filter: optional(text("a capture filter"), "pcap-filter expression; every frame without it"),
  ...howMany,
});
const dropExpectation = object("an expectation of drops", {
  drops: required(text("a drop reason"), "the reason, as in docs/DROPS.md"),
  at: optional(text("a place"), "where; anywhere without it"),
  ...howMany,
});
/** What the managers know. */
const clusterFields = {
  tasks: optional(name, "a service, of which so many tasks run as `running` says"),
  running: optional(count, "how many tasks"),
  nodes: optional(
    mapOf(oneOf("ready", "down", "unknown", "disconnected", "gone"), NAME_WORDS, NAME),
    "what the managers think of nodes",
  ),
  leader: optional(name, "the manager that leads"),
} as const;
const condition = object("what comes true", {
  reach: optional(
    text('"c1 -> c2"', /^\S+ -> \S+$/),
    "the first can ping the second; with a port (c1 -> web:80) it can connect to it by TCP, the name looked up by its own resolver",
  ),
  ...clusterFields,
});
const eventually = object("an expectation that comes true", {
  eventually: required(condition, "asked again and again until it is true"),
  within: optional(duration, "how long it may take; 10s without it"),
  after: optional(duration, "when asking begins; the end of the steps without it"),
});

const clusterExpectation = object("an expectation of the swarm at the end of the run", {
  ...clusterFields,
});

export type CaptureExpectation = NonNullable<ReturnType<typeof captureExpectation.read>>;
export type DropExpectation = NonNullable<ReturnType<typeof dropExpectation.read>>;
export type EventuallyExpectation = NonNullable<ReturnType<typeof eventually.read>>;
export type ClusterExpectation = NonNullable<ReturnType<typeof clusterExpectation.read>>;
export type Condition = NonNullable<ReturnType<typeof condition.read>>;
export type Expectation =
  | { readonly kind: "result"; readonly of: string; readonly result: ResultSpec }
  | ({ readonly kind: "capture" } & CaptureExpectation)
  | ({ readonly kind: "drops" } & DropExpectation)
  | ({ readonly kind: "eventually" } & EventuallyExpectation)
  | ({ readonly kind: "cluster" } & ClusterExpectation);

const EXPECTATION_WORDS =
  "an expectation: the result of a named command, or a mapping with capture, drops, eventually, tasks, nodes or leader";
const resultExpectation = mapOf(result, NAME_WORDS, NAME);

/** The mapping's keys choose which kind of expectation it is. */
const expectation: Shape<Expectation> = {
  words: EXPECTATION_WORDS,
  schema: {
    anyOf: [
      captureExpectation.schema,
      dropExpectation.schema,
      eventually.schema,
      clusterExpectation.schema,
      resultExpectation.schema,
    ],
  } satisfies JsonSchema,
  read(node, reading, path) {
    const keys = keysOf(node, reading);
    if (keys.includes("capture")) return kinded("capture", captureExpectation.read(node, reading, path));
    if (keys.includes("drops")) return kinded("drops", dropExpectation.read(node, reading, path));
    if (keys.includes("eventually")) return kinded("eventually", eventually.read(node, reading, path));
    if (isOfCluster(node, reading)) return kinded("cluster", clusterExpectation.read(node, reading, path));
    if (!isMap(resolved(node, reading))) return note(reading, node, path, describeNode(node), EXPECTATION_WORDS);
    const results = resultExpectation.read(node, reading, path);
    if (results === undefined) return undefined;
    const [first, ...others] = [...results];
    if (first !== undefined && others.length === 0) return { kind: "result", of: first[0], result: first[1] };
    if (first === undefined && keys.length > 0) return undefined; // the key's problem is noted
    return note(reading, node, path, `${results.size} results in one item`, "one named command an item");
  },
};

/** A command may be called `leader` too: then its result, a mapping, stands behind the name. */
function isOfCluster(node: Node | undefined, reading: Reading): boolean {
  const at = resolved(node, reading);
  if (!isMap(at)) return false;
  const entries = entriesOf(at, reading);
  const isText = (key: string): boolean => isScalar(resolved(entries.get(key)?.value, reading));
  return isText("tasks") || isText("leader") || (entries.has("nodes") && nodesAreStates(entries.get("nodes"), reading));
}

function nodesAreStates(entry: Entry | undefined, reading: Reading): boolean {
  const at = resolved(entry?.value, reading);
  return isMap(at) && [...entriesOf(at, reading).keys()].every((key) => !(key in RESULT_FIELDS));
}

function kinded<K extends string, T extends object>(
  kind: K,
  value: T | undefined,
): ({ readonly kind: K } & T) | undefined {
  return value === undefined ? undefined : { kind, ...value };
}

const interfaces = byKind({
  scalar: mapped(text('an interface such as "node1/eth0" or "*/eth0"'), (one): readonly string[] => [one]),
  list: list(text("an interface")),
});

export const scenarioShape = object("a scenario", {
  name: required(name, "the scenario's name; captures go to captures/<name>/"),
  description: optional(text(), "what it shows"),
  seed: optional(seed, "the root of all chance in the run; 1 without it"),
  start: optional(timestamp, "wall clock at the start of the run; 2026-01-01T00:00:00Z without it"),
  crossing: optional(duration, "time to cross a veth pair or the loopback; 1us without it"),
  until: optional(duration, "when the run ends; without it, when all steps are done"),
  underlay: optional(underlay, "the network between the machines"),
  engine: optional(orEmpty(engine), "every machine that is no host runs Docker, without a swarm"),
  swarm: optional(
    orEmpty(swarm),
    "the machines form a swarm before the steps: the first manager makes it, the others join. `services` or `stack` mean it too",
  ),
  nodes: optional(mapOf(node, NAME_WORDS, NAME), "machines"),
  networks: optional(mapOf(network, NAME_WORDS, NAME), "container networks"),
  secrets: optional(secrets, "secrets of the swarm"),
  configs: optional(configs, "configs of the swarm"),
  services: optional(services, "services of the swarm, each as in a stack file"),
  stack: optional(stack, "a stack file that is deployed"),
  containers: optional(mapOf(container, NAME_WORDS, NAME), "containers"),
  setup: optional(
    list(text("a command line")),
    "commands run before the run begins, on a machine of its own whose namespaces `ip netns add` makes",
  ),
  capture: optional(interfaces, "the interfaces that are captured, * for any text; all but the loopbacks without it"),
  "capture-from": optional(
    oneOf("start", "ready"),
    "where there are engines: whether the capture holds the swarm's beginnings; start without it",
  ),
  steps: optional(list(step, "a list of steps"), "what happens"),
  expect: optional(list(expectation, "a list of expectations"), "what must hold"),
});

export type ScenarioSpec = NonNullable<ReturnType<typeof scenarioShape.read>>;
export type NodeSpec = NonNullable<ReturnType<typeof node.read>>;
export type NetworkSpec = NonNullable<ReturnType<typeof network.read>>;
export type ContainerSpec = NonNullable<ReturnType<typeof container.read>>;
export type AttachmentSpec = NonNullable<ReturnType<typeof attachment.read>>;
export type StepSpec = NonNullable<ReturnType<typeof step.read>>;
export type FaultSpec = NonNullable<ReturnType<typeof fault.read>>;
export type BlockSpec = NonNullable<ReturnType<typeof block.read>>;
