/** The word `ip` (iproute2 6.1): options, the object, its command; each may be shortened as iproute2 lets it. */
import type { Process, Program } from "../../linux/process.ts";
import { CommandError } from "../command-error.ts";
import type { CommandContext, Word } from "../word.ts";
import { changeAddress, flushAddresses } from "./address.ts";
import { Arguments, matches, USAGE_STATUS } from "./arguments.ts";
import { defaultIpOptions, type IpContext, type IpOptions } from "./ip-context.ts";
import { addLink } from "./link-add.ts";
import { deleteLink, setLink } from "./link-set.ts";
import { showAddresses, showLinks } from "./link-show.ts";
import { showGroups } from "./maddress.ts";
import { monitor } from "./monitor.ts";
import { changeNeighbour, flushNeighbours, getNeighbour, showNeighbours } from "./neighbour.ts";
import { namespaceOf, netns } from "./netns.ts";
import { changeRoute, flushRoutes, getRoute } from "./route.ts";
import { showRoutes } from "./route-show.ts";
import { changeRule, flushRules, showRules } from "./rule.ts";
import { xfrm } from "./xfrm.ts";

/** In iproute2's order: the first that an abbreviation fits is meant. */
const OBJECTS = [
  "address",
  "maddress",
  "route",
  "rule",
  "neighbor",
  "neighbour",
  "link",
  "monitor",
  "netns",
  "xfrm",
] as const;
type ObjectName = (typeof OBJECTS)[number];

export const IP: Word = {
  name: "ip",
  *run(process, context, argv) {
    try {
      return yield* runIp(process, context, argv);
    } catch (error) {
      if (!(error instanceof CommandError)) throw error;
      process.stderr.write(`${error.message}\n`);
      return error.status;
    }
  },
};

function* runIp(process: Process, command: CommandContext, argv: readonly string[]): Program {
  const options = defaultIpOptions();
  let namespace = command.namespace;
  let batch = false;
  let at = 0;
  for (; at < argv.length && argv[at]!.startsWith("-"); at++) {
    const option = argv[at]!.replace(/^--/, "-");
    if (matches(option, "-netns") && option.startsWith("-n"))
      namespace = namespaceOf({ command }, optionValue(argv, ++at));
    else if (matches(option, "-batch") && option.length > 2 && !matches(option, "-br")) {
      optionValue(argv, ++at);
      batch = true;
    } else if (option === "-b") {
      optionValue(argv, ++at);
      batch = true;
    } else if (option === "-f" || matches(option, "-family")) options.family = familyOf(optionValue(argv, ++at));
    else if (option === "-V" || option === "-Version") {
      process.stdout.write("ip utility, iproute2-6.1.0, libbpf 1.1.2\n");
      return 0;
    } else if (!setOption(options, option)) {
      throw new CommandError(USAGE_STATUS, `Option "${option}" is unknown, try "ip -help".`);
    }
  }
  const context: IpContext = { command, namespace, options };
  if (batch) return yield* runBatch(process, context);
  return yield* runObject(process, context, argv.slice(at));
}

function optionValue(argv: readonly string[], at: number): string {
  const value = argv[at];
  if (value === undefined) throw new CommandError(USAGE_STATUS, 'Command line is not complete. Try option "help"');
  return value;
}

function familyOf(text: string): IpOptions["family"] {
  if (text === "inet" || text === "inet6" || text === "link" || text === "bridge") return text;
  throw new CommandError(USAGE_STATUS, `Error: argument "${text}" is wrong: invalid protocol family\n`);
}

function setOption(options: IpOptions, option: string): boolean {
  if (option === "-4") options.family = "inet";
  else if (option === "-6") options.family = "inet6";
  else if (option === "-0") options.family = "link";
  else if (/^-s+$/.test(option)) options.statistics += option.length - 1;
  else if (option.length > 1 && (matches(option, "-stats") || matches(option, "-statistics"))) options.statistics++;
  else if (option.length > 1 && matches(option, "-details")) options.details = true;
  else if (option.length > 1 && matches(option, "-json")) options.json = true;
  else if (option.length > 1 && matches(option, "-pretty")) options.pretty = true;
  else if (option.length > 1 && matches(option, "-oneline")) options.oneline = true;
  else if (option.length > 2 && matches(option, "-brief")) options.brief = true;
  else if (option === "-N" || option === "-Numeric") options.numeric = true;
  else if (matches(option, "-resolve") || matches(option, "-force") || matches(option, "-human-readable"))
    return option.length > 1;
  else if (/^-c(o(l(o(r(=\w+)?)?)?)?)?$/.test(option) || option === "-a" || option === "-all" || option === "-iec")
    return true;
  else return false;
  return true;
}

