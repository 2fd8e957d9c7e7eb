/** The options of `tc qdisc … netem`, tc/q_netem.c, and its words for what is wrong with them. */
import type { DelayDistribution } from "../../linux/delay-distribution.ts";
import type { LossModel } from "../../linux/loss-process.ts";
import type { NetemOptions } from "../../linux/qdisc/netem.ts";
import type { Nanoseconds } from "../../sim/time.ts";
import { CommandError } from "../command-error.ts";
import { type Arguments, matches } from "../ip/arguments.ts";
import { parseCount, parsePercent, parseRate, parseSize, parseTime } from "./quantities.ts";

const USAGE = `Usage: ... netem [ limit PACKETS ]
                 [ delay TIME [ JITTER [CORRELATION]]]
                 [ distribution {uniform|normal|pareto|paretonormal} ]
                 [ corrupt PERCENT [CORRELATION]]
                 [ duplicate PERCENT [CORRELATION]]
                 [ loss random PERCENT [CORRELATION]]
                 [ loss state P13 [P31 [P32 [P23 P14]]]
                 [ loss gemodel PERCENT [R [1-H [1-K]]]
                 [ ecn ]
                 [ reorder PERCENT [CORRELATION] [ gap DISTANCE ]]
                 [ rate RATE [PACKETOVERHEAD] [CELLSIZE] [CELLOVERHEAD]]
                 [ slot MIN_DELAY [MAX_DELAY] [packets MAX_PACKETS] [bytes MAX_BYTES]]
                 [ slot distribution {uniform|normal|pareto|paretonormal|custom}
                   DELAY JITTER [packets MAX_PACKETS] [bytes MAX_BYTES]]`;
const ALL = 1_000_000;

interface Draft {
  limitFrames?: number;
  delayNs?: Nanoseconds;
  jitterNs?: Nanoseconds;
  delayCorrelationPartsPerMillion?: number;
  distribution?: DelayDistribution;
  loss?: LossModel;
  lossCorrelationPartsPerMillion?: number;
  duplicatePartsPerMillion?: number;
  duplicateCorrelationPartsPerMillion?: number;
  corruptPartsPerMillion?: number;
  corruptCorrelationPartsPerMillion?: number;
  reorderPartsPerMillion?: number;
  reorderCorrelationPartsPerMillion?: number;
  gap?: number;
  rateBitsPerSecond?: number;
}

export function readNetemOptions(words: Arguments): NetemOptions {
  const draft: Draft = {};
  while (!words.done) {
    const name = words.take();
    if (matches(name, "limit")) draft.limitFrames = required(words, "limit", parseSize);
    else if (matches(name, "latency") || matches(name, "delay")) readDelay(words, draft);
    else if (matches(name, "loss") || matches(name, "drop")) readLoss(words, draft);
    else if (matches(name, "reorder")) {
      draft.reorderPartsPerMillion = required(words, "reorder", parsePercent);
      draft.reorderCorrelationPartsPerMillion = optional(words, "reorder", parsePercent) ?? 0;
    } else if (matches(name, "corrupt")) {
      draft.corruptPartsPerMillion = required(words, "corrupt", parsePercent);
      draft.corruptCorrelationPartsPerMillion = optional(words, "corrupt", parsePercent) ?? 0;
    } else if (matches(name, "gap")) draft.gap = required(words, "gap", parseCount);
    else if (matches(name, "duplicate")) {
      draft.duplicatePartsPerMillion = required(words, "duplicate", parsePercent);
      draft.duplicateCorrelationPartsPerMillion = optional(words, "duplicate", parsePercent) ?? 0;
    } else if (matches(name, "distribution")) draft.distribution = distribution(words.value());
    else if (matches(name, "rate")) readRate(words, draft);
    else if (name === "help") throw new CommandError(1, USAGE);
    else throw withUsage(`What is "${name}"?`);
  }
  check(draft);
  return draft;
}

/** What does not fit together. */
function check(draft: Draft): void {
  if ((draft.reorderPartsPerMillion ?? 0) > 0) {
    if ((draft.delayNs ?? 0) === 0) throw withUsage("reordering not possible without specifying some delay");
    draft.gap ??= 1;
    if (draft.gap === 0) draft.gap = 1;
  } else if ((draft.gap ?? 0) > 0) {
    throw withUsage("gap specified without reorder probability");
  }
  if (draft.distribution !== undefined && ((draft.delayNs ?? 0) === 0 || (draft.jitterNs ?? 0) === 0))
    throw withUsage("distribution specified but no latency and jitter values");
}

