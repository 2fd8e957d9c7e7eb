/**
 * The programs of the recorded image (a static BusyBox), as far as they are seen on the wire: `httpd` with a CGI that tells who answered whom, `wget`,
 * `nslookup`, `ping`. They write what BusyBox writes, in as many pieces; a CGI takes its time, so that each piece goes out by itself.
 */
import type { Host } from "../../../commands/host.ts";
import { lookUp } from "../../../commands/host.ts";
import { PING } from "../../../commands/ping/ping.ts";
import { resolveAddresses, sortAddresses } from "../../../commands/stub-resolver.ts";
import type { CommandContext, Word } from "../../../commands/word.ts";
import { type Process, type Program, sleep, type Wait, type Wake } from "../../../linux/process.ts";
import { accept, connect, readSome, writeAll } from "../../../linux/tcp/blocking.ts";
import { TcpSocket } from "../../../linux/tcp/tcp-socket.ts";
import { UdpSocket } from "../../../linux/udp-socket.ts";
import { MILLISECOND, type Nanoseconds, SECOND } from "../../../sim/time.ts";
import { formatIpv4, IPV4_ANY, type Ipv4Address, isLoopbackIpv4, parseIpv4 } from "../../../wire/address.ts";
import * as dns from "../../../wire/dns.ts";
import { reverseName } from "../../../wire/dns-text.ts";

/** From one write of the CGI to the next, on the slow machines of the recording. */
const CGI_STEP_NS: Nanoseconds = 10 * MILLISECOND;
/** From one question to the next, there. */
const QUESTION_STEP_NS: Nanoseconds = 5 * MILLISECOND;
const READ_BYTES = 4_096;
const BACKLOG = 9;
/** BusyBox's nslookup: all in all, and in how many attempts. */
const LOOKUP_NS: Nanoseconds = 5 * SECOND;
const LOOKUP_ATTEMPTS = 2;
const INTERRUPTED = 130;

/** `httpd -f -p PORT -h /www`: every request is one for /cgi-bin/who. */
const HTTPD: Word = {
  name: "httpd",
  *run(process, context, argv) {
    const at = argv.indexOf("-p");
    const port = at < 0 ? 80 : Number(argv[at + 1]);
    const listener = new TcpSocket(context.namespace);
    process.atExit(() => listener.close());
    listener.reuseAddress = true;
    if ((listener.bind(IPV4_ANY, port) ?? listener.listen(BACKLOG)) !== undefined) return 1;
    for (;;) {
      const socket = yield* accept(process, listener);
      if (typeof socket === "string") return INTERRUPTED;
      context.host.spawn("httpd", process, (child) => answer(child, context.host, socket));
    }
  },
};

function* answer(process: Process, host: Host, socket: TcpSocket): Program {
  process.atExit(() => socket.close());
  const request = yield* readSome(process, socket, READ_BYTES);
  if (typeof request === "string") return 1;
  const peer = `[::ffff:${formatIpv4(socket.remoteAddress)}]`;
  const pieces = ["HTTP/1.1 200 OK\r\n", "Content-Type: text/plain\r\n\r\n", `host=${host.name} peer=${peer}\n`];
  for (const piece of pieces) {
    if (!(yield* sleep(process, CGI_STEP_NS))) return INTERRUPTED;
    if (typeof (yield* writeAll(process, socket, ascii(piece))) === "string") return 1;
  }
  yield* sleep(process, CGI_STEP_NS);
  return 0;
}

/** `wget -qO- [-T SECONDS] URL`; with -T the recorded one crashed before it had sent anything. */
const WGET: Word = {
  name: "wget",
  *run(process, context, argv) {
    if (argv.includes("-T")) {
      process.stderr.write("Segmentation fault\n");
      return 139;
    }
    const url = /^http:\/\/([^/:]+)(?::(\d+))?(\/.*)?$/.exec(argv.at(-1) ?? "");
    if (url === null) return 1;
    const [, name = "", port = "80", path = "/"] = url;
    const address = yield* lookUp(process, context.host, name, parseIpv4);
    if (address === undefined) {
      process.stderr.write(`wget: bad address '${name}'\n`);
      return 1;
    }
    const socket = new TcpSocket(context.namespace);
    process.atExit(() => socket.close());
    const problem = yield* connect(process, socket, address, Number(port));
    if (problem !== undefined) {
      process.stderr.write(`wget: can't connect to remote host (${formatIpv4(address)}): ${problem}\n`);
      return 1;
    }
    const host = url[2] === undefined ? name : `${name}:${port}`;
    const request = `GET ${path} HTTP/1.1\r\nHost: ${host}\r\nUser-Agent: Wget\r\nConnection: close\r\n\r\n`;
    if (typeof (yield* writeAll(process, socket, ascii(request))) === "string") return 1;
    let text = "";
    for (;;) {
      const bytes = yield* readSome(process, socket, READ_BYTES);
      if (typeof bytes === "string") break;
      text += new TextDecoder().decode(bytes);
    }
    process.stdout.write(text.slice(text.indexOf("\r\n\r\n") + 4));
    return 0;
  },
};

