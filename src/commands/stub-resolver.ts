/**
 * How programs find a name's addresses: glibc's getaddrinfo(3) for any family, without its hosts file. Questions go to the servers of resolv.conf over the
 * machine's own sockets: A and AAAA at once from one port; search list, timeouts and attempts are those of resolver(5) and res_send.c; the
 * order of the addresses is RFC 6724's.
 */

import { MAXIMUM_SERVERS, ndotsOf, numericOption, type ResolvConf } from "../docker/resolver/resolv-conf.ts";
import type { NetworkNamespace } from "../linux/namespace.ts";
import type { Process, Wait, Wake } from "../linux/process.ts";
import { UdpSocket } from "../linux/udp-socket.ts";
import { type Nanoseconds, SECOND } from "../sim/time.ts";
import { contains, type Ipv4Address } from "../wire/address.ts";
import { getU16 } from "../wire/bytes.ts";
import * as dns from "../wire/dns.ts";
import { isName } from "../wire/dns-name.ts";
import { ask } from "./dns/ask.ts";

type Step<T> = Generator<Wait, T, Wake>;

/** What is asked, and where the answers come from. */
export interface StubSettings {
  readonly namespace: NetworkNamespace;
  readonly configuration: ResolvConf;
}

/** "again": no server could say (EAI_AGAIN). */
export type StubAnswer = readonly dns.Dns[] | "not-found" | "again";

const DEFAULT_TIMEOUT_S = 5;
const DEFAULT_ATTEMPTS = 2;
const MAXIMUM_TIMEOUT_S = 30;
const MAXIMUM_ATTEMPTS = 5;
const FAMILIES = [dns.TYPE_A, dns.TYPE_AAAA] as const;

/** The addresses of a name in the order in which programs try them; empty: there are none, or nobody knows. */
export function* resolveAddresses(
  process: Process,
  settings: StubSettings,
  name: string,
): Step<readonly Ipv4Address[]> {
  const answers = yield* search(process, settings, name, FAMILIES);
  if (typeof answers === "string") return [];
  const found = new Set<Ipv4Address>();
  for (const { answers: records } of answers)
    for (const { data } of records) if (data.kind === "a") found.add(data.address);
  return sortAddresses(settings.namespace, [...found]);
}

/** Tries the name as it stands and with each domain of the search list, in the order that `ndots` asks for. */
export function* search(
  process: Process,
  settings: StubSettings,
  name: string,
  types: readonly number[],
): Step<StubAnswer> {
  let failed = false;
  for (const candidate of candidates(settings.configuration, name)) {
    if (!isName(candidate)) continue;
    const answers = yield* askServers(process, settings, candidate, types);
    if (answers === "again") failed = true;
    else if (answers.some(({ answers: records }) => records.length > 0)) return answers;
    if (process.pendingSignal !== undefined) return "again";
  }
  return failed ? "again" : "not-found";
}

/** The names that are asked for, in order. */
export function candidates(configuration: ResolvConf, name: string): string[] {
  if (name.endsWith(".")) return [name.slice(0, -1)];
  const longer = configuration.search.map((domain) => `${name}.${domain.replace(/\.$/, "")}`.replace(/\.$/, ""));
  const dots = name.split(".").length - 1;
  const unique = dots >= ndotsOf(configuration) ? [name, ...longer] : [...longer, name];
  return [...new Set(unique)];
}

