/** getent(1) of glibc for the databases `hosts` and `ahostsv4`: the hosts file, then name servers. */

import type { Process, Program, Wait, Wake } from "../../linux/process.ts";
import { formatIpv4, type Ipv4Address, parseIpv4 } from "../../wire/address.ts";
import * as dns from "../../wire/dns.ts";
import { reverseName } from "../../wire/dns-text.ts";
import { resolveAddresses, search } from "../stub-resolver.ts";
import type { CommandContext, Word } from "../word.ts";

type Step<T> = Generator<Wait, T, Wake>;

const HELP = "Try `getent --help' or `getent --usage' for more information.\n";
const NOT_FOUND = 2;
const ADDRESS_COLUMN = 16;
const AHOSTS: ReadonlySet<string> = new Set(["ahosts", "ahostsv4"]);

export const GETENT: Word = {
  name: "getent",
  *run(process, context, argv) {
    const [database, ...keys] = argv;
    if (database === undefined) {
      process.stderr.write(`getent: wrong number of arguments\n${HELP}`);
      return 1;
    }
    if (database !== "hosts" && !AHOSTS.has(database)) {
      process.stderr.write(`Unknown database: ${database}\n${HELP}`);
      return 1;
    }
    if (keys.length === 0) {
      for (const [name, address] of context.host.hostsFile) process.stdout.write(line(address, name));
      return 0;
    }
    return yield* lookUpAll(process, context, database, keys);
  },
};

function* lookUpAll(process: Process, context: CommandContext, database: string, keys: readonly string[]): Program {
  let status = 0;
  for (const key of keys) {
    const text = database === "hosts" ? yield* hosts(process, context, key) : yield* addresses(process, context, key);
    if (text === "") status = NOT_FOUND;
    process.stdout.write(text);
  }
  return status;
}

/** gethostbyname(3) and gethostbyaddr(3). */
function* hosts(process: Process, context: CommandContext, key: string): Step<string> {
  const address = parseIpv4(key);
  if (address !== undefined) {
    const name = yield* nameOfAddress(process, context, address);
    return name === undefined ? "" : line(address, name);
  }
  const found = yield* addressesOf(process, context, key);
  return found.map((each) => line(each, key)).join("");
}

/** getaddrinfo(3): each address once for each kind of socket. */
function* addresses(process: Process, context: CommandContext, key: string): Step<string> {
  const literal = parseIpv4(key);
  const found = literal === undefined ? yield* addressesOf(process, context, key) : [literal];
  const column = (address: Ipv4Address) => formatIpv4(address).padEnd(ADDRESS_COLUMN);
  return found
    .map(
      (each, index) =>
        `${column(each)}STREAM ${index === 0 ? key : ""}\n${column(each)}DGRAM  \n${column(each)}RAW    \n`,
    )
    .join("");
}

function* addressesOf(
  process: Process,
  { host, namespace }: CommandContext,
  name: string,
): Step<readonly Ipv4Address[]> {
  const listed = host.hostsFile.get(name);
  if (listed !== undefined) return [listed];
  return yield* resolveAddresses(process, { namespace, configuration: host.resolvConf }, name);
}

function* nameOfAddress(
  process: Process,
  { host, namespace }: CommandContext,
  address: Ipv4Address,
): Step<string | undefined> {
  for (const [name, listed] of host.hostsFile) if (listed === address) return name;
  const settings = { namespace, configuration: host.resolvConf };
  const answers = yield* search(process, settings, `${reverseName(address)}.`, [dns.TYPE_PTR]);
  if (typeof answers === "string") return undefined;
  for (const { answers: records } of answers) for (const { data } of records) if (data.kind === "ptr") return data.name;
  return undefined;
}

function line(address: Ipv4Address, name: string): string {
  return `${formatIpv4(address).padEnd(ADDRESS_COLUMN)}${name}\n`;
}
