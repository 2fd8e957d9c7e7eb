/**
 * IPv4 options, RFC 791 §3.1, as ip_options_compile checks them. Record route and timestamp pass through as they are; source routes are refused, as
 * `accept_source_route` 0 on `all`, Linux's default, asks.
 */
import * as ipv4 from "../wire/ipv4.ts";

const END = 0;
const NOOP = 1;
const RECORD_ROUTE = 7;
const TIMESTAMP = 68;
const LOOSE_SOURCE_ROUTE = 131;
const STRICT_SOURCE_ROUTE = 137;
const ROUTER_ALERT = 148;

/** The offset in the header of what is wrong, for ICMP's parameter problem; `"source-route"`: refused without a word. */
export function checkOptions(bytes: Uint8Array, at: number): number | "source-route" | undefined {
  const end = ipv4.headerBytes(bytes, at);
  let offset = ipv4.HEADER_BYTES;
  let sourceRoute = false;
  while (offset < end) {
    const type = bytes[at + offset]!;
    if (type === END) break;
    if (type === NOOP) {
      offset++;
      continue;
    }
    if (end - offset < 2) return offset;
    const length = bytes[at + offset + 1]!;
    if (length < 2 || length > end - offset) return offset;
    const pointer = bytes[at + offset + 2]!;
    switch (type) {
      case LOOSE_SOURCE_ROUTE:
      case STRICT_SOURCE_ROUTE:
        if (length < 3) return offset + 1;
        if (pointer < 4) return offset + 2;
        sourceRoute = true;
        break;
      case RECORD_ROUTE:
        if (length < 3) return offset + 1;
        if (pointer < 4) return offset + 2;
        if (pointer <= length && pointer + 3 > length) return offset + 2;
        break;
      case TIMESTAMP:
        if (length < 4) return offset + 1;
        if (pointer < 5) return offset + 2;
        break;
      case ROUTER_ALERT:
        if (length < 4) return offset + 1;
        break;
      default:
        break;
    }
    offset += length;
  }
  return sourceRoute ? "source-route" : undefined;
}
