/** Names of addresses, as far as the hosts file knows them: what getnameinfo(3) finds without a name server. */
import type { Ipv4Address } from "../wire/address.ts";
import type { Host } from "./host.ts";

export function nameOf(host: Host, address: Ipv4Address): string | undefined {
  for (const [name, listed] of host.hostsFile) if (listed === address) return name;
  return undefined;
}
