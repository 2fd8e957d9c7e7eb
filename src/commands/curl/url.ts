/** URLs as curl takes them: the scheme may be left out, a fragment is not sent. RFC 3986, as far as HTTP needs it. */
import { TransferError } from "./transfer-error.ts";

export interface Url {
  /** As it was typed, with a scheme. */
  readonly text: string;
  readonly host: string;
  readonly port: number;
  /** `example.org:8080`: the Host field. */
  readonly authority: string;
  /** Path and query. */
  readonly target: string;
}

const HTTP_PORT = 80;
const MAXIMUM_PORT = 65_535;

export function parseUrl(text: string): Url {
  const scheme = /^([A-Za-z][A-Za-z0-9+.-]*):\/\//.exec(text);
  if (scheme !== null && scheme[1]!.toLowerCase() !== "http")
    throw new TransferError(1, `Protocol "${scheme[1]!.toLowerCase()}" not supported or disabled in libcurl`);
  const rest = scheme === null ? text : text.slice(scheme[0].length);
  const match = /^(?:[^@/?#]*@)?([^:/?#\s]+)(?::(\d*))?(\/[^#\s]*|\?[^#\s]*)?(?:#.*)?$/.exec(rest);
  const port = match?.[2] === undefined || match[2] === "" ? HTTP_PORT : Number(match[2]);
  if (match === null || port > MAXIMUM_PORT) throw new TransferError(3, "URL using bad/illegal format or missing URL");
  const host = match[1]!;
  const path = match[3] ?? "/";
  return {
    text: scheme === null ? `http://${text}` : text,
    host,
    port,
    authority: port === HTTP_PORT ? host : `${host}:${port}`,
    target: path.startsWith("?") ? `/${path}` : path,
  };
}
