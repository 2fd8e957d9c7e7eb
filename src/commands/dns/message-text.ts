/** A DNS message as dig prints it, and `host -v`. */
import * as dns from "../../wire/dns.ts";
import { responseCodeName } from "../../wire/dns-text.ts";
import { questionLine, recordLine } from "./record-text.ts";

const OPERATIONS = ["QUERY", "IQUERY", "STATUS", "RESERVED3", "NOTIFY", "UPDATE"];
const DNSSEC_OK = 0x8000;

/** The two lines about the header. */
export function headerText(message: dns.Dns): string {
  const flags = [
    message.response ? "qr" : "",
    message.authoritative ? "aa" : "",
    message.truncated ? "tc" : "",
    message.recursionDesired ? "rd" : "",
    message.recursionAvailable ? "ra" : "",
    message.authenticData ? "ad" : "",
    message.checkingDisabled ? "cd" : "",
  ];
  const operation = OPERATIONS[message.operation] ?? `RESERVED${message.operation}`;
  return (
    `;; ->>HEADER<<- opcode: ${operation}, status: ${responseCodeName(message.responseCode)}, id: ${message.identifier}\n` +
    `;; flags:${flags.map((flag) => (flag === "" ? "" : ` ${flag}`)).join("")}; QUERY: ${message.questions.length}, ` +
    `ANSWER: ${message.answers.length}, AUTHORITY: ${message.authorities.length}, ADDITIONAL: ${message.additionals.length}\n`
  );
}

/** `;; OPT PSEUDOSECTION:`, without an empty line behind it. */
export function optText(message: dns.Dns): string {
  const opt = dns.findOpt(message);
  if (opt === undefined) return "";
  const version = (opt.timeToLiveS >>> 16) & 255;
  const flags = (opt.timeToLiveS & DNSSEC_OK) === 0 ? "" : " do";
  return `;; OPT PSEUDOSECTION:\n; EDNS: version: ${version}, flags:${flags}; udp: ${opt.class}\n`;
}

export function questionText(message: dns.Dns): string {
  if (message.questions.length === 0) return "";
  return `;; QUESTION SECTION:\n${message.questions.map((question) => `${questionLine(question)}\n`).join("")}\n`;
}

/** One section with its title and an empty line behind it; nothing when it holds no records. OPT is none that is shown. */
export function sectionText(title: string, records: readonly dns.ResourceRecord[], titled: boolean): string {
  const shown = records.filter(({ data }) => dns.typeOf(data) !== dns.TYPE_OPT);
  if (shown.length === 0) return "";
  const lines = shown.map((record) => `${recordLine(record)}\n`).join("");
  return titled ? `;; ${title} SECTION:\n${lines}\n` : lines;
}
