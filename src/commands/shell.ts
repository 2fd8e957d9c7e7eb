/**
 * The shell: runs what `parseShell` read. Every command is a process of its own, as in a real shell, so that a signal ends it and its sockets with
 * it; the shell waits for it. A pipe gives its text to the next command when the one before has ended. Statuses and messages are bash's.
 */
import type { Process, Program, Wait, Wake } from "../linux/process.ts";
import { NOWHERE, type Streams, TextBuffer } from "./host.ts";
import {
  type CommandList,
  type Pipeline,
  parseShell,
  type Redirection,
  type ShellWord,
  type SimpleCommand,
  type Subshell,
} from "./shell-syntax.ts";
import type { CommandContext, Word } from "./word.ts";

/** A program in progress that gives back `T`. */
type Step<T> = Generator<Wait, T, Wake>;

/** What a shell remembers between commands. */
interface ShellState {
  status: number;
  /** Set by `exit`: nothing further runs. */
  ended: boolean;
  /** Arguments behind `sh -c TEXT NAME`. */
  readonly parameters: readonly string[];
}

const COMMAND_NOT_FOUND = 127;
const SYNTAX_ERROR = 2;

/** Runs a command line in this process; its status is the last command's. */
export function* runLine(
  process: Process,
  context: CommandContext,
  line: string,
  parameters: readonly string[] = [],
): Program {
  const list = parseShell(line);
  if ("problem" in list) {
    process.stderr.write(`${list.problem}\n`);
    return SYNTAX_ERROR;
  }
  const state: ShellState = { status: 0, ended: false, parameters };
  yield* runList(process, context, state, list);
  return state.status;
}

/** `sh -c TEXT`, `bash -c TEXT`. */
export function shellWord(name: string): Word {
  return {
    name,
    *run(process, context, argv) {
      const at = argv.findIndex((argument) => !/^-[a-z]+$/.test(argument));
      const options = argv.slice(0, at < 0 ? argv.length : at);
      if (!options.some((option) => option.includes("c"))) {
        if (at >= 0) {
          process.stderr.write(`${name}: ${argv[at]}: No such file or directory\n`);
          return COMMAND_NOT_FOUND;
        }
        return yield* runLine(process, context, context.stdin);
      }
      if (at < 0) {
        process.stderr.write(`${name}: -c: option requires an argument\n`);
        return SYNTAX_ERROR;
      }
      return yield* runLine(process, context, argv[at]!, argv.slice(at + 1));
    },
  };
}

function* runList(process: Process, context: CommandContext, state: ShellState, list: CommandList): Step<void> {
  for (const { connector, pipeline, background } of list) {
    if (state.ended) return;
    if (connector === "&&" && state.status !== 0) continue;
    if (connector === "||" && state.status === 0) continue;
    if (background) {
      const copy: ShellState = { ...state };
      context.host.spawn("bash", process, (child) => backgroundProgram(child, context, copy, pipeline));
      state.status = 0;
    } else {
      yield* runPipeline(process, context, state, pipeline);
    }
    if (process.pendingSignal !== undefined) state.ended = true;
  }
}

function* backgroundProgram(process: Process, context: CommandContext, state: ShellState, pipeline: Pipeline): Program {
  yield* runPipeline(process, context, state, pipeline);
  return state.status;
}

function* runPipeline(process: Process, context: CommandContext, state: ShellState, pipeline: Pipeline): Step<void> {
  let stdin = context.stdin;
  const last = pipeline.commands.length - 1;
  for (const [index, command] of pipeline.commands.entries()) {
    const pipe = new TextBuffer();
    const streams: Streams = { stdout: index === last ? process.stdout : pipe, stderr: process.stderr };
    yield* runCommand(process, { ...context, stdin }, state, command, streams);
    stdin = pipe.text;
  }
  if (pipeline.negated) state.status = state.status === 0 ? 1 : 0;
}

function* runCommand(
  process: Process,
  context: CommandContext,
  state: ShellState,
  command: SimpleCommand | Subshell,
  outer: Streams,
): Step<void> {
  const redirected = yield* redirect(process, context, state, command.redirections, outer);
  if (redirected === undefined) {
    state.status = 1;
    return;
  }
  const { streams, stdin } = redirected;
  const inner: CommandContext = { ...context, stdin };
  if (command.kind === "subshell") {
    const copy: ShellState = { ...state };
    const own: CommandContext = { ...inner, environment: new Map(context.environment) };
    const child = context.host.spawn("bash", streams, function* (subshell): Program {
      yield* runList(subshell, own, copy, command.list);
      return copy.status;
    });
    state.status = yield* waitFor(process, child);
    return;
  }
  const argv: string[] = [];
  for (const word of command.words) argv.push(...(yield* expand(process, context, state, word)));
  const values: [string, string][] = [];
  for (const { name, value } of command.assignments)
    values.push([name, (yield* expand(process, context, state, value)).join(" ")]);
  if (argv.length === 0) {
    for (const [name, value] of values) context.environment.set(name, value);
    state.status = 0;
    return;
  }
  if (yield* builtin(process, inner, state, argv, streams)) return;
  const environment = new Map(context.environment);
  for (const [name, value] of values) environment.set(name, value);
  state.status = yield* external(process, { ...inner, environment }, argv, streams);
}

