/** `ip xfrm`: IPsec by hand (iproute2's ip/ipxfrm.c). */
import { CommandError } from "../command-error.ts";
import { type Arguments, matches, USAGE_STATUS } from "./arguments.ts";
import { type IpContext, record } from "./ip-context.ts";
import { xfrmPolicy } from "./xfrm-policy.ts";
import { xfrmState } from "./xfrm-state.ts";
import type { PrintOptions } from "./xfrm-text.ts";

/** The text to print; `args` begin behind the word `xfrm`. */
export function xfrm(context: IpContext, args: Arguments): string {
  const object = args.done ? "" : args.take();
  const print: PrintOptions = {
    statistics: context.options.statistics > 0,
    withKeys: true,
    deviceName: (index) => context.namespace.devices.find((device) => device.index === index)?.name ?? `if${index}`,
  };
  if (matches(object, "state") || matches(object, "sa")) return oneLine(context, xfrmState(context, args, print));
  if (matches(object, "policy")) return oneLine(context, xfrmPolicy(context, args, print));
  throw new CommandError(USAGE_STATUS, XFRM_USAGE);
}

/** With -o a record is one line: its continuation lines begin with a tab. */
function oneLine(context: IpContext, text: string): string {
  if (!context.options.oneline || text === "" || text.startsWith("\t")) return text;
  return text
    .split(/\n(?=src )/)
    .map((entry) => record(`${entry.replace(/\n$/, "")}\n\n`, context.options))
    .join("");
}

const XFRM_USAGE = `Usage: ip xfrm XFRM-OBJECT { COMMAND | help }
where  XFRM-OBJECT := state | policy | monitor`;
