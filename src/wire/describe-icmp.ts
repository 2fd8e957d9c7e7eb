/** An ICMP message in the words of tcpdump, with the packet that an error quotes in brief. */
import { formatIpv4 } from "./address.ts";
import { getU16 } from "./bytes.ts";
import * as icmp from "./icmp.ts";
import * as ipv4 from "./ipv4.ts";

/** The message from `at` to `end`, the end of the IP packet. */
export function describeIcmp(bytes: Uint8Array, at: number, end: number): string {
  const message = icmp.parse(bytes, at, end);
  if (typeof message === "string") return `ICMP [${message}]`;
  const length = `length ${end - at}`;
  const quoteAt = at + icmp.HEADER_BYTES;
  switch (message.kind) {
    case "echo-request":
      return `ICMP echo request, id ${message.identifier}, seq ${message.sequence}, ${length}`;
    case "echo-reply":
      return `ICMP echo reply, id ${message.identifier}, seq ${message.sequence}, ${length}`;
    case "timestamp-request":
      return `ICMP time stamp query id ${message.identifier} seq ${message.sequence}, ${length}`;
    case "timestamp-reply":
      return `ICMP time stamp reply id ${message.identifier} seq ${message.sequence}, ${length}`;
    case "unreachable":
      return `ICMP ${unreachable(message, bytes, quoteAt, end)}${quote(bytes, quoteAt, end)}, ${length}`;
    case "time-exceeded": {
      const what =
        message.code === icmp.CODE_TTL_EXCEEDED
          ? "time exceeded in-transit"
          : message.code === icmp.CODE_REASSEMBLY_EXCEEDED
            ? "ip reassembly time exceeded"
            : `time exceeded #${message.code}`;
      return `ICMP ${what}${quote(bytes, quoteAt, end)}, ${length}`;
    }
    case "redirect": {
      const what = message.code === icmp.CODE_REDIRECT_HOST ? "host" : message.code === 0 ? "net" : `#${message.code}`;
      const target = `${quotedDestination(bytes, quoteAt, end)} to ${what} ${formatIpv4(message.gateway)}`;
      return `ICMP redirect ${target}${quote(bytes, quoteAt, end)}, ${length}`;
    }
    case "parameter-problem":
      return `ICMP parameter problem - octet ${message.pointer}${quote(bytes, quoteAt, end)}, ${length}`;
    case "other":
      return `ICMP type-#${message.type} code ${message.code}, ${length}`;
  }
}

function unreachable(
  message: icmp.Icmp & { readonly kind: "unreachable" },
  bytes: Uint8Array,
  at: number,
  end: number,
): string {
  const target = quotedDestination(bytes, at, end);
  switch (message.code) {
    case icmp.CODE_NETWORK_UNREACHABLE:
      return `net ${target} unreachable`;
    case icmp.CODE_HOST_UNREACHABLE:
      return `host ${target} unreachable`;
    case icmp.CODE_PROTOCOL_UNREACHABLE:
      return ipv4.checkHeader(bytes, at, end) === undefined
        ? `${target} protocol ${ipv4.protocol(bytes, at)} unreachable`
        : `${target} protocol unreachable`;
    case icmp.CODE_PORT_UNREACHABLE: {
      const ports = portsAt(bytes, at, end);
      return ports === undefined
        ? `${target} port unreachable`
        : `${target} ${protocolName(ipv4.protocol(bytes, at))} port ${ports.destination} unreachable`;
    }
    case icmp.CODE_FRAGMENTATION_NEEDED:
      return `${target} unreachable - need to frag (mtu ${message.mtu})`;
    case icmp.CODE_PROHIBITED:
      return `host ${target} unreachable - admin prohibited filter`;
    default:
      return `${target} unreachable - #${message.code}`;
  }
}

function quotedDestination(bytes: Uint8Array, at: number, end: number): string {
  return ipv4.checkHeader(bytes, at, end) === undefined ? formatIpv4(ipv4.destination(bytes, at)) : "?";
}

/** `, quoting 10.0.0.2.20001 > 10.0.0.3.9999 udp`. */
function quote(bytes: Uint8Array, at: number, end: number): string {
  if (ipv4.checkHeader(bytes, at, end) !== undefined) return "";
  const ports = portsAt(bytes, at, end);
  const source = formatIpv4(ipv4.source(bytes, at)) + (ports === undefined ? "" : `.${ports.source}`);
  const destination = formatIpv4(ipv4.destination(bytes, at)) + (ports === undefined ? "" : `.${ports.destination}`);
  return `, quoting ${source} > ${destination} ${protocolName(ipv4.protocol(bytes, at))}`;
}

/** The ports of a quoted UDP or TCP packet: the first four bytes behind its header. */
function portsAt(
  bytes: Uint8Array,
  at: number,
  end: number,
): { readonly source: number; readonly destination: number } | undefined {
  if (ipv4.checkHeader(bytes, at, end) !== undefined || ipv4.fragmentOffsetBytes(bytes, at) !== 0) return undefined;
  const protocol = ipv4.protocol(bytes, at);
  const ports = at + ipv4.headerBytes(bytes, at);
  if (protocol !== ipv4.PROTOCOL_UDP && protocol !== ipv4.PROTOCOL_TCP) return undefined;
  return ports + 4 > end ? undefined : { source: getU16(bytes, ports), destination: getU16(bytes, ports + 2) };
}

function protocolName(protocol: number): string {
  switch (protocol) {
    case ipv4.PROTOCOL_ICMP:
      return "icmp";
    case ipv4.PROTOCOL_IGMP:
      return "igmp";
    case ipv4.PROTOCOL_TCP:
      return "tcp";
    case ipv4.PROTOCOL_UDP:
      return "udp";
    case ipv4.PROTOCOL_ESP:
      return "esp";
    default:
      return `ip-proto-${protocol}`;
  }
}
