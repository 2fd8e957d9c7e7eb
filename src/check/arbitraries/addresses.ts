/** Addresses as fast-check makes them: those that hosts may have, and subnets with their hosts. */
import type { Arbitrary } from "fast-check";
import { formatIpv4, formatMac, type Ipv4Address, type MacAddress, type Prefix } from "../../wire/address.ts";
import type { FastCheck } from "./fast-check.ts";

/** A unicast MAC address, locally administered, not zero: `02:…`, `06:…`. */
export function anyMac(fc: FastCheck): Arbitrary<string> {
  return fc
    .tuple(fc.nat(0x3f), fc.nat(0xffff_ffff), fc.nat(0xff))
    .map(([high, low, next]) =>
      formatMac((((high << 2) | 2) * 0x100_0000_0000 + next * 0x1_0000_0000 + low) as MacAddress),
    );
}

/** A private subnet of /16 to /28. */
export function anySubnet(fc: FastCheck): Arbitrary<Prefix> {
  const from = fc.constantFrom(0x0a00_0000, 0xac10_0000, 0xc0a8_0000);
  return fc.tuple(from, fc.nat(0xffff), fc.integer({ min: 16, max: 28 })).map(([base, rest, length]) => {
    const mask = (0xffff_ffff << (32 - length)) >>> 0;
    return { address: (((base | rest) & mask) >>> 0) as Ipv4Address, length };
  });
}

/** A host's address in a subnet: neither its first nor its last. */
export function anyHostIn(fc: FastCheck, { address, length }: Prefix): Arbitrary<string> {
  return fc.integer({ min: 1, max: 2 ** (32 - length) - 2 }).map((host) => formatIpv4((address + host) as Ipv4Address));
}
