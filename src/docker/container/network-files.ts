/** /etc/hosts and /etc/resolv.conf of a container, which the engine writes (libnetwork etchosts, internal/resolvconf). */
import { formatIpv4, type Ipv4Address, isLoopbackIpv4, parseIpv4 } from "../../wire/address.ts";
import type { ContainerSpec } from "../container-spec.ts";
import type { Endpoint } from "../endpoint.ts";
import { EMBEDDED_RESOLVER, type ResolvConf } from "../resolver/resolv-conf.ts";

/** Asked when a host has no name servers of its own that a container could reach. */
const PUBLIC_SERVERS: readonly Ipv4Address[] = [parseIpv4("8.8.8.8")!, parseIpv4("8.8.4.4")!];

export interface HostsLine {
  readonly address: string;
  readonly names: readonly string[];
}

/** The first lines of every container's file. */
const COMMON_LINES: readonly HostsLine[] = [
  { address: "127.0.0.1", names: ["localhost"] },
  { address: "::1", names: ["localhost", "ip6-localhost", "ip6-loopback"] },
  { address: "fe00::", names: ["ip6-localnet"] },
  { address: "ff00::", names: ["ip6-mcastprefix"] },
  { address: "ff02::1", names: ["ip6-allnodes"] },
  { address: "ff02::2", names: ["ip6-allrouters"] },
];

/** Its own name stands for its address in every network, but for ingress and docker_gwbridge. */
export function hostsLines(
  release: "current" | "20.10",
  hostname: string,
  spec: ContainerSpec,
  endpoints: readonly Endpoint[],
): HostsLine[] {
  const lines = COMMON_LINES.map((line) =>
    release === "20.10" && line.address.endsWith("00::") ? { ...line, address: `${line.address}0` } : line,
  );
  for (const [name, address] of spec.extraHosts ?? []) lines.push({ address: formatIpv4(address), names: [name] });
  for (const { network, address } of endpoints)
    if (!network.ingress && network.name !== "docker_gwbridge" && address.length > 0)
      lines.push({ address: formatIpv4(address.address), names: [hostname] });
  return lines;
}

/** What the container's programs ask: the embedded resolver where its networks have names, else the host's servers. */
export function containerResolver(spec: ContainerSpec, resolvesNames: boolean, host: ResolvConf): ResolvConf {
  const own = spec.dns;
  const search = own !== undefined && own.search.length > 0 ? own.search : host.search;
  const options = own !== undefined && own.options.length > 0 ? own.options : host.options;
  if (resolvesNames) {
    const hasDots = options.some((option) => option.startsWith("ndots:"));
    return { servers: [EMBEDDED_RESOLVER], search, options: hasDots ? options : [...options, "ndots:0"] };
  }
  return { servers: outsideServers(spec, host), search, options };
}

/** What the user names, else the host's, else public ones. */
function outsideServers(spec: ContainerSpec, host: ResolvConf): readonly Ipv4Address[] {
  if (spec.dns !== undefined && spec.dns.servers.length > 0) return spec.dns.servers;
  // A loopback address of the host's is another one in the container.
  const reachable = host.servers.filter((server) => !isLoopbackIpv4(server));
  return reachable.length > 0 ? reachable : PUBLIC_SERVERS;
}

export function formatHosts(lines: readonly HostsLine[]): string {
  return lines.map(({ address, names }) => `${address}\t${names.join(" ")}\n`).join("");
}
