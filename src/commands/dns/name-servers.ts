/** Whom dig, host and nslookup ask: the server named on the command line, else those of resolv.conf. */
import type { Process, Wait, Wake } from "../../linux/process.ts";
import { IPV4_LOOPBACK, type Ipv4Address, parseIpv4 } from "../../wire/address.ts";
import { lookUp } from "../host.ts";
import type { CommandContext } from "../word.ts";

/** The servers in order; undefined: the name given is not known. BIND's programs ask this very host when resolv.conf names nobody. */
export function* nameServers(
  process: Process,
  { host }: CommandContext,
  given: string | undefined,
): Generator<Wait, readonly Ipv4Address[] | undefined, Wake> {
  if (given === undefined) return host.resolvConf.servers.length > 0 ? host.resolvConf.servers : [IPV4_LOOPBACK];
  const address = yield* lookUp(process, host, given, parseIpv4);
  return address === undefined ? undefined : [address];
}
