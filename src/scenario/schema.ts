/** The scenario format as a JSON Schema (draft 2020-12), for editors: made from the same shapes that read the files. */
import { scenarioShape } from "./format.ts";
import type { JsonSchema } from "./shape.ts";

export function scenarioSchema(): JsonSchema {
  return {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    $id: "https://vxlab.dev/scenario.schema.json",
    title: "vxlab scenario",
    ...scenarioShape.schema,
  };
}
