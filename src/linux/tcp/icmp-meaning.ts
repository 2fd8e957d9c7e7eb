/** What an ICMP error means to a connection: icmp_err_convert of net/ipv4/icmp.c; hard ones refuse a handshake (RFC 1122 §4.2.3.9). */
import * as icmp from "../../wire/icmp.ts";
import type { Errno } from "../errno.ts";

export interface IcmpMeaning {
  readonly errno: Errno;
  readonly hard: boolean;
}

const UNREACHABLE: readonly (readonly [Errno, boolean])[] = [
  ["ENETUNREACH", false],
  ["EHOSTUNREACH", false],
  ["ENOPROTOOPT", true],
  ["ECONNREFUSED", true],
  ["EMSGSIZE", false],
  ["EOPNOTSUPP", false],
  ["ENETUNREACH", true],
  ["EHOSTDOWN", true],
  ["EHOSTUNREACH", true],
  ["ENETUNREACH", true],
  ["EHOSTUNREACH", true],
  ["ENETUNREACH", false],
  ["EHOSTUNREACH", false],
  ["EHOSTUNREACH", true],
  ["EHOSTUNREACH", true],
  ["EHOSTUNREACH", true],
];

/** Undefined: the message is none of TCP's business (redirects, source quench). */
export function meaningOf(type: number, code: number): IcmpMeaning | undefined {
  if (type === icmp.TYPE_TIME_EXCEEDED) return { errno: "EHOSTUNREACH", hard: false };
  if (type === icmp.TYPE_PARAMETER_PROBLEM) return { errno: "EPROTO", hard: true };
  if (type !== icmp.TYPE_UNREACHABLE) return undefined;
  const meaning = UNREACHABLE[code];
  return meaning === undefined ? undefined : { errno: meaning[0], hard: meaning[1] };
}
