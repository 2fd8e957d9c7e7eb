/** One request of `curl` and its response: connects, sends, reads, and tells with -v what it does, in curl's words. */
import { type Errno, errorText } from "../../linux/errno.ts";
import type { Process, Wait, Wake } from "../../linux/process.ts";
import { connect, readSome, writeAll } from "../../linux/tcp/blocking.ts";
import { TcpSocket } from "../../linux/tcp/tcp-socket.ts";
import { MILLISECOND, type Nanoseconds } from "../../sim/time.ts";
import { formatIpv4, IPV4_ANY, type Ipv4Address, parseIpv4 } from "../../wire/address.ts";
import { lookUp } from "../host.ts";
import { field, type Head, join, MAXIMUM_HEAD_BYTES, parseHead } from "../http/message.ts";
import type { CommandContext } from "../word.ts";
import { BodyReader } from "./body-reader.ts";
import type { CurlOptions } from "./options.ts";
import { TransferError } from "./transfer-error.ts";
import type { Url } from "./url.ts";

type Call<Answer> = Generator<Wait, Answer, Wake>;

const READ_BYTES = 16_384;
/** What `HTTP/` begins with; anything else is HTTP/0.9, which nobody wants. */
const HTTP_START = new TextEncoder().encode("HTTP/");

/** What -w may ask for. */
export interface TransferFacts {
  status: number;
  contentType: string;
  headBytes: number;
  downloadBytes: number;
  uploadBytes: number;
  requestBytes: number;
  remoteAddress: string;
  remotePort: number;
  localAddress: string;
  localPort: number;
  method: string;
  connections: number;
  lookupNs: Nanoseconds;
  connectNs: Nanoseconds;
  startNs: Nanoseconds;
  totalNs: Nanoseconds;
}

export function noFacts(): TransferFacts {
  return {
    status: 0,
    contentType: "",
    headBytes: 0,
    downloadBytes: 0,
    uploadBytes: 0,
    requestBytes: 0,
    remoteAddress: "",
    remotePort: 0,
    localAddress: "",
    localPort: 0,
    method: "GET",
    connections: 0,
    lookupNs: 0,
    connectNs: 0,
    startNs: 0,
    totalNs: 0,
  };
}

export class Transfer {
  readonly facts = noFacts();
  readonly #process: Process;
  readonly #context: CommandContext;
  readonly #options: CurlOptions;
  readonly #url: Url;
  /** Which connection of this run it is, for -v. */
  readonly #number: number;
  readonly #show: (text: string) => void;
  readonly #decoder = new TextDecoder();
  readonly #beginNs: Nanoseconds;

  constructor(
    process: Process,
    context: CommandContext,
    options: CurlOptions,
    url: Url,
    number: number,
    show: (text: string) => void,
  ) {
    this.#process = process;
    this.#context = context;
    this.#options = options;
    this.#url = url;
    this.#number = number;
    this.#show = show;
    this.#beginNs = process.clock.nowNs;
    this.facts.method = methodOf(options);
  }

