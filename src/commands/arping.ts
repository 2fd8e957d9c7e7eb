/** The word `arping` (iputils 20221126): ARP requests by hand, through a packet socket. */
import { errorText } from "../linux/errno.ts";
import type { NetDevice } from "../linux/net-device.ts";
import { PacketSocket } from "../linux/packet-socket.ts";
import type { Process, Program } from "../linux/process.ts";
import { MICROSECOND, type Nanoseconds, SECOND } from "../sim/time.ts";
import {
  formatIpv4,
  formatMac,
  IPV4_ANY,
  type Ipv4Address,
  MAC_BROADCAST,
  type MacAddress,
  parseIpv4,
} from "../wire/address.ts";
import * as arp from "../wire/arp.ts";
import * as ethernet from "../wire/ethernet.ts";
import { CommandError } from "./command-error.ts";
import { lookUp } from "./host.ts";
import { OptionReader } from "./option-reader.ts";
import type { CommandContext, Word } from "./word.ts";

const USAGE = `
Usage:
  arping [options] <destination>

Options:
  -f            quit on first reply
  -q            be quiet
  -b            keep on broadcasting, do not unicast
  -D            duplicate address detection mode
  -U            unsolicited ARP mode, update your neighbours
  -A            ARP answer mode, update your neighbours
  -V            print version and exit
  -c <count>    how many packets to send
  -w <timeout>  how long to wait for a reply
  -i <interval> set interval between packets (default: 1 second)
  -I <device>   which ethernet device to use
  -s <source>   source ip address
  <destination> dns name or ip address

For more details see arping(8).`;

interface ArpingOptions {
  target: string;
  quitOnReply: boolean;
  quiet: boolean;
  broadcastOnly: boolean;
  duplicateDetection: boolean;
  unsolicited: boolean;
  answer: boolean;
  count: number | undefined;
  timeoutSeconds: number | undefined;
  intervalSeconds: number;
  device: string | undefined;
  source: string | undefined;
}

export const ARPING: Word = {
  name: "arping",
  *run(process, context, argv) {
    try {
      const options = readOptions(argv);
      const target = yield* lookUp(process, context.host, options.target, parseIpv4);
      const device = chooseDevice(context, options, target);
      if (target === undefined) throw new CommandError(2, `arping: ${options.target}: Name or service not known`);
      const source = chooseSource(context, options, device, target);
      return yield* new Arping(process, context, options, device, source, target).run();
    } catch (error) {
      if (!(error instanceof CommandError)) throw error;
      (error.status === 0 ? process.stdout : process.stderr).write(`${error.message}\n`);
      return error.status;
    }
  },
};

function readOptions(argv: readonly string[]): ArpingOptions {
  const options: ArpingOptions = {
    target: "",
    quitOnReply: false,
    quiet: false,
    broadcastOnly: false,
    duplicateDetection: false,
    unsolicited: false,
    answer: false,
    count: undefined,
    timeoutSeconds: undefined,
    intervalSeconds: 1,
    device: undefined,
    source: undefined,
  };
  const reader = new OptionReader("arping", argv, "h?bfDUAqc:w:i:s:I:V", USAGE);
  for (const { letter, value } of reader.options()) {
    switch (letter) {
      case "b":
        options.broadcastOnly = true;
        break;
      case "f":
        options.quitOnReply = true;
        break;
      case "D":
        options.duplicateDetection = true;
        options.quitOnReply = true;
        break;
      case "U":
        options.unsolicited = true;
        break;
      case "A":
        options.unsolicited = true;
        options.answer = true;
        break;
      case "q":
        options.quiet = true;
        break;
      case "c":
        options.count = integer(value, 1);
        break;
      case "w":
        options.timeoutSeconds = integer(value, 0);
        break;
      case "i":
        options.intervalSeconds = integer(value, 0);
        break;
      case "I":
        options.device = value;
        break;
      case "s":
        options.source = value;
        break;
      case "V":
        throw new CommandError(0, "arping from iputils 20221126");
      default:
        throw new CommandError(2, USAGE);
    }
  }
  if (reader.operands.length !== 1) throw new CommandError(2, USAGE);
  options.target = reader.operands[0]!;
  return options;
}

const INTEGER_LIMIT = 0x7fff_ffff;

