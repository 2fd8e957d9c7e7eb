/**
 * The word `serve`: what a container runs here in place of an image's program.
 *
 *     serve http [PORT]   HTTP/1.1: answers with its host's name and addresses, the client's, and the request as it came
 *     serve echo [PORT]   TCP and UDP: sends back what comes (RFC 862)
 *     serve udp PORT      UDP alone
 *     serve http 80 http 8080 echo 7   several at once, each with its port
 *     serve dns [PORT] RECORD...   a name server that knows these records: "web.demo 300 A 10.0.0.3", web.demo=10.0.0.3
 *
 * `/status/404` answers with that status, `/data?size=N` with N bytes.
 */
import { errorText } from "../linux/errno.ts";
import type { Process, Program, Wait, Wake } from "../linux/process.ts";
import { accept, readSome, writeAll } from "../linux/tcp/blocking.ts";
import { TcpSocket } from "../linux/tcp/tcp-socket.ts";
import { UdpSocket } from "../linux/udp-socket.ts";
import { formatIpv4, IPV4_ANY } from "../wire/address.ts";
import { CommandError } from "./command-error.ts";
import { serveDns } from "./dns/serve-dns.ts";
import { contentLength, field, type Head, join, MAXIMUM_HEAD_BYTES, parseHead } from "./http/message.ts";
import { formatDate } from "./wall-date.ts";
import type { CommandContext, Word } from "./word.ts";

const USAGE = "usage: serve http [PORT]\n       serve echo [PORT]\n       serve dns [PORT] RECORD...";
const HTTP_PORT = 80;
const ECHO_PORT = 7;
const BACKLOG = 4_096;
const READ_BYTES = 65_536;
const MAXIMUM_DATA_BYTES = 1 << 30;
const PIECE_BYTES = 65_536;
const INTERRUPTED = 130;

export const SERVE: Word = {
  name: "serve",
  *run(process, context, argv) {
    try {
      if (argv[0] === "dns") return yield* serveDns(process, context, argv.slice(1));
      const [first, ...others] = readOffers(argv);
      if (first === undefined) throw new CommandError(2, USAGE);
      for (const offer of others) {
        const child = context.host.spawn("serve", process, (self) => serveBeside(self, context, offer));
        process.atExit(() => child.kill("SIGKILL"));
      }
      return yield* serveOffer(process, context, first);
    } catch (error) {
      if (!(error instanceof CommandError)) throw error;
      process.stderr.write(`${error.message}\n`);
      return error.status;
    }
  },
};

/** What is served on a port. */
interface Offer {
  readonly kind: "http" | "echo" | "udp";
  readonly port: number;
}

/** `http 80 echo 7`; a single kind has its own port without one. Empty when it is nothing of the sort. */
function readOffers(argv: readonly string[]): Offer[] {
  const offers: Offer[] = [];
  for (let at = 0; at < argv.length; at += 2) {
    const kind = argv[at];
    const portText = argv[at + 1];
    if (kind !== "http" && kind !== "echo" && kind !== "udp") return [];
    if (portText === undefined && (argv.length > 1 || kind === "udp")) return [];
    const port = portText === undefined ? (kind === "http" ? HTTP_PORT : ECHO_PORT) : readPort(portText);
    offers.push({ kind, port });
  }
  return offers;
}

function* serveOffer(process: Process, context: CommandContext, { kind, port }: Offer): Program {
  if (kind === "udp") return yield* udpEcho(process, context, port);
  if (kind === "echo") startUdpEcho(process, context, port);
  return yield* serveTcp(process, context, port, kind === "http" ? converse : echo);
}

/** A port that is taken is said; the other ports are served all the same. */
function* serveBeside(process: Process, context: CommandContext, offer: Offer): Program {
  try {
    return yield* serveOffer(process, context, offer);
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    process.stderr.write(`${error.message}\n`);
    return error.status;
  }
}

function readPort(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (port < 1 || port > 65_535) throw new CommandError(2, `serve: ${text} is no port: 1 to 65535 was expected`);
  return port;
}

