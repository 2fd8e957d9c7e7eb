/**
 * resolv.conf(5): name servers, search list, options; and whom the embedded resolver asks for a container (libnetwork's resolvconf). What the
 * container's own file says is container/network-files.ts.
 */
import { formatIpv4, type Ipv4Address, isLoopbackIpv4, parseIpv4 } from "../../wire/address.ts";

export interface ResolvConf {
  readonly servers: readonly Ipv4Address[];
  readonly search: readonly string[];
  /** `ndots:1` and so on, without `options`. */
  readonly options: readonly string[];
}

export interface OuterServer {
  readonly address: Ipv4Address;
  /** A loopback address of the machine: asked from the machine's namespace. */
  readonly hostLoopback: boolean;
}

export const EMPTY_RESOLV_CONF: ResolvConf = { servers: [], search: [], options: [] };
export const EMBEDDED_RESOLVER = 0x7f00_000b as Ipv4Address;
/** glibc (MAXNS) and the embedded resolver ask no more servers than this. */
export const MAXIMUM_SERVERS = 3;
const MAXIMUM_NDOTS = 15;

/** Lines that are none are passed over, as resolv.conf(5) wants; IPv6 servers too: there is no IPv6 here. */
export function parseResolvConf(text: string): ResolvConf {
  const servers: Ipv4Address[] = [];
  let search: string[] = [];
  const options: string[] = [];
  for (const line of text.split("\n")) {
    const [keyword, ...values] = line
      .replace(/[#;].*/, "")
      .trim()
      .split(/\s+/);
    if (keyword === "nameserver") {
      const address = parseIpv4(values[0] ?? "");
      if (address !== undefined) servers.push(address);
    } else if (keyword === "search") search = values;
    else if (keyword === "domain") search = values.slice(0, 1);
    else if (keyword === "options") options.push(...values);
  }
  return { servers, search, options };
}

export function formatResolvConf(conf: ResolvConf): string {
  let text = conf.servers.map((address) => `nameserver ${formatIpv4(address)}\n`).join("");
  if (conf.search.length > 0) text += `search ${conf.search.join(" ")}\n`;
  if (conf.options.length > 0) text += `options ${conf.options.join(" ")}\n`;
  return text;
}

/** How many dots make a name absolute for the first try; 1 unless told. */
export function ndotsOf(conf: ResolvConf): number {
  return Math.min(numericOption(conf, "ndots") ?? 1, MAXIMUM_NDOTS);
}

export function numericOption(conf: ResolvConf, name: string): number | undefined {
  let found: number | undefined;
  for (const option of conf.options) {
    const match = /^([a-z-]+):(\d{1,9})$/.exec(option);
    if (match?.[1] === name) found = Number(match[2]);
  }
  return found;
}

/** The servers behind 127.0.0.11: what the user named (`--dns`), else the machine's. */
export function outerServers(machine: ResolvConf, wishes: ResolvConf | undefined): readonly OuterServer[] {
  const own = wishes !== undefined && wishes.servers.length > 0;
  const servers = own ? wishes.servers : machine.servers;
  return servers.map((address) => ({ address, hostLoopback: !own && isLoopbackIpv4(address) }));
}

/** Has somebody asked for short names to go through the search list first? 127.0.0.11 then keeps them to itself. */
export function setsNdots(machine: ResolvConf, wishes: ResolvConf | undefined): boolean {
  const options = wishes !== undefined && wishes.options.length > 0 ? wishes.options : machine.options;
  return (numericOption({ servers: [], search: [], options }, "ndots") ?? 0) > 0;
}
