import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type LoadedStack, loadStack } from "../../../src/swarm/stack/load-stack.ts";
import { printStack } from "../../../src/swarm/stack/print-stack.ts";
import { StackError } from "../../../src/swarm/stack/stack-error.ts";

function load(text: string, environment: ReadonlyMap<string, string> = new Map()): LoadedStack {
  return loadStack({
    files: [{ name: "stack.yml", text }],
    workingFolder: "/work",
    environment,
    readFile: (path) => ({ problem: `open ${path}: no such file or directory` }),
  });
}

function refusal(text: string): StackError {
  try {
    load(text);
  } catch (error) {
    if (error instanceof StackError) return error;
    throw error;
  }
  throw new Error("the file was taken");
}

const anyName = fc.stringMatching(/^[a-z][a-z0-9_-]{0,8}$/);
const anyText = fc.string({ maxLength: 12 }).map((text) => text.replaceAll("$", "%"));
const anyPort = fc.integer({ min: 1, max: 65_535 });
const anyService = fc.record(
  {
    image: fc.stringMatching(/^[a-z]{1,8}(:[a-z0-9.]{1,5})?$/),
    command: fc.array(anyText, { maxLength: 3 }),
    environment: fc.dictionary(
      anyName,
      fc.oneof(anyText, fc.integer(), fc.double({ noNaN: true, noDefaultInfinity: true }), fc.constant(null)),
    ),
    labels: fc.dictionary(anyName, anyText),
    ports: fc.uniqueArray(
      fc.tuple(anyPort, anyPort).map(([a, b]) => `${a}:${b}`),
      { maxLength: 3 },
    ),
    networks: fc.uniqueArray(anyName, { maxLength: 3 }),
    deploy: fc.record({ replicas: fc.nat(100), labels: fc.dictionary(anyName, anyText) }, { requiredKeys: [] }),
    tty: fc.boolean(),
    stop_grace_period: fc.nat(10_000).map((seconds) => `${seconds}s`),
  },
  { requiredKeys: ["image"] },
);
const anyFile = fc
  .record(
    { services: fc.dictionary(anyName, anyService, { maxKeys: 4 }), "x-data": fc.jsonValue({ maxDepth: 3 }) },
    { requiredKeys: ["services"] },
  )
  .map((file) => JSON.stringify(file, null, 1));

describe("A stack file", () => {
  it("is taken whatever its valid keys say, and its long form means the same", () => {
    fc.assert(
      fc.property(anyFile, (text) => {
        const printed = printStack(load(text.replaceAll("$", "%")).stack);
        expect(printStack(load(printed.replaceAll("$", "$$$$")).stack)).toBe(printed);
      }),
    );
  });

  it("with random damage is taken, or refused with a message and a place in the file", () => {
    fc.assert(
      fc.property(anyFile, fc.nat(), fc.nat(20), fc.string({ maxLength: 5 }), (text, at, length, dirt) => {
        const from = at % (text.length + 1);
        const damaged = text.slice(0, from) + dirt + text.slice(from + length);
        try {
          load(damaged);
        } catch (error) {
          expect(error).toBeInstanceOf(StackError);
          const { message, place } = error as StackError;
          expect(message).not.toBe("");
          expect(place.line).toBeGreaterThan(0);
          expect(place.line).toBeLessThanOrEqual(damaged.split("\n").length);
          expect(place.column).toBeGreaterThan(0);
        }
      }),
    );
  });

  it("says where in the file the client's complaint comes from", () => {
    const { message, place } = refusal("services:\n  web:\n    image: a\n    deploy:\n      replica: 2\n");
    expect(message).toBe("services.web.deploy Additional property replica is not allowed");
    expect(place).toEqual({ file: "stack.yml", line: 4, column: 5 });
  });

  it("lists what a swarm ignores, each with its place", () => {
    const { ignored } = load("services:\n  web:\n    image: a\n    restart: always\n    expose: [80]\n");
    expect(ignored.map(({ key, kind, place }) => `${place.line} ${kind} ${key}`)).toEqual([
      "4 unsupported restart",
      "5 deprecated expose",
    ]);
  });
});

describe("A hostile stack file costs little", () => {
  it.each([
    ["an alias bomb", `a0: &a0 [x,x,x,x,x,x,x,x,x]\n${bomb(12)}`],
    ["brackets without end", "[".repeat(500_000)],
    ["dashes without end", "- ".repeat(200_000)],
    ["blocks without end", Array.from({ length: 3000 }, (_, depth) => `${" ".repeat(depth)}a:`).join("\n")],
    ["a large file", "x".repeat(20_000_000)],
    ["a million items", `x-a: [${"1,".repeat(1_000_000)}]`],
    ["a long number", `x-a: ${"9".repeat(1_000_000)}`],
    ["a mapping of many keys", `x-a:\n${Array.from({ length: 100_000 }, (_, key) => `  k${key}: 1`).join("\n")}\n1: 2`],
    ["quotes without end", `x-a: "${"\\n".repeat(500_000)}`],
    ["questions without end", "? ".repeat(200_000)],
  ])(
    "%s",
    (_, text) => {
      try {
        load(text);
      } catch (error) {
        expect(error).toBeInstanceOf(StackError);
      }
    },
    20_000,
  );
});

function bomb(levels: number): string {
  let text = "";
  for (let level = 1; level <= levels; level++)
    text += `a${level}: &a${level} [${Array.from({ length: 9 }, () => `*a${level - 1}`).join(",")}]\n`;
  return text;
}
