/** The house stands: who may import whom, no cycles, and no clock, chance, timer or promise below the command line. */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { describe, expect, it } from "vitest";

const SOURCE = resolve(import.meta.dirname, "../../src");

/** From the top floor down; a folder imports only from those after it. */
const FLOORS = [
  "cli",
  "viewer",
  "explain",
  "check",
  "scenario",
  "commands",
  "swarm",
  "docker",
  "gossip",
  "raft",
  "linux",
  "capture",
  "wire",
  "sim",
];
/** Files that stand beside the floors, above all but `cli`. */
const DOORS = ["index.ts", "testing.ts", "version.ts"];
/** Floors that see less than everything below them. */
const NARROW: Readonly<Record<string, readonly string[]>> = { raft: ["wire", "sim"], gossip: ["wire", "sim"] };
/** Node's own modules that a floor below the command line may use, with the reason. */
const NODE_MODULES: Readonly<Record<string, readonly string[]>> = {
  "linux/xfrm": ["node:crypto"], // AES-GCM
  gossip: ["node:crypto"], // AES-GCM
  swarm: ["node:crypto"], // certificates, digests
  wire: ["node:crypto"], // TLS records
};
const PACKAGES: Readonly<Record<string, readonly string[]>> = {
  cli: ["commander", "yaml", "vitest"],
  scenario: ["yaml"],
  swarm: [
    "yaml",
    "@noble/curves/ed25519.js",
    "@noble/curves/nist.js",
    "@noble/hashes/hkdf.js",
    "@noble/hashes/hmac.js",
    "@noble/hashes/legacy.js",
    "@noble/hashes/sha2.js",
  ],
  check: ["fast-check"],
};

interface Import {
  readonly from: string;
  readonly to: string;
  readonly typeOnly: boolean;
}

function sourceFiles(folder: string): string[] {
  return readdirSync(folder).flatMap((name) => {
    const path = join(folder, name);
    if (statSync(path).isDirectory()) return sourceFiles(path);
    return path.endsWith(".ts") ? [relative(SOURCE, path)] : [];
  });
}

const files = sourceFiles(SOURCE);
const text = new Map(files.map((file) => [file, readFileSync(join(SOURCE, file), "utf8")]));

