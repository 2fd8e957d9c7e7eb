/** The word `arping` (iputils 20221126): ARP requests by hand, to a neighbour or to find a duplicate of an address. */
import type { NetDevice } from "../linux/net-device.ts";
import { PacketSocket } from "../linux/packet-socket.ts";
import type { Process, Program } from "../linux/process.ts";
import { MILLISECOND, type Nanoseconds } from "../sim/time.ts";
import { formatIpv4, formatMac, type Ipv4Address, MAC_BROADCAST, type MacAddress, parseIpv4 } from "../wire/address.ts";
import * as arp from "../wire/arp.ts";
import * as ethernet from "../wire/ethernet.ts";
import { CommandError } from "./command-error.ts";
import { lookUp } from "./host.ts";
import { OptionReader } from "./option-reader.ts";
import type { CommandContext, Word } from "./word.ts";

interface ArpingOptions {
  count: number | undefined;
  timeoutMs: number | undefined;
  intervalMs: number;
  deviceName: string | undefined;
  source: string | undefined;
  quitOnReply: boolean;
  quiet: boolean;
  broadcastOnly: boolean;
  /** -D: is somebody else using the address? */
  duplicate: boolean;
  /** -U: tell the neighbours; -A: the same by an answer. */
  unsolicited: boolean;
  advert: boolean;
}

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

export const ARPING: Word = {
  name: "arping",
  *run(process, context, argv) {
    try {
      return yield* arping(process, context, argv);
    } catch (error) {
      if (!(error instanceof CommandError)) throw error;
      process.stderr.write(`${error.message}\n`);
      return error.status;
    }
  },
};

function readOptions(argv: readonly string[]): { options: ArpingOptions; target: string } {
  const options: ArpingOptions = {
    count: undefined,
    timeoutMs: undefined,
    intervalMs: 1_000,
    deviceName: undefined,
    source: undefined,
    quitOnReply: false,
    quiet: false,
    broadcastOnly: false,
    duplicate: false,
    unsolicited: false,
    advert: false,
  };
  const reader = new OptionReader("arping", argv, "h?bfDUAqc:w:i:s:I:V", USAGE);
  for (const { letter, value } of reader.options()) {
    if (letter === "c") options.count = integer(value);
    else if (letter === "w") options.timeoutMs = integer(value) * 1_000;
    else if (letter === "i") options.intervalMs = integer(value) * 1_000;
    else if (letter === "I") options.deviceName = value;
    else if (letter === "s") options.source = value;
    else if (letter === "f") options.quitOnReply = true;
    else if (letter === "q") options.quiet = true;
    else if (letter === "b") options.broadcastOnly = true;
    else if (letter === "D") {
      options.duplicate = true;
      options.quitOnReply = true;
    } else if (letter === "U") options.unsolicited = true;
    else if (letter === "A") {
      options.advert = true;
      options.unsolicited = true;
    } else if (letter === "V") throw new CommandError(0, "arping from iputils 20221126");
    else throw new CommandError(2, USAGE);
  }
  const [target] = reader.operands;
  if (target === undefined || reader.operands.length > 1) throw new CommandError(2, USAGE);
  return { options, target };
}

function integer(text: string): number {
  if (!/^\d+$/.test(text)) throw new CommandError(1, `arping: invalid argument: '${text}'`);
  const value = Number(text);
  if (value < 1)
    throw new CommandError(1, `arping: invalid argument: '${text}': out of range: 1 <= value <= 2147483647`);
  return value;
}

function* arping(process: Process, context: CommandContext, argv: readonly string[]): Program {
  const { options, target } = readOptions(argv);
  const { namespace } = context;
  const address = yield* lookUp(process, context.host, target, parseIpv4);
  if (address === undefined) throw new CommandError(2, `arping: ${target}: Name or service not known`);
  const device = chooseDevice(context, options, address);
  const source = chooseSource(context, options, device, address);
  const socket = new PacketSocket(namespace, device, ethernet.ETHERTYPE_ARP);
  process.atExit(() => socket.close());
  const session = new Session(process, options, device, address, source);
  if (!options.quiet) process.stdout.write(`ARPING ${formatIpv4(address)} from ${formatIpv4(source)} ${device.name}\n`);
  const endNs = options.timeoutMs === undefined ? undefined : process.clock.nowNs + options.timeoutMs * MILLISECOND;
  let nextNs: Nanoseconds = process.clock.nowNs;
  for (;;) {
    const nowNs = process.clock.nowNs;
    if (endNs !== undefined && nowNs >= endNs) break;
    if (nowNs >= nextNs) {
      if (options.count !== undefined && session.sent >= options.count) break;
      session.send(socket);
      nextNs = nowNs + options.intervalMs * MILLISECOND;
    }
    const untilNs = endNs === undefined ? nextNs : Math.min(nextNs, endNs);
    const wake = yield { queues: [socket.readable], untilNs };
    if (session.receive(socket) || wake === "signal") break;
  }
  return session.finish();
}

