/**
 * resolv.conf(5): name servers, search list, options; and what an engine makes of its machine's file for a container (libnetwork's
 * resolvconf). A container on a network of its user's asks the embedded resolver, which keeps the outer servers to itself.
 */
import { formatIpv4, type Ipv4Address, isLoopbackIpv4, parseIpv4 } from "../../wire/address.ts";

export interface ResolvConf {
  readonly nameservers: readonly Ipv4Address[];
  readonly search: readonly string[];
  /** `ndots:1` and so on, without `options`. */
  readonly options: readonly string[];
}

/** What the user said of name resolution: `--dns`, `--dns-search`, `--dns-option`. Empty: the machine's own. */
export type ResolvConfWishes = ResolvConf;

export interface OuterServer {
  readonly address: Ipv4Address;
  /** A loopback address of the machine: asked from the machine's namespace. */
  readonly hostLoopback: boolean;
}

/** How a container resolves names. */
export interface ContainerResolution {
  readonly file: ResolvConf;
  /** Whom the embedded resolver asks; empty where there is none. */
  readonly outerServers: readonly OuterServer[];
  /** The user has set ndots himself. */
  readonly ndotsSet: boolean;
}

export const EMPTY_RESOLV_CONF: ResolvConf = { nameservers: [], search: [], options: [] };
export const EMBEDDED_RESOLVER = 0x7f00_000b as Ipv4Address;
/** glibc reads no more name servers (MAXNS) and no more search domains are kept than this. */
export const MAXIMUM_SERVERS = 3;
/** What a container on the default bridge asks when its machine has only servers that it cannot reach. */
const PUBLIC_SERVERS = [0x0808_0808 as Ipv4Address, 0x0808_0404 as Ipv4Address];
const MAXIMUM_NDOTS = 15;

/** Lines that are none are passed over, as resolv.conf(5) wants; IPv6 servers too: there is no IPv6 here. */
export function parseResolvConf(text: string): ResolvConf {
  const nameservers: Ipv4Address[] = [];
  let search: string[] = [];
  const options: string[] = [];
  for (const line of text.split("\n")) {
    const [keyword, ...values] = line
      .replace(/[#;].*/, "")
      .trim()
      .split(/\s+/);
    if (keyword === "nameserver") {
      const address = parseIpv4(values[0] ?? "");
      if (address !== undefined) nameservers.push(address);
    } else if (keyword === "search") search = values;
    else if (keyword === "domain") search = values.slice(0, 1);
    else if (keyword === "options") options.push(...values);
  }
  return { nameservers, search, options };
}

export function formatResolvConf(conf: ResolvConf): string {
  let text = conf.nameservers.map((address) => `nameserver ${formatIpv4(address)}\n`).join("");
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

/** `embedded`: the container has a network of its user's, and with it the resolver at 127.0.0.11. */
export function resolveForContainer(
  machine: ResolvConf,
  wishes: ResolvConfWishes,
  embedded: boolean,
): ContainerResolution {
  const own = wishes.nameservers.length > 0;
  const servers = own ? wishes.nameservers : machine.nameservers;
  // `--dns-search .` stands for no search list at all.
  const wished = wishes.search.length > 0 ? wishes.search : machine.search;
  const search = wished.length === 1 && wished[0] === "." ? [] : wished;
  const options = wishes.options.length > 0 ? wishes.options : machine.options;
  if (!embedded) {
    const reachable = own ? servers : servers.filter((address) => !isLoopbackIpv4(address));
    const nameservers = reachable.length > 0 ? reachable : PUBLIC_SERVERS;
    return { file: { nameservers, search, options }, outerServers: [], ndotsSet: false };
  }
  const ndots = numericOption({ nameservers: [], search: [], options }, "ndots");
  return {
    file: {
      nameservers: [EMBEDDED_RESOLVER],
      search,
      options: ndots === undefined ? [...options, "ndots:0"] : options,
    },
    outerServers: servers.map((address) => ({ address, hostLoopback: !own && isLoopbackIpv4(address) })),
    ndotsSet: ndots !== undefined && ndots > 0,
  };
}
