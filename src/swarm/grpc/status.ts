/** How a gRPC call ended: a code of google.rpc.Code and a message, and grpc-go's words for them. */

export interface Status {
  readonly code: number;
  readonly message: string;
}

/** By number. */
export const CODE_NAMES = [
  "OK",
  "Canceled",
  "Unknown",
  "InvalidArgument",
  "DeadlineExceeded",
  "NotFound",
  "AlreadyExists",
  "PermissionDenied",
  "ResourceExhausted",
  "FailedPrecondition",
  "Aborted",
  "OutOfRange",
  "Unimplemented",
  "Internal",
  "Unavailable",
  "DataLoss",
  "Unauthenticated",
] as const;
export type CodeName = (typeof CODE_NAMES)[number];

export const OK: Status = { code: 0, message: "" };

export function status(name: CodeName, message: string): Status {
  return { code: CODE_NAMES.indexOf(name), message };
}

export function codeName(code: number): string {
  return CODE_NAMES[code] ?? `Code(${code})`;
}

/** What Go prints of the error: `rpc error: code = Unavailable desc = ...`. */
export function formatStatus({ code, message }: Status): string {
  return `rpc error: code = ${codeName(code)} desc = ${message}`;
}

const PRINTABLE_FIRST = 0x20;
const PRINTABLE_LAST = 0x7e;
const PERCENT = 0x25;

/** `grpc-message`: UTF-8, and percent signs before all octets that are not printable ASCII (gRPC over HTTP/2, "Responses"). */
export function encodeMessage(message: string): string {
  let text = "";
  for (const octet of new TextEncoder().encode(message)) {
    const plain = octet >= PRINTABLE_FIRST && octet <= PRINTABLE_LAST && octet !== PERCENT;
    text += plain ? String.fromCharCode(octet) : `%${octet.toString(16).toUpperCase().padStart(2, "0")}`;
  }
  return text;
}

/** The reverse; what is no escape stands for itself, so nothing is refused. */
export function decodeMessage(text: string): string {
  const octets: number[] = [];
  for (let index = 0; index < text.length; index++) {
    const digits = text.slice(index + 1, index + 3);
    if (text.charCodeAt(index) === PERCENT && /^[0-9a-fA-F]{2}$/.test(digits)) {
      octets.push(Number.parseInt(digits, 16));
      index += 2;
    } else octets.push(text.charCodeAt(index) & 0xff);
  }
  return new TextDecoder().decode(Uint8Array.from(octets));
}