/** Commands of the shell itself: they change it. True when `argv` was one. */
function* builtin(
  process: Process,
  context: CommandContext,
  state: ShellState,
  argv: readonly string[],
  streams: Streams,
): Step<boolean> {
  switch (argv[0]) {
    case "exec":
      if (argv.length === 1) return true;
      state.status = yield* external(process, context, argv.slice(1), streams);
      state.ended = true;
      return true;
    case "exit":
      if (argv.length > 1) state.status = Number(argv[1]) & 0xff;
      state.ended = true;
      return true;
    case "export":
      for (const assignment of argv.slice(1)) {
        const equals = assignment.indexOf("=");
        if (equals > 0) context.environment.set(assignment.slice(0, equals), assignment.slice(equals + 1));
      }
      state.status = 0;
      return true;
    case "unset":
      for (const name of argv.slice(1)) context.environment.delete(name);
      state.status = 0;
      return true;
    case "set":
    case ":":
      state.status = 0;
      return true;
    case "wait":
      for (const child of [...context.host.processes.values()])
        if (child.name === "bash" && child !== process && child.running) yield* waitFor(process, child);
      state.status = 0;
      return true;
    default:
      return false;
  }
}

/** Runs a word as a process of its own and waits for its end. */
function* external(process: Process, context: CommandContext, argv: readonly string[], streams: Streams): Step<number> {
  const name = argv[0]!.replace(/^(\/usr)?(\/local)?\/s?bin\//, "");
  const word = context.host.words.get(name);
  if (word === undefined) {
    const reason = name.includes("/") ? "No such file or directory" : "command not found";
    streams.stderr.write(`bash: line 1: ${argv[0]}: ${reason}\n`);
    return COMMAND_NOT_FOUND;
  }
  const child = context.host.spawn(name, streams, (self) => word.run(self, context, argv.slice(1)));
  return yield* waitFor(process, child);
}

/** Waits for the child's end; a signal to the shell goes on to it. */
export function* waitFor(process: Process, child: Process): Step<number> {
  while (child.exitStatus === undefined) {
    const wake = yield { queues: [child.exited] };
    if (wake === "signal" && process.pendingSignal !== undefined) child.kill(process.pendingSignal);
  }
  return child.exitStatus;
}

function* redirect(
  process: Process,
  context: CommandContext,
  state: ShellState,
  redirections: readonly Redirection[],
  outer: Streams,
): Step<{ streams: Streams; stdin: string } | undefined> {
  let { stdout, stderr } = outer;
  let stdin = context.stdin;
  for (const { descriptor, kind, target } of redirections) {
    const name = (yield* expand(process, context, state, target)).join(" ");
    if (kind === "text") {
      stdin = `${name}\n`;
    } else if (kind === "copy") {
      const source = name === "1" ? stdout : name === "2" ? stderr : name === "-" ? NOWHERE : undefined;
      if (source === undefined) {
        outer.stderr.write(`bash: line 1: ${name}: Bad file descriptor\n`);
        return undefined;
      }
      if (descriptor === 1) stdout = source;
      else if (descriptor === 2) stderr = source;
    } else if (descriptor === 0) {
      if (name !== "/dev/null") {
        outer.stderr.write(`bash: line 1: ${name}: No such file or directory\n`);
        return undefined;
      }
      stdin = "";
    } else {
      const sink = fileSink(name, outer);
      if (sink === undefined) {
        outer.stderr.write(`bash: line 1: ${name}: Read-only file system\n`);
        return undefined;
      }
      if (descriptor === 1) stdout = sink;
      else stderr = sink;
    }
  }
  return { streams: { stdout, stderr }, stdin };
}

/** An emulated host has no files but these. */
function fileSink(name: string, outer: Streams): Streams["stdout"] | undefined {
  switch (name) {
    case "/dev/null":
      return NOWHERE;
    case "/dev/stdout":
      return outer.stdout;
    case "/dev/stderr":
      return outer.stderr;
    default:
      return undefined;
  }
}

/** A word's fields: variables put in, and split at white space where they stand unquoted. */
function* expand(process: Process, context: CommandContext, state: ShellState, word: ShellWord): Step<string[]> {
  const fields: string[] = [];
  let field: string | undefined;
  for (const part of word) {
    if (part.kind === "text") {
      field = (field ?? "") + part.text;
      continue;
    }
    let value: string;
    if (part.kind === "variable") {
      value = variable(context, process, state, part.name);
    } else {
      const output = new TextBuffer();
      const copy: ShellState = { ...state };
      const child = context.host.spawn("bash", { stdout: output, stderr: process.stderr }, function* (self): Program {
        yield* runList(self, { ...context, environment: new Map(context.environment) }, copy, part.list);
        return copy.status;
      });
      state.status = yield* waitFor(process, child);
      value = output.text.replace(/\n+$/, "");
    }
    if (part.quoted) {
      field = (field ?? "") + value;
      continue;
    }
    const pieces = value.split(/[ \t\n]+/);
    for (const [index, piece] of pieces.entries()) {
      if (index > 0 && field !== undefined) {
        fields.push(field);
        field = undefined;
      }
      if (piece !== "") field = (field ?? "") + piece;
    }
  }
  if (field !== undefined) fields.push(field);
  return fields;
}

function variable(context: CommandContext, process: Process, state: ShellState, name: string): string {
  if (name === "?") return String(state.status);
  if (name === "$") return String(process.pid);
  if (name === "#") return String(Math.max(0, state.parameters.length - 1));
  if (/^\d+$/.test(name))
    return name === "0" ? (state.parameters[0] ?? "bash") : (state.parameters[Number(name)] ?? "");
  return context.environment.get(name) ?? "";
}