/** Every server in turn, and that as often as `attempts` says, until one has answered all questions. */
function* askServers(
  process: Process,
  { namespace, configuration }: StubSettings,
  name: string,
  types: readonly number[],
): Step<readonly dns.Dns[] | "again"> {
  const servers = configuration.servers.slice(0, MAXIMUM_SERVERS);
  const timeoutS = Math.min(numericOption(configuration, "timeout") ?? DEFAULT_TIMEOUT_S, MAXIMUM_TIMEOUT_S);
  const attempts = Math.min(numericOption(configuration, "attempts") ?? DEFAULT_ATTEMPTS, MAXIMUM_ATTEMPTS);
  const identifiers = new Map<number, number>();
  for (const type of types) {
    let identifier = process.random.below(0x1_0000);
    while (identifiers.has(identifier)) identifier = process.random.below(0x1_0000);
    identifiers.set(identifier, type);
  }
  const queries = [...identifiers].map(([identifier, type]) => dns.toBytes(dns.query(identifier, name, type)));
  for (let attempt = 0; attempt < attempts; attempt++) {
    for (const [index, server] of servers.entries()) {
      // res_send.c: the first server gets the whole time, the others share a longer one.
      const seconds = index === 0 ? timeoutS : Math.max(Math.floor((timeoutS << index) / servers.length), 1);
      const answers = yield* askServer(process, namespace, server, queries, seconds * SECOND);
      if (answers !== undefined) return answers;
      if (process.pendingSignal !== undefined) return "again";
    }
  }
  return "again";
}

/** Undefined: silence, an error, or an answer that another server may better. */
function* askServer(
  process: Process,
  namespace: NetworkNamespace,
  server: Ipv4Address,
  queries: readonly Uint8Array[],
  timeoutNs: Nanoseconds,
): Step<readonly dns.Dns[] | undefined> {
  const socket = new UdpSocket(namespace);
  const close = () => socket.close();
  process.atExit(close);
  try {
    if (socket.connect(server, dns.UDP_PORT) !== undefined) return undefined;
    for (const query of queries) if (typeof socket.sendTo(query) === "string") return undefined;
    const untilNs = process.clock.nowNs + timeoutNs;
    const answers = new Map<number, dns.Dns>();
    while (answers.size < queries.length) {
      const datagram = socket.receive();
      if (typeof datagram === "string") return undefined;
      if (datagram === undefined) {
        if ((yield { queues: [socket.readable], untilNs }) !== "ready") return undefined;
        continue;
      }
      const query = queries.find((each) => datagram.bytes.length > 2 && getU16(each, 0) === getU16(datagram.bytes, 0));
      let message = dns.parse(datagram.bytes, 0, datagram.bytes.length);
      if (query === undefined || typeof message === "string" || !message.response) continue;
      if (message.truncated) {
        const settings = { namespace, transport: "tcp", server, port: dns.UDP_PORT, bytes: query, timeoutNs } as const;
        const whole = yield* ask(process, settings);
        if (whole !== "signal" && whole.kind === "answer") message = whole.message;
      }
      if (isFailure(message.responseCode)) return undefined;
      answers.set(message.identifier, message);
    }
    return queries.map((query) => answers.get(getU16(query, 0))!);
  } finally {
    close();
  }
}

function isFailure(code: number): boolean {
  return code === dns.RCODE_SERVER_FAILURE || code === dns.RCODE_NOT_IMPLEMENTED || code === dns.RCODE_REFUSED;
}

/**
 * RFC 6724 §6 as far as IPv4 goes: what can be reached comes first, and among addresses of the own subnet the one with the longest prefix in common with the
 * own address (rule 9; elsewhere glibc lets prefixes of IPv4 mean nothing). So a client prefers one task of a dnsrr service whatever order DNS gave.
 */
export function sortAddresses(namespace: NetworkNamespace, addresses: readonly Ipv4Address[]): readonly Ipv4Address[] {
  if (addresses.length < 2) return addresses;
  const known = addresses.map((address, order) => {
    const path = namespace.ipv4.resolve({ destination: address });
    if (typeof path === "string") return { address, order, reachable: 0, common: 0 };
    const own = path.device.addresses.find((each) => each.address === path.source);
    const near = own !== undefined && contains(own, address);
    return { address, order, reachable: 1, common: near ? Math.clz32(address ^ path.source) : 0 };
  });
  known.sort((a, b) => b.reachable - a.reachable || b.common - a.common || a.order - b.order);
  return known.map(({ address }) => address);
}
