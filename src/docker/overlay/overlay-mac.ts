/** MAC addresses of overlay endpoints: libnetwork makes them from the IPv4 address, so that every node knows them beforehand. */
import type { Ipv4Address, MacAddress } from "../../wire/address.ts";

const PREFIX = 0x0242_0000_0000;

/** 02:42 and the four octets: 10.0.1.5 has 02:42:0a:00:01:05. */
export function overlayMac(address: Ipv4Address): MacAddress {
  return (PREFIX + address) as MacAddress;
}
