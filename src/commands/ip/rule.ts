/** `ip rule add|del|show|flush` (iproute2's ip/iprule.c). */
import { type Rule, TABLE_MAIN } from "../../linux/route.ts";
import { formatIpv4, formatPrefix, type Prefix } from "../../wire/address.ts";
import { CommandError } from "../command-error.ts";
import { type Arguments, garbage, invalid, matches, parseNumber, refused } from "./arguments.ts";
import { type IpContext, jsonText } from "./ip-context.ts";
import { parseTable, tableName } from "./table-names.ts";

export function changeRule(context: IpContext, args: Arguments, verb: "add" | "delete"): void {
  if (args.done && verb === "add") throw new CommandError(1, '"ip rule add" requires arguments.');
  const wanted = readRule(args);
  const { routes } = context.namespace;
  const problem =
    verb === "add" ? routes.addRule({ ...wanted, table: wanted.table ?? TABLE_MAIN }) : routes.deleteRule(wanted);
  if (problem !== undefined) throw refused(problem.errno, problem.message);
}

type Draft = { -readonly [Key in keyof Rule]?: Rule[Key] };

function readRule(args: Arguments): Draft {
  const draft: Draft = {};
  while (!args.done) {
    const word = args.take();
    if (word === "not") draft.inverted = true;
    else if (word === "from") draft.from = specific(args.prefix());
    else if (word === "to") draft.to = specific(args.prefix());
    else if (matches(word, "preference") || matches(word, "order") || matches(word, "priority"))
      draft.priority = args.number("preference value is invalid\n");
    else if (word === "tos" || matches(word, "dsfield")) args.value();
    else if (word === "fwmark") {
      const text = args.value();
      const [mark, mask] = text.split("/").map(parseNumber);
      if (mark === undefined) throw invalid(text, "fwmark value is invalid\n");
      draft.mark = mark;
      if (mask !== undefined) draft.markMask = mask;
    } else if (matches(word, "table") || matches(word, "lookup")) {
      draft.table = parseTable(args.value(), "invalid table ID\n");
    } else if (word === "iif" || word === "dev") draft.ingressName = args.value();
    else if (word === "oif") draft.egressName = args.value();
    else if (word === "type" || /^(unreachable|prohibit|blackhole|unicast)$/.test(word)) {
      const action = word === "type" ? args.value() : word;
      if (action === "unreachable" || action === "prohibit" || action === "blackhole") draft.action = action;
      else if (action !== "unicast") throw invalid(action, "Failed to parse rule type");
    } else throw garbage("from", word);
  }
  return draft;
}

/** `from all` is no condition. */
function specific(prefix: Prefix): Prefix | undefined {
  return prefix.length === 0 ? undefined : prefix;
}

export function flushRules(context: IpContext): void {
  const { routes } = context.namespace;
  for (const rule of [...routes.rules]) if (rule.priority !== 0) routes.deleteRule(rule);
}

export function showRules(context: IpContext): string {
  const { rules } = context.namespace.routes;
  if (context.options.json) return jsonText(rules.map(ruleJson), context.options);
  return rules.map((rule) => `${ruleText(rule)}\n`).join("");
}

function ruleText(rule: Rule): string {
  let text = `${rule.priority}:\t${rule.inverted === true ? "not " : ""}from ${prefixText(rule.from)}`;
  if (rule.to !== undefined) text += ` to ${prefixText(rule.to)}`;
  if (rule.mark !== undefined) {
    text += ` fwmark 0x${rule.mark.toString(16)}`;
    if (rule.markMask !== undefined && rule.markMask !== 0xffff_ffff) text += `/0x${rule.markMask.toString(16)}`;
  }
  if (rule.ingressName !== undefined) text += ` iif ${rule.ingressName}`;
  if (rule.egressName !== undefined) text += ` oif ${rule.egressName}`;
  return rule.action === undefined || rule.action === "lookup"
    ? `${text} lookup ${tableName(rule.table)}`
    : `${text} ${rule.action}`;
}

function ruleJson(rule: Rule): Record<string, unknown> {
  return {
    priority: rule.priority,
    ...(rule.inverted === true ? { not: null } : {}),
    ...prefixJson("src", rule.from ?? "all"),
    ...(rule.to === undefined ? {} : prefixJson("dst", rule.to)),
    ...(rule.mark === undefined ? {} : { fwmark: `0x${rule.mark.toString(16)}` }),
    ...(rule.mark !== undefined && rule.markMask !== undefined && rule.markMask !== 0xffff_ffff
      ? { fwmask: `0x${rule.markMask.toString(16)}` }
      : {}),
    ...(rule.ingressName === undefined ? {} : { iif: rule.ingressName }),
    ...(rule.egressName === undefined ? {} : { oif: rule.egressName }),
    ...(rule.action === undefined || rule.action === "lookup"
      ? { table: tableName(rule.table) }
      : { action: rule.action }),
  };
}

function prefixText(prefix: Prefix | undefined): string {
  if (prefix === undefined) return "all";
  return prefix.length === 32 ? formatIpv4(prefix.address) : formatPrefix(prefix);
}

function prefixJson(name: string, prefix: Prefix | "all"): Record<string, unknown> {
  if (prefix === "all") return { [name]: "all" };
  return {
    [name]: formatIpv4(prefix.address),
    ...(prefix.length === 32 ? {} : { [`${name}len`]: prefix.length }),
  };
}
