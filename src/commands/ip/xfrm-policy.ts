/** `ip xfrm policy` (iproute2's ip/xfrm_policy.c): add, update, delete, get, list, deleteall, flush, count. */

import { xfrmOf } from "../../linux/xfrm/attach.ts";
import type { Policy, PolicyDirection, PolicyRequest, PolicyType, Template } from "../../linux/xfrm/policy.ts";
import { ANY_MARK, type Mark, type Selector } from "../../linux/xfrm/selector.ts";
import type { Lifetime } from "../../linux/xfrm/state.ts";
import type { Ipv4Address } from "../../wire/address.ts";
import { contains } from "../../wire/address.ts";
import { CommandError } from "../command-error.ts";
import { type Arguments, duplicate, matches, refused, USAGE_STATUS } from "./arguments.ts";
import type { IpContext } from "./ip-context.ts";
import {
  ANY_SELECTOR,
  type Identity,
  number,
  readFlags,
  readIdentity,
  readLimit,
  readMark,
  readMode,
  readSelector,
  required,
  wrong,
} from "./xfrm-arguments.ts";
import { POLICY_FLAGS, type PrintOptions, policyText } from "./xfrm-text.ts";

const NO_ADDRESS = 0 as Ipv4Address;
/** XFRM_MAX_DEPTH */
const MOST_TEMPLATES = 6;

/** All that the verbs read; undefined: not given. */
interface Given {
  direction?: PolicyDirection;
  selector?: Selector;
  mark: Mark;
  index?: number;
  type?: PolicyType;
  action?: "allow" | "block";
  priority?: number;
  flags: string[];
  lifetime: Lifetime;
  templates: Template[];
}

export function xfrmPolicy(context: IpContext, args: Arguments, print: PrintOptions): string {
  const verb = args.done ? "list" : args.take();
  if (matches(verb, "add")) return change(context, args, false);
  if (matches(verb, "update")) return change(context, args, true);
  if (matches(verb, "delete") || matches(verb, "get"))
    return deleteOrGet(context, args, matches(verb, "delete"), print);
  if (matches(verb, "deleteall") || matches(verb, "delall")) {
    for (const policy of filtered(context, args)) context.namespace.xfrm?.deletePolicy(policy);
    return "";
  }
  if (matches(verb, "list") || matches(verb, "show") || matches(verb, "lst"))
    return filtered(context, args)
      .map((policy) => policyText(policy, print))
      .join("");
  if (matches(verb, "flush")) {
    const { type } = read(context, args, ["ptype"]);
    context.namespace.xfrm?.flushPolicies(type ?? "main");
    return "";
  }
  if (matches(verb, "count")) return count(context, print);
  if (matches(verb, "help")) throw new CommandError(USAGE_STATUS, POLICY_USAGE);
  throw new CommandError(USAGE_STATUS, `Command "${verb}" is unknown, try "ip xfrm policy help".`);
}

function change(context: IpContext, args: Arguments, update: boolean): string {
  const given = read(context, args, ALL_OPTIONS, duplicate);
  if (given.direction === undefined) throw new CommandError(1, "Not enough information: DIR is required.");
  if (given.templates.length > MOST_TEMPLATES) throw refused("EINVAL", "Too many templates");
  if (
    given.direction === "out" &&
    given.templates.some((template) => template.optional && template.mode !== "transport")
  )
    throw refused("EINVAL", "Mode in optional template not allowed in outbound policy");
  const request: PolicyRequest = {
    selector: given.selector ?? ANY_SELECTOR,
    direction: given.direction,
    mark: given.mark,
    action: given.action ?? "allow",
    priority: given.priority ?? 0,
    templates: given.templates,
    type: given.type ?? "main",
    lifetime: given.lifetime,
    flags: given.flags,
  };
  const problem = xfrmOf(context.namespace).addPolicy(request, update);
  if (problem !== undefined) throw refused(problem);
  return "";
}

function deleteOrGet(context: IpContext, args: Arguments, deletes: boolean, print: PrintOptions): string {
  const { direction, selector, index, mark, type } = read(context, args, ["dir", "mark", "index", "ptype"]);
  if (direction === undefined) throw new CommandError(1, "Not enough information: DIR is required.");
  if (selector === undefined && index === undefined)
    throw new CommandError(1, "Not enough information: either SELECTOR or INDEX is required.");
  if (selector !== undefined && index !== undefined) throw duplicate("SELECTOR and INDEX", String(index));
  const policies = context.namespace.xfrm?.policies;
  const policy =
    index === undefined
      ? policies?.find({ direction, type: type ?? "main", mark, selector: selector! })
      : policies?.findIndex(direction, index);
  if (policy === undefined) throw refused("ENOENT");
  if (!deletes) return policyText(policy, print);
  context.namespace.xfrm?.deletePolicy(policy);
  return "";
}

