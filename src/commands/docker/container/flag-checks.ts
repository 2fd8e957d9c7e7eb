/** Checks of single values of `docker run`'s flags, in the client's words. */
import { parseIpv4 } from "../../../wire/address.ts";

/** `--add-host host:ip`, also `host=ip`; `host-gateway` stands for the machine. */
export function checkAddHost(value: string): string | undefined {
  const entry = splitAddHost(value);
  if (entry === undefined) return `bad format for add-host: "${value}"`;
  const [, address] = entry;
  if (address !== "host-gateway" && parseIpv4(address) === undefined && !address.includes(":"))
    return `invalid IP address in add-host: "${address}"`;
  return undefined;
}

export function splitAddHost(value: string): [name: string, address: string] | undefined {
  const match = /^([^=:]+)[=:](.+)$/.exec(value);
  return match === null ? undefined : [match[1]!, match[2]!.replace(/^\[(.*)\]$/, "$1")];
}

export function checkAddress(value: string): string | undefined {
  if (parseIpv4(value.trim()) !== undefined || /^[0-9a-fA-F:]*:[0-9a-fA-F:.]+$/.test(value)) return undefined;
  return `IP address is not correctly formatted: ${value}`;
}

export function checkEnvironment(value: string): string | undefined {
  return value === "" || value.startsWith("=") ? `invalid environment variable: ${value}` : undefined;
}
