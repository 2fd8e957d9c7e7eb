/** A TCP segment in the words of tcpdump, with absolute sequence numbers: one line knows nothing of the connection. */
import * as tcp from "./tcp.ts";
import type { TcpOption } from "./tcp-options.ts";

/** The segment from `at` to `end`, the end of the IP packet. */
export function describeTcp(bytes: Uint8Array, at: number, end: number): string {
  const header = tcp.parse(bytes, at, end);
  if (typeof header === "string") return `tcp [${header}]`;
  const length = end - at - tcp.dataOffsetBytes(bytes, at);
  const { flags, sequence } = header;
  let text = `Flags [${flagLetters(flags)}]`;
  if (length > 0) text += `, seq ${sequence}:${(sequence + length) >>> 0}`;
  else if ((flags & (tcp.SYN | tcp.FIN | tcp.RST)) !== 0) text += `, seq ${sequence}`;
  if ((flags & tcp.ACK) !== 0) text += `, ack ${header.acknowledgement}`;
  text += `, win ${header.window}`;
  if ((flags & tcp.URG) !== 0) text += `, urg ${header.urgentPointer}`;
  if (header.options.length > 0) text += `, options [${header.options.map(describeOption).join(",")}]`;
  return `${text}, length ${length}`;
}

function flagLetters(flags: number): string {
  const letters =
    ((flags & tcp.FIN) !== 0 ? "F" : "") +
    ((flags & tcp.SYN) !== 0 ? "S" : "") +
    ((flags & tcp.RST) !== 0 ? "R" : "") +
    ((flags & tcp.PSH) !== 0 ? "P" : "") +
    ((flags & tcp.ACK) !== 0 ? "." : "") +
    ((flags & tcp.URG) !== 0 ? "U" : "") +
    ((flags & tcp.ECE) !== 0 ? "E" : "") +
    ((flags & tcp.CWR) !== 0 ? "W" : "");
  return letters === "" ? "none" : letters;
}

function describeOption(option: TcpOption): string {
  switch (option.kind) {
    case "no-operation":
      return "nop";
    case "maximum-segment-size":
      return `mss ${option.sizeBytes}`;
    case "window-scale":
      return `wscale ${option.shift}`;
    case "sack-permitted":
      return "sackOK";
    case "sack":
      return `sack ${option.blocks.length} ${option.blocks.map((block) => `{${block.left}:${block.right}}`).join("")}`;
    case "timestamps":
      return `TS val ${option.value} ecr ${option.echoReply}`;
    case "other":
      return `unknown-${option.type}`;
  }
}
