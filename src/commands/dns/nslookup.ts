/** nslookup, as BIND 9.18's, with its questions on the command line. */
import type { ExchangeResult } from "../../docker/resolver/exchange.ts";
import type { Process, Program, Wait, Wake } from "../../linux/process.ts";
import { SECOND } from "../../sim/time.ts";
import { formatIpv4, type Ipv4Address, parseIpv4 } from "../../wire/address.ts";
import * as dns from "../../wire/dns.ts";
import { isName } from "../../wire/dns-name.ts";
import { parseType, responseCodeName, reverseName } from "../../wire/dns-text.ts";
import { CommandError } from "../command-error.ts";
import { candidates } from "../stub-resolver.ts";
import type { CommandContext, Word } from "../word.ts";
import { ask } from "./ask.ts";
import { reason } from "./dig.ts";
import { nameServers } from "./name-servers.ts";
import { dataText, dotted, typeText } from "./record-text.ts";

type Step<T> = Generator<Wait, T, Wake>;

interface Options {
  readonly name: string;
  readonly server: string | undefined;
  /** Undefined: A, then AAAA. */
  readonly type: number | undefined;
  readonly port: number;
  readonly timeoutS: number;
  readonly tries: number;
  readonly tcp: boolean;
  readonly search: boolean;
}

export const NSLOOKUP: Word = {
  name: "nslookup",
  *run(process, context, argv) {
    try {
      return yield* runLookup(process, context, parse(argv));
    } catch (error) {
      if (!(error instanceof CommandError)) throw error;
      process.stderr.write(`${error.message}\n`);
      return error.status;
    }
  },
};

function parse(argv: readonly string[]): Options {
  const operands: string[] = [];
  let type: number | undefined;
  let port = dns.UDP_PORT;
  let timeoutS = 5;
  let tries = 2;
  let tcp = false;
  let search = true;
  for (const word of argv) {
    if (!word.startsWith("-") || word === "-") {
      operands.push(word);
      continue;
    }
    const equals = word.indexOf("=");
    const key = equals < 0 ? word.slice(1) : word.slice(1, equals);
    const value = equals < 0 ? "" : word.slice(equals + 1);
    const number = () => {
      if (!/^\d{1,5}$/.test(value)) throw new CommandError(1, `*** Invalid option: ${word.slice(1)}`);
      return Number(value);
    };
    if (["type", "ty", "q", "query", "querytype"].includes(key)) {
      type = parseType(value);
      if (type === undefined) throw new CommandError(1, `unknown query type: ${value}`);
    } else if (key === "port" || key === "po") port = number();
    else if (key === "timeout" || key === "t") timeoutS = number();
    else if (key === "retry" || key === "ret") tries = number();
    else if (key === "vc" || key === "novc") tcp = key === "vc";
    else if (key === "search" || key === "nosearch" || key === "nosea") search = key === "search";
    else if (!["debug", "nodebug", "recurse", "norecurse", "all", "fail", "nofail"].includes(key))
      throw new CommandError(1, `*** Invalid option: ${word.slice(1)}`);
  }
  const [name, server, ...more] = operands;
  if (name === undefined || name === "-" || more.length > 0)
    throw new CommandError(
      1,
      "Usage:\n   nslookup [-opt ...] host          # just look up 'host' using default server\n   nslookup [-opt ...] host server   # just look up 'host' using 'server'",
    );
  return { name, server, type, port, timeoutS, tries, tcp, search };
}

