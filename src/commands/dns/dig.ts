/** dig, as BIND 9.18's: asks name servers and shows what they said. */
import type { ExchangeResult } from "../../docker/resolver/exchange.ts";
import { type Errno, errorText } from "../../linux/errno.ts";
import type { Process, Program, Wait, Wake } from "../../linux/process.ts";
import { MILLISECOND, type Nanoseconds, SECOND } from "../../sim/time.ts";
import { formatIpv4, type Ipv4Address } from "../../wire/address.ts";
import * as dns from "../../wire/dns.ts";
import { isName } from "../../wire/dns-name.ts";
import { CommandError } from "../command-error.ts";
import { candidates } from "../stub-resolver.ts";
import { formatDate } from "../wall-date.ts";
import type { CommandContext, Word } from "../word.ts";
import { ask } from "./ask.ts";
import { DIG_VERSION, type DigOptions, type Lookup, parseDig } from "./dig-options.ts";
import { headerText, optText, questionText, sectionText } from "./message-text.ts";
import { nameServers } from "./name-servers.ts";
import { dataText } from "./record-text.ts";

type Step<T> = Generator<Wait, T, Wake>;

const NO_REPLY = 9;
const CLIENT_COOKIE_BYTES = 8;
const OPTION_COOKIE = 10;

export const DIG: Word = {
  name: "dig",
  *run(process, context, argv) {
    let options: DigOptions;
    try {
      options = parseDig(argv);
    } catch (error) {
      if (!(error instanceof CommandError)) throw error;
      (error.status === 0 ? process.stdout : process.stderr).write(`${error.message}\n`);
      return error.status;
    }
    return yield* runDig(process, context, options);
  },
};

function* runDig(process: Process, context: CommandContext, options: DigOptions): Program {
  const servers = yield* nameServers(process, context, options.server);
  if (servers === undefined) {
    process.stderr.write(`dig: couldn't get address for '${options.server}': not found\n`);
    return 1;
  }
  const printer = new Printer(process, options);
  let status = 0;
  for (const lookup of options.lookups) {
    const reached = yield* digOne(process, context, options, servers, lookup, printer);
    if (process.pendingSignal !== undefined) return 130;
    if (!reached) status = NO_REPLY;
  }
  return status;
}

/** False: no server could be reached. */
function* digOne(
  process: Process,
  context: CommandContext,
  options: DigOptions,
  servers: readonly Ipv4Address[],
  lookup: Lookup,
  printer: Printer,
): Step<boolean> {
  const plain = lookup.name.endsWith(".") && lookup.name !== "." ? lookup.name.slice(0, -1) : lookup.name;
  const names = options.search ? candidates(context.host.resolvConf, lookup.name) : [plain === "." ? "" : plain];
  for (const [index, name] of names.entries()) {
    if (!isName(name)) {
      process.stderr.write(`dig: '${lookup.name}' is not a legal name (bad name)\n`);
      return false;
    }
    const found = yield* askServers(process, context, options, servers, { ...lookup, name }, printer);
    if (found === undefined) return false;
    if (found.message.responseCode === dns.RCODE_NAME_ERROR && index + 1 < names.length) continue;
    printer.answer(found);
    return true;
  }
  return true;
}

/** An answer, and how it came. */
interface Found {
  readonly message: dns.Dns;
  readonly sizeBytes: number;
  readonly server: Ipv4Address;
  readonly transport: "udp" | "tcp";
  readonly tookNs: Nanoseconds;
}

/** Every server `tries` times in all; SERVFAIL sends on to the next server while there is one. */
function* askServers(
  process: Process,
  context: CommandContext,
  options: DigOptions,
  servers: readonly Ipv4Address[],
  lookup: Lookup,
  printer: Printer,
): Step<Found | undefined> {
  let transport: "udp" | "tcp" = (options.tcp ?? lookup.type === dns.TYPE_ANY) ? "tcp" : "udp";
  for (let tried = 0; tried < options.tries; tried++) {
    for (const [index, server] of servers.entries()) {
      const sentNs = process.clock.nowNs;
      const result: ExchangeResult | "signal" = yield* ask(process, {
        namespace: context.namespace,
        transport,
        server,
        port: options.port,
        source: options.source,
        bytes: dns.toBytes(makeQuery(process, options, lookup)),
        timeoutNs: options.timeoutS * SECOND,
      });
      if (result === "signal") return undefined;
      if (result.kind !== "answer") {
        printer.failure(result, server, transport, lookup.name);
        continue;
      }
      const { message, bytes } = result;
      if (message.responseCode === dns.RCODE_SERVER_FAILURE && index + 1 < servers.length) continue;
      if (message.truncated && transport === "udp" && !options.ignoreTruncation) {
        printer.note(";; Truncated, retrying in TCP mode.");
        transport = "tcp";
        tried--;
        break;
      }
      return { message, sizeBytes: bytes.length, server, transport, tookNs: process.clock.nowNs - sentNs };
    }
  }
  printer.unreachable(transport);
  return undefined;
}

