/** The word `traceroute` (2.1, Dmitry Butskoy): probes with small TTLs, many at a time, printed in the order of the hops. */
import type { Process, Program } from "../../linux/process.ts";
import { MILLISECOND, type Nanoseconds } from "../../sim/time.ts";
import { formatIpv4, type Ipv4Address, parseIpv4 } from "../../wire/address.ts";
import { CommandError } from "../command-error.ts";
import { lookUp } from "../host.ts";
import { nameOf } from "../host-names.ts";
import type { CommandContext, Word } from "../word.ts";
import { IcmpMethod } from "./icmp-method.ts";
import { readTracerouteOptions, type TracerouteOptions } from "./options.ts";
import { type Method, newProbe, type Probe } from "./probe.ts";
import { TcpMethod } from "./tcp-method.ts";
import { UdpMethod } from "./udp-method.ts";

const IPV4_HEADER_BYTES = 20;
const PROBE_HEADER_BYTES = 8;
const DEFAULT_BEHIND_IP_BYTES = 40;

export const TRACEROUTE: Word = {
  name: "traceroute",
  *run(process, context, argv) {
    try {
      const options = readTracerouteOptions(argv);
      const target = yield* lookUp(process, context.host, options.target, parseIpv4);
      if (target === undefined)
        throw new CommandError(
          2,
          `${options.target}: Name or service not known\n` +
            `Cannot handle "host" cmdline arg \`${options.target}' on position 1 (argc ${options.targetAt})`,
        );
      return yield* new Traceroute(process, context, options, target).run();
    } catch (error) {
      if (!(error instanceof CommandError)) throw error;
      if (error.status === 0) process.stdout.write(error.message);
      else process.stderr.write(`${error.message}\n`);
      return error.status;
    }
  },
};

class Traceroute {
  readonly #process: Process;
  readonly #context: CommandContext;
  readonly #options: TracerouteOptions;
  readonly #target: Ipv4Address;
  readonly #probes: Probe[] = [];
  #lastSentNs: Nanoseconds | undefined = undefined;

  constructor(process: Process, context: CommandContext, options: TracerouteOptions, target: Ipv4Address) {
    this.#process = process;
    this.#context = context;
    this.#options = options;
    this.#target = target;
    for (let ttl = 1; ttl <= options.maximumHops; ttl++)
      for (let query = 0; query < options.queries; query++) this.#probes.push(newProbe(ttl));
  }

