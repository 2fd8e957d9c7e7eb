/** host(1), as BIND 9.18's: A, AAAA and MX of a name, or the name of an address. */
import type { Process, Program, Wait, Wake } from "../../linux/process.ts";
import { SECOND } from "../../sim/time.ts";
import { formatIpv4, type Ipv4Address, parseIpv4 } from "../../wire/address.ts";
import * as dns from "../../wire/dns.ts";
import { isName } from "../../wire/dns-name.ts";
import { parseType, responseCodeName, reverseName } from "../../wire/dns-text.ts";
import { CommandError } from "../command-error.ts";
import { OptionReader } from "../option-reader.ts";
import { candidates } from "../stub-resolver.ts";
import type { CommandContext, Word } from "../word.ts";
import { ask } from "./ask.ts";
import { reason } from "./dig.ts";
import { headerText, questionText, sectionText } from "./message-text.ts";
import { nameServers } from "./name-servers.ts";
import { dataText, typeText } from "./record-text.ts";

type Step<T> = Generator<Wait, T, Wake>;

interface Options {
  readonly name: string;
  readonly server: string | undefined;
  readonly types: readonly number[] | undefined;
  readonly port: number;
  readonly waitS: number;
  readonly retries: number;
  readonly tcp: boolean;
  readonly verbose: boolean;
  readonly recursion: boolean;
}

const USAGE =
  "Usage: host [-aCdilrTvVw] [-c class] [-N ndots] [-t type] [-W time]\n            [-R number] [-m flag] [-p port] hostname [server]";
const DEFAULT_TYPES = [dns.TYPE_A, dns.TYPE_AAAA, dns.TYPE_MX];

export const HOST: Word = {
  name: "host",
  *run(process, context, argv) {
    try {
      return yield* runHost(process, context, parse(argv));
    } catch (error) {
      if (!(error instanceof CommandError)) throw error;
      process.stderr.write(`${error.message}\n`);
      return error.status;
    }
  },
};

function parse(argv: readonly string[]): Options {
  const reader = new OptionReader("host", argv, "adilrsTUvVw46Cc:m:N:p:R:t:W:", USAGE, 1);
  let types: readonly number[] | undefined;
  let port = dns.UDP_PORT;
  let waitS = 5;
  let retries = 1;
  let tcp = false;
  let verbose = false;
  let recursion = true;
  for (const { letter, value } of reader.options()) {
    const number = () => {
      if (!/^\d{1,5}$/.test(value)) throw new CommandError(1, `host: ${value}: bad number`);
      return Number(value);
    };
    if (letter === "t") {
      const type = parseType(value);
      if (type === undefined) throw new CommandError(2, `host: invalid type: ${value}`);
      types = [type];
    } else if (letter === "a") {
      types = [dns.TYPE_ANY];
      verbose = true;
    } else if (letter === "p") port = number();
    else if (letter === "W") waitS = Math.max(number(), 1);
    else if (letter === "R") retries = number();
    else if (letter === "T") tcp = true;
    else if (letter === "v" || letter === "d") verbose = true;
    else if (letter === "r") recursion = false;
  }
  const [name, server] = reader.operands;
  if (name === undefined) throw new CommandError(1, USAGE);
  return { name, server, types, port, waitS, retries, tcp, verbose, recursion };
}