/** Lines from standard input; the first that fails ends it. */
function* runBatch(process: Process, context: IpContext): Program {
  const lines = context.command.stdin.split("\n");
  for (const [index, line] of lines.entries()) {
    const words = line.replace(/#.*/, "").trim().split(/\s+/);
    if (words[0] === "") continue;
    let status: number;
    try {
      status = yield* runObject(process, context, words);
    } catch (error) {
      if (!(error instanceof CommandError)) throw error;
      process.stderr.write(`${error.message}\n`);
      status = error.status;
    }
    if (status !== 0) {
      process.stderr.write(`Command failed -:${index + 1}\n`);
      return 1;
    }
  }
  return 0;
}

function* runObject(process: Process, context: IpContext, words: readonly string[]): Program {
  const [name, ...rest] = words;
  if (name === undefined || matches(name, "help"))
    throw new CommandError(name === undefined ? USAGE_STATUS : USAGE_STATUS, IP_USAGE);
  const object = OBJECTS.find((candidate) => matches(name, candidate));
  if (object === undefined) throw new CommandError(1, `Object "${name}" is unknown, try "ip help".`);
  const args = new Arguments(rest);
  if (object === "netns") return yield* netns(process, context, args);
  if (object === "monitor") return yield* monitor(process, context, args);
  if (object === "xfrm") {
    process.stdout.write(xfrm(context, args));
    return 0;
  }
  const verb = args.done ? "show" : args.take();
  process.stdout.write(instantObject(context, object, verb, args));
  return 0;
}

function instantObject(
  context: IpContext,
  object: Exclude<ObjectName, "netns" | "monitor" | "xfrm">,
  verb: string,
  args: Arguments,
): string {
  const shows = matches(verb, "show") || verb === "list" || verb === "lst" || verb === "ls" || verb === "l";
  switch (object) {
    case "link":
      if (matches(verb, "add")) addLink(context, args);
      else if (matches(verb, "set") || matches(verb, "change")) setLink(context, args);
      else if (matches(verb, "delete")) deleteLink(context, args);
      else if (shows) return showLinks(context, args);
      else throw unknown(verb, object);
      return "";
    case "address":
      if (matches(verb, "add")) changeAddress(context, args, "add");
      else if (matches(verb, "change") || verb === "chg" || matches(verb, "replace"))
        changeAddress(context, args, "replace");
      else if (matches(verb, "delete")) changeAddress(context, args, "delete");
      else if (matches(verb, "flush")) flushAddresses(context, args);
      else if (shows) return showAddresses(context, args);
      else throw unknown(verb, object);
      return "";
    case "route":
      if (matches(verb, "add")) changeRoute(context, args, "create");
      else if (matches(verb, "change") || verb === "chg") changeRoute(context, args, "change");
      else if (matches(verb, "replace")) changeRoute(context, args, "replace");
      else if (matches(verb, "prepend")) changeRoute(context, args, "prepend");
      else if (matches(verb, "append")) changeRoute(context, args, "append");
      else if (matches(verb, "delete")) changeRoute(context, args, "delete");
      else if (matches(verb, "get")) return getRoute(context, args);
      else if (matches(verb, "flush")) flushRoutes(context, args);
      else if (shows) return showRoutes(context, args);
      else throw unknown(verb, object);
      return "";
    case "rule":
      if (matches(verb, "add")) changeRule(context, args, "add");
      else if (matches(verb, "delete")) changeRule(context, args, "delete");
      else if (matches(verb, "flush")) flushRules(context);
      else if (shows) return showRules(context);
      else throw unknown(verb, object);
      return "";
    case "neighbor":
    case "neighbour":
      if (matches(verb, "add")) changeNeighbour(context, args, "add");
      else if (matches(verb, "change") || verb === "chg") changeNeighbour(context, args, "change");
      else if (matches(verb, "replace")) changeNeighbour(context, args, "replace");
      else if (matches(verb, "delete")) changeNeighbour(context, args, "delete");
      else if (matches(verb, "get")) return getNeighbour(context, args);
      else if (matches(verb, "flush")) flushNeighbours(context, args);
      else if (shows) return showNeighbours(context, args);
      else throw unknown(verb, "neigh");
      return "";
    case "maddress":
      if (shows) return showGroups(context, args);
      throw unknown(verb, "maddr");
  }
}

function unknown(verb: string, object: string): CommandError {
  return new CommandError(USAGE_STATUS, `Command "${verb}" is unknown, try "ip ${object} help".`);
}

const IP_USAGE = `Usage: ip [ OPTIONS ] OBJECT { COMMAND | help }
       ip [ -force ] -batch filename
where  OBJECT := { address | link | maddress | monitor | neighbor | neighbour |
                   netns | route | rule | xfrm }
       OPTIONS := { -V[ersion] | -s[tatistics] | -d[etails] |
                    -j[son] | -p[retty] | -f[amily] { inet | link | bridge } |
                    -4 | -0 | -br[ief] | -o[neline] | -b[atch] [filename] |
                    -n[etns] name }`;
