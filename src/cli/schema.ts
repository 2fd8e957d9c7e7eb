/** `vxlab schema`: the scenario format as a JSON Schema, on stdout. */
import { Command } from "commander";
import { scenarioSchema } from "../scenario/schema.ts";

export function schemaCommand(): Command {
  return new Command("schema")
    .description("print the JSON Schema of scenario files")
    .action(() => void process.stdout.write(`${JSON.stringify(scenarioSchema(), null, 2)}\n`));
}
