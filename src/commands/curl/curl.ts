/**
 * The word `curl` (7.88.1), plain HTTP: as on a terminal, without the meter of progress. Each URL gets a connection of its own.
 */
import type { Process, Program } from "../../linux/process.ts";
import { SECOND } from "../../sim/time.ts";
import { CommandError } from "../command-error.ts";
import type { CommandContext, Word } from "../word.ts";
import { type CurlOptions, readCurlOptions } from "./options.ts";
import { noFacts, Transfer, type TransferFacts } from "./transfer.ts";
import { TransferError } from "./transfer-error.ts";
import { parseUrl, type Url } from "./url.ts";

const INTERRUPTED = 130;

export const CURL: Word = {
  name: "curl",
  *run(process, context, argv) {
    try {
      const options = readCurlOptions(argv);
      let status = 0;
      for (const [index, text] of options.urls.entries()) {
        status = yield* fetchOne(process, context, options, text, index);
        if (status === INTERRUPTED) return status;
      }
      return status;
    } catch (error) {
      if (!(error instanceof CommandError)) throw error;
      if (error.status === 0) process.stdout.write(error.message);
      else process.stderr.write(`${error.message}\n`);
      return error.status;
    }
  },
};

function* fetchOne(
  process: Process,
  context: CommandContext,
  options: CurlOptions,
  text: string,
  number: number,
): Program {
  let url: Url | undefined;
  let facts = noFacts();
  let failure: TransferError | undefined;
  try {
    url = parseUrl(text);
    const transfer = new Transfer(process, context, options, url, number, showWhere(process, options));
    facts = transfer.facts;
    const ended = yield* transfer.run();
    if (facts.status !== 0) context.figures?.set("status", facts.status);
    if (!ended) return INTERRUPTED;
  } catch (error) {
    if (!(error instanceof TransferError)) throw error;
    failure = error;
  }
  if (failure !== undefined && (!options.silent || options.showErrors))
    process.stderr.write(`curl: (${failure.status}) ${failure.message}\n`);
  if (options.writeOut !== undefined)
    process.stdout.write(writeOut(options.writeOut, facts, url?.text ?? text, failure));
  return failure?.status ?? 0;
}

/** -o: an emulated host has no files but the void. */
function showWhere(process: Process, options: CurlOptions): (text: string) => void {
  switch (options.output) {
    case undefined:
    case "-":
    case "/dev/stdout":
      return (text) => process.stdout.write(text);
    case "/dev/null":
      return () => undefined;
    case "/dev/stderr":
      return (text) => process.stderr.write(text);
    default:
      return (text) => {
        if (text === "") return;
        process.stderr.write(`Warning: Failed to open the file ${options.output}: Read-only file system\n`);
        throw new TransferError(23, "Failure writing output to destination");
      };
  }
}

function writeOut(format: string, facts: TransferFacts, url: string, failure: TransferError | undefined): string {
  const values = new Map<string, string>([
    ["http_code", String(facts.status).padStart(3, "0")],
    ["response_code", String(facts.status).padStart(3, "0")],
    ["http_version", facts.status === 0 ? "0" : "1.1"],
    ["content_type", facts.contentType],
    ["size_download", String(facts.downloadBytes)],
    ["size_upload", String(facts.uploadBytes)],
    ["size_header", String(facts.headBytes)],
    ["size_request", String(facts.requestBytes)],
    ["num_connects", String(facts.connections)],
    ["num_redirects", "0"],
    ["remote_ip", facts.remoteAddress],
    ["remote_port", String(facts.remotePort)],
    ["local_ip", facts.localAddress],
    ["local_port", String(facts.localPort)],
    ["method", facts.method],
    ["scheme", facts.connections === 0 ? "" : "HTTP"],
    ["url", url],
    ["url_effective", facts.connections === 0 && !url.endsWith("/") ? url : withPath(url)],
    ["exitcode", String(failure?.status ?? 0)],
    ["errormsg", failure?.message ?? ""],
    ["time_namelookup", secondsText(facts.lookupNs)],
    ["time_connect", secondsText(facts.connectNs)],
    ["time_appconnect", secondsText(0)],
    ["time_pretransfer", secondsText(facts.connectNs)],
    ["time_starttransfer", secondsText(facts.startNs)],
    ["time_total", secondsText(facts.totalNs)],
    ["time_redirect", secondsText(0)],
    ["speed_download", String(facts.totalNs === 0 ? 0 : Math.floor((facts.downloadBytes * SECOND) / facts.totalNs))],
  ]);
  return format.replaceAll(/%\{([^}]*)\}|%%|\\[nrt]/g, (found, name: string | undefined) => {
    if (found === "%%") return "%";
    if (found === "\\n") return "\n";
    if (found === "\\r") return "\r";
    if (found === "\\t") return "\t";
    return values.get(name ?? "") ?? "";
  });
}

function withPath(url: string): string {
  return /^[a-z]+:\/\/[^/?]*$/.test(url) ? `${url}/` : url;
}

/** `0.000521`: microseconds. */
function secondsText(timeNs: number): string {
  const microseconds = Math.floor(timeNs / 1_000);
  return `${Math.floor(microseconds / 1_000_000)}.${String(microseconds % 1_000_000).padStart(6, "0")}`;
}
