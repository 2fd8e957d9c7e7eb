/**
 * Which addresses a node listens on and tells the others, from what the user said and what its interfaces have (moby daemon/cluster/listen_addr.go):
 * an address, or the name of an interface, with or without a port.
 */
import type { NetworkNamespace } from "../linux/namespace.ts";
import type { NetDevice } from "../linux/net-device.ts";
import { formatIpv4, IPV4_ANY, type Ipv4Address, parseIpv4 } from "../wire/address.ts";

export const DEFAULT_PORT = 2377;

/** The words are dockerd's. */
export interface AddressRefusal {
  readonly error: string;
}
export interface HostPort {
  readonly address: Ipv4Address;
  readonly port: number;
}

const BAD_LISTEN = "listen address must be an IP address or network interface (with optional port number)";
const BAD_ADVERTISE =
  "advertise address must be a non-zero IP address or network interface (with optional port number)";
const BAD_DATA_PATH = "data path address must be a non-zero IP address or network interface (without a port number)";
const NO_ADDRESS = "could not find the system's IP address";

/** `eth0:2377`, `10.0.0.1`, `10.0.0.1:2377`; empty: all addresses, 2377. */
export function resolveListenAddress(host: NetworkNamespace, text: string): HostPort | AddressRefusal {
  const { name, port } = split(text === "" ? "0.0.0.0" : text, DEFAULT_PORT);
  const address = interfaceAddress(host, name) ?? parseIpv4(name);
  if (address === undefined || port === undefined) return { error: BAD_LISTEN };
  return typeof address === "number" ? { address, port } : address;
}

/** Empty: the only address that the machine has. */
export function resolveAdvertiseAddress(
  host: NetworkNamespace,
  text: string,
  listenPort: number,
): HostPort | AddressRefusal {
  if (text === "") {
    const address = systemAddress(host);
    return typeof address === "number" ? { address, port: listenPort } : address;
  }
  const { name, port } = split(text, listenPort);
  const address = interfaceAddress(host, name) ?? parseIpv4(name);
  if (address === undefined || address === IPV4_ANY || port === undefined) return { error: BAD_ADVERTISE };
  return typeof address === "number" ? { address, port } : address;
}

/** Empty: undefined, the advertised address will do. */
export function resolveDataPathAddress(host: NetworkNamespace, text: string): Ipv4Address | undefined | AddressRefusal {
  if (text === "") return undefined;
  const address = interfaceAddress(host, text) ?? parseIpv4(text);
  if (address === undefined || address === IPV4_ANY) return { error: BAD_DATA_PATH };
  return address;
}

/** `address:port`; undefined: it is none. The port may be missing. */
export function parseHostPort(text: string, defaultPort = DEFAULT_PORT): HostPort | undefined {
  const { name, port } = split(text, defaultPort);
  const address = parseIpv4(name);
  return address === undefined || port === undefined ? undefined : { address, port };
}

export function formatHostPort({ address, port }: HostPort): string {
  return `${formatIpv4(address)}:${port}`;
}

/** The address from which packets to `remote` leave. */
export function localAddressTo(host: NetworkNamespace, remote: Ipv4Address): Ipv4Address | undefined {
  const flow = { destination: remote, source: IPV4_ANY, mark: 0, ingress: undefined, egress: undefined };
  const route = host.routes.lookup(flow);
  if (typeof route === "string") return undefined;
  if (route.type === "local") return remote;
  if (route.source !== undefined && route.source !== IPV4_ANY) return route.source;
  return route.device === undefined ? undefined : host.routes.selectAddress(route.device, remote, "global");
}

function split(text: string, defaultPort: number): { readonly name: string; readonly port: number | undefined } {
  const colon = text.lastIndexOf(":");
  if (colon < 0) return { name: text, port: defaultPort };
  const digits = text.slice(colon + 1);
  const port = /^[0-9]{1,5}$/.test(digits) ? Number(digits) : Number.NaN;
  return { name: text.slice(0, colon), port: port <= 0xffff ? port : undefined };
}

/** Undefined: no interface is called so. */
function interfaceAddress(host: NetworkNamespace, name: string): Ipv4Address | AddressRefusal | undefined {
  const device = host.device(name);
  if (device === undefined) return undefined;
  const [first, second] = device.addresses;
  if (first === undefined) return { error: `interface ${name} has no usable IPv4 or IPv6 address` };
  if (second === undefined) return first.address;
  const both = `${formatIpv4(first.address)} and ${formatIpv4(second.address)}`;
  return { error: `interface ${name} has more than one IPv4 address (${both})` };
}

/** Bridges and veths are no devices of the machine's own: Docker's are among them. */
function isOwnDevice(device: NetDevice): boolean {
  return device.up && (device.kind === "nic" || device.kind === "vlan" || device.kind === "dummy");
}

const LINK_LOCAL = 0xa9fe;

/** The machine's only address; with several, nobody can tell which one the others can reach. */
export function systemAddress(host: NetworkNamespace): Ipv4Address | AddressRefusal {
  const found: { readonly address: Ipv4Address; readonly name: string }[] = [];
  for (const device of host.devices) {
    if (!isOwnDevice(device)) continue;
    for (const { address } of device.addresses)
      if (address >>> 16 !== LINK_LOCAL && address >>> 28 !== 0xe) found.push({ address, name: device.name });
  }
  const [first, second] = found;
  if (first === undefined) return { error: NO_ADDRESS };
  if (second === undefined) return first.address;
  const [a, b] = [formatIpv4(first.address), formatIpv4(second.address)];
  const where =
    first.name === second.name
      ? `multiple addresses on interface ${first.name} (${a} and ${b})`
      : `multiple addresses on different interfaces (${a} on ${first.name} and ${b} on ${second.name})`;
  return { error: `could not choose an IP address to advertise since this system has ${where}` };
}
