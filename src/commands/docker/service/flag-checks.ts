/** Checks of single values of the service commands' flags, in the client's words (docker/cli opts, opts/swarmopts). */
import { checkAddHost, checkAddress, checkEnvironment } from "../container/flag-checks.ts";
import { checkMount } from "../container/mount-flags.ts";
import { checkNetwork } from "../container/network-flag.ts";
import { type FlagDefinition, splitPair } from "../flags.ts";
import { parseFileFlag } from "./file-flag.ts";
import { parseServicePort } from "./port-flag.ts";

type Check = (value: string) => string | undefined;

const complaint =
  (parse: (value: string) => unknown): Check =>
  (value) => {
    const parsed = parse(value);
    return typeof parsed === "string" ? parsed : undefined;
  };

export function parsePreference(value: string): { readonly descriptor: string } | string {
  if (!value.includes("=")) return 'placement preference must be of the format "<strategy>=<arg>"';
  const [strategy, descriptor] = splitPair(value);
  if (strategy !== "spread") return `unsupported placement preference ${strategy} (only spread is supported)`;
  return { descriptor };
}

function checkLabel(value: string): string | undefined {
  return splitPair(value)[0].trim() === "" ? `invalid label '${value}': empty name` : undefined;
}

function checkGenericResource(value: string): string | undefined {
  return value.includes("=") ? undefined : `invalid generic-resource format \`${value}\` expected \`name=value\``;
}

const BY_NAME: ReadonlyMap<string, Check> = new Map<string, Check>([
  ["dns", checkAddress],
  ["dns-add", checkAddress],
  ["host", checkAddHost],
  ["host-add", checkAddHost],
  ["env", checkEnvironment],
  ["env-add", checkEnvironment],
  ["label", checkLabel],
  ["label-add", checkLabel],
  ["container-label", checkLabel],
  ["container-label-add", checkLabel],
  ["generic-resource", checkGenericResource],
  ["generic-resource-add", checkGenericResource],
  ["network", checkNetwork],
  ["network-add", checkNetwork],
]);
const BY_KIND: ReadonlyMap<FlagDefinition["kind"], Check> = new Map<FlagDefinition["kind"], Check>([
  ["port", complaint(parseServicePort)],
  ["mount", checkMount],
  ["pref", complaint(parsePreference)],
  ["secret", complaint((value) => parseFileFlag("secret", value))],
  ["config", complaint((value) => parseFileFlag("config", value))],
]);

/** The definitions with their checks. */
export function checked(definitions: readonly FlagDefinition[]): FlagDefinition[] {
  return definitions.map((definition) => {
    const check = BY_NAME.get(definition.name) ?? BY_KIND.get(definition.kind);
    return check === undefined ? definition : { ...definition, check };
  });
}
