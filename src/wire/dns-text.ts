/** Names of DNS record types and response codes, as people write them (IANA's registry), and IPv6 addresses (RFC 5952). */
import { getU16 } from "./bytes.ts";

const TYPES: readonly (readonly [number, string])[] = [
  [1, "A"],
  [2, "NS"],
  [5, "CNAME"],
  [6, "SOA"],
  [12, "PTR"],
  [13, "HINFO"],
  [15, "MX"],
  [16, "TXT"],
  [28, "AAAA"],
  [29, "LOC"],
  [33, "SRV"],
  [35, "NAPTR"],
  [39, "DNAME"],
  [41, "OPT"],
  [43, "DS"],
  [46, "RRSIG"],
  [47, "NSEC"],
  [48, "DNSKEY"],
  [52, "TLSA"],
  [64, "SVCB"],
  [65, "HTTPS"],
  [99, "SPF"],
  [252, "AXFR"],
  [255, "ANY"],
  [257, "CAA"],
];
const NAMES = new Map(TYPES);
const NUMBERS = new Map(TYPES.map(([number, name]) => [name, number]));
const RESPONSE_CODES = [
  "NOERROR",
  "FORMERR",
  "SERVFAIL",
  "NXDOMAIN",
  "NOTIMP",
  "REFUSED",
  "YXDOMAIN",
  "YXRRSET",
  "NXRRSET",
  "NOTAUTH",
  "NOTZONE",
];

export function typeName(type: number): string | undefined {
  return NAMES.get(type);
}

/** The number of a type's name in whatever case, or of `TYPE123` (RFC 3597 §5). */
export function parseType(text: string): number | undefined {
  const known = NUMBERS.get(text.toUpperCase());
  if (known !== undefined) return known;
  const number = /^TYPE(\d{1,5})$/i.exec(text);
  return number === null || Number(number[1]) > 0xffff ? undefined : Number(number[1]);
}

export function responseCodeName(code: number): string {
  return RESPONSE_CODES[code] ?? `RESERVED${code}`;
}

/** RFC 5952: the longest run of two or more zero groups becomes `::`. */
export function formatIpv6(address: Uint8Array): string {
  const groups: string[] = [];
  for (let at = 0; at < 16; at += 2) groups.push(getU16(address, at).toString(16));
  let best = 0;
  let bestLength = 1;
  for (let from = 0; from < 8; from++) {
    let to = from;
    while (to < 8 && groups[to] === "0") to++;
    if (to - from > bestLength) {
      best = from;
      bestLength = to - from;
    }
  }
  if (bestLength < 2) return groups.join(":");
  return `${groups.slice(0, best).join(":")}::${groups.slice(best + bestLength).join(":")}`;
}

/** The name that an address is asked back under, RFC 1035 §3.5. */
export function reverseName(address: number): string {
  return `${address & 255}.${(address >>> 8) & 255}.${(address >>> 16) & 255}.${address >>> 24}.in-addr.arpa`;
}