function readDelay(words: Arguments, draft: Draft): void {
  draft.delayNs = required(words, "latency", parseTime);
  const jitterNs = optional(words, "latency", parseTime);
  if (jitterNs === undefined) return;
  draft.jitterNs = jitterNs;
  draft.delayCorrelationPartsPerMillion = optional(words, "latency", parsePercent) ?? 0;
}

function readLoss(words: Arguments, draft: Draft): void {
  if (draft.loss !== undefined) throw new CommandError(1, 'Illegal "duplicate loss argument\n"');
  const model = words.peek();
  if (model !== undefined && /^\d/.test(model)) {
    readRandomLoss(words, draft);
    return;
  }
  words.value();
  switch (model) {
    case "random":
      readRandomLoss(words, draft);
      break;
    case "state": {
      const toLossInBurst = required(words, "loss p13", parsePercent);
      const toGap = optional(words, "loss p31", parsePercent);
      const toBurst = toGap === undefined ? undefined : optional(words, "loss p32", parsePercent);
      const toLoss = toBurst === undefined ? undefined : optional(words, "loss p23", parsePercent);
      const toLossInGap = toLoss === undefined ? undefined : optional(words, "loss p14", parsePercent);
      draft.loss = {
        kind: "four-state",
        p13PartsPerMillion: toLossInBurst,
        p31PartsPerMillion: toGap ?? ALL - toLossInBurst,
        p32PartsPerMillion: toBurst ?? 0,
        p23PartsPerMillion: toLoss ?? ALL,
        p14PartsPerMillion: toLossInGap ?? 0,
      };
      break;
    }
    case "gemodel": {
      const toBad = required(words, "loss gemodel p", parsePercent);
      const toGood = optional(words, "loss gemodel r", parsePercent);
      const inBad = toGood === undefined ? undefined : optional(words, "loss gemodel h", parsePercent);
      const inGood = inBad === undefined ? undefined : optional(words, "loss gemodel k", parsePercent);
      draft.loss = {
        kind: "gilbert-elliott",
        goodToBadPartsPerMillion: toBad,
        badToGoodPartsPerMillion: toGood ?? ALL - toBad,
        lossInBadPartsPerMillion: inBad ?? ALL,
        lossInGoodPartsPerMillion: inGood ?? 0,
      };
      break;
    }
    default:
      throw new CommandError(1, `Unknown loss parameter: ${model}`);
  }
}

function readRandomLoss(words: Arguments, draft: Draft): void {
  draft.loss = { kind: "random", partsPerMillion: required(words, "loss percent", parsePercent) };
  draft.lossCorrelationPartsPerMillion = optional(words, "loss correlation", parsePercent) ?? 0;
}

function readRate(words: Arguments, draft: Draft): void {
  draft.rateBitsPerSecond = required(words, "rate", parseRate);
  // Overheads of packets and cells are for ATM, which no emulated link is.
  for (const overhead of ["packetoverhead", "cellsize", "celloverhead"]) {
    const given = optional(words, overhead, parseCount);
    if (given !== undefined && given !== 0) throw new CommandError(2, "RTNETLINK answers: Operation not supported");
  }
}

function distribution(name: string): DelayDistribution {
  if (name === "uniform" || name === "normal") return name;
  const folder = "/usr/lib/x86_64-linux-gnu/tc/";
  throw new CommandError(1, `No distribution data for ${name} (${folder}/${name}.dist: No such file or directory)`);
}

function required(words: Arguments, name: string, parse: (text: string) => number | undefined): number {
  const parsed = parse(words.value());
  if (parsed === undefined) throw illegal(name);
  return parsed;
}

/** NEXT_IS_NUMBER: a value may follow. */
function optional(words: Arguments, name: string, parse: (text: string) => number | undefined): number | undefined {
  return /^\d/.test(words.peek() ?? "") ? required(words, name, parse) : undefined;
}

function illegal(name: string): CommandError {
  return new CommandError(1, `Illegal "${name}"`);
}

function withUsage(text: string): CommandError {
  return new CommandError(1, `${text}\n${USAGE}`);
}
