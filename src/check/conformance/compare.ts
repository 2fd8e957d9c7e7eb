/**
 * Are two captures the same up to what may vary? Both become lines (normalise.ts), the lines are compared in order, as a
 * bag or as a set, and times within a tolerance where a case asks for it.
 */
import type { CapturedFrame } from "../../capture/capture-frame.ts";
import { SECOND } from "../../sim/time.ts";
import { type LayerFilter, parseFilter } from "./display-filter.ts";
import { matchingPairs, unifiedDiff } from "./matching-blocks.ts";
import { Normaliser, type SegmentNote } from "./normalise.ts";

export interface CompareOptions {
  /** Milliseconds that a frame's time, counted from the first frame, may be off; undefined: times are not compared. */
  timingMs: number | undefined;
  unordered: boolean;
  distinct: boolean;
  /** Only so many frames of each; 0 = all. */
  head: number;
  /** Frames with one of these layers are left out. */
  ignore: string[];
  /** Other frames are left out. */
  filter: LayerFilter | undefined;
  tcpSummary: boolean;
  window: boolean;
  payload: boolean;
  portMinimum: number;
  portMaximum: number;
}

export function defaultOptions(): CompareOptions {
  return {
    timingMs: undefined,
    unordered: false,
    distinct: false,
    head: 0,
    ignore: [],
    filter: undefined,
    tcpSummary: false,
    window: false,
    payload: false,
    portMinimum: 32_768,
    portMaximum: 60_999,
  };
}

/** Options as a case writes them (`--timing 30 --ignore igmp`), or what is wrong with them. */
export function parseOptions(words: readonly string[]): CompareOptions | { problem: string } {
  const options = defaultOptions();
  for (let index = 0; index < words.length; index++) {
    const [word, attached] = splitOnce(words[index]!);
    const value = (): string => attached ?? words[++index] ?? "";
    switch (word) {
      case "--timing":
        options.timingMs = Number(value());
        break;
      case "--unordered":
        options.unordered = true;
        break;
      case "--distinct":
        options.distinct = true;
        break;
      case "--head":
        options.head = Number(value());
        break;
      case "--ignore":
        options.ignore.push(value());
        break;
      case "--filter": {
        const filter = parseFilter(value());
        if (typeof filter === "object") return filter;
        options.filter = filter;
        break;
      }
      case "--tcp-summary":
        options.tcpSummary = true;
        break;
      case "--window":
        options.window = true;
        break;
      case "--payload":
        options.payload = true;
        break;
      case "--port-min":
        options.portMinimum = Number(value());
        break;
      case "--port-max":
        options.portMaximum = Number(value());
        break;
      default:
        return { problem: `unknown compare option ${word}` };
    }
  }
  return options;
}

export interface Comparison {
  readonly same: boolean;
  readonly matched: number;
  /** Of the longer of the two. */
  readonly total: number;
  readonly referenceFrames: number;
  readonly ourFrames: number;
  /** Frames that match but whose time is off by more than the tolerance. */
  readonly late: number;
  readonly diff: readonly string[];
}

interface Lines {
  lines: string[];
  /** Since the first frame; undefined for a line that has no time. */
  timesNs: (number | undefined)[];
}

export function compareCaptures(
  reference: readonly CapturedFrame[],
  ours: readonly CapturedFrame[],
  options: CompareOptions,
): Comparison {
  let a = captureLines(reference, options);
  let b = captureLines(ours, options);
  if (options.distinct) {
    a = asSet(a);
    b = asSet(b);
  }
  const total = Math.max(a.lines.length, b.lines.length);
  let matched: number;
  let late = 0;
  let diff: string[] = [];
  const pairs = options.unordered ? [] : matchingPairs(a.lines, b.lines);
  if (options.unordered) {
    matched = commonCount(a.lines, b.lines);
  } else {
    matched = pairs.length;
    const lateLines: string[] = [];
    if (options.timingMs !== undefined) {
      for (const [i, j] of pairs) {
        const expectedNs = a.timesNs[i];
        const foundNs = b.timesNs[j];
        if (expectedNs === undefined || foundNs === undefined) continue;
        if (Math.abs(expectedNs - foundNs) <= options.timingMs * 1_000_000) continue;
        late++;
        if (late <= 20)
          lateLines.push(
            `time: frame ${i + 1} at ${seconds(expectedNs)} s in the reference, ${seconds(foundNs)} s in ours: ${a.lines[i]}`,
          );
      }
    }
    diff = lateLines;
  }
  const same = matched === total && late === 0;
  if (!same) {
    const left = options.unordered ? [...a.lines].sort() : a.lines;
    const right = options.unordered ? [...b.lines].sort() : b.lines;
    diff = [...unifiedDiff(left, right, options.unordered ? matchingPairs(left, right) : pairs), ...diff];
  }
  return { same, matched, total, referenceFrames: a.lines.length, ourFrames: b.lines.length, late, diff };
}

