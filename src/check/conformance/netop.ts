/**
 * `netop.py`, the traffic tool of the recorded cases, as a word: exact stimuli that no everyday program gives. Its verbs do on an emulated host
 * what the script does on a real one.
 */

import type { CommandContext, Word } from "../../commands/word.ts";
import { errorText } from "../../linux/errno.ts";
import type { NetworkNamespace } from "../../linux/namespace.ts";
import { type Process, type Program, sleep } from "../../linux/process.ts";
import { UdpSocket } from "../../linux/udp-socket.ts";
import { MILLISECOND } from "../../sim/time.ts";
import { formatIpv4, type Ipv4Address, parseIpv4 } from "../../wire/address.ts";
import { fromHex } from "../../wire/bytes.ts";
import { body, endpoint, usage } from "./netop-arguments.ts";
import { dnsQuestion, dnsServer } from "./netop-dns.ts";
import { tcpConnect, tcpListen } from "./netop-tcp.ts";
import { wire } from "./netop-wire.ts";

type Verb = (process: Process, context: CommandContext, args: readonly string[]) => Program;

const VERBS: ReadonlyMap<string, Verb> = new Map<string, Verb>([
  ["raw", raw],
  ["udp", udp],
  ["udpecho", udpEcho],
  ["listen", tcpListen],
  ["connect", tcpConnect],
  ["dns", dnsServer],
  ["dnsq", dnsQuestion],
  ["wire", wire],
]);

export const NETOP: Word = {
  name: "netop.py",
  *run(process, context, argv) {
    const [name = "", ...args] = argv;
    const verb = VERBS.get(name);
    if (verb === undefined) {
      process.stderr.write(`netop.py: no verb ${name}\n`);
      return 1;
    }
    return yield* verb(process, context, args);
  },
};

/** `raw DEVICE hex +MS hex …`: frames as they are; `+MS` waits. */
function* raw(process: Process, { namespace }: CommandContext, args: readonly string[]): Program {
  const [name = "", ...frames] = args;
  for (const item of frames) {
    if (item.startsWith("+")) {
      if (!(yield* sleep(process, Math.round(Number(item.slice(1)) * MILLISECOND)))) return 130;
      continue;
    }
    const bytes = fromHex(item);
    const device = namespace.device(name);
    if (bytes === undefined || device === undefined || bytes.length === 0) {
      process.stderr.write(`netop.py: cannot send on ${name}\n`);
      return 1;
    }
    if (!device.up) {
      process.stderr.write(`OSError: [Errno 100] ${errorText("ENETDOWN")}\n`);
      return 1;
    }
    const frame = namespace.frames.make(bytes.length);
    namespace.frames.bytes.set(bytes, namespace.frames.start(frame));
    device.transmit(frame);
  }
  return 0;
}

/** `udp SRC:PORT DST:PORT DATA count gap_ms wait_ms [ttl= tos= df= bcast=1 mttl= connect=1]` */
function* udp(process: Process, { namespace }: CommandContext, args: readonly string[]): Program {
  const [from, to, data = "", count = "1", gapMs = "0", waitMs = "0", ...options] = args;
  const source = endpoint(from);
  const destination = endpoint(to);
  const bytes = body(data);
  if (source === undefined || destination === undefined || bytes === undefined) return usage(process, "udp");
  const socket = new UdpSocket(namespace);
  process.atExit(() => socket.close());
  for (const option of options) {
    const [key, value = ""] = option.split("=");
    if (key === "ttl") socket.ttl = Number(value);
    else if (key === "tos") socket.tos = Number(value);
    else if (key === "df") socket.dontFragment = value as "do" | "dont" | "want";
    else if (key === "bcast") socket.broadcast = true;
    else if (key === "mttl") socket.multicastTtl = Number(value);
  }
  const connected = options.includes("connect=1");
  const bound = socket.bind(source.address, source.port);
  const problem = bound ?? (connected ? socket.connect(destination.address, destination.port) : undefined);
  if (problem !== undefined) {
    process.stderr.write(`OSError: ${errorText(problem)}\n`);
    return 1;
  }
  for (let sent = 0; sent < Number(count); sent++) {
    const result = connected ? socket.sendTo(bytes) : socket.sendTo(bytes, destination.address, destination.port);
    process.stdout.write(typeof result === "number" ? `sent ${result}\n` : `send: ${errorText(result)}\n`);
    if (Number(gapMs) > 0 && !(yield* sleep(process, Math.round(Number(gapMs) * MILLISECOND)))) return 130;
  }
  const untilNs = process.clock.nowNs + Number(waitMs) * MILLISECOND;
  while (process.clock.nowNs < untilNs) {
    const got = socket.receive();
    if (got !== undefined) {
      process.stdout.write(
        typeof got === "string"
          ? `recv: ${errorText(got)}\n`
          : `got ${got.bytes.length} from ${formatIpv4(got.source)} ${got.sourcePort}\n`,
      );
      continue;
    }
    if ((yield { queues: [socket.readable], untilNs }) === "signal") return 130;
  }
  return 0;
}

/** `udpecho IP:PORT [sink] [join=GROUP/IP]`: sends everything back, or with `sink` nothing. */
function* udpEcho(process: Process, { namespace }: CommandContext, args: readonly string[]): Program {
  const [at, ...options] = args;
  const local = endpoint(at);
  if (local === undefined) return usage(process, "udpecho");
  const socket = new UdpSocket(namespace);
  process.atExit(() => socket.close());
  const problem = socket.bind(local.address, local.port);
  if (problem !== undefined) {
    process.stderr.write(`OSError: ${errorText(problem)}\n`);
    return 1;
  }
  for (const option of options) {
    if (!option.startsWith("join=")) continue;
    const [group = "", address = ""] = option.slice(5).split("/");
    const join = parseIpv4(group);
    if (join === undefined) return usage(process, "udpecho");
    socket.joinGroup(join, deviceWith(namespace, parseIpv4(address)));
  }
  for (;;) {
    const got = socket.receive();
    if (got === undefined) {
      if ((yield { queues: [socket.readable] }) === "signal") return 143;
      continue;
    }
    if (typeof got === "string") continue;
    process.stdout.write(`got ${got.bytes.length} from ${formatIpv4(got.source)} ${got.sourcePort}\n`);
    if (!options.includes("sink")) socket.sendTo(got.bytes, got.source, got.sourcePort);
  }
}

function deviceWith(namespace: NetworkNamespace, address: Ipv4Address | undefined) {
  return namespace.devices.find((device) => device.addresses.some((one) => one.address === address));
}
