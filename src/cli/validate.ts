/** `vxlab validate FILE...`: every problem of every file, without running anything. */
import { Command } from "commander";
import { ScenarioError } from "../scenario/problem.ts";
import { EXIT_HOLDS, EXIT_USAGE } from "./exit-codes.ts";
import { loadInput } from "./load-input.ts";
import { UsageError } from "./usage-error.ts";

export function validateCommand(): Command {
  return new Command("validate")
    .description("check scenario files without running them")
    .argument("<file...>", "scenario files; - for stdin")
    .option("--json", "one JSON document on stdout: { version: 1, files: [{ file, problems }] }")
    .action((files: readonly string[], options: { json?: true }) => {
      const results = files.map((file) => {
        try {
          loadInput(file);
          return { file, problems: [], report: "" };
        } catch (error) {
          if (error instanceof ScenarioError) return { file, problems: error.problems, report: error.report() };
          if (!(error instanceof UsageError)) throw error;
          const problem = {
            line: 0,
            column: 0,
            length: 0,
            path: "",
            found: error.message,
            expected: "a scenario file",
          };
          return { file, problems: [problem], report: `vxlab: error: ${error.message}` };
        }
      });
      if (options.json) {
        const shown = results.map(({ file, problems }) => ({ file, problems }));
        process.stdout.write(`${JSON.stringify({ version: 1, files: shown }, null, 2)}\n`);
      } else {
        for (const { file, problems, report } of results) {
          if (problems.length > 0) process.stderr.write(`${report}\n`);
          else process.stdout.write(`${file}: valid\n`);
        }
      }
      process.exitCode = results.some(({ problems }) => problems.length > 0) ? EXIT_USAGE : EXIT_HOLDS;
    });
}
