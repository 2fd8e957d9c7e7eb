import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { ServiceSpec } from "../../../src/swarm/api/specs.ts";
import { stackConfigs, stackSecrets } from "../../../src/swarm/stack/file-object-specs.ts";
import { type LoadedStack, loadStack } from "../../../src/swarm/stack/load-stack.ts";
import { stackNetworks } from "../../../src/swarm/stack/network-specs.ts";
import { checkImages, stackService } from "../../../src/swarm/stack/service-spec.ts";
import { StackError } from "../../../src/swarm/stack/stack-error.ts";
import { configOf, networkOf, secretOf, serviceOf } from "./api-spec.ts";

const ROOT = join(import.meta.dirname, "../../conformance/stack");

interface Recorded {
  readonly status: number;
  readonly stderr: string;
  readonly created: readonly { readonly kind: string; readonly spec: { readonly Name: string } }[];
}

/** Files of the case stand in its folder; what the record knows as /stack. */
function read(kind: string, path: string): { text: string } | { problem: string } {
  const file = path.replace(/^\/stack/, join(ROOT, kind));
  return existsSync(file)
    ? { text: readFileSync(file, "utf8") }
    : { problem: `open ${path}: no such file or directory` };
}

function load(kind: string, name: string): LoadedStack {
  const files = [`${name}.yml`];
  for (let next = 2; existsSync(join(ROOT, kind, `${name}.${next}.yml`)); next++) files.push(`${name}.${next}.yml`);
  const environment = new Map([["HOME", "/home/user"]]);
  const variables = join(ROOT, kind, `${name}.env`);
  if (existsSync(variables))
    for (const line of readFileSync(variables, "utf8").split("\n"))
      if (line.includes("=")) environment.set(line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1));
  return loadStack({
    files: files.map((file) => ({ name: file, text: readFileSync(join(ROOT, kind, file), "utf8") })),
    workingFolder: "/stack",
    environment,
    readFile: (path) => read(kind, path),
  });
}

/** The client's order; what is made before the first complaint counts. */
function convert(kind: string, name: string) {
  const made = new Map<string, unknown>();
  let complaint = "";
  try {
    const loaded = load(kind, name);
    checkImages(loaded);
    const { made: networks, external } = stackNetworks(loaded.stack, "shop");
    const missing = external.find((each) => /missing|local/.test(each.name));
    if (missing !== undefined) return { made, complaint: `network "${missing.name}" is declared as external, but` };
    for (const spec of networks) made.set(`networks ${spec.annotations.name}`, spec);
    const readFile = (path: string) => read(kind, path);
    for (const spec of stackSecrets(loaded, "shop", readFile)) made.set(`secrets ${spec.annotations.name}`, spec);
    for (const spec of stackConfigs(loaded, "shop", readFile)) made.set(`configs ${spec.annotations.name}`, spec);
    const idOf = (each: string) => (each.includes("missing") ? undefined : `id-of-${each}`);
    const services = [...loaded.stack.services.keys()].map((each) =>
      stackService(loaded, "shop", each, { secret: idOf, config: idOf }),
    );
    for (const spec of services) made.set(`services ${spec.annotations.name}`, spec);
  } catch (error) {
    if (!(error instanceof StackError)) throw error;
    complaint = error.message;
    expect(error.place.line).toBeGreaterThan(0);
  }
  return { made, complaint };
}

const CONVERSIONS: Readonly<Record<string, (json: never) => unknown>> = {
  networks: networkOf,
  secrets: secretOf,
  configs: configOf,
  services: serviceOf,
};

/** Go sorts ports by what they are published as, and leaves those that are not in any order. */
function inOrder(spec: unknown): unknown {
  const { endpoint } = (spec ?? {}) as Partial<ServiceSpec>;
  if (endpoint === undefined) return spec;
  const ports = [...endpoint.ports].sort((a, b) => a.publishedPort - b.publishedPort || a.targetPort - b.targetPort);
  return { ...(spec as ServiceSpec), endpoint: { ...endpoint, ports } };
}

describe("A stack file that is deployed asks the swarm for what the Docker client asks for", () => {
  const names = readdirSync(join(ROOT, "deploy")).filter((file) => file.endsWith(".json"));
  it.each(names.map((file) => file.slice(0, -".json".length)))("%s", (name) => {
    const record = JSON.parse(readFileSync(join(ROOT, "deploy", `${name}.json`), "utf8")) as Recorded;
    const { made, complaint } = convert(existsSync(join(ROOT, "good", `${name}.yml`)) ? "good" : "deploy", name);
    if (record.status !== 0) expect(record.stderr).toContain(complaint);
    expect(complaint === "").toBe(record.status === 0);
    for (const { kind, spec } of record.created)
      expect(inOrder(made.get(`${kind} ${spec.Name}`))).toEqual(inOrder(CONVERSIONS[kind]!(spec as never)));
    expect(made.size).toBe(record.created.length);
  });
});