function chooseDevice(context: CommandContext, options: ArpingOptions, target: Ipv4Address): NetDevice {
  const { namespace } = context;
  const { deviceName } = options;
  let device: NetDevice | undefined;
  if (deviceName === undefined) {
    const path = namespace.ipv4.resolve({ destination: target });
    device = typeof path === "string" || path.kind === "local" ? undefined : path.device;
    if (device === undefined)
      throw new CommandError(2, "arping: Suitable device could not be determined. Please, use option -I.");
  } else {
    device = namespace.device(deviceName);
    if (device === undefined) throw new CommandError(2, `arping: Device ${deviceName} not available.`);
  }
  if (!device.up) throw new CommandError(2, `Interface "${device.name}" is down`);
  if (device.noArp || device.kind === "loopback")
    throw new CommandError(2, `Interface "${device.name}" is not ARPable`);
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
    if (!options.duplicate && namespace.routes.addressType(source) !== "local")
      throw new CommandError(2, "arping: bind: Cannot assign requested address");
    return source;
  }
  if (options.duplicate) return 0 as Ipv4Address;
  if (options.unsolicited) return target;
  const path = namespace.ipv4.resolve({ destination: target, device });
  return typeof path === "string" ? (device.addresses[0]?.address ?? (0 as Ipv4Address)) : path.source;
}

class Session {
  readonly #process: Process;
  readonly #options: ArpingOptions;
  readonly #device: NetDevice;
  readonly #target: Ipv4Address;
  readonly #source: Ipv4Address;
  /** Who answered: asked by unicast from then on. */
  #neighbour: MacAddress = MAC_BROADCAST;
  #lastNs: Nanoseconds = 0;
  sent = 0;
  #broadcasts = 0;
  #received = 0;
  #broadcastsReceived = 0;
  #requestsReceived = 0;

  constructor(process: Process, options: ArpingOptions, device: NetDevice, target: Ipv4Address, source: Ipv4Address) {
    this.#process = process;
    this.#options = options;
    this.#device = device;
    this.#target = target;
    this.#source = source;
  }

  send(socket: PacketSocket): void {
    const { advert, broadcastOnly, unsolicited } = this.#options;
    const bytes = new Uint8Array(ethernet.HEADER_BYTES + arp.HEADER_BYTES);
    const unicast = !broadcastOnly && !unsolicited && this.#neighbour !== MAC_BROADCAST;
    ethernet.write(bytes, 0, unicast ? this.#neighbour : MAC_BROADCAST, this.#device.address, ethernet.ETHERTYPE_ARP);
    arp.emit(
      {
        operation: advert ? arp.OPERATION_REPLY : arp.OPERATION_REQUEST,
        senderHardwareAddress: this.#device.address,
        senderProtocolAddress: this.#source,
        targetHardwareAddress: advert ? this.#device.address : unicast ? this.#neighbour : MAC_BROADCAST,
        targetProtocolAddress: this.#target,
      },
      bytes,
      ethernet.HEADER_BYTES,
    );
    this.#lastNs = this.#process.clock.nowNs;
    socket.send(bytes);
    this.sent++;
    if (!unicast) this.#broadcasts++;
  }

  /** True when that was all. */
  receive(socket: PacketSocket): boolean {
    for (let frame = socket.receive(); frame !== undefined; frame = socket.receive()) {
      const packet = arp.parse(frame.bytes, ethernet.HEADER_BYTES, frame.bytes.length);
      if (typeof packet === "string" || !this.#isAnswer(packet)) continue;
      const toAll = ethernet.isGroupDestination(frame.bytes, 0);
      const isReply = packet.operation === arp.OPERATION_REPLY;
      this.#received++;
      if (toAll) this.#broadcastsReceived++;
      if (!isReply) this.#requestsReceived++;
      if (!this.#options.quiet) {
        const us = Math.floor((frame.receivedNs - this.#lastNs) / 1_000);
        const time = `${String(Math.floor(us / 1_000)).padStart(2)}.${String(us % 1_000).padStart(3, "0")}ms`;
        const mac = formatMac(packet.senderHardwareAddress).toUpperCase();
        this.#process.stdout.write(
          `${toAll ? "Broadcast" : "Unicast"} ${isReply ? "reply" : "request"} from ` +
            `${formatIpv4(packet.senderProtocolAddress)} [${mac}] ${time}\n`,
        );
      }
      const { quitOnReply, count, broadcastOnly } = this.#options;
      if (quitOnReply || (count !== undefined && this.sent >= count && this.#received >= this.sent)) return true;
      if (!broadcastOnly) this.#neighbour = packet.senderHardwareAddress;
    }
    return false;
  }

  /** From the target, to us; in a search for duplicates, from anybody else who has the address. */
  #isAnswer(packet: arp.Arp): boolean {
    if (packet.operation !== arp.OPERATION_REPLY && packet.operation !== arp.OPERATION_REQUEST) return false;
    if (packet.senderProtocolAddress !== this.#target) return false;
    if (this.#options.duplicate) {
      if (packet.senderHardwareAddress === this.#device.address) return false;
      return this.#source === 0 || packet.targetProtocolAddress === this.#source;
    }
    return packet.targetProtocolAddress === this.#source && packet.targetHardwareAddress === this.#device.address;
  }

  /** The figures at the end, and the status. */
  finish(): number {
    const { quiet, duplicate, unsolicited } = this.#options;
    if (!quiet) {
      let text = `Sent ${this.sent} probes (${this.#broadcasts} broadcast(s))\nReceived ${this.#received} response(s)`;
      if (this.#broadcastsReceived > 0 || this.#requestsReceived > 0) {
        const parts: string[] = [];
        if (this.#requestsReceived > 0) parts.push(`${this.#requestsReceived} request(s)`);
        if (this.#broadcastsReceived > 0) parts.push(`${this.#broadcastsReceived} broadcast(s)`);
        text += ` (${parts.join(", ")})`;
      }
      this.#process.stdout.write(`${text}\n`);
    }
    if (duplicate) return this.#received > 0 ? 1 : 0;
    if (unsolicited) return 0;
    return this.#received > 0 ? 0 : 1;
  }
}
