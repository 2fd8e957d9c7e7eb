/** What every object of `ip` works with: where, and how to print. */
import type { NetworkNamespace } from "../../linux/namespace.ts";
import type { NetDevice } from "../../linux/net-device.ts";
import type { CommandContext } from "../word.ts";
import { noDevice } from "./arguments.ts";

export interface IpOptions {
  json: boolean;
  pretty: boolean;
  details: boolean;
  /** How often -s was given. */
  statistics: number;
  brief: boolean;
  oneline: boolean;
  numeric: boolean;
  family: "any" | "inet" | "inet6" | "link" | "bridge";
}

export interface IpContext {
  readonly command: CommandContext;
  readonly namespace: NetworkNamespace;
  readonly options: IpOptions;
}

export function defaultIpOptions(): IpOptions {
  return {
    json: false,
    pretty: false,
    details: false,
    statistics: 0,
    brief: false,
    oneline: false,
    numeric: false,
    family: "any",
  };
}

export function deviceOf(context: { readonly namespace: NetworkNamespace }, name: string): NetDevice {
  const device = context.namespace.device(name);
  if (device === undefined) throw noDevice(name);
  return device;
}

/** iproute2's JSON: one line without blanks, or with -p four spaces a level. */
export function jsonText(value: readonly unknown[], options: IpOptions): string {
  if (!options.pretty) return `${JSON.stringify(value)}\n`;
  return `${prettyJson(value, 0)}\n`;
}

/** lib/json_writer.c: lists of objects open on one line. */
function prettyJson(value: unknown, level: number): string {
  const indent = "    ".repeat(level + 1);
  if (Array.isArray(value)) {
    if (value.length === 0) return "[ ]";
    const items = value.map((item) => prettyJson(item, level));
    if (value.every((item) => typeof item !== "object")) return `[ ${items.join(",")} ]`;
    return `[ ${items.join(",")} ]`;
  }
  if (typeof value === "object" && value !== null) {
    const fields = Object.entries(value).map(([key, item]) => `${indent}"${key}": ${prettyJson(item, level + 1)}`);
    return `{\n${fields.join(",\n")}\n${"    ".repeat(level)}}`;
  }
  return JSON.stringify(value);
}

/** With -o every newline but the last of a record becomes a backslash. */
export function record(text: string, options: IpOptions): string {
  const body = text.endsWith("\n") ? text.slice(0, -1) : text;
  return `${options.oneline ? body.replaceAll("\n", "\\") : body}\n`;
}
