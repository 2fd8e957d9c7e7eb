/** Header fields of a call (gRPC over HTTP/2, "Requests" and "Responses"), in the order in which grpc-go writes them. */
import type { Nanoseconds } from "../../sim/time.ts";
import type { HeaderField } from "../../wire/hpack.ts";
import { ERROR_NAMES } from "../../wire/http2.ts";
import { formatTimeout, parseTimeout } from "./call-timeout.ts";
import { type CodeName, decodeMessage, encodeMessage, type Status, status } from "./status.ts";

const CONTENT_TYPE = "application/grpc";

/** Lower-case names to values; what a call carries beside its messages. */
export type Metadata = ReadonlyMap<string, string>;
export const NO_METADATA: Metadata = new Map();

export interface RequestHead {
  readonly method: string;
  readonly authority: string;
  readonly scheme: "http" | "https";
  readonly userAgent: string;
  readonly timeoutNs: Nanoseconds | undefined;
  readonly metadata: Metadata;
}

export function requestFields(head: RequestHead): HeaderField[] {
  const fields: HeaderField[] = [
    { name: ":method", value: "POST" },
    { name: ":scheme", value: head.scheme },
    { name: ":path", value: head.method },
    { name: ":authority", value: head.authority },
    { name: "content-type", value: CONTENT_TYPE },
    { name: "user-agent", value: head.userAgent },
    { name: "te", value: "trailers" },
  ];
  if (head.timeoutNs !== undefined) fields.push({ name: "grpc-timeout", value: formatTimeout(head.timeoutNs) });
  for (const [name, value] of head.metadata) fields.push({ name, value });
  return fields;
}

export const RESPONSE_FIELDS: readonly HeaderField[] = [
  { name: ":status", value: "200" },
  { name: "content-type", value: CONTENT_TYPE },
];

export function trailerFields({ code, message }: Status): HeaderField[] {
  return [
    { name: "grpc-status", value: String(code) },
    { name: "grpc-message", value: encodeMessage(message) },
  ];
}

/** What a server needs of a request; `malformed`: no request at all (RFC 9113 §8.1.1); a status: HTTP, but not gRPC. */
export type ParsedRequest =
  | { readonly method: string; readonly timeoutNs: Nanoseconds | undefined; readonly metadata: Metadata }
  | { readonly refused: Status; readonly httpStatus: string }
  | "malformed";

export function parseRequest(fields: readonly HeaderField[]): ParsedRequest {
  const values = new Map(fields.map(({ name, value }) => [name, value]));
  const path = values.get(":path");
  const pseudo = fields.filter(({ name }) => name.startsWith(":"));
  if (path === undefined || pseudo.length !== new Set(pseudo.map(({ name }) => name)).size) return "malformed";
  if (values.get(":method") !== "POST") {
    const text = `http2Server.operateHeaders parsed a :method field: ${values.get(":method") ?? ""} which should be POST`;
    return { refused: status("Internal", text), httpStatus: "405" };
  }
  const type = values.get("content-type") ?? "";
  if (!isGrpc(type)) {
    const text = `invalid gRPC request content-type ${JSON.stringify(type)}`;
    return { refused: status("InvalidArgument", text), httpStatus: "415" };
  }
  const timeout = values.get("grpc-timeout");
  const timeoutNs = timeout === undefined ? undefined : parseTimeout(timeout);
  if (timeout !== undefined && timeoutNs === undefined)
    return { refused: status("Internal", `malformed grpc-timeout: ${timeout}`), httpStatus: "400" };
  return { method: path, timeoutNs, metadata: metadataOf(fields) };
}

function isGrpc(contentType: string): boolean {
  const rest = contentType.startsWith(CONTENT_TYPE) ? contentType.slice(CONTENT_TYPE.length) : "?";
  return rest === "" || rest.startsWith("+") || rest.startsWith(";");
}

/** Everything that is not the protocol's own. */
export function metadataOf(fields: readonly HeaderField[]): Metadata {
  const own = fields.filter(({ name }) => !name.startsWith(":") && !name.startsWith("grpc-"));
  const reserved = ["content-type", "te", "user-agent"];
  return new Map(own.filter(({ name }) => !reserved.includes(name)).map(({ name, value }) => [name, value]));
}

/** Why an answer's first fields are no gRPC answer; undefined: they are one. */
export function refuseResponse(fields: readonly HeaderField[]): Status | undefined {
  const values = new Map(fields.map(({ name, value }) => [name, value]));
  const http = values.get(":status");
  const type = values.get("content-type") ?? "";
  if (http === undefined) return status("Internal", "malformed header: missing HTTP status");
  if (http !== "200" && !values.has("grpc-status")) {
    const code = HTTP_CODES.get(http) ?? "Unknown";
    return status(code, `unexpected HTTP status code received from server: ${http}`);
  }
  return isGrpc(type) ? undefined : status("Unknown", `unexpected content-type ${JSON.stringify(type)}`);
}

/** gRPC's "HTTP to gRPC Status Code Mapping". */
const HTTP_CODES: ReadonlyMap<string, CodeName> = new Map([
  ["400", "Internal"],
  ["401", "Unauthenticated"],
  ["403", "PermissionDenied"],
  ["404", "Unimplemented"],
  ["429", "Unavailable"],
  ["502", "Unavailable"],
  ["503", "Unavailable"],
  ["504", "Unavailable"],
]);

/** The status in the trailers. */
export function parseTrailers(fields: readonly HeaderField[]): Status {
  const values = new Map(fields.map(({ name, value }) => [name, value]));
  const code = values.get("grpc-status");
  if (code === undefined) return status("Internal", "server closed the stream without sending trailers");
  if (!/^[0-9]{1,9}$/.test(code)) return status("Internal", `malformed grpc-status: ${code}`);
  return { code: Number(code), message: decodeMessage(values.get("grpc-message") ?? "") };
}

/** What a RST_STREAM means for a call (gRPC over HTTP/2, "Errors"). */
export function statusOfReset(errorCode: number): Status {
  const name = ERROR_NAMES[errorCode];
  const text = `stream terminated by RST_STREAM with error code: ${name ?? errorCode}`;
  switch (name) {
    case "CANCEL":
      return status("Canceled", text);
    case "REFUSED_STREAM":
      return status("Unavailable", text);
    case "FLOW_CONTROL_ERROR":
    case "ENHANCE_YOUR_CALM":
      return status("ResourceExhausted", text);
    case "INADEQUATE_SECURITY":
      return status("PermissionDenied", text);
    default:
      return status("Internal", text);
  }
}
