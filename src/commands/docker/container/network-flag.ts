/** `--network`: a name alone, or `name=NAME,alias=A,ip=ADDRESS,mac-address=MAC` (docker/cli opts/network.go). */
import type { NetworkAttachment } from "../../../docker/container-spec.ts";
import { parseIpv4, parseMac } from "../../../wire/address.ts";
import { splitPair } from "../flags.ts";
import { csvFields } from "./csv-fields.ts";

export function checkNetwork(value: string): string | undefined {
  const parsed = parseNetworkFlag(value);
  return typeof parsed === "string" ? parsed : undefined;
}

/** The attachment, or what is wrong. */
export function parseNetworkFlag(value: string): NetworkAttachment | string {
  if (!value.includes("=")) return { network: value, aliases: [] };
  const fields = csvFields(value);
  if (fields === undefined) return 'parse error on line 1: bare " in non-quoted field';
  const aliases: string[] = [];
  let network: string | undefined;
  let address: NetworkAttachment["address"];
  let mac: NetworkAttachment["mac"];
  for (const field of fields) {
    if (!field.includes("=")) return `invalid field ${field}`;
    const [name, text] = splitPair(field.trim());
    switch (name.trim().toLowerCase()) {
      case "name":
        network = text;
        break;
      case "alias":
        aliases.push(text);
        break;
      case "ip":
        address = parseIpv4(text);
        if (address === undefined) return `invalid IPv4 address: ${text}`;
        break;
      case "mac-address":
        mac = parseMac(text);
        if (mac === undefined) return `${text} is not a valid mac address`;
        break;
      case "driver-opt":
      case "gw-priority":
        break;
      case "ip6":
      case "link-local-ip":
        return `${name} is not emulated: there is no IPv6 here`;
      default:
        return `invalid field key ${name}`;
    }
  }
  if (network === undefined || network === "") return "network name/id is not specified";
  return { network, aliases, address, mac };
}

/** Networks that are not of a user's making have no names, and no addresses to choose. */
export function isUserDefined(network: string): boolean {
  return !["", "default", "bridge", "host", "none"].includes(network) && !network.startsWith("container:");
}