/** One conversation with one client. */
type Conversation = (process: Process, context: CommandContext, socket: TcpSocket) => Program;

/** Accepts connections, each in a process of its own, which end with this one. */
function* serveTcp(process: Process, context: CommandContext, port: number, conversation: Conversation): Program {
  const listener = new TcpSocket(context.namespace);
  process.atExit(() => listener.close());
  listener.reuseAddress = true;
  const problem = listener.bind(IPV4_ANY, port) ?? listener.listen(BACKLOG);
  if (problem !== undefined) throw new CommandError(1, `serve: cannot listen on port ${port}: ${errorText(problem)}`);
  const children = new Set<Process>();
  process.atExit(() => {
    for (const child of children) child.kill("SIGKILL");
  });
  for (;;) {
    const socket = yield* accept(process, listener);
    if (typeof socket === "string") return INTERRUPTED;
    const child = context.host.spawn("serve", process, function* (self) {
      self.atExit(() => socket.close());
      return yield* conversation(self, context, socket);
    });
    if (!child.running) continue;
    children.add(child);
    child.atExit(() => children.delete(child));
  }
}

function* echo(process: Process, _context: CommandContext, socket: TcpSocket): Program {
  for (;;) {
    const bytes = yield* readSome(process, socket, READ_BYTES);
    if (typeof bytes === "string") return bytes === "end" ? 0 : 1;
    if (typeof (yield* writeAll(process, socket, bytes)) === "string") return 1;
  }
}

function startUdpEcho(process: Process, context: CommandContext, port: number): void {
  const socket = bindUdp(context, port);
  const child = context.host.spawn("serve", process, (self) => answerDatagrams(self, socket));
  process.atExit(() => child.kill("SIGKILL"));
}

function* udpEcho(process: Process, context: CommandContext, port: number): Program {
  return yield* answerDatagrams(process, bindUdp(context, port));
}

function bindUdp(context: CommandContext, port: number): UdpSocket {
  const socket = new UdpSocket(context.namespace);
  const problem = socket.bind(IPV4_ANY, port);
  if (problem !== undefined) throw new CommandError(1, `serve: cannot listen on port ${port}: ${errorText(problem)}`);
  return socket;
}

function* answerDatagrams(process: Process, socket: UdpSocket): Program {
  process.atExit(() => socket.close());
  for (;;) {
    const datagram = socket.receive();
    if (typeof datagram === "object") socket.sendTo(datagram.bytes, datagram.source, datagram.sourcePort);
    else if (datagram === undefined && (yield { queues: [socket.readable] }) === "signal") return INTERRUPTED;
  }
}

/** Requests of one connection, one after the other, until the client has enough. */
function* converse(process: Process, context: CommandContext, socket: TcpSocket): Program {
  let bytes = new Uint8Array(0) as Uint8Array;
  for (;;) {
    let head = parseHead(bytes);
    while (head === undefined) {
      if (bytes.length > MAXIMUM_HEAD_BYTES) {
        yield* writeAll(process, socket, plainResponse(process, 431, "Request Header Fields Too Large"));
        return 1;
      }
      const more = yield* readSome(process, socket, READ_BYTES);
      if (typeof more === "string") return 0;
      bytes = join(bytes, more);
      head = parseHead(bytes);
    }
    bytes = bytes.subarray(head.sizeBytes);
    const match = /^([A-Z]+) (\S+) HTTP\/1\.([01])$/.exec(head.startLine);
    if (match === null || field(head, "transfer-encoding") !== undefined) {
      const [status, reason] = match === null ? ([400, "Bad Request"] as const) : ([411, "Length Required"] as const);
      yield* writeAll(process, socket, plainResponse(process, status, reason));
      return 1;
    }
    let body = contentLength(head) ?? 0;
    while (body > bytes.length) {
      body -= bytes.length;
      const more = yield* readSome(process, socket, READ_BYTES);
      if (typeof more === "string") return 1;
      bytes = more;
    }
    bytes = bytes.slice(body);
    const wish = field(head, "connection")?.toLowerCase();
    const keep = match[3] === "1" ? wish !== "close" : wish === "keep-alive";
    const answered = yield* respond(process, context, socket, head, match[1]!, match[2]!, keep);
    if (!answered) return 1;
    if (!keep) return 0;
  }
}

