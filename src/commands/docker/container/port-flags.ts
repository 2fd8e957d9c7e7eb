/** `-p`: `[address:][hostPort[-last]:]containerPort[-last][/protocol]` and its long form (docker/go-connections nat). */
import type { PortBinding, PortProtocol } from "../../../docker/bridge/published-port.ts";
import { quoted } from "../../../swarm/stack/go-quote.ts";
import { type Ipv4Address, parseIpv4 } from "../../../wire/address.ts";
import { splitPair } from "../flags.ts";

const PROTOCOLS: ReadonlySet<string> = new Set(["tcp", "udp", "sctp"]);

interface Range {
  readonly first: number;
  readonly last: number;
}

/** The bindings of one flag, or what is wrong with it. */
export function parsePublish(value: string): PortBinding[] | string {
  if (value.includes("=")) return parseLong(value);
  const [ports = "", protocolText] = splitLast(value, "/");
  const protocol = (protocolText ?? "tcp").toLowerCase();
  const parts = ports.split(":");
  const containerText = parts[parts.length - 1]!;
  const hostText = parts.length > 1 ? parts[parts.length - 2]! : "";
  const addressText = parts.slice(0, -2).join(":");
  const hostAddress = readAddress(addressText);
  if (hostAddress === null) return `invalid IP address: ${addressText}`;
  if (containerText === "") return `no port specified: ${value}<empty>`;
  const target = readRange(containerText);
  if (target === undefined) return `invalid containerPort: ${containerText}`;
  const published = hostText === "" ? undefined : readRange(hostText);
  if (hostText !== "" && published === undefined) return `invalid hostPort: ${hostText}`;
  if (!PROTOCOLS.has(protocol)) return `invalid proto: ${protocol}`;
  const count = target.last - target.first;
  if (published !== undefined && published.last - published.first !== count && count !== 0)
    return `invalid ranges specified for container and host Ports: ${containerText} and ${hostText}`;
  const bindings: PortBinding[] = [];
  for (let step = 0; step <= count; step++) {
    const base = { protocol: protocol as PortProtocol, containerPort: target.first + step, hostAddress };
    if (published === undefined) bindings.push(base);
    else if (count === 0 && published.last > published.first)
      bindings.push({ ...base, hostPort: published.first, hostPortEnd: published.last });
    else bindings.push({ ...base, hostPort: published.first + step });
  }
  return bindings;
}

/** `--expose 80/tcp`, `--expose 7000-8000`. */
export function parseExpose(value: string): { protocol: PortProtocol; port: number }[] | string {
  if (value.includes(":")) return `invalid port format for --expose: ${value}`;
  const [ports = "", protocol = "tcp"] = splitLast(value, "/");
  const range = readRange(ports);
  if (range === undefined)
    return `invalid range format for --expose: ${value}, error: strconv.ParseUint: parsing ${quoted(ports)}: invalid syntax`;
  if (!PROTOCOLS.has(protocol)) return `invalid protocol for --expose: ${value}`;
  const exposed = [];
  for (let port = range.first; port <= range.last; port++) exposed.push({ protocol: protocol as PortProtocol, port });
  return exposed;
}

function parseLong(value: string): PortBinding[] | string {
  let protocol = "tcp";
  let containerPort: number | undefined;
  let hostPort: number | undefined;
  for (const field of value.split(",")) {
    const [name, text] = splitPair(field);
    switch (name) {
      case "protocol":
        if (!PROTOCOLS.has(text)) return `invalid protocol value ${text}`;
        protocol = text;
        break;
      case "mode":
        if (text !== "ingress" && text !== "host")
          return `invalid publish mode value (${text}): must be either '${"ingress"}' or 'host'`;
        break;
      case "target":
      case "published": {
        const port = readRange(text);
        if (port === undefined || port.first !== port.last)
          return `invalid ${name} port (${text}): value must be an integer`;
        if (name === "target") containerPort = port.first;
        else hostPort = port.first;
        break;
      }
      default:
        return `invalid field key ${name}`;
    }
  }
  if (containerPort === undefined) return `missing mandatory field '"target"'`;
  return [{ protocol: protocol as PortProtocol, containerPort, hostPort }];
}

function readRange(text: string): Range | undefined {
  const match = /^(\d{1,6})(?:-(\d{1,6}))?$/.exec(text);
  if (match === null) return undefined;
  const first = Number(match[1]);
  const last = Number(match[2] ?? match[1]);
  return last < first || last > 0xffff ? undefined : { first, last };
}

/** Undefined: any; null: none at all. */
function readAddress(text: string): Ipv4Address | undefined | null {
  if (text === "") return undefined;
  const address = parseIpv4(text);
  if (address === undefined) return null;
  return address === 0 ? undefined : address;
}

function splitLast(text: string, sign: string): string[] {
  const at = text.lastIndexOf(sign);
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + 1)];
}
