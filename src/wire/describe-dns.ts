/** A DNS message in the words of tcpdump: `4660+ A? web.demo. (26)`, `4660* 1/0/0 A 10.0.0.3 (42)`. */
import { formatIpv4 } from "./address.ts";
import * as dns from "./dns.ts";
import { formatIpv6, typeName } from "./dns-text.ts";

const RESPONSE_CODES = ["", " FormErr", " ServFail", " NXDomain", " NotImp", " Refused"] as const;

/** The message from `at` to `end`; broken ones give their reason in brackets. */
export function describeDns(bytes: Uint8Array, at: number, end: number): string {
  const message = dns.parse(bytes, at, end);
  if (typeof message === "string") return `DNS [${message}] (${end - at})`;
  const operation = message.operation === 0 ? "" : ` op${message.operation}`;
  if (!message.response) {
    const marks = `${message.recursionDesired ? "+" : ""}${message.checkingDisabled ? "%" : ""}`;
    const questions = message.questions.map((question) => ` ${tcpdumpType(question.type)}? ${dotted(question.name)}`);
    return `${message.identifier}${operation}${marks}${questions.join("")} (${end - at})`;
  }
  const code = RESPONSE_CODES[message.responseCode] ?? ` Resp${message.responseCode}`;
  const marks =
    (message.authoritative ? "*" : "") +
    (message.recursionAvailable ? "" : "-") +
    (message.truncated ? "|" : "") +
    (message.authenticData ? "$" : "");
  const counts = `${message.answers.length}/${message.authorities.length}/${message.additionals.length}`;
  const answers = message.answers.map((record) => ` ${describeData(record.data)}`).join(",");
  return `${message.identifier}${operation}${code}${marks} ${counts}${answers} (${end - at})`;
}

function describeData(data: dns.RecordData): string {
  const type = tcpdumpType(dns.typeOf(data));
  switch (data.kind) {
    case "a":
      return `${type} ${formatIpv4(data.address)}`;
    case "aaaa":
      return `${type} ${formatIpv6(data.address)}`;
    case "cname":
    case "ns":
    case "ptr":
      return `${type} ${dotted(data.name)}`;
    case "mx":
      return `${type} ${dotted(data.exchange)} ${data.preference}`;
    case "soa":
      return type;
    case "srv":
      return `${type} ${dotted(data.target)}:${data.port} ${data.priority} ${data.weight}`;
    case "txt":
      return `${type} ${data.texts.map((text) => `"${printable(text)}"`).join(" ")}`;
    case "other":
      return type;
  }
}

function tcpdumpType(type: number): string {
  return typeName(type) ?? `Type${type}`;
}

function dotted(name: string): string {
  return `${name}.`;
}

function printable(text: Uint8Array): string {
  return Array.from(text, (octet) => (octet >= 0x20 && octet < 0x7f ? String.fromCharCode(octet) : ".")).join("");
}
