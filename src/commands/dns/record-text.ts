/** DNS records as BIND's programs print them: master file form (RFC 1035 §5.1), columns by tabs. */
import { formatIpv4 } from "../../wire/address.ts";
import { toHex } from "../../wire/bytes.ts";
import * as dns from "../../wire/dns.ts";
import { formatIpv6, typeName } from "../../wire/dns-text.ts";

const TAB = 8;
const TTL_COLUMN = 24;
const CLASS_COLUMN = 32;
const TYPE_COLUMN = 40;
const DATA_COLUMN = 48;
const CLASSES: ReadonlyMap<number, string> = new Map([
  [1, "IN"],
  [3, "CH"],
  [4, "HS"],
  [254, "NONE"],
  [255, "ANY"],
]);

/** `web.demo.`: with the dot at its end. */
export function dotted(name: string): string {
  return `${name}.`;
}

export function typeText(type: number): string {
  return typeName(type) ?? `TYPE${type}`;
}

export function classText(number: number): string {
  return CLASSES.get(number) ?? `CLASS${number}`;
}

export function parseClass(text: string): number | undefined {
  for (const [number, name] of CLASSES) if (name === text.toUpperCase()) return number;
  return undefined;
}

/** `web.demo.		600	IN	A	10.0.0.3`. */
export function recordLine(record: dns.ResourceRecord): string {
  let line = padTo(dotted(record.name), TTL_COLUMN) + record.timeToLiveS;
  const columns = [
    [CLASS_COLUMN, classText(record.class)],
    [TYPE_COLUMN, typeText(dns.typeOf(record.data))],
    [DATA_COLUMN, dataText(record.data)],
  ] as const;
  let column = Math.max(TTL_COLUMN, dotted(record.name).length + 1) + String(record.timeToLiveS).length;
  for (const [at, text] of columns) {
    line += gap(column, at) + text;
    column = Math.max(at, column + 1) + text.length;
  }
  return line;
}

/** `;web.demo.			IN	A`. */
export function questionLine({ name, class: number, type }: dns.Question): string {
  const head = `;${dotted(name)}`;
  const named = classText(number);
  const column = Math.max(CLASS_COLUMN, head.length + 1) + named.length;
  return padTo(head, CLASS_COLUMN) + named + gap(column, TYPE_COLUMN) + typeText(type);
}

/** What stands behind the type. */
export function dataText(data: dns.RecordData): string {
  switch (data.kind) {
    case "a":
      return formatIpv4(data.address);
    case "aaaa":
      return formatIpv6(data.address);
    case "cname":
    case "ns":
    case "ptr":
      return dotted(data.name);
    case "mx":
      return `${data.preference} ${dotted(data.exchange)}`;
    case "soa":
      return [
        dotted(data.primary),
        dotted(data.mailbox),
        data.serial,
        data.refreshS,
        data.retryS,
        data.expireS,
        data.minimumS,
      ].join(" ");
    case "srv":
      return `${data.priority} ${data.weight} ${data.port} ${dotted(data.target)}`;
    case "txt":
      return data.texts.map(quoted).join(" ");
    case "other": {
      // RFC 3597 §5.
      const digits = toHex(data.bytes).toUpperCase();
      return digits === "" ? "\\# 0" : `\\# ${data.bytes.length} ${digits}`;
    }
  }
}

function quoted(text: Uint8Array): string {
  let inside = "";
  for (const octet of text) {
    const letter = String.fromCharCode(octet);
    if (octet < 0x20 || octet > 0x7e) inside += `\\${String(octet).padStart(3, "0")}`;
    else inside += letter === '"' || letter === "\\" ? `\\${letter}` : letter;
  }
  return `"${inside}"`;
}

function padTo(text: string, column: number): string {
  return text + gap(text.length, column);
}

/** From one column to another by tabs, as far as they lead, then by spaces; one at least. */
function gap(from: number, to: number): string {
  const end = Math.max(to, from + 1);
  const tabs = Math.floor(end / TAB) - Math.floor(from / TAB);
  const start = tabs > 0 ? Math.floor(end / TAB) * TAB : from;
  return "\t".repeat(tabs) + " ".repeat(end - start);
}
