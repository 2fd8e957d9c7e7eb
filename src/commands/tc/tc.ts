/**
 * The word `tc` (iproute2 6.1): queueing disciplines at the root of a device. The requests and refusals are those of the kernel's
 * net/sched/sch_api.c (tc_modify_qdisc, tc_get_qdisc).
 */
import type { NetworkNamespace } from "../../linux/namespace.ts";
import type { NetDevice } from "../../linux/net-device.ts";
import { type ConfiguredQdisc, isConfigured } from "../../linux/qdisc/configured-qdisc.ts";
import { Fifo } from "../../linux/qdisc/fifo.ts";
import { Netem } from "../../linux/qdisc/netem.ts";
import { NoQueue } from "../../linux/qdisc/no-queue.ts";
import { Tbf } from "../../linux/qdisc/tbf.ts";
import { CommandError } from "../command-error.ts";
import { Arguments, duplicate, KERNEL_STATUS, matches, noDevice, USAGE_STATUS } from "../ip/arguments.ts";
import { type CommandContext, instantWord, type Outcome, success } from "../word.ts";
import { readNetemOptions } from "./netem-options.ts";
import { qdiscText } from "./qdisc-show.ts";
import { parseSize } from "./quantities.ts";
import { readTbfOptions } from "./tbf-options.ts";

/** Handles that the kernel gives by itself begin here. */
const FIRST_AUTOMATIC_HANDLE = 0x8001;
const LAST_HANDLE = 0xffff;

const USAGE = `Usage:	tc [ OPTIONS ] OBJECT { COMMAND | help }
	tc [-force] -batch filename
where  OBJECT := { qdisc | class | filter | chain |
		    action | monitor | exec }
       OPTIONS := { -V[ersion] | -s[tatistics] | -d[etails] | -r[aw] |
		    -o[neline] | -j[son] | -p[retty] | -c[olor]
		    -b[atch] [filename] | -n[etns] name | -N[umeric] |
		     -nm | -nam[es] | { -cf | -conf } path
		     -br[ief] }
`;

const QDISC_USAGE = `Usage: tc qdisc [ add | del | replace | change | show ] dev STRING
       [ handle QHANDLE ] [ root | ingress | clsact | parent CLASSID ]
       [ estimator INTERVAL TIME_CONSTANT ]
       [ stab [ help | STAB_OPTIONS] ]
       [ ingress_block BLOCK_INDEX ] [ egress_block BLOCK_INDEX ]
       [ [ QDISC_KIND ] [ help | OPTIONS ] ]

       tc qdisc { show | list } [ dev STRING ] [ QDISC_ID ] [ invisible ]
Where:
QDISC_KIND := { [p|b]fifo | tbf | prio | cbq | red | etc. }
OPTIONS := ... try tc qdisc add <desired QDISC_KIND> help
STAB_OPTIONS := ... try tc qdisc add stab help
QDISC_ID := { root | ingress | handle QHANDLE | parent CLASSID }
`;

export const TC = instantWord("tc", (argv, context) => {
  try {
    return run(argv, context);
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    return { status: error.status, stdout: "", stderr: error.message === "" ? "" : `${error.message}\n` };
  }
});

function run(argv: readonly string[], context: CommandContext): Outcome {
  const words = new Arguments(argv);
  let namespace = context.namespace;
  let statistics = false;
  let oneline = false;
  while (words.peek()?.startsWith("-") === true) {
    const option = words.take().replace(/^--/, "-");
    if (matches(option, "-statistics") && option.length > 1) statistics = true;
    else if (matches(option, "-Version") && option.length > 1) return success("tc utility, iproute2-6.1.0\n");
    else if (matches(option, "-oneline") && option.length > 1) oneline = true;
    else if (option === "-n" || option === "-netns") namespace = named(context, words.value());
    else if (option === "-h" || option === "-help") return success(USAGE);
    else if (!["-d", "-details", "-r", "-raw", "-N", "-Numeric", "-nm", "-names", "-br", "-brief"].includes(option))
      throw new CommandError(USAGE_STATUS, `Option "${option}" is unknown, try "tc -help".`);
  }
  const object = words.done ? "help" : words.take();
  if (object === "help") return object === argv[0] ? success(USAGE) : { status: 0, stdout: "", stderr: USAGE };
  if (matches(object, "class") || matches(object, "filter") || matches(object, "chain") || matches(object, "action"))
    return withoutClasses(object, words);
  if (!matches(object, "qdisc")) throw new CommandError(USAGE_STATUS, `Object "${object}" is unknown, try "tc help".`);
  const command = words.done ? "show" : words.take();
  if (matches(command, "list") || matches(command, "show")) return success(show(namespace, words, statistics, oneline));
  if (matches(command, "help")) return success(QDISC_USAGE);
  for (const verb of ["add", "change", "replace", "delete"] as const)
    if (matches(command, verb)) return modify(verb, namespace, words);
  throw new CommandError(USAGE_STATUS, `Command "${command}" is unknown, try "tc qdisc help".`);
}

