/** The flag `--format`, of lists and of `inspect`. */
import type { FlagDefinition } from "./flags.ts";

const REFERENCE =
  "'json':             Print in JSON format\n'TEMPLATE':         Print output using the given Go template.\nRefer to https://docs.docker.com/go/formatting/ for more information about formatting output with templates";

export const FORMAT_FLAG: FlagDefinition = {
  name: "format",
  kind: "string",
  usage: `Format output using a custom template:\n'table':            Print output in table format with column headers (default)\n'table TEMPLATE':   Print output in table format using the given Go template\n${REFERENCE}`,
};

export const INSPECT_FORMAT_FLAG: FlagDefinition = {
  name: "format",
  letter: "f",
  kind: "string",
  usage: `Format output using a custom template:\n${REFERENCE}`,
};