function* runHost(process: Process, context: CommandContext, options: Options): Program {
  const { stdout } = process;
  const servers = yield* nameServers(process, context, options.server);
  if (servers === undefined) {
    process.stderr.write(`host: couldn't get address for '${options.server}': not found\n`);
    return 1;
  }
  const address = parseIpv4(options.name);
  const names = address === undefined ? candidates(context.host.resolvConf, options.name) : [reverseName(address)];
  const types = options.types ?? (address === undefined ? DEFAULT_TYPES : [dns.TYPE_PTR]);
  const introduce = (server: Ipv4Address) => {
    const at = formatIpv4(server);
    stdout.write(`Using domain server:\nName: ${options.server}\nAddress: ${at}#${options.port}\nAliases: \n\n`);
  };
  let introduced = options.server === undefined;
  for (const [index, name] of names.entries()) {
    if (!isName(name)) throw new CommandError(1, `host: '${name}' is not a legal name (bad name)`);
    let target = name;
    for (const [order, type] of types.entries()) {
      if (options.verbose) stdout.write(`Trying "${name}"\n`);
      const found = yield* askServers(process, context, options, servers, order === 0 ? name : target, type);
      if (found === undefined) return 1;
      const { message, server, sizeBytes, tookNs } = found;
      const { responseCode, answers } = message;
      if (responseCode === dns.RCODE_NAME_ERROR && order === 0 && index + 1 < names.length) break;
      if (!introduced) introduce(server);
      introduced = true;
      if (responseCode !== dns.RCODE_NO_ERROR) {
        if (order > 0) return 0;
        stdout.write(`Host ${name} not found: ${responseCode}(${responseCodeName(responseCode)})\n`);
        return 1;
      }
      if (options.verbose) {
        stdout.write(
          `;; ${headerText(message).slice(3)}\n${questionText(message)}${sectionText("ANSWER", answers, true)}` +
            `Received ${sizeBytes} bytes from ${formatIpv4(server)}#${options.port} in ${Math.floor(tookNs / 1e6)} ms\n`,
        );
      } else {
        for (const record of answers)
          if (order === 0 || record.data.kind !== "cname") stdout.write(`${recordText(record)}\n`);
        if (answers.length === 0 && options.types !== undefined)
          stdout.write(`${name} has no ${typeText(type)} record\n`);
      }
      // What an alias stands for is asked for in what follows.
      for (const { data } of answers) if (data.kind === "cname") target = data.name;
      if (order === types.length - 1) return 0;
    }
  }
  return 1;
}

function* askServers(
  process: Process,
  { namespace }: CommandContext,
  options: Options,
  servers: readonly Ipv4Address[],
  name: string,
  type: number,
): Step<{ message: dns.Dns; server: Ipv4Address; sizeBytes: number; tookNs: number } | undefined> {
  let transport: "udp" | "tcp" = options.tcp || type === dns.TYPE_ANY ? "tcp" : "udp";
  for (let tried = 0; tried <= options.retries; tried++) {
    for (const server of servers) {
      const query = dns.query(process.random.below(0x1_0000), name, type);
      const bytes = dns.toBytes({ ...query, recursionDesired: options.recursion });
      const sentNs = process.clock.nowNs;
      const settings = { namespace, server, port: options.port, bytes, timeoutNs: options.waitS * SECOND };
      let result = yield* ask(process, { ...settings, transport });
      if (result !== "signal" && result.kind === "answer" && result.message.truncated && transport === "udp") {
        transport = "tcp";
        result = yield* ask(process, { ...settings, transport });
      }
      if (result === "signal") return undefined;
      if (result.kind === "answer")
        return {
          message: result.message,
          server,
          sizeBytes: result.bytes.length,
          tookNs: process.clock.nowNs - sentNs,
        };
      if (result.kind === "malformed") continue;
      process.stdout.write(`;; communications error to ${formatIpv4(server)}#${options.port}: ${reason(result)}\n`);
    }
  }
  process.stdout.write(";; no servers could be reached\n");
  return undefined;
}

function recordText({ name, data }: dns.ResourceRecord): string {
  const text = dataText(data);
  switch (data.kind) {
    case "a":
      return `${name} has address ${text}`;
    case "aaaa":
      return `${name} has IPv6 address ${text}`;
    case "cname":
      return `${name} is an alias for ${text}`;
    case "ns":
      return `${name} name server ${text}`;
    case "ptr":
      return `${name} domain name pointer ${text}`;
    case "mx":
      return `${name} mail is handled by ${text}`;
    case "txt":
      return `${name} descriptive text ${text}`;
    case "soa":
      return `${name} has SOA record ${text}`;
    case "srv":
      return `${name} has SRV record ${text}`;
    case "other":
      return `${name} has ${typeText(data.type)} record ${text}`;
  }
}