/** Disciplines here are without classes and filters: there is nothing to list, and none can be made. */
function withoutClasses(object: string, words: Arguments): Outcome {
  const command = words.done ? "show" : words.take();
  if (matches(command, "list") || matches(command, "show") || matches(command, "ls")) return success();
  throw new CommandError(
    KERNEL_STATUS,
    matches(object, "class")
      ? "RTNETLINK answers: No such file or directory"
      : "RTNETLINK answers: Operation not supported",
  );
}

function named(context: CommandContext, name: string): NetworkNamespace {
  const found = context.host.namedNamespaces.get(name);
  if (found === undefined)
    throw new CommandError(USAGE_STATUS, `Cannot open network namespace "${name}": No such file or directory`);
  return found;
}

function show(namespace: NetworkNamespace, words: Arguments, statistics: boolean, oneline: boolean): string {
  let device: NetDevice | undefined;
  while (!words.done) {
    const word = words.take();
    if (word === "dev") device = find(namespace, words.value());
    else if (word !== "root" && word !== "invisible")
      throw new CommandError(USAGE_STATUS, `What is "${word}"? Try "tc qdisc help".`);
  }
  const chosen = device === undefined ? namespace.devices : [device];
  let text = "";
  for (const one of chosen) {
    if (device === undefined && !one.up && one.qdisc === undefined) continue; // noop is not shown
    const lines = qdiscText(one, device !== undefined, statistics);
    text += oneline ? `${lines.replaceAll("\n", "\\")}\n` : lines;
  }
  return text;
}

function find(namespace: NetworkNamespace, name: string): NetDevice {
  const device = namespace.device(name);
  if (device === undefined) throw noDevice(name);
  return device;
}

type Verb = "add" | "change" | "replace" | "delete";

interface Request {
  device: string | undefined;
  root: boolean;
  parent: boolean;
  handle: number;
  kind: string | undefined;
  make: ((device: NetDevice, namespace: NetworkNamespace) => ConfiguredQdisc) | undefined;
}

/** tc_qdisc_modify: reads everything first; options are wrong before the device is. */
function readRequest(words: Arguments): Request | undefined {
  const request: Request = {
    device: undefined,
    root: false,
    parent: false,
    handle: 0,
    kind: undefined,
    make: undefined,
  };
  while (!words.done) {
    const word = words.take();
    if (word === "dev") {
      const name = words.value();
      if (request.device !== undefined) throw duplicate("dev", name);
      request.device = name;
    } else if (word === "handle") {
      request.handle = readHandle(words.value());
    } else if (word === "root") {
      if (request.root || request.parent) throw new CommandError(USAGE_STATUS, 'Error: "root" is duplicate parent ID');
      request.root = true;
    } else if (word === "parent") {
      words.value();
      request.parent = true;
    } else if (word === "help") {
      return undefined;
    } else {
      request.kind = word;
      request.make = readKind(word, words);
    }
  }
  return request;
}

/** `5:`, `5`; a class number behind it is ignored. */
function readHandle(text: string): number {
  if (text === "none") return 0;
  const match = /^([0-9a-fA-F]{1,4})(:[0-9a-fA-F]*)?$/.exec(text);
  if (match === null) throw new CommandError(USAGE_STATUS, `Error: argument "${text}" is wrong: invalid qdisc ID\n`);
  return Number.parseInt(match[1]!, 16);
}

function readKind(kind: string, words: Arguments): Request["make"] {
  switch (kind) {
    case "tbf": {
      if (words.done) return undefined;
      const options = readTbfOptions(words);
      return (device, namespace) => new Tbf(namespace.clock, device, options);
    }
    case "netem": {
      const options = readNetemOptions(words);
      return (device, namespace) =>
        new Netem(namespace.clock, device, namespace.random.fork(`netem ${device.name}`), options);
    }
    case "pfifo":
    case "bfifo": {
      const limit = readFifoLimit(kind, words);
      return (device) => new Fifo(kind, device, limit);
    }
    case "pfifo_fast":
      if (!words.done) throw new CommandError(USAGE_STATUS, "qdisc 'pfifo_fast' does not support option parsing");
      return (device) => new Fifo("pfifo_fast", device, undefined);
    case "noqueue":
      if (!words.done)
        throw new CommandError(1, `Unknown qdisc "noqueue", hence option "${words.take()}" is unparsable`);
      return (device) => new NoQueue(device);
    default:
      if (!words.done)
        throw new CommandError(1, `Unknown qdisc "${kind}", hence option "${words.take()}" is unparsable`);
      return undefined;
  }
}

