/** A scenario's networks and containers as lines that one would type: `docker network create`, `docker run`. */
import { shellWords } from "../swarm/stack/shell-words.ts";
import { formatIpv4, formatMac, formatPrefix } from "../wire/address.ts";
import { attachmentsOf } from "./attachment.ts";
import type { ContainerSpec, NetworkSpec } from "./format.ts";

export function networkLine(name: string, spec: NetworkSpec): string {
  const words = ["docker", "network", "create", "-d", "bridge"];
  if (spec.internal === true) words.push("--internal");
  if (spec.attachable === true) words.push("--attachable");
  if (spec.subnet !== undefined) words.push("--subnet", formatPrefix(spec.subnet));
  for (const { subnet, gateway } of spec.ipam?.config ?? []) {
    words.push("--subnet", formatPrefix(subnet));
    if (gateway !== undefined) words.push("--gateway", formatIpv4(gateway));
  }
  if (spec.mtu !== undefined) words.push("-o", `com.docker.network.driver.mtu=${spec.mtu}`);
  for (const [key, value] of spec.driver_opts ?? []) words.push("-o", `${key}=${value}`);
  for (const [key, value] of spec.labels ?? []) words.push("--label", `${key}=${value}`);
  return lineOf([...words, name]);
}

export function runLineOf(name: string, spec: ContainerSpec): string {
  const words = ["docker", "run", "-d", "--name", name];
  for (const { name: network, address, mac, aliases = [] } of attachmentsOf(spec.networks)) {
    const isPlain = address === undefined && mac === undefined && aliases.length === 0;
    const fields = [`name=${network}`];
    if (address !== undefined) fields.push(`ip=${formatIpv4(address)}`);
    if (mac !== undefined) fields.push(`mac-address=${formatMac(mac)}`);
    for (const alias of aliases) fields.push(`alias=${alias}`);
    words.push("--network", isPlain ? network : fields.join(","));
  }
  for (const line of variablesOf(spec.environment)) words.push("-e", line);
  for (const port of spec.ports ?? []) words.push("-p", port);
  for (const port of spec.expose ?? []) words.push("--expose", port);
  if (spec.hostname !== undefined) words.push("--hostname", spec.hostname);
  for (const [key, value] of spec.labels ?? []) words.push("--label", `${key}=${value}`);
  if (spec.restart !== undefined) words.push("--restart", spec.restart);
  for (const option of spec.options ?? []) words.push(...wordsOf(option));
  words.push(spec.image ?? "alpine");
  if (spec.command !== undefined)
    words.push(...(typeof spec.command === "string" ? wordsOf(spec.command) : spec.command));
  return lineOf(words);
}

function variablesOf(environment: ContainerSpec["environment"]): readonly string[] {
  if (environment === undefined) return [];
  if (Array.isArray(environment)) return environment as readonly string[];
  return [...(environment as ReadonlyMap<string, string>)].map(([name, value]) => `${name}=${value}`);
}

/** A line whose quotes do not close is one word: docker run will say what it thinks of it. */
function wordsOf(line: string): readonly string[] {
  const words = shellWords(line);
  return typeof words === "string" ? [line] : words;
}

/** Each word as the shell gives it back. */
function lineOf(words: readonly string[]): string {
  return words.map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`)).join(" ");
}
