/** `ip netns add|delete|list|exec|identify` (iproute2's ip/ipnetns.c). */
import type { Process, Program } from "../../linux/process.ts";
import { CommandError } from "../command-error.ts";
import { waitFor } from "../shell.ts";
import { type Arguments, matches, USAGE_STATUS } from "./arguments.ts";
import { type IpContext, jsonText } from "./ip-context.ts";
import { removeDevice } from "./link-set.ts";

export function* netns(process: Process, context: IpContext, args: Arguments): Program {
  const verb = args.done ? "list" : args.take();
  if (matches(verb, "list") || matches(verb, "show") || verb === "lst") {
    process.stdout.write(list(context));
    return 0;
  }
  if (matches(verb, "add")) {
    if (args.done) throw new CommandError(1, "No netns name specified");
    add(context, args.take());
    return 0;
  }
  if (matches(verb, "delete")) {
    if (args.done) throw new CommandError(1, "No netns name specified");
    remove(context, args.take());
    return 0;
  }
  if (matches(verb, "exec")) return yield* exec(process, context, args.rest());
  if (matches(verb, "identify")) {
    for (const [name, namespace] of context.command.host.namedNamespaces)
      if (namespace === context.namespace) process.stdout.write(`${name}\n`);
    return 0;
  }
  throw new CommandError(1, `Command "${verb}" is unknown, try "ip netns help".`);
}

function list(context: IpContext): string {
  const names = [...context.command.host.namedNamespaces.keys()];
  if (context.options.json)
    return jsonText(
      names.map((name) => ({ name })),
      context.options,
    );
  return names.map((name) => `${name}\n`).join("");
}

function add(context: IpContext, name: string): void {
  const { host } = context.command;
  if (name.includes("/") || name === "." || name === "..") throw new CommandError(1, `Invalid netns name "${name}"`);
  if (host.namedNamespaces.has(name))
    throw new CommandError(1, `Cannot create namespace file "/run/netns/${name}": File exists`);
  // The same name may stand on several machines of one world.
  let unique = name;
  for (let number = 2; host.world.namespaces.has(unique); number++)
    unique = `${host.name}:${name}${number === 2 ? "" : number}`;
  const namespace = host.world.createNamespace(unique);
  namespace.netnsName = name;
  host.namedNamespaces.set(name, namespace);
}

/** The namespace ends, and the devices in it with their peers. */
function remove(context: IpContext, name: string): void {
  const { host } = context.command;
  const namespace = host.namedNamespaces.get(name);
  if (namespace === undefined)
    throw new CommandError(1, `Cannot remove namespace file "/run/netns/${name}": No such file or directory`);
  host.namedNamespaces.delete(name);
  for (const device of [...namespace.devices].reverse())
    if (device.kind !== "loopback" && namespace.device(device.name) === device) removeDevice(context, device);
  namespace.loopback.setUp(false);
  namespace.end();
}

function* exec(process: Process, context: IpContext, argv: readonly string[]): Program {
  const { host } = context.command;
  const [name, word, ...rest] = argv;
  if (name === undefined) throw new CommandError(1, "No netns name specified");
  if (word === undefined) throw new CommandError(1, "No command specified");
  const namespace = host.namedNamespaces.get(name);
  if (namespace === undefined)
    throw new CommandError(USAGE_STATUS, `Cannot open network namespace "${name}": No such file or directory`);
  const found = host.words.get(word);
  if (found === undefined) {
    throw new CommandError(USAGE_STATUS, `exec of "${word}" failed: No such file or directory`);
  }
  const inner = { ...context.command, namespace };
  const child = host.spawn(word, process, (self) => found.run(self, inner, rest));
  return yield* waitFor(process, child);
}

/** The namespace that `-n NAME` means. */
export function namespaceOf(context: { readonly command: IpContext["command"] }, name: string): IpContext["namespace"] {
  const namespace = context.command.host.namedNamespaces.get(name);
  if (namespace === undefined)
    throw new CommandError(USAGE_STATUS, `Cannot open network namespace "${name}": No such file or directory`);
  return namespace;
}
