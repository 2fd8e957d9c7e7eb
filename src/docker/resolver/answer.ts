/** What the embedded resolver says to a query: libnetwork's resolver.go on the DNS library miekg/dns, without sockets. */
import type { Random } from "../../sim/random.ts";
import type { Ipv4Address } from "../../wire/address.ts";
import { getU16 } from "../../wire/bytes.ts";
import * as dns from "../../wire/dns.ts";
import { labelsOf } from "../../wire/dns-name.ts";
import type { AddressFamily, NameSource } from "./name-source.ts";

export const TIME_TO_LIVE_S = 600;
const OPERATION_QUERY = 0;
const OPERATION_NOTIFY = 4;

/** Why a datagram is not even answered. */
export type Ignored = dns.Malformed | "dns-response";

/**
 * The query in the bytes, or the answer that refuses it (miekg/dns: DefaultMsgAcceptFunc), or why there is none: a header that is not whole, and answers,
 * are passed over in silence.
 */
export function readQuery(bytes: Uint8Array): { query: dns.Dns } | { refusal: dns.Dns } | Ignored {
  if (bytes.length < dns.HEADER_BYTES) return "dns-truncated";
  const flags = getU16(bytes, 2);
  if (flags >= 0x8000) return "dns-response";
  const operation = (flags >>> 11) & 15;
  if (operation !== OPERATION_QUERY && operation !== OPERATION_NOTIFY)
    return { refusal: refuse(bytes, operation, dns.RCODE_NOT_IMPLEMENTED) };
  const counts = getU16(bytes, 4) === 1 && getU16(bytes, 6) <= 1 && getU16(bytes, 8) <= 1 && getU16(bytes, 10) <= 2;
  const message = counts ? dns.parse(bytes, 0, bytes.length) : "dns-bad-record";
  if (typeof message === "string") return { refusal: refuse(bytes, OPERATION_QUERY, dns.RCODE_FORMAT_ERROR) };
  return { query: message };
}

/** The answer out of the names at hand; undefined: somebody else has to know. */
export function answer(query: dns.Dns, names: NameSource, random: Random): dns.Dns | undefined {
  const question = query.questions[0]!;
  switch (question.type) {
    case dns.TYPE_A:
      return answerAddress(query, names, "ipv4", random);
    case dns.TYPE_AAAA:
      return answerAddress(query, names, "ipv6", random);
    case dns.TYPE_MX:
      // An empty answer: mail goes to the host itself (RFC 5321 §5.1).
      return names.lookUp(question.name, "ipv4") === undefined ? undefined : reply(query, dns.RCODE_NO_ERROR);
    case dns.TYPE_PTR:
      return answerReverse(query, names);
    case dns.TYPE_SRV:
      return answerService(query, names);
    default:
      return undefined;
  }
}

/** An answer with the query's identifier and question. Only answers of our own say that recursion is available. */
export function reply(query: dns.Dns, responseCode: number): dns.Dns {
  return {
    identifier: query.identifier,
    response: true,
    operation: query.operation,
    authoritative: false,
    truncated: false,
    recursionDesired: query.operation === OPERATION_QUERY && query.recursionDesired,
    recursionAvailable: responseCode === dns.RCODE_NO_ERROR,
    authenticData: false,
    checkingDisabled: query.operation === OPERATION_QUERY && query.checkingDisabled,
    responseCode,
    questions: query.questions.slice(0, 1),
    answers: [],
    authorities: [],
    additionals: [],
  };
}

