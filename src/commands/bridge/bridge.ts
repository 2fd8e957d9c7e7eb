/** The word `bridge` (iproute2 6.1): fdb, link, vlan, mdb. A refused request ends with 255, where `ip` has 2. */
import { CommandError } from "../command-error.ts";
import { Arguments, matches, USAGE_STATUS } from "../ip/arguments.ts";
import { defaultIpOptions, type IpContext } from "../ip/ip-context.ts";
import { namespaceOf } from "../ip/netns.ts";
import { type CommandContext, failure, instantWord, type Outcome, success } from "../word.ts";
import { changeFdb, flushFdbEntries, showFdb } from "./fdb.ts";
import { setPort, showPorts } from "./link.ts";
import { changeGroup, showGroups } from "./mdb.ts";
import { changeVlan, showVlans } from "./vlan.ts";

export const BRIDGE = instantWord("bridge", (argv, command) => {
  try {
    return runBridge(command, argv);
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    return failure(error.status, error.message);
  }
});

function runBridge(command: CommandContext, argv: readonly string[]): Outcome {
  const options = defaultIpOptions();
  let { namespace } = command;
  let at = 0;
  for (; at < argv.length && argv[at]!.startsWith("-"); at++) {
    const option = argv[at]!.replace(/^--/, "-");
    if (option.length > 1 && matches(option, "-netns")) {
      const name = argv[++at];
      if (name === undefined) throw new CommandError(USAGE_STATUS, 'Command line is not complete. Try option "help"');
      namespace = namespaceOf({ command }, name);
    } else if (/^-s+$/.test(option) || matches(option, "-statistics")) options.statistics++;
    else if (matches(option, "-details")) options.details = true;
    else if (matches(option, "-json")) options.json = true;
    else if (matches(option, "-pretty")) options.pretty = true;
    else if (matches(option, "-oneline")) options.oneline = true;
    else if (option === "-V" || option === "-Version") return success("bridge utility, 6.1.0\n");
    else if (!matches(option, "-compressvlans") && !matches(option, "-color") && !matches(option, "-force"))
      throw new CommandError(USAGE_STATUS, `Option "${option}" is unknown, try "bridge help".`);
  }
  const context: IpContext = { command, namespace, options };
  const [object, ...rest] = argv.slice(at);
  if (object === undefined || matches(object, "help")) throw new CommandError(USAGE_STATUS, BRIDGE_USAGE);
  const args = new Arguments(rest);
  const verb = args.done ? "show" : args.take();
  if (matches(object, "link")) return success(linkObject(context, verb, args));
  if (matches(object, "fdb")) return success(fdbObject(context, verb, args));
  if (matches(object, "mdb")) return success(mdbObject(context, verb, args));
  if (matches(object, "vlan")) return success(vlanObject(context, verb, args));
  throw new CommandError(USAGE_STATUS, `Object "${object}" is unknown, try "bridge help".`);
}

function isShow(verb: string): boolean {
  return matches(verb, "show") || verb === "lst" || verb === "list";
}

function linkObject(context: IpContext, verb: string, args: Arguments): string {
  if (matches(verb, "set") || matches(verb, "change")) {
    setPort(context, args);
    return "";
  }
  if (isShow(verb)) return showPorts(context, args);
  throw unknown(verb, "link");
}

function fdbObject(context: IpContext, verb: string, args: Arguments): string {
  if (matches(verb, "add")) changeFdb(context, args, "add");
  else if (matches(verb, "append")) changeFdb(context, args, "append");
  else if (matches(verb, "replace")) changeFdb(context, args, "replace");
  else if (matches(verb, "delete")) changeFdb(context, args, "delete");
  else if (matches(verb, "flush")) flushFdbEntries(context, args);
  else if (isShow(verb)) return showFdb(context, args);
  else throw unknown(verb, "fdb");
  return "";
}

function mdbObject(context: IpContext, verb: string, args: Arguments): string {
  if (matches(verb, "add")) changeGroup(context, args, "add");
  else if (matches(verb, "delete")) changeGroup(context, args, "delete");
  else if (isShow(verb)) return showGroups(context, args);
  else throw unknown(verb, "mdb");
  return "";
}

function vlanObject(context: IpContext, verb: string, args: Arguments): string {
  if (matches(verb, "add")) changeVlan(context, args, "add");
  else if (matches(verb, "delete")) changeVlan(context, args, "delete");
  else if (isShow(verb)) return showVlans(context, args);
  else throw unknown(verb, "vlan");
  return "";
}

function unknown(verb: string, object: string): CommandError {
  return new CommandError(USAGE_STATUS, `Command "${verb}" is unknown, try "bridge ${object} help".`);
}

const BRIDGE_USAGE = `Usage: bridge [ OPTIONS ] OBJECT { COMMAND | help }
       bridge [ -force ] -batch filename
where  OBJECT := { link | fdb | mdb | vlan | monitor }
       OPTIONS := { -V[ersion] | -s[tatistics] | -d[etails] |
                    -o[neline] | -t[imestamp] | -n[etns] name |
                    -c[ompressvlans] -color -p[retty] -j[son] }`;
