/** The secrets and configs of a stack as specs (docker/cli compose/convert/compose.go): their files are read when they are made. */
import type { ConfigSpec, SecretSpec } from "../api/specs.ts";
import type { LoadedStack } from "./load-stack.ts";
import { StackError } from "./stack-error.ts";
import { labelsOf, scopedName, textMap } from "./stack-labels.ts";
import type { Structure } from "./value.ts";

export type ReadFile = (path: string) => { readonly text: string } | { readonly problem: string };

const ENCODER = new TextEncoder();
const NO_DATA = new Uint8Array(0);

/** Throws a `StackError` when a file cannot be read. */
export function stackSecrets(loaded: LoadedStack, stackName: string, readFile: ReadFile): SecretSpec[] {
  return [...loaded.stack.secrets].flatMap(([key, secret]): SecretSpec[] => {
    if (secret.external === true) return [];
    const { driver, driver_opts } = secret;
    const annotations = annotationsOf(secret, stackName, key);
    if (typeof driver === "string")
      return [{ annotations, data: NO_DATA, driver: { name: driver, options: textMap(driver_opts) } }];
    return [{ annotations, data: dataOf(loaded, "secrets", key, secret, readFile), driver: undefined }];
  });
}

/** Throws a `StackError` when a file cannot be read. */
export function stackConfigs(loaded: LoadedStack, stackName: string, readFile: ReadFile): ConfigSpec[] {
  return [...loaded.stack.configs].flatMap(([key, config]): ConfigSpec[] =>
    config.external === true
      ? []
      : [
          {
            annotations: annotationsOf(config, stackName, key),
            data: dataOf(loaded, "configs", key, config, readFile),
          },
        ],
  );
}

/** What the object under `key` is called in the swarm. */
export function fileObjectName(object: Structure, stackName: string, key: string): string {
  return (object.name as string | undefined) ?? scopedName(stackName, key);
}

function annotationsOf(object: Structure, stackName: string, key: string) {
  return { name: fileObjectName(object, stackName, key), labels: labelsOf(stackName, object.labels) };
}

function dataOf(
  loaded: LoadedStack,
  section: "secrets" | "configs",
  key: string,
  object: Structure,
  readFile: ReadFile,
): Uint8Array {
  const found = readFile(object.file as string);
  if ("problem" in found) throw new StackError(found.problem, loaded.placeOf([section, key, "file"]));
  return ENCODER.encode(found.text);
}
