/** The word `iperf` (2.1.8): how much TCP or UDP carries between two hosts. */
import type { NetworkNamespace } from "../../linux/namespace.ts";
import { type Process, type Program, WaitQueue } from "../../linux/process.ts";
import { formatIpv4, parseIpv4 } from "../../wire/address.ts";
import { CommandError } from "../command-error.ts";
import { lookUp } from "../host.ts";
import type { CommandContext, Word } from "../word.ts";
import { type ClientRun, ClientStream, DEFAULT_UDP_BITS_PER_SECOND, UDP_WRITE_BYTES } from "./client.ts";
import { type IperfOptions, readIperfOptions } from "./options.ts";
import { RULE, sizeText } from "./report.ts";
import { serveTcp, serveUdp } from "./server.ts";

export const IPERF: Word = {
  name: "iperf",
  *run(process, context, argv) {
    try {
      const options = readIperfOptions(argv);
      if (!options.server) return yield* client(process, context, options);
      process.stdout.write(serverHeading(context.namespace, options));
      return yield* (options.udp ? serveUdp : serveTcp)(process, context, options);
    } catch (error) {
      if (!(error instanceof CommandError)) throw error;
      process.stderr.write(`${error.message}\n`);
      return error.status;
    }
  },
};

/** Every stream is a process of its own; the word ends with the last. */
function* client(process: Process, context: CommandContext, options: IperfOptions): Program {
  const host = options.host!;
  const address = yield* lookUp(process, context.host, host, parseIpv4);
  if (address === undefined) throw new CommandError(1, `${host}: Host name lookup failure`);
  process.stdout.write(clientHeading(context.namespace, options, formatIpv4(address)));
  const run: ClientRun = {
    namespace: context.namespace,
    options,
    address,
    headingPrinted: false,
    totalBytes: 0,
    longestNs: 0,
    finished: 0,
  };
  const ended = new WaitQueue();
  const streams: Process[] = [];
  for (let id = 1; id <= options.streams; id++) {
    const stream = context.host.spawn("iperf", process, (self) => new ClientStream(self, run, id).run());
    stream.atExit(() => ended.wake());
    streams.push(stream);
  }
  process.atExit(() => {
    for (const stream of streams) stream.kill("SIGKILL");
  });
  while (streams.some((stream) => stream.running)) {
    const wake = yield { queues: [ended] };
    if (wake === "signal" && process.pendingSignal !== undefined)
      for (const stream of streams) stream.kill(process.pendingSignal);
  }
  return Math.max(...streams.map((stream) => stream.exitStatus ?? 0));
}

function clientHeading(namespace: NetworkNamespace, options: IperfOptions, address: string): string {
  const { udp, port, lengthBytes, rateBitsPerSecond } = options;
  let text = `${RULE}\nClient connecting to ${address}, ${udp ? "UDP" : "TCP"} port ${port}\n`;
  if (udp) {
    const length = lengthBytes ?? UDP_WRITE_BYTES;
    const gapUs = (length * 8 * 1_000_000) / (rateBitsPerSecond ?? DEFAULT_UDP_BITS_PER_SECOND);
    text += `Sending ${length} byte datagrams, IPG target: ${gapUs.toFixed(2)} us (kalman adjust)\n`;
  }
  return `${text}${bufferLine(namespace, options, "net.ipv4.tcp_wmem")}${RULE}\n`;
}

function serverHeading(namespace: NetworkNamespace, options: IperfOptions): string {
  const { udp, port } = options;
  const buffer = bufferLine(namespace, options, "net.ipv4.tcp_rmem");
  return `${RULE}\nServer listening on ${udp ? "UDP" : "TCP"} port ${port}\n${buffer}${RULE}\n`;
}

/** `TCP window size: 16.0 KByte (default)`: what the socket buffer is to begin with. */
function bufferLine(namespace: NetworkNamespace, options: IperfOptions, tcpKey: string): string {
  const { sysctl } = namespace;
  const normal = options.udp
    ? sysctl.number("net.core.rmem_default")
    : Number((sysctl.get(tcpKey) ?? "").split(/\s+/)[1] ?? 0);
  const name = options.udp ? "UDP buffer size" : "TCP window size";
  if (options.windowBytes === undefined) return `${name}: ${sizeText(normal)} (default)\n`;
  const asked = sizeText(options.windowBytes);
  return `${name}: ${sizeText(2 * options.windowBytes)} (WARNING: requested ${asked})\n`;
}
