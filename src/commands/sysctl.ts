/** The word `sysctl` (procps-ng 4): reads and sets a namespace's settings. */
import { type Errno, errorText } from "../linux/errno.ts";
import { type CommandContext, instantWord, type Outcome } from "./word.ts";

interface Options {
  all: boolean;
  quiet: boolean;
  write: boolean;
  ignore: boolean;
  valuesOnly: boolean;
  namesOnly: boolean;
  bare: boolean;
  pattern: RegExp | undefined;
}

export const SYSCTL = instantWord("sysctl", (argv, context) => {
  const options: Options = {
    all: false,
    quiet: false,
    write: false,
    ignore: false,
    valuesOnly: false,
    namesOnly: false,
    bare: false,
    pattern: undefined,
  };
  const operands: string[] = [];
  for (let at = 0; at < argv.length; at++) {
    const argument = argv[at]!;
    if (!argument.startsWith("-")) {
      operands.push(argument);
      continue;
    }
    const letters = LONG_OPTIONS.get(argument) ?? (argument.startsWith("--") ? "?" : argument.slice(1));
    for (const letter of letters) {
      if (letter === "r") options.pattern = new RegExp(argv[++at] ?? "");
      else if (!setOption(options, letter))
        return {
          status: 1,
          stdout: "",
          stderr: `sysctl: invalid option -- '${argument.replace(/^-+/, "")}'\n${USAGE}`,
        };
    }
  }
  if (!options.all && operands.length === 0) return { status: 1, stdout: USAGE, stderr: "" };
  if (options.all) return listAll(context, options);
  let status = 0;
  let stdout = "";
  let stderr = "";
  for (const [index, operand] of operands.entries()) {
    const outcome = operand.includes("=") ? assign(context, operand, options) : show(context, operand, options, index);
    stdout += outcome.stdout;
    stderr += outcome.stderr;
    if (outcome.status !== 0) status = outcome.status;
  }
  return { status, stdout, stderr };
});

const LONG_OPTIONS: ReadonlyMap<string, string> = new Map([
  ["--all", "a"],
  ["--quiet", "q"],
  ["--write", "w"],
  ["--values", "n"],
  ["--names", "N"],
  ["--ignore", "e"],
  ["--binary", "b"],
  ["--pattern", "r"],
]);

function setOption(options: Options, letter: string): boolean {
  switch (letter) {
    case "a":
    case "A":
    case "X":
      options.all = true;
      return true;
    case "q":
      options.quiet = true;
      return true;
    case "w":
      options.write = true;
      return true;
    case "n":
      options.valuesOnly = true;
      return true;
    case "N":
      options.namesOnly = true;
      return true;
    case "e":
      options.ignore = true;
      return true;
    case "b":
      options.bare = true;
      return true;
    case "o":
    case "x":
      return true;
    default:
      return false;
  }
}

/** Slashes may stand for dots; where the first separator is a slash, a dot is part of a name (`conf/eth0.10/rp_filter`). */
function keyOf(text: string): string {
  const first = /[./]/.exec(text)?.[0];
  if (first !== "/") return text;
  return text.replace(/[./]/g, (separator) => (separator === "/" ? "." : "/"));
}

function path(key: string): string {
  return `/proc/sys/${key.replace(/[./]/g, (separator) => (separator === "." ? "/" : "."))}`;
}

function show(context: CommandContext, operand: string, options: Options, index: number): Outcome {
  const key = keyOf(operand);
  if (options.write)
    return { status: 1, stdout: "", stderr: `sysctl: command line(${index}): invalid syntax, continuing...\n` };
  const value = context.namespace.sysctl.get(key);
  if (value === undefined) return unknown(key, options);
  return { status: 0, stdout: line(key, value, options), stderr: "" };
}

function assign(context: CommandContext, operand: string, options: Options): Outcome {
  const equals = operand.indexOf("=");
  const key = keyOf(operand.slice(0, equals).trim());
  const value = operand.slice(equals + 1).trim();
  const problem: Errno | undefined = context.namespace.sysctl.set(key, value);
  if (problem === "ENOENT") {
    // No emulated host speaks IPv6; what turns it off is granted, as scripts do so for good measure.
    if (/^net\.ipv6\.conf\..+\.disable_ipv6$/.test(key) && value === "1")
      return { status: 0, stdout: options.quiet ? "" : line(key, value, options), stderr: "" };
    return unknown(key, options);
  }
  if (problem !== undefined)
    return { status: 1, stdout: "", stderr: `sysctl: setting key "${key}": ${errorText(problem)}\n` };
  return { status: 0, stdout: options.quiet ? "" : line(key, value, options), stderr: "" };
}

function unknown(key: string, options: Options): Outcome {
  if (options.ignore) return { status: 0, stdout: "", stderr: "" };
  return { status: 1, stdout: "", stderr: `sysctl: cannot stat ${path(key)}: No such file or directory\n` };
}

function line(key: string, value: string, options: Options): string {
  if (options.namesOnly) return `${key}\n`;
  if (options.bare) return value;
  return options.valuesOnly ? `${value}\n` : `${key} = ${value}\n`;
}

function listAll(context: CommandContext, options: Options): Outcome {
  let stdout = "";
  for (const key of context.namespace.sysctl.keys())
    if (options.pattern === undefined || options.pattern.test(key))
      stdout += line(key, context.namespace.sysctl.get(key) ?? "", options);
  return { status: 0, stdout, stderr: "" };
}

const USAGE = `
Usage:
 sysctl [options] [variable[=value] ...]

Options:
  -a, --all            display all variables
  -A                   alias of -a
  -X                   alias of -a
  -b, --binary         print value without new line
  -e, --ignore         ignore unknown variables errors
  -N, --names          print variable names without values
  -n, --values         print only values of the given variable(s)
  -r, --pattern <expression>
                       select setting that match expression
  -q, --quiet          do not echo variable set
  -w, --write          enable writing a value to variable

For more details see sysctl(8).
`;