function readFifoLimit(kind: string, words: Arguments): number | undefined {
  let limit: number | undefined;
  while (!words.done) {
    const word = words.take();
    if (word !== "limit")
      throw new CommandError(
        1,
        `${kind}: unknown parameter "${word}"\nUsage: ... <[p|b]fifo | pfifo_head_drop> [ limit NUMBER ]`,
      );
    const text = words.value();
    limit = parseSize(text);
    if (limit === undefined) throw new CommandError(1, `${kind}: Illegal value for "limit": "${text}"`);
  }
  return limit;
}

const KINDS: ReadonlySet<string> = new Set(["tbf", "netem", "pfifo", "bfifo", "pfifo_fast", "noqueue"]);

function modify(verb: Verb, namespace: NetworkNamespace, words: Arguments): Outcome {
  const request = readRequest(words);
  if (request === undefined) return success(QDISC_USAGE);
  if (request.device === undefined) throw new CommandError(KERNEL_STATUS, "RTNETLINK answers: No such device");
  const device = find(namespace, request.device);
  const present = isConfigured(device.qdisc) ? device.qdisc : undefined;
  if (request.parent) throw kernel("Failed to find specified qdisc");
  if (verb === "delete") remove(device, present, request);
  else install(verb, namespace, device, present, request);
  return success();
}

function remove(device: NetDevice, present: ConfiguredQdisc | undefined, request: Request): void {
  if (!request.root) {
    if (request.handle === 0) throw kernel("Handle cannot be zero");
    if (present?.handle !== request.handle) throw kernel("Failed to find qdisc with specified handle");
  }
  if (request.handle !== 0 && present?.handle !== request.handle) throw kernel("Invalid handle");
  if (request.kind !== undefined && request.kind !== (present?.kind ?? "noqueue"))
    throw kernel("Invalid qdisc name: must match existing qdisc");
  if (present === undefined) throw kernel("Cannot delete qdisc with handle of zero");
  present.remove();
  device.qdisc = undefined;
}

function install(
  verb: Exclude<Verb, "delete">,
  namespace: NetworkNamespace,
  device: NetDevice,
  present: ConfiguredQdisc | undefined,
  request: Request,
): void {
  if (!request.root) {
    if (request.handle === 0) throw kernel("Handle cannot be zero");
    if (present?.handle !== request.handle) throw kernel("Specified qdisc not found");
  }
  if (present !== undefined) {
    if (verb === "add") throw kernel("Exclusivity flag on, cannot modify");
    if (verb === "change" && request.handle !== 0 && request.handle !== present.handle)
      throw kernel("NLM_F_REPLACE needed to override");
  } else if (verb === "change") {
    throw kernel("Qdisc not found. To create specify NLM_F_CREATE flag");
  }
  if (request.kind === undefined || !KINDS.has(request.kind)) throw kernel("Specified qdisc kind is unknown");
  if (request.make === undefined) throw new CommandError(KERNEL_STATUS, "RTNETLINK answers: Invalid argument"); // tbf without options
  const same = present !== undefined && present.kind === request.kind;
  const keepsHandle = same && (request.handle === 0 || request.handle === present.handle);
  const fresh = request.make(device, namespace);
  if (keepsHandle) {
    fresh.handle = present.handle;
    fresh.inherit(present);
  } else {
    fresh.handle = request.handle === 0 ? freeHandle(namespace) : request.handle;
  }
  present?.remove();
  device.qdisc = fresh;
}

/** The kernel counts on and on; so does this as long as disciplines stand. */
function freeHandle(namespace: NetworkNamespace): number {
  let last = FIRST_AUTOMATIC_HANDLE - 1;
  for (const { qdisc } of namespace.devices)
    if (isConfigured(qdisc) && qdisc.handle > last && qdisc.handle < LAST_HANDLE) last = qdisc.handle;
  return last + 1;
}

function kernel(message: string): CommandError {
  return new CommandError(KERNEL_STATUS, `Error: ${message}.`);
}
