/** `serve dns [PORT] RECORD...`: a name server over UDP and TCP that knows the records given and says "no such name" to the rest. */
import { readQuery, toLimitedBytes } from "../../docker/resolver/answer.ts";
import { errorText } from "../../linux/errno.ts";
import type { Process, Program } from "../../linux/process.ts";
import { accept, readSome, writeAll } from "../../linux/tcp/blocking.ts";
import { TcpSocket } from "../../linux/tcp/tcp-socket.ts";
import { UdpSocket } from "../../linux/udp-socket.ts";
import { IPV4_ANY } from "../../wire/address.ts";
import { getU16, putU16 } from "../../wire/bytes.ts";
import * as dns from "../../wire/dns.ts";
import { CommandError } from "../command-error.ts";
import { join } from "../http/message.ts";
import type { CommandContext } from "../word.ts";
import { parseRecord, Zone } from "./zone.ts";

const BACKLOG = 128;

export function* serveDns(process: Process, context: CommandContext, argv: readonly string[]): Program {
  const numbered = argv[0] !== undefined && /^\d{1,5}$/.test(argv[0]);
  const port = numbered ? Number(argv[0]) : dns.UDP_PORT;
  const zone = new Zone();
  for (const line of numbered ? argv.slice(1) : argv) {
    const record = parseRecord(line);
    if (record === undefined)
      throw new CommandError(2, `serve: ${line} is no record: NAME [TTL] TYPE DATA was expected, or NAME=ADDRESS`);
    zone.add(record);
  }
  const udp = new UdpSocket(context.namespace);
  const listener = new TcpSocket(context.namespace);
  process.atExit(() => {
    udp.close();
    listener.close();
  });
  listener.reuseAddress = true;
  const problem = udp.bind(IPV4_ANY, port) ?? listener.bind(IPV4_ANY, port) ?? listener.listen(BACKLOG);
  if (problem !== undefined) throw new CommandError(1, `serve: cannot listen on port ${port}: ${errorText(problem)}`);
  const child = context.host.spawn("serve", process, (self) => serveStreams(self, context, listener, zone));
  process.atExit(() => child.kill("SIGKILL"));
  for (;;) {
    const datagram = udp.receive();
    if (typeof datagram === "object") {
      const response = respond(zone, datagram.bytes, undefined);
      if (response !== undefined) udp.sendTo(response, datagram.source, datagram.sourcePort);
    } else if (datagram === undefined && (yield { queues: [udp.readable] }) === "signal") return 0;
  }
}

function* serveStreams(process: Process, context: CommandContext, listener: TcpSocket, zone: Zone): Program {
  for (;;) {
    const socket = yield* accept(process, listener);
    if (typeof socket === "string") return 0;
    const child = context.host.spawn("serve", process, function* (self): Program {
      self.atExit(() => socket.close());
      let received = new Uint8Array(0) as Uint8Array;
      for (;;) {
        const bytes = yield* readSome(self, socket, 0xffff);
        if (typeof bytes === "string") return 0;
        received = join(received, bytes);
        while (received.length >= 2 && received.length >= 2 + getU16(received, 0)) {
          const end = 2 + getU16(received, 0);
          const response = respond(zone, received.slice(2, end), dns.MAXIMUM_BYTES);
          received = received.slice(end);
          if (response === undefined) continue;
          const framed = new Uint8Array(2 + response.length);
          putU16(framed, 0, response.length);
          framed.set(response, 2);
          if (typeof (yield* writeAll(self, socket, framed)) === "string") return 1;
        }
      }
    });
    process.atExit(() => child.kill("SIGKILL"));
  }
}

/** `limitBytes` undefined: what the query's sender takes by UDP. */
function respond(zone: Zone, bytes: Uint8Array, limitBytes: number | undefined): Uint8Array | undefined {
  const read = readQuery(bytes);
  if (typeof read === "string") return undefined;
  if ("refusal" in read) return dns.toBytes(read.refusal);
  const answer = zone.answer(read.query);
  const limit = limitBytes ?? dns.udpLimitBytes(read.query);
  const whole = dns.toBytes(answer);
  return whole.length <= limit ? whole : toLimitedBytes(answer, limit);
}