function integer(text: string, low: number): number {
  if (!/^[-+]?\d+$/.test(text)) throw new CommandError(1, `arping: invalid argument: '${text}'`);
  const value = Number(text);
  if (value < low || value > INTEGER_LIMIT)
    throw new CommandError(1, `arping: invalid argument: '${text}': out of range: ${low} <= value <= ${INTEGER_LIMIT}`);
  return value;
}

/** -I, or the one that the target is routed by. */
function chooseDevice(context: CommandContext, options: ArpingOptions, target: Ipv4Address | undefined): NetDevice {
  const { namespace } = context;
  let device: NetDevice | undefined;
  if (options.device !== undefined) {
    device = namespace.device(options.device);
    if (device === undefined) throw new CommandError(2, `arping: Device ${options.device} not available.`);
  } else {
    const path = target === undefined ? undefined : namespace.ipv4.resolve({ destination: target });
    device = typeof path === "object" ? path.device : undefined;
    if (device === undefined || device.kind === "loopback")
      throw new CommandError(2, "arping: No suitable device could be determined, please use option -I.");
  }
  if (!device.up) throw new CommandError(2, `Interface "${device.name}" is down`);
  if (device.noArp || device.kind === "loopback")
    throw new CommandError(options.duplicateDetection ? 0 : 2, `Interface "${device.name}" is not ARPable`);
  return device;
}

function chooseSource(
  context: CommandContext,
  options: ArpingOptions,
  device: NetDevice,
  target: Ipv4Address,
): Ipv4Address {
  const { namespace } = context;
  if (options.source !== undefined) {
    const source = parseIpv4(options.source);
    if (source === undefined) throw new CommandError(2, `arping: invalid source ${options.source}`);
    if (!options.duplicateDetection && namespace.routes.addressType(source) !== "local")
      throw new CommandError(2, `arping: bind: ${errorText("EADDRNOTAVAIL")}`);
    return source;
  }
  if (options.duplicateDetection) return IPV4_ANY;
  if (options.unsolicited) {
    if (namespace.routes.addressType(target) !== "local")
      throw new CommandError(2, `arping: bind: ${errorText("EADDRNOTAVAIL")}`);
    return target;
  }
  const path = namespace.ipv4.resolve({ destination: target, device });
  if (typeof path === "string") throw new CommandError(2, `arping: connect: ${errorText(path)}`);
  return path.source;
}

class Arping {
  readonly #process: Process;
  readonly #context: CommandContext;
  readonly #options: ArpingOptions;
  readonly #device: NetDevice;
  readonly #source: Ipv4Address;
  readonly #target: Ipv4Address;
  #peer: MacAddress = MAC_BROADCAST;
  #lastNs: Nanoseconds = 0;
  #sent = 0;
  #broadcasts = 0;
  #received = 0;
  #receivedBroadcasts = 0;
  #receivedRequests = 0;

  constructor(
    process: Process,
    context: CommandContext,
    options: ArpingOptions,
    device: NetDevice,
    source: Ipv4Address,
    target: Ipv4Address,
  ) {
    this.#process = process;
    this.#context = context;
    this.#options = options;
    this.#device = device;
    this.#source = source;
    this.#target = target;
  }