function* respond(
  process: Process,
  context: CommandContext,
  socket: TcpSocket,
  head: Head,
  method: string,
  target: string,
  keep: boolean,
): Generator<Wait, boolean, Wake> {
  const size = /^\/data\?size=(\d{1,10})$/.exec(target);
  const wanted = /^\/status\/([1-5]\d\d)$/.exec(target);
  const status = wanted === null ? 200 : Number(wanted[1]);
  const body = new TextEncoder().encode(size === null ? whoAmI(context, socket, head) : "");
  const dataBytes = size === null ? 0 : Math.min(Number(size[1]), MAXIMUM_DATA_BYTES);
  const length = size === null ? body.length : dataBytes;
  const type = size === null ? "text/plain; charset=utf-8" : "application/octet-stream";
  const start = responseHead(process, status, REASONS.get(status) ?? "Unknown", length, type, keep);
  const silent = method === "HEAD" || status === 204 || status === 304;
  if (typeof (yield* writeAll(process, socket, silent ? start : join(start, body))) === "string") return false;
  for (let sent = 0; !silent && sent < dataBytes; sent += PIECE_BYTES) {
    const piece = new Uint8Array(Math.min(PIECE_BYTES, dataBytes - sent)).fill(0x41);
    if (typeof (yield* writeAll(process, socket, piece)) === "string") return false;
  }
  return true;
}

/** Who answers, to whom, and what was asked. */
function whoAmI(context: CommandContext, socket: TcpSocket, head: Head): string {
  let text = `Hostname: ${context.host.name}\n`;
  for (const device of context.namespace.devices)
    for (const { address } of device.addresses) text += `IP: ${formatIpv4(address)}\n`;
  text += `RemoteAddr: ${formatIpv4(socket.remoteAddress)}:${socket.remotePort}\n${head.startLine}\n`;
  const rest = head.fields.filter(([name]) => name.toLowerCase() !== "host");
  text += `Host: ${field(head, "host") ?? ""}\n`;
  for (const [name, value] of rest) text += `${name}: ${value}\n`;
  return `${text}\n`;
}

function plainResponse(process: Process, status: number, reason: string): Uint8Array {
  const body = `${status} ${reason}\n`;
  const head = responseHead(process, status, reason, body.length, "text/plain; charset=utf-8", false);
  return join(head, new TextEncoder().encode(body));
}

function responseHead(
  process: Process,
  status: number,
  reason: string,
  lengthBytes: number,
  type: string,
  keep: boolean,
): Uint8Array {
  return new TextEncoder().encode(
    `HTTP/1.1 ${status} ${reason}\r\nDate: ${httpDate(process)}\r\nContent-Length: ${lengthBytes}\r\n` +
      `Content-Type: ${type}\r\n${keep ? "" : "Connection: close\r\n"}\r\n`,
  );
}

/** `Thu, 01 Jan 2026 00:00:02 GMT`, RFC 9110 §5.6.7. */
function httpDate(process: Process): string {
  const [day, month, date = "", time, year] = formatDate(process.clock.nowNs).split(/ +/);
  return `${day}, ${date.padStart(2, "0")} ${month} ${year} ${time} GMT`;
}

const REASONS: ReadonlyMap<number, string> = new Map([
  [200, "OK"],
  [201, "Created"],
  [204, "No Content"],
  [301, "Moved Permanently"],
  [302, "Found"],
  [304, "Not Modified"],
  [400, "Bad Request"],
  [401, "Unauthorized"],
  [403, "Forbidden"],
  [404, "Not Found"],
  [500, "Internal Server Error"],
  [502, "Bad Gateway"],
  [503, "Service Unavailable"],
  [504, "Gateway Timeout"],
]);