/** The answer's bytes, cut to `limitBytes`: names are compressed only when it would be too long, and then whole records go. */
export function toLimitedBytes(response: dns.Dns, limitBytes: number): Uint8Array {
  const plain = dns.toBytes(response, false);
  if (plain.length <= limitBytes) return plain;
  const fits = (answers: number, additionals: number) =>
    dns.toBytes({
      ...response,
      truncated: answers < response.answers.length || additionals < response.additionals.length,
      answers: response.answers.slice(0, answers),
      additionals: response.additionals.slice(0, additionals),
    });
  const answers = most(response.answers.length, (count) => fits(count, 0).length <= limitBytes);
  const additionals =
    answers < response.answers.length
      ? 0
      : most(response.additionals.length, (count) => fits(answers, count).length <= limitBytes);
  return fits(answers, additionals);
}

/** `4.3.2.1.in-addr.arpa` is 1.2.3.4. */
export function parseReverseName(name: string): Ipv4Address | undefined {
  const octets = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.in-addr\.arpa$/i.exec(name);
  if (octets === null) return undefined;
  let address = 0;
  for (let index = 4; index >= 1; index--) {
    const octet = Number(octets[index]);
    if (octet > 255) return undefined;
    address = address * 256 + octet;
  }
  return address as Ipv4Address;
}

function answerAddress(query: dns.Dns, names: NameSource, family: AddressFamily, random: Random): dns.Dns | undefined {
  const { name } = query.questions[0]!;
  const found = names.lookUp(name, family);
  if (found === undefined) return undefined;
  const addresses = found === "known-without-address" ? [] : [...found.addresses];
  if (addresses.length > 1) random.shuffle(addresses);
  return { ...reply(query, dns.RCODE_NO_ERROR), answers: addresses.map((address) => record(name, address)) };
}

function answerReverse(query: dns.Dns, names: NameSource): dns.Dns | undefined {
  const question = query.questions[0]!;
  const address = parseReverseName(question.name);
  const name = address === undefined ? undefined : names.reverse(address);
  if (name === undefined || labelsOf(name) === undefined) return undefined;
  return {
    ...reply(query, dns.RCODE_NO_ERROR),
    answers: [{ ...FIXED, name: question.name, data: { kind: "ptr", name } }],
  };
}

/** libnetwork heads its SRV records as PTR; what reads them sees broken PTR records. */
function answerService(query: dns.Dns, names: NameSource): dns.Dns | undefined {
  const { name } = query.questions[0]!;
  const targets = names.serviceTargets(name);
  if (targets.length === 0) return undefined;
  return {
    ...reply(query, dns.RCODE_NO_ERROR),
    answers: targets.map(({ target, port }) => ({
      ...FIXED,
      name,
      data: { kind: "other", type: dns.TYPE_PTR, bytes: serviceData(target, port) },
    })),
    additionals: targets.map(({ target, address }) => record(target, address)),
  };
}

const FIXED = { class: dns.CLASS_INTERNET, timeToLiveS: TIME_TO_LIVE_S } as const;

function record(name: string, address: Ipv4Address): dns.ResourceRecord {
  return { ...FIXED, name, data: { kind: "a", address } };
}

/** Priority 0, weight 0, port, target. */
function serviceData(target: string, port: number): Uint8Array {
  const octets = [0, 0, 0, 0, port >>> 8, port & 255];
  for (const label of labelsOf(target) ?? []) octets.push(label.length, ...label);
  return Uint8Array.from([...octets, 0]);
}

function refuse(bytes: Uint8Array, operation: number, responseCode: number): dns.Dns {
  const flags = getU16(bytes, 2);
  return {
    identifier: getU16(bytes, 0),
    response: true,
    operation,
    authoritative: false,
    truncated: false,
    recursionDesired: (flags & 0x0100) !== 0,
    recursionAvailable: false,
    authenticData: false,
    checkingDisabled: (flags & 0x0010) !== 0,
    responseCode,
    questions: [],
    answers: [],
    authorities: [],
    additionals: [],
  };
}

/** The largest count up to `limit` that holds; whatever holds for a count holds for less. */
function most(limit: number, holds: (count: number) => boolean): number {
  let low = 0;
  let high = limit;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (holds(middle)) low = middle;
    else high = middle - 1;
  }
  return low;
}
