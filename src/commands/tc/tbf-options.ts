/** The options of `tc qdisc … tbf`, tc/q_tbf.c: what is refused before the kernel hears of it, in the same words. */
import type { TbfOptions } from "../../linux/qdisc/tbf.ts";
import type { Nanoseconds } from "../../sim/time.ts";
import { CommandError } from "../command-error.ts";
import type { Arguments } from "../ip/arguments.ts";
import { parseRate, parseSize, parseTime } from "./quantities.ts";

const USAGE =
  "Usage: ... tbf limit BYTES burst BYTES[/BYTES] rate KBPS [ mtu BYTES[/BYTES] ]\n" +
  "\t[ peakrate KBPS ] [ latency TIME ] [ overhead BYTES ] [ linklayer TYPE ]";

export function readTbfOptions(words: Arguments): TbfOptions {
  let rate: number | undefined;
  let burst: number | undefined;
  let peakRate: number | undefined;
  let peakBurst: number | undefined;
  let limit: number | undefined;
  let latency: Nanoseconds | undefined;
  while (!words.done) {
    const name = words.take();
    switch (name) {
      case "limit":
        once(limit, "limit");
        if (latency !== undefined) throw refusal('specifying both "limit" and "/latency" is not allowed');
        limit = value(words, "limit", parseSize);
        break;
      case "latency":
        once(latency, "latency");
        if (limit !== undefined) throw refusal('specifying both "limit" and "/latency" is not allowed');
        latency = value(words, "latency", parseTime);
        break;
      case "burst":
      case "buffer":
      case "maxburst":
        once(burst, "buffer/burst/maxburst");
        burst = value(words, name, parseSize);
        break;
      case "mtu":
      case "minburst":
        once(peakBurst, "mtu/minburst");
        peakBurst = value(words, name, parseSize);
        break;
      case "rate":
        once(rate, "rate");
        rate = value(words, "rate", parseRate);
        break;
      case "peakrate":
        once(peakRate, "peakrate");
        peakRate = value(words, "peakrate", parseRate);
        break;
      case "help":
        throw new CommandError(1, USAGE);
      default:
        throw refusal(`unknown parameter "${name}"\n${USAGE}`);
    }
  }
  const problems: string[] = [];
  if (rate === undefined || rate === 0) problems.push('tbf: the "rate" parameter is mandatory.');
  if (burst === undefined || burst === 0) problems.push('tbf: the "burst" parameter is mandatory.');
  if (peakRate !== undefined && peakRate > 0 && (peakBurst ?? 0) === 0)
    problems.push('tbf: when "peakrate" is specified, "mtu" must also be specified.');
  if ((limit ?? 0) === 0 && (latency ?? 0) === 0) problems.push('tbf: either "limit" or "latency" is required.');
  if (problems.length > 0) throw new CommandError(1, `${problems.join("\n")}\n${USAGE}`);
  return {
    rateBitsPerSecond: rate!,
    burstBytes: burst!,
    limitBytes: limit,
    latencyNs: latency,
    peakRateBitsPerSecond: peakRate === 0 ? undefined : peakRate,
    peakBurstBytes: peakBurst,
  };
}

function value(words: Arguments, name: string, parse: (text: string) => number | undefined): number {
  const text = words.value();
  const parsed = parse(text);
  if (parsed === undefined) throw refusal(`illegal value for "${name}": "${text}"`);
  return parsed;
}

function once(before: number | undefined, name: string): void {
  if (before !== undefined) throw refusal(`duplicate "${name}" specification`);
}

function refusal(text: string): CommandError {
  return new CommandError(1, `tbf: ${text}`);
}