function filtered(context: IpContext, args: Arguments): Policy[] {
  const given = read(context, args, ["nosock", "dir", "index", "ptype", "action", "priority", "flag"]);
  const { selector } = given;
  return (context.namespace.xfrm?.policies.list ?? []).filter(
    (policy) =>
      (given.direction === undefined || given.direction === policy.direction) &&
      (given.index === undefined || given.index === policy.index) &&
      (given.type === undefined || given.type === policy.type) &&
      (given.action === undefined || given.action === policy.action) &&
      (given.priority === undefined || given.priority === policy.priority) &&
      (given.flags.length === 0 || given.flags.some((name) => policy.flags.includes(name))) &&
      (selector === undefined ||
        (contains(selector.source, policy.selector.source.address) &&
          contains(selector.destination, policy.selector.destination.address) &&
          (selector.protocol === 0 || selector.protocol === policy.selector.protocol) &&
          (selector.sourcePort === undefined || selector.sourcePort === policy.selector.sourcePort) &&
          (selector.destinationPort === undefined || selector.destinationPort === policy.selector.destinationPort) &&
          (selector.device === 0 || selector.device === policy.selector.device))),
  );
}

const ALL_OPTIONS = ["dir", "mark", "index", "ptype", "action", "priority", "flag", "limit", "tmpl"];

/** Reads what the verb allows; anything else has to be the selector, once. */
function read(
  context: IpContext,
  args: Arguments,
  allowed: readonly string[],
  second: (name: string, text: string) => CommandError = (_name, text) => wrong(text, "unknown"),
): Given {
  const given: Given = { mark: ANY_MARK, flags: [], lifetime: {}, templates: [] };
  while (!args.done) {
    const word = args.peek()!;
    const option = allowed.includes(word) ? args.take() : "";
    switch (option) {
      case "dir":
        if (given.direction !== undefined) throw duplicate("dir", word);
        given.direction = readChoice(args, ["in", "out", "fwd"], "DIR value is invalid");
        break;
      case "mark":
        given.mark = readMark(args);
        break;
      case "index":
        given.index = number(args, "INDEX value is invalid");
        break;
      case "ptype":
        if (given.type !== undefined) throw duplicate("ptype", word);
        given.type = readChoice(args, ["main", "sub"], "PTYPE value is invalid");
        break;
      case "action":
        given.action = readChoice(args, ["allow", "block"], "ACTION value is invalid\n");
        break;
      case "priority":
        given.priority = number(args, "PRIORITY value is invalid");
        break;
      case "flag":
        given.flags = readFlags(args, POLICY_FLAGS);
        break;
      case "limit":
        given.lifetime = { ...given.lifetime, ...readLimit(args) };
        break;
      case "tmpl":
        given.templates.push(readTemplate(args));
        break;
      case "nosock":
        break;
      default: {
        if (given.selector !== undefined) throw second("unknown", word);
        const selector = readSelector(args, (name) => context.namespace.device(name)?.index ?? 0);
        if (selector === undefined) throw wrong(word, "unknown");
        given.selector = selector;
      }
    }
  }
  return given;
}

function readTemplate(args: Arguments): Template {
  let identity: Identity | undefined;
  let mode: Template["mode"] = "transport";
  let reqid = 0;
  let optional = false;
  if (args.done) args.value();
  while (!args.done) {
    const word = args.peek()!;
    if (word === "mode") {
      args.take();
      const given = readMode(args);
      if (given === "ro" || given === "in_trigger") throw refused("EINVAL", "Invalid mode in template");
      mode = given;
    } else if (word === "reqid") {
      args.take();
      reqid = number(args, "REQID value is invalid");
    } else if (word === "level") {
      args.take();
      optional = readChoice(args, ["required", "use"], "LEVEL value is invalid\n") === "use";
    } else if (identity === undefined) {
      identity = readIdentity(args, false);
    } else break;
  }
  if (identity === undefined) throw required("TMPL");
  return {
    source: identity.source ?? NO_ADDRESS,
    destination: identity.destination ?? NO_ADDRESS,
    protocol: identity.protocol ?? 0,
    spi: identity.spi ?? 0,
    reqid,
    mode,
    optional,
  };
}

function readChoice<T extends string>(args: Arguments, choices: readonly T[], message: string): T {
  const text = args.value();
  const choice = choices.find((candidate) => candidate === text);
  if (choice === undefined) throw wrong(text, message);
  return choice;
}

function count(context: IpContext, print: PrintOptions): string {
  const of = (direction: PolicyDirection) => context.namespace.xfrm?.policies.count(direction) ?? 0;
  const sockets = print.statistics ? " (Sock: IN 0 OUT 0 FWD 0)" : "";
  return `\t SPD IN  ${of("in")} OUT ${of("out")} FWD ${of("fwd")}${sockets}\n`;
}

const POLICY_USAGE = `Usage: ip xfrm policy { add | update } SELECTOR dir DIR
	[ mark MARK [ mask MASK ] ] [ index INDEX ] [ ptype PTYPE ]
	[ action ACTION ] [ priority PRIORITY ] [ flag FLAG-LIST ]
	[ LIMIT-LIST ] [ TMPL-LIST ]
Usage: ip xfrm policy { delete | get } { SELECTOR | index INDEX } dir DIR
	[ mark MARK [ mask MASK ] ] [ ptype PTYPE ]
Usage: ip xfrm policy { deleteall | list } [ SELECTOR ] [ dir DIR ]
	[ index INDEX ] [ ptype PTYPE ] [ action ACTION ] [ priority PRIORITY ]
	[ flag FLAG-LIST ]
Usage: ip xfrm policy flush [ ptype PTYPE ]
Usage: ip xfrm policy count
SELECTOR := [ src ADDR[/PLEN] ] [ dst ADDR[/PLEN] ] [ dev DEV ] [ UPSPEC ]
TMPL := ID [ mode MODE ] [ reqid REQID ] [ level LEVEL ]`;