  *run(): Program {
    const { clock, stdout } = this.#process;
    const { firstHop, queries, simultaneous } = this.#options;
    const method = this.#begin();
    let start = (firstHop - 1) * queries;
    let end = this.#probes.length;
    while (start < end) {
      let count = 0;
      let nextNs: Nanoseconds | undefined;
      for (let index = start; index < end; index++) {
        const probe = this.#probes[index]!;
        if (index === start && !probe.done && probe.sentNs !== undefined) {
          const expiresNs = probe.sentNs + this.#timeoutNs(index);
          if (expiresNs > clock.nowNs) nextNs = expiresNs;
          else this.#giveUp(method, probe);
        }
        if (probe.done) {
          if (index === start) {
            this.#print(index);
            start++;
          }
          if (probe.final) end = (Math.floor(index / queries) + 1) * queries;
          continue;
        }
        if (probe.sentNs === undefined) {
          const pauseNs = this.#pauseNs();
          if (pauseNs > 0) {
            nextNs = clock.nowNs + pauseNs;
            break;
          }
          method.send(probe);
          this.#lastSentNs = clock.nowNs;
        }
        count++;
        if (count >= simultaneous) break;
      }
      method.collect(); // what came while sending has woken nobody
      if (nextNs === undefined || this.#probes[start]?.done === true) continue;
      if ((yield { queues: method.queues(), untilNs: nextNs }) === "signal") return 130;
      method.collect();
    }
    stdout.write("\n");
    return 0;
  }

  /** Opens the method's sockets and prints the heading, in the real one's order: what is wrong with them shows behind it. */
  #begin(): Method {
    const { target, maximumHops, packetBytes, method: kind, source, device } = this.#options;
    const { namespace } = this.#context;
    const from = source === undefined ? undefined : parseIpv4(source);
    if (source !== undefined && from === undefined)
      throw new CommandError(
        2,
        `${source}: Name or service not known\nCannot handle \`-s' option with arg \`${source}' (argc 1)`,
      );
    const headers = IPV4_HEADER_BYTES + PROBE_HEADER_BYTES;
    const total = Math.max(packetBytes ?? IPV4_HEADER_BYTES + DEFAULT_BEHIND_IP_BYTES, headers);
    this.#process.stdout.write(
      `traceroute to ${target} (${formatIpv4(this.#target)}), ${maximumHops} hops max, ${total} byte packets`,
    );
    const egress = device === undefined ? undefined : namespace.device(device);
    if (device !== undefined && egress === undefined)
      throw new CommandError(1, "\nsetsockopt SO_BINDTODEVICE: No such device");
    // The pattern runs over all that follows the IP header, the ICMP header included.
    const offset = kind === "icmp" ? PROBE_HEADER_BYTES : 0;
    const data = Uint8Array.from({ length: total - headers }, (_, index) => 0x40 + ((index + offset) & 0x3f));
    const options = this.#options;
    const made: Method =
      kind === "icmp"
        ? new IcmpMethod(namespace, options, this.#target, from, egress, data)
        : kind === "tcp"
          ? new TcpMethod(namespace, this.#process.random, options, this.#target, from, egress)
          : new UdpMethod(namespace, options, this.#target, from, egress, data);
    this.#process.atExit(() => made.close());
    return made;
  }

  #pauseNs(): Nanoseconds {
    if (this.#lastSentNs === undefined) return 0;
    return Math.max(0, this.#lastSentNs + this.#options.sendWaitNs - this.#process.clock.nowNs);
  }

  /** get_timeout(): as long as others of the hop, or later hops, have taken, some times over. */
  #timeoutNs(index: number): Nanoseconds {
    const { hereFactor, nearFactor, waitNs, queries } = this.#options;
    const first = index - (index % queries);
    if (hereFactor > 0) {
      const takenNs = firstTime(this.#probes.slice(first, first + queries));
      if (takenNs !== undefined) return Math.min(waitNs, Math.ceil(takenNs * hereFactor));
    }
    if (nearFactor > 0) {
      const takenNs = firstTime(this.#probes.slice(index + 1));
      if (takenNs !== undefined) return Math.min(waitNs, Math.ceil(takenNs * nearFactor));
    }
    return waitNs;
  }

  #giveUp(method: Method, probe: Probe): void {
    method.expire(probe);
    probe.done = true;
  }

  #print(index: number): void {
    const { stdout } = this.#process;
    const { queries } = this.#options;
    const probe = this.#probes[index]!;
    const place = index % queries;
    let text = place === 0 ? `\n${String(probe.timeToLive).padStart(2)} ` : "";
    if (probe.from === undefined) {
      text += " *";
    } else {
      const before = this.#probes.slice(index - place, index).findLast((other) => other.from !== undefined);
      if (before?.from !== probe.from) text += ` ${this.#name(probe.from)}`;
    }
    if (probe.receivedNs !== undefined && probe.sentNs !== undefined)
      text += `  ${((probe.receivedNs - probe.sentNs) / MILLISECOND).toFixed(3)} ms`;
    if (probe.remark !== "") text += ` ${probe.remark}`;
    stdout.write(text);
  }

  #name(address: Ipv4Address): string {
    const digits = formatIpv4(address);
    return this.#options.numeric ? digits : `${nameOf(this.#context.host, address) ?? digits} (${digits})`;
  }
}

function firstTime(probes: readonly Probe[]): Nanoseconds | undefined {
  for (const { done, sentNs, receivedNs } of probes)
    if (done && sentNs !== undefined && receivedNs !== undefined && receivedNs > sentNs) return receivedNs - sentNs;
  return undefined;
}
