/**
 * The word `traceroute` (Dmitry Butskoy's 2.1): sends packets whose time to live ends one hop farther each time, several at once, and prints the hops
 * in order as soon as they are known.
 */
import type { Process, Program } from "../../linux/process.ts";
import { MILLISECOND, type Nanoseconds, SECOND } from "../../sim/time.ts";
import { formatIpv4, type Ipv4Address, parseIpv4 } from "../../wire/address.ts";
import { CommandError } from "../command-error.ts";
import { lookUp } from "../host.ts";
import type { CommandContext, Word } from "../word.ts";
import { IcmpProber, type Probe, type Prober, type Route, UdpProber } from "./probe.ts";
import { TcpProber } from "./tcp-probe.ts";
import { readTracerouteOptions, type TracerouteOptions } from "./traceroute-options.ts";

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
            `Cannot handle "host" cmdline arg \`${options.target}' on position 1 (argc ${argv.indexOf(options.target) + 1})`,
        );
      return yield* trace(process, context, options, target);
    } catch (error) {
      if (!(error instanceof CommandError)) throw error;
      (error.status === 0 ? process.stdout : process.stderr).write(`${error.message}\n`);
      return error.status;
    }
  },
};

function* trace(process: Process, context: CommandContext, options: TracerouteOptions, target: Ipv4Address): Program {
  const prober = makeProber(context, options, target);
  process.atExit(() => prober.close());
  process.stdout.write(
    `traceroute to ${options.target} (${formatIpv4(target)}), ${options.maximumTtl} hops max, ` +
      `${options.packetBytes} byte packets\n`,
  );
  const journey = new Journey(process, context, options, prober);
  for (;;) {
    const nowNs = process.clock.nowNs;
    prober.receive();
    journey.expire(nowNs);
    journey.print();
    if (journey.finished) return 0;
    journey.send(nowNs);
    journey.print();
    if (journey.finished) return 0;
    const wake = yield { queues: prober.queues, untilNs: journey.nextNs(nowNs) };
    if (wake === "signal") {
      process.stdout.write("\n");
      return 130;
    }
  }
}

function makeProber(context: CommandContext, options: TracerouteOptions, target: Ipv4Address): Prober {
  const { namespace } = context;
  const source = options.source === undefined ? undefined : parseIpv4(options.source);
  if (options.source !== undefined && source === undefined)
    throw new CommandError(2, `${options.source}: Name or service not known`);
  const device = options.device === undefined ? undefined : namespace.device(options.device);
  if (options.device !== undefined && device === undefined)
    throw new CommandError(1, "setsockopt SO_BINDTODEVICE: No such device");
  const route: Route = { namespace, target, source, device, options };
  if (options.method === "icmp") return new IcmpProber(route);
  return options.method === "tcp" ? new TcpProber(route) : new UdpProber(route);
}

/** All probes, in the order of hops: sent, answered, printed. */
class Journey {
  readonly #process: Process;
  readonly #context: CommandContext;
  readonly #options: TracerouteOptions;
  readonly #prober: Prober;
  readonly #probes: Probe[] = [];
  #printed = 0;
  /** Where the last line stopped: the address that need not be printed again. */
  #lastAnswerer: Ipv4Address | undefined = undefined;
  #lastSentNs: Nanoseconds = -1;

  constructor(process: Process, context: CommandContext, options: TracerouteOptions, prober: Prober) {
    this.#process = process;
    this.#context = context;
    this.#options = options;
    this.#prober = prober;
  }

  /** The first hop that ends the journey has been printed whole, or the last hop that may be tried. */
  get finished(): boolean {
    const { queries } = this.#options;
    return this.#printed > 0 && this.#printed % queries === 0 && this.#printed >= this.#wanted;
  }

