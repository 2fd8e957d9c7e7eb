/** `iperf -s`: takes what clients send, TCP or UDP, and reports each conversation. */
import { errorText } from "../../linux/errno.ts";
import type { Process, Program } from "../../linux/process.ts";
import { accept, readSome } from "../../linux/tcp/blocking.ts";
import { TcpSocket } from "../../linux/tcp/tcp-socket.ts";
import { type Datagram, UdpSocket } from "../../linux/udp-socket.ts";
import type { Nanoseconds } from "../../sim/time.ts";
import { formatIpv4, IPV4_ANY, type Ipv4Address } from "../../wire/address.ts";
import { CommandError } from "../command-error.ts";
import type { CommandContext } from "../word.ts";
import { readHeader, reportPayload, type ServerReport } from "./datagram.ts";
import type { IperfOptions } from "./options.ts";
import { connectedText, HEADING, idText, intervalText, lossText, tcpDetails, UDP_HEADING } from "./report.ts";

const READ_BYTES = 131_072;
const BACKLOG = 4_096;

export function* serveTcp(process: Process, context: CommandContext, options: IperfOptions): Program {
  const listener = new TcpSocket(context.namespace);
  process.atExit(() => listener.close());
  listener.reuseAddress = true;
  if (options.windowBytes !== undefined) listener.receiveBufferBytes = options.windowBytes;
  const problem = listener.bind(IPV4_ANY, options.port) ?? listener.listen(BACKLOG);
  if (problem !== undefined) throw new CommandError(1, `bind failed: ${errorText(problem)}`);
  const children = new Set<Process>();
  process.atExit(() => {
    for (const child of children) child.kill("SIGKILL");
  });
  const state = { headingWanted: true };
  for (let id = 1; ; id++) {
    const socket = yield* accept(process, listener);
    if (typeof socket === "string") return 0;
    process.stdout.write(connectedText(id, socket, tcpDetails(socket)));
    if (children.size === 0) state.headingWanted = true;
    const child = context.host.spawn("iperf", process, function* (self) {
      self.atExit(() => socket.close());
      return yield* receiveStream(self, socket, id, options, state);
    });
    if (!child.running) continue;
    children.add(child);
    child.atExit(() => children.delete(child));
  }
}

function* receiveStream(
  process: Process,
  socket: TcpSocket,
  id: number,
  options: IperfOptions,
  state: { headingWanted: boolean },
): Program {
  const { clock, stdout } = process;
  const { intervalNs, unit } = options;
  const startNs = clock.nowNs;
  let bytes = 0;
  let fromNs = 0;
  let intervalBytes = 0;
  const print = (line: string) => {
    if (state.headingWanted) stdout.write(HEADING);
    state.headingWanted = false;
    stdout.write(`${line}\n`);
  };
  for (;;) {
    const untilNs = intervalNs === undefined ? undefined : startNs + fromNs + intervalNs;
    const data = yield* readSome(process, socket, READ_BYTES, untilNs);
    if (intervalNs !== undefined && clock.nowNs - startNs >= fromNs + intervalNs) {
      print(intervalText(idText(id), fromNs, fromNs + intervalNs, intervalBytes, unit));
      fromNs += intervalNs;
      intervalBytes = 0;
    }
    if (data === "EAGAIN") continue;
    if (typeof data === "string") break;
    bytes += data.length;
    intervalBytes += data.length;
  }
  print(intervalText(idText(id), 0, clock.nowNs - startNs, bytes, unit));
  return 0;
}

/** What a UDP server knows of a client. */
interface Conversation {
  readonly id: number;
  readonly startNs: Nanoseconds;
  lastNs: Nanoseconds;
  bytes: number;
  received: number;
  highest: number;
  outOfOrder: number;
  lastTransitNs: Nanoseconds | undefined;
  jitterNs: number;
  /** Set when the last datagram has come: the answer to its repetitions. */
  answer: Uint8Array | undefined;
}

export function* serveUdp(process: Process, context: CommandContext, options: IperfOptions): Program {
  const socket = new UdpSocket(context.namespace);
  process.atExit(() => socket.close());
  const problem = socket.bind(IPV4_ANY, options.port);
  if (problem !== undefined) throw new CommandError(1, `bind failed: ${errorText(problem)}`);
  const conversations = new Map<string, Conversation>();
  let nextId = 1;
  for (;;) {
    const datagram = socket.receive();
    if (datagram === undefined) {
      if ((yield { queues: [socket.readable] }) === "signal") return 0;
      continue;
    }
    if (typeof datagram === "string") continue;
    const header = readHeader(datagram.bytes);
    if (header === undefined) continue;
    const key = `${datagram.source} ${datagram.sourcePort}`;
    let conversation = conversations.get(key);
    if (conversation === undefined || (conversation.answer !== undefined && header.number >= 0)) {
      conversation = begin(nextId++, datagram.receivedNs);
      conversations.set(key, conversation);
      process.stdout.write(udpConnectedText(conversation.id, datagram, socket.localPort));
    }
    if (header.number >= 0) {
      count(conversation, header.number, header.sentNs, datagram);
      continue;
    }
    if (conversation.answer === undefined) {
      // What is missing up to the last number is lost.
      conversation.highest = Math.max(conversation.highest, -header.number - 1);
      const report = reportOf(conversation);
      conversation.answer = reportPayload(datagram.bytes, report);
      process.stdout.write(
        `${UDP_HEADING}${intervalText(idText(conversation.id), 0, report.durationNs, report.bytes, options.unit)}` +
          `${lossText(report.jitterNs, report.lost, report.total)}\n`,
      );
    }
    socket.sendTo(conversation.answer, datagram.source, datagram.sourcePort);
  }
}

function begin(id: number, startNs: Nanoseconds): Conversation {
  return {
    id,
    startNs,
    lastNs: startNs,
    bytes: 0,
    received: 0,
    highest: 0,
    outOfOrder: 0,
    lastTransitNs: undefined,
    jitterNs: 0,
    answer: undefined,
  };
}

/** Jitter as RFC 3550 §6.4.1 has it. */
function count(conversation: Conversation, number: number, sentNs: Nanoseconds, datagram: Datagram): void {
  conversation.bytes += datagram.bytes.length;
  conversation.received++;
  conversation.lastNs = datagram.receivedNs;
  if (number < conversation.highest) conversation.outOfOrder++;
  else conversation.highest = number;
  const transitNs = datagram.receivedNs - sentNs;
  if (conversation.lastTransitNs !== undefined)
    conversation.jitterNs += (Math.abs(transitNs - conversation.lastTransitNs) - conversation.jitterNs) / 16;
  conversation.lastTransitNs = transitNs;
}

function reportOf(conversation: Conversation): ServerReport {
  const { bytes, startNs, lastNs, highest, received, outOfOrder, jitterNs } = conversation;
  return {
    bytes,
    durationNs: lastNs - startNs,
    lost: Math.max(0, highest - received),
    outOfOrder,
    total: highest,
    jitterNs: Math.round(jitterNs),
  };
}

/** The socket is not connected: its peer stands in the datagram. */
function udpConnectedText(id: number, datagram: Datagram, port: number): string {
  const own: Ipv4Address = datagram.destination;
  return (
    `[${idText(id)}] local ${formatIpv4(own)} port ${port} ` +
    `connected with ${formatIpv4(datagram.source)} port ${datagram.sourcePort}\n`
  );
}
