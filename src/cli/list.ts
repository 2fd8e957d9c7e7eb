/** `vxlab list`: the scenarios that come with vxlab, or those of a folder. */
import { existsSync, readdirSync, statSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { Command } from "commander";
import { ScenarioError } from "../scenario/problem.ts";
import { loadInput } from "./load-input.ts";
import { UsageError } from "./usage-error.ts";

/** Where the package's own scenarios lie. */
export function shippedScenarios(): string {
  return resolve(fileURLToPath(import.meta.url), "../../../scenarios");
}

export function listCommand(): Command {
  return new Command("list")
    .description("list the scenarios that come with vxlab, or those of a folder")
    .argument("[folder]", "a folder of scenarios")
    .option("--json", "one JSON document on stdout: { version: 1, scenarios: [{ file, name, description }] }")
    .action((folder: string | undefined, options: { json?: true }) => {
      const root = folder ?? shippedScenarios();
      if (!existsSync(root) || !statSync(root).isDirectory()) throw new UsageError(`there is no folder ${root}`);
      const scenarios = yamlFiles(root).flatMap((file) => {
        try {
          const { name, description = "" } = loadInput(file);
          return [{ file: relative(process.cwd(), file), name, description }];
        } catch (error) {
          if (error instanceof ScenarioError) return []; // not a scenario, or a broken one: `validate` tells
          throw error;
        }
      });
      if (options.json) {
        process.stdout.write(`${JSON.stringify({ version: 1, scenarios }, null, 2)}\n`);
        return;
      }
      const width = Math.max(0, ...scenarios.map(({ file }) => file.length));
      for (const { file, description } of scenarios)
        process.stdout.write(`${file.padEnd(width)}  ${description.split("\n")[0] ?? ""}`.trimEnd().concat("\n"));
    });
}

function yamlFiles(folder: string): string[] {
  return readdirSync(folder)
    .sort()
    .flatMap((name) => {
      const path = join(folder, name);
      if (statSync(path).isDirectory()) return yamlFiles(path);
      return /\.ya?ml$/.test(name) ? [path] : [];
    });
}