  /** How many probes are of use: up to the hop that ended the journey. */
  get #wanted(): number {
    const { queries, maximumTtl, firstTtl } = this.#options;
    const final = this.#probes.findIndex((probe) => probe.final);
    const hops = final < 0 ? maximumTtl - firstTtl + 1 : Math.floor(final / queries) + 1;
    return hops * queries;
  }

  /** As many as may be on their way at a time. */
  send(nowNs: Nanoseconds): void {
    const { simultaneous, queries, firstTtl, sendWaitMs } = this.#options;
    while (this.#probes.length < this.#wanted && this.#waiting.length < simultaneous) {
      if (sendWaitMs > 0 && this.#lastSentNs >= 0 && nowNs < this.#lastSentNs + sendWaitMs * MILLISECOND) return;
      const ttl = firstTtl + Math.floor(this.#probes.length / queries);
      this.#probes.push(this.#prober.send(ttl, nowNs));
      this.#lastSentNs = nowNs;
    }
  }

  get #waiting(): readonly Probe[] {
    return this.#probes.filter((probe) => !probe.done);
  }

  /** Gives up probes that have been waited for long enough. */
  expire(nowNs: Nanoseconds): void {
    for (const probe of this.#waiting) if (nowNs >= this.#deadlineNs(probe)) this.#prober.expire(probe);
  }

  nextNs(nowNs: Nanoseconds): Nanoseconds | undefined {
    let nextNs: Nanoseconds | undefined;
    for (const probe of this.#waiting) {
      const deadlineNs = this.#deadlineNs(probe);
      if (nextNs === undefined || deadlineNs < nextNs) nextNs = deadlineNs;
    }
    const { sendWaitMs } = this.#options;
    if (sendWaitMs > 0 && this.#probes.length < this.#wanted) {
      const sendNs = this.#lastSentNs + sendWaitMs * MILLISECOND;
      if (sendNs > nowNs && (nextNs === undefined || sendNs < nextNs)) nextNs = sendNs;
    }
    return nextNs;
  }

  /** An answer of the same hop, or of a farther one, tells how long one need wait. */
  #deadlineNs(probe: Probe): Nanoseconds {
    const { waitMaximum, waitHere, waitNear } = this.#options;
    let waitNs = waitMaximum * SECOND;
    for (const other of this.#probes) {
      if (other.receivedNs === undefined || other.answerer === undefined) continue;
      const roundNs = other.receivedNs - other.sentNs;
      const factor = other.ttl === probe.ttl ? waitHere : other.ttl > probe.ttl ? waitNear : undefined;
      if (factor === undefined || factor === 0) continue;
      // A fast answer is no reason to be hasty: below a millisecond everything is noise.
      const enoughNs = Math.max(roundNs * factor, MILLISECOND);
      if (enoughNs < waitNs) waitNs = enoughNs;
    }
    return probe.sentNs + Math.round(waitNs);
  }

  /** Prints what is known without a gap. */
  print(): void {
    const { queries } = this.#options;
    while (this.#printed < Math.min(this.#probes.length, this.#wanted)) {
      const probe = this.#probes[this.#printed]!;
      if (!probe.done) return;
      const first = this.#printed % queries === 0;
      let text = first ? `${String(probe.ttl).padStart(2)} ` : "";
      if (first) this.#lastAnswerer = undefined;
      if (probe.answerer === undefined) text += " *";
      else if (probe.answerer !== this.#lastAnswerer) text += ` ${this.#name(probe.answerer)}`;
      this.#lastAnswerer = probe.answerer ?? this.#lastAnswerer;
      if (probe.receivedNs !== undefined)
        text += `  ${((probe.receivedNs - probe.sentNs) / MILLISECOND).toFixed(3)} ms`;
      if (probe.mark !== "") text += ` ${probe.mark}`;
      this.#printed++;
      if (this.#printed % queries === 0) text += "\n";
      this.#process.stdout.write(text);
    }
  }

  #name(address: Ipv4Address): string {
    const digits = formatIpv4(address);
    if (this.#options.numeric) return digits;
    for (const [name, listed] of this.#context.host.hostsFile) if (listed === address) return `${name} (${digits})`;
    return `${digits} (${digits})`;
  }
}
