/**
 * Did an interface see the same of the data plane? Left out on both sides is what is compared elsewhere (managers on 2377, gossip on 7946), and what
 * the emulator has not: IPv6, and the engine's questions for its registry. Then the strictest comparison that finds no difference is named.
 */
import type { CapturedFrame } from "../../../capture/capture-frame.ts";
import type * as dns from "../../../wire/dns.ts";
import { matchingPairs, unifiedDiff } from "../matching-blocks.ts";
import { type Conversation, type ConversationKind, type TakenApart, takeApart } from "./conversations.ts";
import { dnsOf, FrameNamer } from "./frame-line.ts";
import type { Naming } from "./naming.ts";

/** What two runs of one swarm may differ in; each is looked past only when the stricter comparison fails. */
export const TOLERANCES = ["order", "acknowledgements", "segments", "neighbours", "repeats"] as const;
export type Tolerance = (typeof TOLERANCES)[number];

export interface DataPlaneResult {
  readonly same: boolean;
  /** What had to be looked past. */
  readonly upTo: readonly Tolerance[];
  readonly recordedFrames: number;
  readonly ourFrames: number;
  /** Frames of conversations that are the same, of those recorded, with every tolerance. */
  readonly matched: number;
  readonly compared: number;
  readonly diff: readonly string[];
}

export interface Side {
  readonly frames: readonly CapturedFrame[];
  readonly naming: Naming;
}

const ATTEMPTS: readonly (readonly Tolerance[])[] = [
  ["order"],
  ["order", "acknowledgements"],
  ["order", "neighbours"],
  ["order", "acknowledgements", "neighbours"],
  ["order", "acknowledgements", "segments", "neighbours"],
  ["order", "neighbours", "repeats"],
  TOLERANCES,
];

export function compareDataPlane(recorded: Side, ours: Side, machine: string): DataPlaneResult {
  const a = prepare(recorded, machine);
  const b = prepare(ours, machine);
  const counts = { recordedFrames: a.lines.length, ourFrames: b.lines.length };
  if (a.lines.length === b.lines.length && a.lines.every((line, at) => line === b.lines[at]))
    return { ...counts, same: true, upTo: [], matched: a.lines.length, compared: a.lines.length, diff: [] };
  for (const upTo of ATTEMPTS) {
    const left = texts(a.conversations, upTo);
    const right = texts(b.conversations, upTo);
    if (left.length === right.length && left.every((text, at) => text === right[at])) {
      const compared = lineCount(left);
      return { ...counts, same: true, upTo, matched: compared, compared, diff: [] };
    }
  }
  const left = texts(a.conversations, TOLERANCES);
  const right = texts(b.conversations, TOLERANCES);
  const rest = [...right];
  let matched = 0;
  for (const text of left) {
    const at = rest.indexOf(text);
    if (at < 0) continue;
    rest.splice(at, 1);
    matched += lineCount([text]);
  }
  const leftLines = left.flatMap((text) => text.split("\n"));
  const rightLines = right.flatMap((text) => text.split("\n"));
  const diff = unifiedDiff(leftLines, rightLines, matchingPairs(leftLines, rightLines));
  return { ...counts, same: false, upTo: TOLERANCES, matched, compared: lineCount(left), diff };
}

function prepare({ frames, naming }: Side, machine: string): TakenApart {
  return takeApart(relevant(frames, naming, machine), naming, machine);
}

/** What is compared here. */
function relevant(frames: readonly CapturedFrame[], naming: Naming, machine: string): CapturedFrame[] {
  const namer = new FrameNamer(naming, machine);
  const registry = new Set<string>();
  return frames.filter((frame) => {
    const { line, layers } = namer.frame(frame);
    if (layers.includes("ipv6")) return false;
    if (/\| (?:tcp|udp) (?:\S+>(?:2377|7946)|(?:2377|7946)>\S+) /.test(line)) return false;
    const question = dnsOf(frame.bytes, line);
    const asking = /\| udp (\S+)>53 /.exec(line)?.[1];
    if (asking !== undefined && question !== undefined && isRegistry(question)) {
      registry.add(asking);
      return false;
    }
    const refused = /quote\(.*\| udp (\S+)>53 /.exec(line)?.[1];
    return refused === undefined || !registry.has(refused);
  });
}

function isRegistry({ questions }: dns.Dns): boolean {
  return questions.some(({ name }) => /(^|\.)docker\.io\.?$/.test(name));
}

/** Conversations as texts, in an order of their own. */
function texts(conversations: readonly Conversation[], upTo: readonly Tolerance[]): string[] {
  const found: string[] = [];
  for (const { kind, lines } of conversations) {
    if (kind === "arp" && upTo.includes("neighbours")) continue;
    found.push(shownLines(kind, lines, upTo).join("\n"));
  }
  return upTo.includes("repeats") ? [...new Set(found)].sort() : found.sort();
}

function shownLines(kind: ConversationKind, lines: readonly string[], upTo: readonly Tolerance[]): readonly string[] {
  // How often an echo goes out before the neighbour is given up hangs on how long it is believed to be reachable, which is drawn.
  if (kind === "icmp" && upTo.includes("repeats"))
    return [...new Set(lines.map((line) => line.replace(/ seq \d+/, "")))];
  if (kind === "udp") return [...lines].sort();
  if (kind !== "tcp") return lines;
  if (upTo.includes("segments")) return streams(lines);
  return upTo.includes("acknowledgements") ? withoutAcknowledgements(lines) : lines;
}

/** A connection's directions as one line each: what else does not change, which flags there were, how many bytes. */
function streams(lines: readonly string[]): string[] {
  const found = new Map<string, { flags: Set<string>; end: number }>();
  for (const line of lines) {
    const match = /^(.*) len\d+ p6 \| (.*tcp \S+) (\w+) seq(\d+) ack\S+ len(\d+) /.exec(
      line.replace(/ tos0x0\d /, " "),
    );
    if (match === null) continue;
    const [, outer, ports, letters = "", sequence, length] = match;
    const key = `${outer?.replace(/ len\d+/g, "")} | ${ports}`;
    const stream = found.get(key) ?? { flags: new Set<string>(), end: 0 };
    found.set(key, stream);
    for (const letter of letters) if ("SFR".includes(letter)) stream.flags.add(letter);
    if (Number(length) > 0) stream.end = Math.max(stream.end, Number(sequence) + Number(length) - 1);
  }
  return [...found].map(([key, { flags, end }]) => `${key} ${[...flags].sort().join("")} ${end} bytes`).sort();
}

/**
 * A connection's directions for themselves, without segments that only acknowledge: when these go out depends on how fast the machines are.
 */
function withoutAcknowledgements(lines: readonly string[]): string[] {
  return lines
    .filter((line) => !/\| tcp \S+ A seq\d+ ack\S+ len0 /.test(line))
    .map((line) => line.replace(/ ack\d+ /, " "))
    .sort();
}

function lineCount(found: readonly string[]): number {
  return found.reduce((sum, text) => sum + text.split("\n").length, 0);
}
