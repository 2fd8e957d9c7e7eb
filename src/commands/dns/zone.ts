/** A few records in master file form (RFC 1035 §5.1), one a line, and what a server that has them answers (RFC 1034 §4.3.2). */
import { parseIpv4 } from "../../wire/address.ts";
import * as dns from "../../wire/dns.ts";
import { isName } from "../../wire/dns-name.ts";
import { parseType } from "../../wire/dns-text.ts";
import { parseClass } from "./record-text.ts";

export const DEFAULT_TTL_S = 300;
/** How many aliases are followed. */
const MAXIMUM_ALIASES = 16;
const ENCODER = new TextEncoder();

export class Zone {
  readonly #records = new Map<string, dns.ResourceRecord[]>();

  add(record: dns.ResourceRecord): void {
    const key = record.name.toLowerCase();
    const others = this.#records.get(key);
    if (others === undefined) this.#records.set(key, [record]);
    else others.push(record);
  }

  /** The answer to a query for one question; "no such name" for what the zone does not hold. */
  answer(query: dns.Dns): dns.Dns {
    const question = query.questions[0];
    const base: dns.Dns = {
      ...query,
      response: true,
      authoritative: true,
      recursionAvailable: true,
      authenticData: false,
      questions: query.questions.slice(0, 1),
      answers: [],
      authorities: [],
      additionals: dns.findOpt(query) === undefined ? [] : [dns.optRecord(EDNS_BYTES)],
    };
    if (question === undefined) return { ...base, responseCode: dns.RCODE_FORMAT_ERROR };
    if (query.operation !== 0) return { ...base, responseCode: dns.RCODE_NOT_IMPLEMENTED };
    const answers: dns.ResourceRecord[] = [];
    let name = question.name;
    let known = false;
    for (let alias = 0; alias < MAXIMUM_ALIASES; alias++) {
      const records = this.#records.get(name.toLowerCase());
      if (records === undefined) break;
      known = true;
      const matching = records.filter(
        ({ data }) => question.type === dns.TYPE_ANY || dns.typeOf(data) === question.type,
      );
      answers.push(...matching);
      const next = records.find(({ data }) => data.kind === "cname");
      if (matching.length > 0 || next?.data.kind !== "cname") break;
      answers.push(next);
      name = next.data.name;
    }
    return { ...base, responseCode: known ? dns.RCODE_NO_ERROR : dns.RCODE_NAME_ERROR, answers };
  }
}

const EDNS_BYTES = 1_232;

/** `web.demo 300 IN A 10.0.0.3`, `web.demo=10.0.0.3`; undefined when it is neither. */
export function parseRecord(line: string): dns.ResourceRecord | undefined {
  const short = /^([^\s=]+)=([\d.]+)$/.exec(line.trim());
  if (short !== null) return parseRecord(`${short[1]} A ${short[2]}`);
  const [owner = "", ...fields] = line.trim().match(/"(?:[^"\\]|\\.)*"|\S+/g) ?? [];
  const name = absolute(owner);
  let timeToLiveS = DEFAULT_TTL_S;
  let number: number = dns.CLASS_INTERNET;
  while (fields.length > 0) {
    if (/^\d{1,9}$/.test(fields[0]!)) timeToLiveS = Number(fields.shift());
    else if (parseClass(fields[0]!) !== undefined && fields[0]!.toUpperCase() !== "ANY")
      number = parseClass(fields.shift()!)!;
    else break;
  }
  const type = parseType(fields.shift() ?? "");
  const data = type === undefined ? undefined : parseData(type, fields);
  if (name === undefined || data === undefined) return undefined;
  return { name, class: number, timeToLiveS, data };
}

function parseData(type: number, fields: readonly string[]): dns.RecordData | undefined {
  const [first = "", second = "", third = "", fourth = ""] = fields;
  const number = (text: string) => (/^\d{1,5}$/.test(text) && Number(text) <= 0xffff ? Number(text) : undefined);
  const expected = type === dns.TYPE_SRV ? 4 : type === dns.TYPE_MX ? 2 : 1;
  if (type === dns.TYPE_TXT ? fields.length === 0 : fields.length !== expected) return undefined;
  switch (type) {
    case dns.TYPE_A: {
      const address = parseIpv4(first);
      return address === undefined ? undefined : { kind: "a", address };
    }
    case dns.TYPE_CNAME:
    case dns.TYPE_NS:
    case dns.TYPE_PTR: {
      const name = absolute(first);
      if (name === undefined) return undefined;
      return { kind: type === dns.TYPE_CNAME ? "cname" : type === dns.TYPE_NS ? "ns" : "ptr", name };
    }
    case dns.TYPE_MX: {
      const preference = number(first);
      const exchange = absolute(second);
      return preference === undefined || exchange === undefined ? undefined : { kind: "mx", preference, exchange };
    }
    case dns.TYPE_SRV: {
      const [priority, weight, port] = [number(first), number(second), number(third)];
      const target = absolute(fourth);
      if (priority === undefined || weight === undefined || port === undefined || target === undefined)
        return undefined;
      return { kind: "srv", priority, weight, port, target };
    }
    case dns.TYPE_TXT: {
      const texts = fields.map((field) => ENCODER.encode(field.replace(/^"|"$/g, "").replace(/\\(.)/g, "$1")));
      return texts.every((text) => text.length <= 255) ? { kind: "txt", texts } : undefined;
    }
    default:
      return undefined;
  }
}

/** Names are absolute with or without the last dot: there is no origin. */
function absolute(text: string): string | undefined {
  const name = text.endsWith(".") ? text.slice(0, -1) : text;
  return text !== "" && isName(name) ? name : undefined;
}