function importsOf(file: string): Import[] {
  const pattern = /^\s*(?:import|export)\s+(type\s+)?(?:[^"';]*?\sfrom\s+)?["']([^"']+)["']/gms;
  return [...text.get(file)!.matchAll(pattern)].map((match) => ({
    from: file,
    to: match[2]!.startsWith(".") ? relative(SOURCE, resolve(SOURCE, dirname(file), match[2]!)) : match[2]!,
    typeOnly: match[1] !== undefined,
  }));
}

const imports = files.flatMap(importsOf);

function floorOf(file: string): string {
  return file.includes("/") ? file.slice(0, file.indexOf("/")) : file;
}

describe("The house", () => {
  it("has only the known floors", () => {
    expect(
      [...new Set(files.map(floorOf))].filter((floor) => !FLOORS.includes(floor) && !DOORS.includes(floor)),
    ).toEqual([]);
  });

  it("lets a folder import only from folders below it", () => {
    const wrong = imports.filter(({ from, to }) => {
      if (!files.includes(to)) return false;
      const above = floorOf(from);
      const below = floorOf(to);
      if (above === below) return false;
      if (DOORS.includes(above)) return below === "cli";
      if (DOORS.includes(below)) return above !== "cli" && below !== "version.ts";
      if (NARROW[above] !== undefined) return !NARROW[above].includes(below);
      return FLOORS.indexOf(below) < FLOORS.indexOf(above);
    });
    expect(wrong.map(({ from, to }) => `${from} -> ${to}`)).toEqual([]);
  });

  it("names real files", () => {
    const missing = imports.filter(({ to }) => to.endsWith(".ts") && !files.includes(to));
    expect(missing.map(({ from, to }) => `${from} -> ${to}`)).toEqual([]);
  });

  it("has no cycle of imports that exist at run time", () => {
    const next = new Map(
      files.map((file) => [
        file,
        importsOf(file)
          .filter((one) => !one.typeOnly)
          .map((one) => one.to),
      ]),
    );
    const state = new Map<string, "open" | "done">();
    const cycles: string[] = [];
    const visit = (file: string, path: readonly string[]): void => {
      if (state.get(file) === "done") return;
      if (state.get(file) === "open") {
        cycles.push([...path.slice(path.indexOf(file)), file].join(" -> "));
        return;
      }
      state.set(file, "open");
      for (const to of next.get(file) ?? []) visit(to, [...path, file]);
      state.set(file, "done");
    };
    for (const file of files) visit(file, []);
    expect(cycles).toEqual([]);
  });

  it("imports few packages, each on the floor that needs it", () => {
    const foreign = imports.filter(({ from, to }) => {
      if (files.includes(to) || to.startsWith(".") || to.endsWith(".ts")) return false;
      const floor = floorOf(from);
      if (floor === "cli") return !to.startsWith("node:") && !PACKAGES["cli"]!.includes(to);
      if (to.startsWith("node:"))
        return !Object.entries(NODE_MODULES).some(([place, modules]) => from.startsWith(place) && modules.includes(to));
      if (floor === "testing.ts") return to !== "fast-check" && to !== "vitest";
      return !(PACKAGES[floor] ?? []).includes(to);
    });
    expect(foreign.map(({ from, to }) => `${from} -> ${to}`)).toEqual([]);
  });

  it("takes time and chance only from what is passed in, below the command line", () => {
    const banned: readonly [string, RegExp][] = [
      ["the clock of the machine", /\bDate\b|\bperformance\s*\./],
      ["chance of the machine", /\bMath\.random\b|\brandomBytes\b|\brandomUUID\b|\bgetRandomValues\b/],
      ["timers", /\bset(?:Timeout|Interval|Immediate)\b|\bqueueMicrotask\b/],
      ["promises", /\bPromise\b|\basync\b|\bawait\b/],
      ["the machine's language", /\bIntl\b|\blocaleCompare\b|\btoLocale[A-Z]/],
      [
        "the process, files or the console",
        // An emulated host's `process` has stdout and stderr too; what only the machine's has is named here.
        /\bprocess\.(?:env|argv|exit\(|exitCode|cwd|hrtime|memoryUsage|platform|nextTick|on\()|\bconsole\./,
      ],
      ["state of the module", /^(?:export\s+)?let\s/m],
    ];
    const found = files
      .filter((file) => floorOf(file) !== "cli")
      .flatMap((file) => {
        const code = withoutCommentsAndStrings(text.get(file)!);
        return banned.filter(([, pattern]) => pattern.test(code)).map(([what]) => `${file}: ${what}`);
      });
    expect(found).toEqual([]);
  });

  it("inherits from Error alone and uses no `any`", () => {
    const found = files.flatMap((file) => {
      const code = withoutCommentsAndStrings(text.get(file)!);
      const parents = [...code.matchAll(/\bclass\s+\w+(?:<[^{]*?>)?\s+extends\s+(\w+)/g)].map((match) => match[1]!);
      return [
        ...parents.filter((parent) => parent !== "Error").map((parent) => `${file}: extends ${parent}`),
        ...(/:\s*any\b|\bas any\b|<any>/.test(code) ? [`${file}: any`] : []),
      ];
    });
    expect(found).toEqual([]);
  });

  it("names its files in kebab-case and none of them utils, helpers or common", () => {
    const wrong = files.filter((file) => {
      const name = file.slice(file.lastIndexOf("/") + 1, -3);
      return !/^[a-z0-9]+(-[a-z0-9]+)*$/.test(name) || /^(utils?|helpers?|common)$/.test(name);
    });
    expect(wrong).toEqual([]);
  });
});

/** Enough of a lexer for bans: comments, strings and templates' text are blanked, so that prose may speak of dates. */
function withoutCommentsAndStrings(code: string): string {
  return code.replace(
    /\/\*[\s\S]*?\*\/|\/\/[^\n]*|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\.|\$\{[^}]*\}|[^`\\])*`/g,
    (match) => (match.startsWith("`") ? [...match.matchAll(/\$\{[^}]*\}/g)].map((hole) => hole[0]).join(" ") : ""),
  );
}