  *run(): Program {
    const { clock } = this.#process;
    const { count, timeoutSeconds, intervalSeconds, quiet } = this.#options;
    const socket = new PacketSocket(this.#context.namespace, this.#device, ethernet.ETHERTYPE_ARP);
    this.#process.atExit(() => socket.close());
    if (!quiet)
      this.#process.stdout.write(
        `ARPING ${formatIpv4(this.#target)} from ${formatIpv4(this.#source)} ${this.#device.name}\n`,
      );
    const intervalNs = Math.max(intervalSeconds, 1) * SECOND;
    let nextNs = clock.nowNs;
    let ticks = 0;
    for (;;) {
      if (clock.nowNs >= nextNs) {
        ticks++;
        nextNs += intervalNs;
        if (count !== undefined && ticks > count) break;
        this.#send(socket);
        // The alarm goes off with the last of these, whose reply nobody reads.
        if (timeoutSeconds !== undefined && (ticks - 1) * intervalNs >= timeoutSeconds * SECOND) break;
      }
      if ((yield { queues: [socket.readable], untilNs: nextNs }) === "signal") break;
      if (this.#receive(socket)) break;
    }
    return this.#finish();
  }

  #send(socket: PacketSocket): void {
    const own = this.#device.address;
    const bytes = new Uint8Array(ethernet.HEADER_BYTES + arp.HEADER_BYTES);
    ethernet.write(bytes, 0, this.#peer, own, ethernet.ETHERTYPE_ARP);
    const operation = this.#options.answer ? arp.OPERATION_REPLY : arp.OPERATION_REQUEST;
    const target = this.#options.answer ? own : this.#peer;
    arp.write(bytes, ethernet.HEADER_BYTES, operation, own, this.#source, target, this.#target);
    const sent = socket.send(bytes);
    if (typeof sent === "string") {
      this.#process.stderr.write(`arping: sendto: ${errorText(sent)}\n`);
      return;
    }
    this.#lastNs = this.#process.clock.nowNs;
    this.#sent++;
    if (this.#peer === MAC_BROADCAST) this.#broadcasts++;
  }

  /** Takes what has come; true when that was all there is to wait for. */
  #receive(socket: PacketSocket): boolean {
    for (let frame = socket.receive(); frame !== undefined; frame = socket.receive())
      if (this.#packet(frame.bytes, frame.receivedNs)) return true;
    return false;
  }

  /** recv_pack() */
  #packet(bytes: Uint8Array, receivedNs: Nanoseconds): boolean {
    const { duplicateDetection, quiet, broadcastOnly, quitOnReply, count, timeoutSeconds } = this.#options;
    const packet = arp.parse(bytes, ethernet.HEADER_BYTES, bytes.length);
    if (typeof packet === "string") return false;
    if (packet.operation !== arp.OPERATION_REQUEST && packet.operation !== arp.OPERATION_REPLY) return false;
    const own = this.#device.address;
    if (packet.senderProtocolAddress !== this.#target) return false;
    if (duplicateDetection) {
      // Someone else claims the address, or asks for itself.
      if (packet.senderHardwareAddress === own) return false;
      if (this.#source !== 0 && packet.targetProtocolAddress !== this.#source) return false;
    } else {
      if (packet.targetProtocolAddress !== this.#source) return false;
      if (packet.targetHardwareAddress !== own) return false;
    }
    const unicast = ethernet.destination(bytes, 0) === own;
    const request = packet.operation === arp.OPERATION_REQUEST;
    if (!quiet) {
      const timeUs = Math.floor((receivedNs - this.#lastNs) / MICROSECOND);
      const milliseconds = `${Math.floor(timeUs / 1_000)}.${String(timeUs % 1_000).padStart(3, "0")}`;
      const towards =
        packet.targetHardwareAddress === own || duplicateDetection
          ? ""
          : ` for ${formatMac(packet.targetHardwareAddress).toUpperCase()}`;
      this.#process.stdout.write(
        `${unicast ? "Unicast" : "Broadcast"} ${request ? "request" : "reply"} from ` +
          `${formatIpv4(packet.senderProtocolAddress)} [${formatMac(packet.senderHardwareAddress).toUpperCase()}]` +
          `${towards}  ${milliseconds}ms\n`,
      );
    }
    this.#received++;
    if (!unicast) this.#receivedBroadcasts++;
    if (request) this.#receivedRequests++;
    if (timeoutSeconds !== undefined && count !== undefined && this.#received >= count) return true;
    if (quitOnReply) return true;
    if (!broadcastOnly) this.#peer = packet.senderHardwareAddress;
    return false;
  }

  #finish(): number {
    const { quiet, duplicateDetection, unsolicited, count } = this.#options;
    if (!quiet) {
      let text = `Sent ${this.#sent} probes (${this.#broadcasts} broadcast(s))\nReceived ${this.#received} response(s)`;
      const extra: string[] = [];
      if (this.#receivedRequests > 0) extra.push(`${this.#receivedRequests} request(s)`);
      if (this.#receivedBroadcasts > 0) extra.push(`${this.#receivedBroadcasts} broadcast(s)`);
      if (extra.length > 0) text += ` (${extra.join(", ")})`;
      this.#process.stdout.write(`${text}\n`);
    }
    if (duplicateDetection) return this.#received > 0 ? 1 : 0;
    if (unsolicited) return 0;
    return this.#received === 0 || (count !== undefined && this.#received < this.#sent) ? 1 : 0;
  }
}
