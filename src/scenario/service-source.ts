/**
 * A service of a scenario, which is written as in a stack file and read by the reader of stack files: its part of the scenario is handed over as a small stack
 * file of its own, and what the reader complains about is found again in the scenario.
 */
import { isMap, isScalar, isSeq, type Node } from "yaml";
import type { ServiceSpec } from "../swarm/api/specs.ts";
import { type LoadedStack, loadStack } from "../swarm/stack/load-stack.ts";
import { checkImages, stackService } from "../swarm/stack/service-spec.ts";
import { StackError } from "../swarm/stack/stack-error.ts";
import { IMAGE_LABEL, STACK_LABEL } from "../swarm/stack/stack-labels.ts";
import { isStructure, type Structure, type Value } from "../swarm/stack/value.ts";
import { describeNode, entriesOf, nodeAt, note, type Reading, resolved, type Shape } from "./shape.ts";

const WORDS = "a service as a stack file has it";

/** A stack of this service alone; the networks, secrets and configs that it names stand in it as ones that are there already. */
export interface ServiceSource {
  readonly name: string;
  readonly loaded: LoadedStack;
}

export const serviceShape: Shape<ServiceSource> = {
  words: WORDS,
  schema: { title: WORDS, type: "object" },
  read(node, reading, path) {
    const at = resolved(node, reading);
    if (!isMap(at)) return note(reading, at ?? node, path, describeNode(at ?? node), WORDS);
    const name = path.slice(path.indexOf(".") + 1);
    const copy = new Transcript();
    copy.write(`{"services":{${JSON.stringify(name)}:`);
    copy.node(at, reading, path);
    copy.write("}");
    try {
      const service = load(`${copy.text}}`).stack.services.get(name) ?? {};
      const loaded = load(`${copy.text}${surroundings(service)}}`);
      checkImages(loaded);
      stackService(loaded, NO_STACK, name, { secret: () => "", config: () => "" });
      return { name, loaded };
    } catch (error) {
      if (!(error instanceof StackError)) throw error;
      const place = copy.pathAt(error.place.column - 1) ?? path;
      return note(reading, nodeAt(reading, place), place, foundText(error.message), "what a stack file may have there");
    }
  },
};

/** What the managers are asked for. `objects` has the identifiers of what the service names. */
export function serviceSpecOf({ name, loaded }: ServiceSource, objects: ServiceObjects): ServiceSpec {
  const { annotations, task, ...spec } = stackService(loaded, NO_STACK, name, {
    secret: (each) => objects.idOf("secret", each),
    config: (each) => objects.idOf("config", each),
  });
  const own = namesIn(loaded.stack.services.get(name)?.["networks"]);
  return {
    ...spec,
    // A scenario is no stack: nothing stands before its names, and nothing is labelled as a stack's.
    annotations: { name, labels: withoutLabels(annotations.labels) },
    task: {
      ...task,
      container:
        task.container === undefined ? undefined : { ...task.container, labels: withoutLabels(task.container.labels) },
      // A service without networks is in none but the routing mesh's.
      networks: task.networks
        .filter(({ target }) => own.includes(target))
        .map((network) => ({ ...network, target: objects.idOf("network", network.target) ?? network.target })),
    },
  };
}

/** Identifiers by name; undefined where there is no such thing. */
export interface ServiceObjects {
  idOf(kind: "network" | "secret" | "config", name: string): string | undefined;
}

const NO_STACK = "";

function withoutLabels(labels: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  return new Map([...labels].filter(([key]) => key !== STACK_LABEL && key !== IMAGE_LABEL));
}

function load(text: string): LoadedStack {
  return loadStack({
    files: [{ name: "services", text }],
    workingFolder: "/",
    environment: new Map(),
    readFile: (path) => ({ problem: `open ${path}: no such file or directory` }),
    skipInterpolation: true,
  });
}

/** Declares what the service names as external. */
function surroundings({ networks, secrets, configs }: Structure): string {
  const sourcesIn = (value: Value | undefined): readonly string[] =>
    Array.isArray(value)
      ? value.flatMap((each: Value) =>
          isStructure(each) && typeof each["source"] === "string" ? [each["source"]] : [],
        )
      : [];
  const section = (key: string, names: readonly string[]): string =>
    names.length === 0
      ? ""
      : `,${JSON.stringify(key)}:{${[...new Set(names)].map((name) => `${JSON.stringify(name)}: {"external": true}`).join(",")}}`;
  return (
    section("networks", namesIn(networks)) +
    section("secrets", sourcesIn(secrets)) +
    section("configs", sourcesIn(configs))
  );
}

function namesIn(networks: Value | undefined): readonly string[] {
  return networks instanceof Map ? [...networks.keys()] : [];
}

/** The client's complaints have several lines. */
function foundText(message: string): string {
  return message
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "" && !line.startsWith("decoding failed"))
    .join("; ");
}

/** One line of JSON (which is YAML) that knows where each of its values came from. */
class Transcript {
  text = "";
  readonly #places: { readonly at: number; readonly path: string }[] = [];

  write(text: string): void {
    this.text += text;
  }

  node(node: Node | undefined, reading: Reading, path: string): void {
    const value = resolved(node, reading);
    this.#places.push({ at: this.text.length, path });
    if (isMap(value)) {
      this.write("{");
      for (const [index, entry] of [...entriesOf(value, reading).values()].entries()) {
        if (index > 0) this.write(",");
        const below = `${path}.${entry.key}`;
        this.#places.push({ at: this.text.length, path: below });
        this.write(`${JSON.stringify(entry.key)}: `);
        this.node(entry.value, reading, below);
      }
      this.write("}");
    } else if (isSeq(value)) {
      this.write("[");
      for (const [index, item] of value.items.entries()) {
        if (index > 0) this.write(", ");
        this.node(item as Node, reading, `${path}[${index}]`);
      }
      this.write("]");
    } else if (isScalar(value)) this.write(scalarText(value.value, value.source));
    else this.write("null");
  }

  /** Of the value that stands at a character, or begins last before it. */
  pathAt(character: number): string | undefined {
    let path: string | undefined;
    for (const place of this.#places) if (place.at <= character) path = place.path;
    return path;
  }
}

/** Numbers go as they are written: 0440 is one thing to a scenario and another to a stack file. */
function scalarText(value: unknown, source: string | undefined): string {
  if (typeof value === "string") return JSON.stringify(value);
  if (source !== undefined && /^[-+.\w]+$/.test(source)) return source;
  return JSON.stringify(value) ?? "null";
}
