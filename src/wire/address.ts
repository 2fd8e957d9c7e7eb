/** Addresses as branded integers, so that `===` and `Map` work: MAC 48 bits, IPv4 32 bits (unsigned), VNI 24 bits. */
export type MacAddress = number & { readonly brand: "MacAddress" };
export type Ipv4Address = number & { readonly brand: "Ipv4Address" };
export type Vni = number & { readonly brand: "Vni" };

export const MAC_ZERO = 0 as MacAddress;
export const MAC_BROADCAST = 0xffff_ffff_ffff as MacAddress;
export const IPV4_ANY = 0 as Ipv4Address;
export const IPV4_BROADCAST = 0xffff_ffff as Ipv4Address;
export const IPV4_LOOPBACK = 0x7f00_0001 as Ipv4Address;

/** Undefined when `text` is not six hexadecimal octets with colons. */
export function parseMac(text: string): MacAddress | undefined {
  if (!/^[0-9a-fA-F]{1,2}(:[0-9a-fA-F]{1,2}){5}$/.test(text)) return undefined;
  return text.split(":").reduce((sum, octet) => sum * 256 + Number.parseInt(octet, 16), 0) as MacAddress;
}

export function formatMac(address: MacAddress): string {
  const digits = address.toString(16).padStart(12, "0");
  return `${digits.slice(0, 2)}:${digits.slice(2, 4)}:${digits.slice(4, 6)}:${digits.slice(6, 8)}:${digits.slice(8, 10)}:${digits.slice(10)}`;
}

/** The group bit (IEEE 802-2014 §8.2.2): multicast and broadcast. */
export function isGroup(address: MacAddress): boolean {
  return (Math.floor(address / 0x100_0000_0000) & 1) === 1;
}

/** RFC 1112 §6.4: the Ethernet address of an IPv4 group, 01:00:5e and the low 23 bits. */
export function multicastMac(group: Ipv4Address): MacAddress {
  return (0x0100_5e00_0000 + (group & 0x7f_ffff)) as MacAddress;
}

/** Undefined when `text` is not four decimal octets (no leading zeros, no short forms). */
export function parseIpv4(text: string): Ipv4Address | undefined {
  const octets = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text);
  if (octets === null) return undefined;
  let value = 0;
  for (let index = 1; index <= 4; index++) {
    const octet = Number(octets[index]);
    if (octet > 255 || (octets[index]!.length > 1 && octets[index]!.startsWith("0"))) return undefined;
    value = value * 256 + octet;
  }
  return value as Ipv4Address;
}

export function formatIpv4(address: Ipv4Address): string {
  return `${address >>> 24}.${(address >>> 16) & 255}.${(address >>> 8) & 255}.${address & 255}`;
}

/** 224.0.0.0/4, RFC 1112 §4. */
export function isMulticastIpv4(address: Ipv4Address): boolean {
  return address >>> 28 === 0xe;
}

/** 127.0.0.0/8, RFC 1122 §3.2.1.3. */
export function isLoopbackIpv4(address: Ipv4Address): boolean {
  return address >>> 24 === 127;
}

/** An address and the length of its network part, 0 to 32. */
export interface Prefix {
  readonly address: Ipv4Address;
  readonly length: number;
}

export function maskOf(length: number): number {
  return length === 0 ? 0 : (0xffff_ffff << (32 - length)) >>> 0;
}

/** The prefix's first address: host bits cleared. */
export function networkOf(prefix: Prefix): Ipv4Address {
  return ((prefix.address & maskOf(prefix.length)) >>> 0) as Ipv4Address;
}

export function broadcastOf(prefix: Prefix): Ipv4Address {
  return ((prefix.address | ~maskOf(prefix.length)) >>> 0) as Ipv4Address;
}

export function contains(prefix: Prefix, address: Ipv4Address): boolean {
  return ((prefix.address ^ address) & maskOf(prefix.length)) === 0;
}

/** `10.0.0.0/24`, or a bare address as /32; undefined when it is neither. */
export function parsePrefix(text: string): Prefix | undefined {
  const slash = text.indexOf("/");
  const address = parseIpv4(slash < 0 ? text : text.slice(0, slash));
  if (address === undefined) return undefined;
  if (slash < 0) return { address, length: 32 };
  const digits = text.slice(slash + 1);
  if (!/^\d{1,2}$/.test(digits) || Number(digits) > 32) return undefined;
  return { address, length: Number(digits) };
}

export function formatPrefix(prefix: Prefix): string {
  return `${formatIpv4(prefix.address)}/${prefix.length}`;
}