  /** Throws a `TransferError` when it fails; false: a signal came. */
  *run(): Call<boolean> {
    const socket = new TcpSocket(this.#context.namespace);
    this.#process.atExit(() => socket.close());
    try {
      if (!(yield* this.#connect(socket))) return false;
      if (!(yield* this.#send(socket))) return false;
      return yield* this.#receive(socket);
    } finally {
      this.facts.totalNs = this.#elapsedNs();
      socket.close();
    }
  }

  // ---- Connecting

  *#connect(socket: TcpSocket): Call<boolean> {
    const { host, port } = this.#url;
    const address = yield* this.#lookUp();
    this.facts.lookupNs = this.#elapsedNs();
    this.#remark(`  Trying ${formatIpv4(address)}:${port}...`);
    this.#bind(socket);
    const { maximumTimeNs, connectTimeoutNs } = this.#options;
    const whole = maximumTimeNs !== undefined && maximumTimeNs <= connectTimeoutNs;
    const untilNs = this.#beginNs + (whole ? maximumTimeNs : connectTimeoutNs);
    const problem = yield* connect(this.#process, socket, address, port, untilNs);
    if (problem === "EINTR") return false;
    if (problem === "EAGAIN") {
      const text = whole
        ? `Connection timed out after ${this.#elapsedMs()} milliseconds`
        : `Failed to connect to ${host} port ${port} after ${this.#elapsedMs()} ms: Timeout was reached`;
      throw this.#failed(28, text);
    }
    if (problem !== undefined) {
      const immediate = problem === "ENETUNREACH" || problem === "EACCES";
      this.#remark(
        immediate
          ? `Immediate connect fail for ${formatIpv4(address)}: ${errorText(problem)}`
          : `connect to ${formatIpv4(address)} port ${port} failed: ${errorText(problem)}`,
      );
      throw this.#failed(
        7,
        `Failed to connect to ${host} port ${port} after ${this.#elapsedMs()} ms: Couldn't connect to server`,
      );
    }
    const { facts } = this;
    facts.connectNs = this.#elapsedNs();
    facts.connections = 1;
    facts.remoteAddress = formatIpv4(address);
    facts.remotePort = port;
    facts.localAddress = formatIpv4(socket.localAddress);
    facts.localPort = socket.localPort;
    this.#remark(`Connected to ${host} (${formatIpv4(address)}) port ${port} (#${this.#number})`);
    return true;
  }

  *#lookUp(): Call<Ipv4Address> {
    const { host, port } = this.#url;
    for (const entry of this.#options.resolve) {
      const [name, at, text = ""] = entry.split(":");
      const given = parseIpv4(text);
      if (name === host && Number(at) === port && given !== undefined) {
        this.#remark(`Added ${name}:${at}:${text} to DNS cache`);
        return given;
      }
    }
    const address = yield* lookUp(this.#process, this.#context.host, host, parseIpv4);
    if (address === undefined) throw this.#failed(6, `Could not resolve host: ${host}`);
    return address;
  }

  #bind(socket: TcpSocket): void {
    const { from, localPort } = this.#options;
    if (from === undefined && localPort === 0) return;
    let address = from === undefined ? IPV4_ANY : parseIpv4(from);
    if (address === undefined) {
      const device = this.#context.namespace.device(from!);
      if (device === undefined) throw this.#failed(45, `Couldn't bind to '${from}'`);
      socket.device = device;
      address = IPV4_ANY;
    }
    const problem = socket.bind(address, localPort);
    if (problem !== undefined)
      throw this.#failed(45, `bind failed with errno ${bindNumber(problem)}: ${errorText(problem)}`);
  }

  // ---- The request

  *#send(socket: TcpSocket): Call<boolean> {
    const { data } = this.#options;
    const body = data === undefined || this.#options.dataInUrl ? "" : data;
    const head = this.#requestHead(body);
    for (const line of head.split("\r\n").slice(0, -1)) this.#remark(line, ">");
    const bytes = new TextEncoder().encode(head + body);
    this.facts.requestBytes = bytes.length;
    this.facts.uploadBytes = new TextEncoder().encode(body).length;
    const written = yield* writeAll(this.#process, socket, bytes, this.#untilNs());
    if (written === "EINTR") return false;
    if (written === "EAGAIN") throw this.#timedOut(undefined);
    if (typeof written === "string") throw this.#failed(55, `Send failure: ${errorText(written)}`);
    return true;
  }

  #requestHead(body: string): string {
    const { headers, data, dataInUrl, userAgent, version } = this.#options;
    const target = dataInUrl && data !== undefined ? withQuery(this.#url.target, data) : this.#url.target;
    const given = new Set(headers.map((header) => header.split(/[:;]/)[0]!.trim().toLowerCase()));
    let text = `${this.facts.method} ${target} HTTP/${version}\r\n`;
    const own: [string, string][] = [
      ["Host", this.#url.authority],
      ["User-Agent", userAgent],
      ["Accept", "*/*"],
    ];
    // A given Host takes the place of the own one.
    const host = headers.find((header) => /^host:\s*\S/i.test(header));
    for (const [name, value] of own) {
      if (name === "Host" && host !== undefined) text += `Host: ${host.slice(5).trim()}\r\n`;
      else if (!given.has(name.toLowerCase()) && value !== "") text += `${name}: ${value}\r\n`;
    }
    for (const header of headers) {
      if (header === host) continue;
      if (/^[^:;]+;$/.test(header)) text += `${header.slice(0, -1)}:\r\n`;
      else if (/^[^:]+:\s*\S/.test(header)) text += `${header}\r\n`;
    }
    if (data !== undefined && !dataInUrl) {
      if (!given.has("content-length")) text += `Content-Length: ${new TextEncoder().encode(body).length}\r\n`;
      if (!given.has("content-type")) text += "Content-Type: application/x-www-form-urlencoded\r\n";
    }
    return `${text}\r\n`;
  }

  // ---- The response

  *#receive(socket: TcpSocket): Call<boolean> {
    let bytes = new Uint8Array(0) as Uint8Array;
    let head = parseHead(bytes);
    for (;;) {
      while (head === undefined) {
        const more = yield* this.#read(socket, undefined);
        if (more === "EINTR") return false;
        if (more === "end") {
          if (bytes.length === 0) {
            this.#remark("Empty reply from server");
            throw this.#failed(52, "Empty reply from server");
          }
          throw this.#failed(56, "Recv failure: the response ended in its head");
        }
        if (this.facts.startNs === 0) this.facts.startNs = this.#elapsedNs();
        bytes = join(bytes, more);
        if (!HTTP_START.every((value, index) => index >= bytes.length || bytes[index] === value))
          throw this.#failed(1, "Received HTTP/0.9 when not allowed");
        if (bytes.length > MAXIMUM_HEAD_BYTES) throw this.#failed(56, "Too large response headers");
        head = parseHead(bytes);
      }
      const status = Number(/^HTTP\/\S+ (\d{3})/.exec(head.startLine)?.[1] ?? "0");
      if (status === 0) throw this.#failed(1, "Unsupported HTTP version in response");
      const text = new TextDecoder("latin1").decode(bytes.subarray(0, head.sizeBytes));
      bytes = bytes.subarray(head.sizeBytes);
      for (const line of text.split(/\r?\n/).slice(0, -1)) this.#remark(line, "<");
      if (this.#options.includeHead || this.#options.headOnly) this.#show(text);
      this.facts.headBytes += text.length;
      if (status >= 200 || status === 101) return yield* this.#receiveBody(socket, head, status, bytes);
      head = parseHead(bytes); // an interim response (RFC 9110 §15.2)
    }
  }

  *#receiveBody(socket: TcpSocket, head: Head, status: number, first: Uint8Array): Call<boolean> {
    const { facts } = this;
    facts.status = status;
    facts.contentType = field(head, "content-type") ?? "";
    if (this.#options.failOnError && status >= 400) {
      this.#remark(`The requested URL returned error: ${status}`);
      throw this.#failed(22, `The requested URL returned error: ${status}`);
    }
    const body = new BodyReader(head, status, this.#options.headOnly ? "HEAD" : facts.method);
    let bytes: Uint8Array | "end" = first;
    for (;;) {
      try {
        if (bytes === "end") body.end();
        else this.#show(this.#decoder.decode(body.push(bytes), { stream: true }));
      } catch (error) {
        throw error instanceof TransferError ? this.#failed(error.status, error.message) : error;
      }
      facts.downloadBytes = body.receivedBytes;
      if (bytes === "end" || body.complete) break;
      const more: Uint8Array | "end" | "EINTR" = yield* this.#read(socket, body);
      if (more === "EINTR") return false;
      bytes = more;
    }
    const closes = bytes === "end" || /\bclose\b/i.test(field(head, "connection") ?? "");
    if (closes) this.#remark(`Closing connection ${this.#number}`);
    else this.#remark(`Connection #${this.#number} to host ${this.#url.host} left intact`);
    return true;
  }

  *#read(socket: TcpSocket, body: BodyReader | undefined): Call<Uint8Array | "end" | "EINTR"> {
    const bytes = yield* readSome(this.#process, socket, READ_BYTES, this.#untilNs());
    if (typeof bytes !== "string" || bytes === "end" || bytes === "EINTR") return bytes;
    if (bytes === "EAGAIN") throw this.#timedOut(body);
    this.#remark(`Recv failure: ${errorText(bytes)}`);
    throw this.#failed(56, `Recv failure: ${errorText(bytes)}`);
  }

  // ---- Time and talk

  #untilNs(): Nanoseconds | undefined {
    const { maximumTimeNs } = this.#options;
    return maximumTimeNs === undefined ? undefined : this.#beginNs + maximumTimeNs;
  }

  #timedOut(body: BodyReader | undefined): TransferError {
    const received = body?.receivedBytes ?? 0;
    const amount = body?.lengthBytes === undefined ? `${received}` : `${received} out of ${body.lengthBytes}`;
    const text = `Operation timed out after ${this.#elapsedMs()} milliseconds with ${amount} bytes received`;
    this.#remark(text);
    return this.#failed(28, text);
  }

  #elapsedNs(): Nanoseconds {
    return this.#process.clock.nowNs - this.#beginNs;
  }

  #elapsedMs(): number {
    return Math.floor(this.#elapsedNs() / MILLISECOND);
  }

  #failed(status: number, text: string): TransferError {
    if (status === 6 || status === 7 || (status === 28 && this.facts.connections === 0)) this.#remark(text);
    this.#remark(`Closing connection ${this.#number}`);
    return new TransferError(status, text);
  }

  #remark(text: string, sign = "*"): void {
    if (this.#options.verbose) this.#process.stderr.write(`${sign} ${text}\n`);
  }
}

function methodOf(options: CurlOptions): string {
  if (options.method !== undefined) return options.method;
  if (options.headOnly) return "HEAD";
  return options.data !== undefined && !options.dataInUrl ? "POST" : "GET";
}

function withQuery(target: string, data: string): string {
  return `${target}${target.includes("?") ? "&" : "?"}${data}`;
}

function bindNumber(errno: Errno): number {
  return errno === "EADDRINUSE" ? 98 : 99;
}