function makeQuery(process: Process, options: DigOptions, lookup: Lookup): dns.Dns {
  const additionals: dns.ResourceRecord[] = [];
  if (options.udpBytes !== undefined) {
    const cookie = options.cookie ? [0, OPTION_COOKIE, 0, CLIENT_COOKIE_BYTES] : [];
    for (let octet = 0; octet < CLIENT_COOKIE_BYTES && options.cookie; octet++) cookie.push(process.random.below(256));
    additionals.push(dns.optRecord(options.udpBytes, Uint8Array.from(cookie)));
  }
  const query = dns.query(process.random.below(0x1_0000), lookup.name, lookup.type, additionals);
  return {
    ...query,
    recursionDesired: options.recursion,
    authenticData: options.authenticData,
    checkingDisabled: options.checkingDisabled,
    questions: [{ name: lookup.name, type: lookup.type, class: lookup.class }],
  };
}

/** What is written; the greeting comes with the first that is worth it. */
class Printer {
  readonly #process: Process;
  readonly #options: DigOptions;
  #greeted = false;

  constructor(process: Process, options: DigOptions) {
    this.#process = process;
    this.#options = options;
  }

  note(line: string): void {
    if (!this.#options.short && this.#options.sections.comments) this.#write(`${line}\n`);
  }

  failure(
    result: Exclude<ExchangeResult, { kind: "answer" }>,
    server: Ipv4Address,
    transport: "udp" | "tcp",
    name: string,
  ): void {
    const at = `${formatIpv4(server)}#${this.#options.port}`;
    if (result.kind === "malformed") this.#write(`;; Got bad packet: ${BAD_PACKETS[result.reason]}\n`);
    else if (transport === "tcp")
      this.#write(
        `;; Connection to ${at}(${formatIpv4(server)}) for ${name} failed: ${reason(result)}.\n;; no servers could be reached\n`,
      );
    else this.#write(`;; communications error to ${at}: ${reason(result)}\n`);
  }

  unreachable(transport: "udp" | "tcp"): void {
    if (transport === "tcp") return;
    this.#greet();
    this.#write(";; no servers could be reached\n");
  }

  answer({ message, sizeBytes, server, transport, tookNs }: Found): void {
    const { sections, short, port } = this.#options;
    if (short) {
      for (const { data } of message.answers) this.#write(`${dataText(data)}\n`);
      return;
    }
    this.#greet();
    if (sections.comments) {
      this.#write(`;; Got answer:\n${headerText(message)}`);
      if (message.recursionDesired && !message.recursionAvailable)
        this.#write(";; WARNING: recursion requested but not available\n");
      this.#write("\n");
      if (sections.additional) this.#write(optText(message));
    }
    if (sections.question) this.#write(sections.comments ? questionText(message) : bareQuestion(message));
    if (sections.answer) this.#write(sectionText("ANSWER", message.answers, sections.comments));
    if (sections.authority) this.#write(sectionText("AUTHORITY", message.authorities, sections.comments));
    if (sections.additional) this.#write(sectionText("ADDITIONAL", message.additionals, sections.comments));
    if (!sections.statistics) return;
    const address = formatIpv4(server);
    this.#write(
      `;; Query time: ${Math.floor(tookNs / MILLISECOND)} msec\n` +
        `;; SERVER: ${address}#${port}(${address}) (${transport.toUpperCase()})\n` +
        `;; WHEN: ${when(this.#process.clock.nowNs)}\n;; MSG SIZE  rcvd: ${sizeBytes}\n\n`,
    );
  }

  #greet(): void {
    if (this.#greeted) return;
    this.#greeted = true;
    const { sections, arguments: argv, server } = this.#options;
    if (!sections.command) return;
    this.#write(`\n; <<>> ${DIG_VERSION} <<>> ${argv.join(" ")}\n`);
    if (server !== undefined) this.#write("; (1 server found)\n");
    this.#write(";; global options: +cmd\n");
  }

  #write(text: string): void {
    this.#process.stdout.write(text);
  }
}

const BAD_PACKETS: Readonly<Record<dns.Malformed, string>> = {
  "dns-truncated": "unexpected end of input",
  "dns-bad-label": "bad label type",
  "dns-bad-pointer": "bad compression pointer",
  "dns-name-too-long": "name too long",
  "dns-bad-record": "extra input text",
};

function bareQuestion(message: dns.Dns): string {
  return questionText(message)
    .replace(/^;; QUESTION SECTION:\n/, "")
    .replace(/\n$/, "");
}

/** ISC's words, where they differ from glibc's. */
export function reason(result: { kind: "timeout" } | { kind: "error"; error: Errno | "end" }): string {
  if (result.kind === "timeout") return "timed out";
  if (result.error === "end") return "end of file";
  if (result.error === "ECONNREFUSED") return "connection refused";
  if (result.error === "EHOSTUNREACH") return "host unreachable";
  if (result.error === "ENETUNREACH") return "network unreachable";
  return errorText(result.error).toLowerCase();
}

/** `Sun Nov 22 22:16:59 UTC 2026`. */
function when(nowNs: Nanoseconds): string {
  const [day, month, date = "", time, year] = formatDate(nowNs).split(/ +/);
  return `${day} ${month} ${date.padStart(2, "0")} ${time} UTC ${year}`;
}