function* runLookup(process: Process, context: CommandContext, options: Options): Program {
  const { stdout } = process;
  const servers = yield* nameServers(process, context, options.server);
  if (servers === undefined) {
    stdout.write(`nslookup: couldn't get address for '${options.server}': not found\n`);
    return 1;
  }
  const address = options.type === undefined ? parseIpv4(options.name) : undefined;
  const { resolvConf } = context.host;
  const names =
    address !== undefined
      ? [reverseName(address)]
      : options.search
        ? candidates(resolvConf, options.name)
        : [options.name.replace(/\.$/, "")];
  const type = address !== undefined ? dns.TYPE_PTR : (options.type ?? dns.TYPE_A);
  for (const [index, name] of names.entries()) {
    if (!isName(name)) throw new CommandError(1, `nslookup: '${name}' is not a legal name (bad name)`);
    const found = yield* askServers(process, context, options, servers, name, type);
    if (found === undefined) return 1;
    const { message, server } = found;
    if (message.responseCode === dns.RCODE_NAME_ERROR && index + 1 < names.length) continue;
    if (address === undefined)
      stdout.write(`Server:\t\t${formatIpv4(server)}\nAddress:\t${formatIpv4(server)}#${options.port}\n\n`);
    if (message.responseCode !== dns.RCODE_NO_ERROR) {
      stdout.write(`** server can't find ${name}: ${responseCodeName(message.responseCode)}\n\n`);
      return 1;
    }
    if (!message.authoritative && address === undefined) stdout.write("Non-authoritative answer:\n");
    let lines = answerLines(message.answers);
    if (options.type === undefined && address === undefined) {
      const second = yield* askServers(process, context, options, [server], name, dns.TYPE_AAAA);
      if (second === undefined) return 1;
      // Names behind an alias were told with the first answer.
      lines += answerLines(second.message.answers.filter(({ data }) => data.kind === "aaaa"));
    }
    stdout.write(lines === "" ? `*** Can't find ${name}: No answer\n` : lines);
    if (!message.authoritative && type !== dns.TYPE_A && type !== dns.TYPE_AAAA)
      stdout.write(`\nAuthoritative answers can be found from:\n${answerLines(message.authorities)}`);
    stdout.write("\n");
    return 0;
  }
  return 1;
}

/** Undefined: no answer at all, which has been said. */
function* askServers(
  process: Process,
  { namespace }: CommandContext,
  options: Options,
  servers: readonly Ipv4Address[],
  name: string,
  type: number,
): Step<{ message: dns.Dns; server: Ipv4Address } | undefined> {
  let transport: "udp" | "tcp" = options.tcp || type === dns.TYPE_ANY ? "tcp" : "udp";
  for (let tried = 0; tried < Math.max(options.tries, 1); tried++) {
    for (const [index, server] of servers.entries()) {
      const bytes = dns.toBytes(dns.query(process.random.below(0x1_0000), name, type));
      const settings = { namespace, transport, server, port: options.port, bytes };
      let result: ExchangeResult | "signal" = yield* ask(process, {
        ...settings,
        timeoutNs: options.timeoutS * SECOND,
      });
      if (result !== "signal" && result.kind === "answer" && result.message.truncated && transport === "udp") {
        process.stdout.write(";; Truncated, retrying in TCP mode.\n");
        transport = "tcp";
        result = yield* ask(process, { ...settings, transport, timeoutNs: options.timeoutS * SECOND });
      }
      if (result === "signal") return undefined;
      if (result.kind === "answer") {
        if (result.message.responseCode === dns.RCODE_SERVER_FAILURE && index + 1 < servers.length) continue;
        return { message: result.message, server };
      }
      if (result.kind === "malformed") continue;
      const at = `${formatIpv4(server)}#${options.port}`;
      process.stdout.write(`;; communications error to ${at}: ${reason(result)}\n`);
    }
  }
  process.stdout.write(";; no servers could be reached\n\n");
  return undefined;
}

function answerLines(records: readonly dns.ResourceRecord[]): string {
  return records.map(answerLine).join("");
}

/** nslookup has a phrase of its own for each type. */
function answerLine({ name, data }: dns.ResourceRecord): string {
  const text = dataText(data);
  switch (data.kind) {
    case "a":
    case "aaaa":
      return `Name:\t${name}\nAddress: ${text}\n`;
    case "cname":
      return `${name}\tcanonical name = ${text}\n`;
    case "ns":
      return `${name}\tnameserver = ${text}\n`;
    case "ptr":
      return `${name}\tname = ${text}\n`;
    case "mx":
      return `${name}\tmail exchanger = ${text}\n`;
    case "txt":
      return `${name}\ttext = ${text}\n`;
    case "srv":
      return `${name}\tservice = ${text}\n`;
    case "soa":
      return (
        `${name}\n\torigin = ${dotted(data.primary).slice(0, -1)}\n\tmail addr = ${dotted(data.mailbox).slice(0, -1)}\n` +
        `\tserial = ${data.serial}\n\trefresh = ${data.refreshS}\n\tretry = ${data.retryS}\n` +
        `\texpire = ${data.expireS}\n\tminimum = ${data.minimumS}\n`
      );
    case "other":
      return `${name}\trdata_${data.type} = ${typeText(data.type)} ${text}\n`;
  }
}
