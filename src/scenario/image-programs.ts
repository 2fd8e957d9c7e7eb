/**
 * What containers run here. An image is a name alone: no file of it is ever fetched. Its program is one of ours, chosen by the container's command, else by the
 * image's name, else by the ports that it publishes or exposes.
 */
import type { Container } from "../docker/container/container.ts";

/** The arguments of a word, or `idle`: a program that waits until it is told to end. */
export type ImageProgram = readonly string[] | "idle";

const HTTP = "http";
const ECHO = "echo";

/** By the last part of an image's name: what it serves, and where. Databases and brokers answer with what they are sent. */
const SERVING: ReadonlyMap<string, readonly [kind: typeof HTTP | typeof ECHO, port: number]> = new Map([
  ["nginx", [HTTP, 80]],
  ["httpd", [HTTP, 80]],
  ["caddy", [HTTP, 80]],
  ["traefik", [HTTP, 80]],
  ["haproxy", [HTTP, 80]],
  ["whoami", [HTTP, 80]],
  ["hello", [HTTP, 80]],
  ["apache", [HTTP, 80]],
  ["tomcat", [HTTP, 8_080]],
  ["jenkins", [HTTP, 8_080]],
  ["node", [HTTP, 3_000]],
  ["grafana", [HTTP, 3_000]],
  ["registry", [HTTP, 5_000]],
  ["prometheus", [HTTP, 9_090]],
  ["elasticsearch", [HTTP, 9_200]],
  ["redis", [ECHO, 6_379]],
  ["memcached", [ECHO, 11_211]],
  ["postgres", [ECHO, 5_432]],
  ["mysql", [ECHO, 3_306]],
  ["mariadb", [ECHO, 3_306]],
  ["mongo", [ECHO, 27_017]],
  ["rabbitmq", [ECHO, 5_672]],
  ["nats", [ECHO, 4_222]],
]);

/** Ports behind which people expect HTTP. */
const HTTP_PORTS: ReadonlySet<number> = new Set([
  80, 81, 3_000, 5_000, 8_000, 8_008, 8_080, 8_081, 8_088, 8_888, 9_090,
]);

/** Commands with which people keep a container alive. */
const WAITING = /^(sleep (infinity|inf)|tail -f \/dev\/null|top|cat)$/;

/** What a container serves on a port of its own; echo: by TCP and UDP. */
export interface Served {
  readonly kind: typeof HTTP | typeof ECHO | "udp";
  readonly port: number;
}

/** What is said of a service beside its image and its published ports. */
export interface ServingHint {
  /** All that its tasks serve: whoever wrote the file said so. */
  readonly serve: readonly Served[] | undefined;
  /** Ports that are named somewhere, as those that a container exposes. */
  readonly exposed: readonly ContainerPort[];
}
export interface ContainerPort {
  readonly port: number;
  readonly protocol: "tcp" | "udp" | "sctp";
}

/** PID 1 of a container; `known` are the words that there are. */
export function programOf(
  container: Container,
  known: (word: string) => boolean,
  hint: ServingHint | undefined,
): ImageProgram {
  const { command } = container.spec;
  const line = command.join(" ");
  if (command.length > 0 && hint?.serve === undefined) {
    if (WAITING.test(line)) return "idle";
    const word = plainName(command[0]!);
    if (isOurs(word, command.slice(1), known)) return [word, ...command.slice(1)];
  }
  const served = hint?.serve ?? servedBy(container, hint?.exposed ?? []);
  return served.length === 0 ? "idle" : ["serve", ...served.flatMap(({ kind, port }) => [kind, String(port)])];
}

/** A shell's line counts only if all of it does: otherwise the image's own program is behind it. */
function isOurs(word: string, argv: readonly string[], known: (word: string) => boolean): boolean {
  if (!known(word)) return false;
  if (word === "serve") return /^(http|echo|udp|dns)$/.test(argv[0] ?? "");
  if (word !== "sh" && word !== "bash") return true;
  const at = argv.findIndex((each) => /^-[a-z]*c$/.test(each));
  return at >= 0 && isOwnLine(argv[at + 1] ?? "", known);
}

/** Words of the shell itself. */
const BUILTINS: ReadonlySet<string> = new Set(["exit", "set", "export", ":"]);

/** Is every command in the line a word of ours? */
export function isOwnLine(line: string, known: (word: string) => boolean): boolean {
  return line
    .split(/&&|\|\||[;|&\n]/)
    .map((part) => part.trim().split(/\s+/)[0] ?? "")
    .every((first) => BUILTINS.has(first) || (first !== "" && known(plainName(first))));
}

/** The name of a program, without the folder that it lies in. */
export function plainName(program: string): string {
  return program.replace(/^(\/usr)?(\/local)?\/s?bin\//, "");
}

/** Its image's own port, and those that it publishes or exposes. */
function servedBy(container: Container, more: readonly ContainerPort[]): readonly Served[] {
  const usual = SERVING.get(nameOf(container.spec.image));
  const streams = new Map<number, Served>();
  const datagrams = new Map<number, Served>();
  if (usual !== undefined) streams.set(usual[1], { kind: usual[0], port: usual[1] });
  for (const { port, protocol } of [...portsOf(container), ...more])
    if (protocol === "udp") datagrams.set(port, { kind: "udp", port });
    else if (protocol === "tcp" && !streams.has(port)) {
      const isEcho = usual?.[0] === ECHO || !HTTP_PORTS.has(port);
      streams.set(port, { kind: isEcho ? ECHO : HTTP, port });
    }
  const others = [...datagrams.values()].filter(({ port }) => streams.get(port)?.kind !== ECHO);
  return [...streams.values(), ...others];
}

/** `nginx` of `registry.example:5000/library/nginx:1.27@sha256:…`. */
function nameOf(image: string): string {
  const last = image.replace(/@.*$/, "").split("/").at(-1) ?? "";
  return last.replace(/:.*$/, "");
}

/** In the container: of the mesh, of the host, exposed. */
function portsOf({ spec }: Container): ContainerPort[] {
  return [
    ...(spec.service?.ingressPorts ?? []).map(({ targetPort, protocol }) => ({ port: targetPort, protocol })),
    ...(spec.ports ?? []).map(({ containerPort, protocol }) => ({ port: containerPort, protocol })),
    ...(spec.exposedPorts ?? []).map(({ port, protocol }) => ({ port, protocol })),
  ];
}