/** `match 20 of 22 frames (reference 22, got 20); 1 outside the timing tolerance` */
export function summary(comparison: Comparison): string {
  const { matched, total, referenceFrames, ourFrames, late } = comparison;
  const lengths = referenceFrames === ourFrames ? "" : ` (reference ${referenceFrames}, ours ${ourFrames})`;
  return `match ${matched} of ${total}${lengths}${late === 0 ? "" : `; ${late} outside the timing tolerance`}`;
}

/** A capture's normalised lines. */
export function captureLines(frames: readonly CapturedFrame[], options: CompareOptions): Lines {
  const normaliser = new Normaliser(options);
  const connections = new Map<string, ConnectionNote>();
  const lines: string[] = [];
  const timesNs: (number | undefined)[] = [];
  let first: CapturedFrame["time"] | undefined;
  for (const frame of frames) {
    // Filtered before anything is numbered: what is left out counts as never captured.
    if (options.filter !== undefined && !options.filter(layersOf(frame, options))) continue;
    const normal = normaliser.frame(frame.bytes, frame.originalLength);
    if (normal.layers.some((layer) => options.ignore.includes(layer))) continue;
    first ??= frame.time;
    if (options.tcpSummary && normal.segment !== undefined) {
      noteSegment(connections, normal.segment);
      continue;
    }
    lines.push(normal.line);
    timesNs.push((frame.time.seconds - first.seconds) * SECOND + frame.time.nanoseconds - first.nanoseconds);
    if (options.head > 0 && lines.length >= options.head) break;
  }
  for (const key of [...connections.keys()].sort()) {
    lines.push(summaryLine(key, connections.get(key)!));
    timesNs.push(undefined);
  }
  return { lines, timesNs };
}

function layersOf(frame: CapturedFrame, options: CompareOptions): readonly string[] {
  return new Normaliser(options).frame(frame.bytes, frame.originalLength).layers;
}

/** One direction of a TCP connection. */
interface ConnectionNote {
  flags: number;
  end: number;
  longest: number;
}

function noteSegment(connections: Map<string, ConnectionNote>, segment: SegmentNote): void {
  const { scope, source, sourcePort, destination, destinationPort, flags, sequence, length } = segment;
  const key = `vni${scope || "-"} ${source}:${sourcePort}>${destination}:${destinationPort}`;
  let note = connections.get(key);
  if (note === undefined) {
    note = { flags: 0, end: 0, longest: 0 };
    connections.set(key, note);
  }
  note.flags |= flags;
  note.longest = Math.max(note.longest, length);
  if (length > 0) note.end = Math.max(note.end, sequence + length - 1);
}

function summaryLine(key: string, note: ConnectionNote): string {
  const bit = (mask: number): number => ((note.flags & mask) !== 0 ? 1 : 0);
  return `tcp summary ${key} syn${bit(2)} fin${bit(1)} rst${bit(4)} bytes ${note.end} longest ${note.longest}`;
}

function asSet(capture: Lines): Lines {
  const lines = [...new Set(capture.lines)].sort();
  return { lines, timesNs: lines.map(() => undefined) };
}

/** Size of the intersection of two bags. */
function commonCount(a: readonly string[], b: readonly string[]): number {
  const counts = new Map<string, number>();
  for (const line of a) counts.set(line, (counts.get(line) ?? 0) + 1);
  let common = 0;
  for (const line of b) {
    const left = counts.get(line) ?? 0;
    if (left === 0) continue;
    counts.set(line, left - 1);
    common++;
  }
  return common;
}

function seconds(timeNs: number): string {
  return (timeNs / SECOND).toFixed(3);
}

function splitOnce(word: string): [string, string | undefined] {
  const equals = word.indexOf("=");
  return equals < 0 ? [word, undefined] : [word.slice(0, equals), word.slice(equals + 1)];
}