/** `nslookup NAME`: A and AAAA at once from one port, or PTR; asked again after half of the time. */
const NSLOOKUP: Word = {
  name: "nslookup",
  *run(process, context, argv) {
    const name = argv[0] ?? "";
    const server = context.host.resolvConf.servers[0];
    if (server === undefined) return 1;
    const address = parseIpv4(name);
    const types = address === undefined ? [dns.TYPE_A, dns.TYPE_AAAA] : [dns.TYPE_PTR];
    const asked = address === undefined ? name : reverseName(address);
    const queries = types.map((type) => dns.query(process.random.below(0x1_0000), asked, type));
    const answers = yield* askAll(process, context, server, queries);
    if (answers.length === 0) {
      process.stdout.write(";; connection timed out; no servers could be reached\n\n");
      return 1;
    }
    process.stdout.write(`Server:\t\t${formatIpv4(server)}\nAddress:\t${formatIpv4(server)}:53\n\n`);
    for (const { answers: records } of answers)
      for (const { data } of records)
        if (data.kind === "a") process.stdout.write(`Name:\t${name}\nAddress: ${formatIpv4(data.address)}\n`);
    return 0;
  },
};

function* askAll(
  process: Process,
  context: CommandContext,
  server: Ipv4Address,
  queries: readonly dns.Dns[],
): Generator<Wait, dns.Dns[], Wake> {
  const socket = new UdpSocket(context.namespace);
  process.atExit(() => socket.close());
  if (socket.connect(server, dns.UDP_PORT) !== undefined) return [];
  const answers = new Map<number, dns.Dns>();
  for (let attempt = 0; attempt < LOOKUP_ATTEMPTS; attempt++) {
    for (const [index, query] of queries.entries()) {
      if (index > 0 && attempt === 0 && !(yield* sleep(process, QUESTION_STEP_NS))) return [];
      if (!answers.has(query.identifier)) socket.sendTo(dns.toBytes(query));
    }
    const untilNs = process.clock.nowNs + LOOKUP_NS / LOOKUP_ATTEMPTS;
    while (answers.size < queries.length) {
      const datagram = socket.receive();
      if (datagram === undefined) {
        if ((yield { queues: [socket.readable], untilNs }) !== "ready") break;
        continue;
      }
      if (typeof datagram === "string") continue;
      const message = dns.parse(datagram.bytes, 0, datagram.bytes.length);
      if (typeof message !== "string") answers.set(message.identifier, message);
    }
    if (answers.size === queries.length) break;
  }
  return [...answers.values()];
}

/** BusyBox's `-w` waits so long for answers, but sends no more than `-c` says. */
const BUSYBOX_PING: Word = {
  name: "ping",
  run: (process, context, argv) =>
    PING.run(
      process,
      context,
      argv.map((word) => (word === "-w" ? "-W" : word)),
    ),
};

/** What is read of a container, and leaves no trace on the wire. */
const SILENT: readonly Word[] = ["ip", "arp", "cat", "ls"].map((name) => ({
  name,
  // biome-ignore lint/correctness/useYield: it only looks
  *run() {
    return 0;
  },
}));

/** The recorded image's own resolver, for its `ping` and `wget`. */
export function* resolve(process: Process, host: Host, name: string): Generator<Wait, readonly Ipv4Address[], Wake> {
  const server = host.resolvConf.servers[0];
  if (server === undefined) return [];
  if (!isLoopbackIpv4(server))
    return yield* resolveAddresses(process, { namespace: host.namespace, configuration: host.resolvConf }, name);
  const queries = [dns.TYPE_A, dns.TYPE_AAAA].map((type) => dns.query(process.random.below(0x1_0000), name, type));
  const answers = yield* askAll(process, host.context(), server, queries);
  const found = answers.flatMap(({ answers: records }) =>
    records.flatMap(({ data }) => (data.kind === "a" ? [data.address] : [])),
  );
  return sortAddresses(host.namespace, found);
}

export const BUSYBOX_WORDS: readonly Word[] = [HTTPD, WGET, NSLOOKUP, BUSYBOX_PING, ...SILENT];

function ascii(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
