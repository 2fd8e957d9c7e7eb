import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type FlagDefinition, FlagError, parseFlags } from "../../../src/commands/docker/flags.ts";

const FLAGS: readonly FlagDefinition[] = [
  { name: "all", letter: "a", kind: "bool", usage: "" },
  { name: "label", letter: "l", kind: "list", usage: "" },
  { name: "name", kind: "string", usage: "" },
  { name: "subnet", kind: "strings", usage: "" },
  { name: "time", letter: "t", kind: "int", usage: "" },
];

describe("flags, as pflag reads them", () => {
  it("may be joined, have their value attached or behind them, and stand among operands", () => {
    const { flags, operands } = parseFlags(FLAGS, ["x", "-at5", "--label=a=b", "-l", "c", "y", "--", "-z"], true);
    expect(operands).toEqual(["x", "y", "-z"]);
    expect([flags.bool("all"), flags.int("time"), flags.list("label")]).toEqual([true, 5, ["a=b", "c"]]);
    expect([...flags.map("label")]).toEqual([
      ["a", "b"],
      ["c", ""],
    ]);
    expect(parseFlags(FLAGS, ["--subnet", "a,b", "--subnet=c"], true).flags.list("subnet")).toEqual(["a", "b", "c"]);
  });

  it("end at the first operand when operands are a command of their own", () => {
    const { flags, operands } = parseFlags(FLAGS, ["-a", "image", "-l", "--name"], false);
    expect([flags.bool("all"), operands]).toEqual([true, ["image", "-l", "--name"]]);
    expect(parseFlags(FLAGS, ["--all=false", "-"], true)).toMatchObject({ operands: ["-"] });
  });

  it("are understood or refused, whatever they are", () => {
    const word = fc.oneof(
      fc.string({ maxLength: 6 }),
      fc.constantFrom("-a", "--all", "-l", "--name", "-t", "--", "-at=", "--subnet=,"),
    );
    fc.assert(
      fc.property(fc.array(word, { maxLength: 6 }), fc.boolean(), (argv, interspersed) => {
        try {
          expect(parseFlags(FLAGS, argv, interspersed).operands.length).toBeLessThanOrEqual(argv.length);
        } catch (error) {
          expect(error).toBeInstanceOf(FlagError);
        }
      }),
    );
  });
});
