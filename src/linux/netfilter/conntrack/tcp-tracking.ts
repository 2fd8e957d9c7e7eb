/**
 * TCP as a bystander follows it (net/netfilter/nf_conntrack_proto_tcp.c): the state of a connection by flags alone, and the
 * window of acceptable sequence numbers of both sides (G. van Rooij, "Real Stateful TCP Packet Filtering in IP Filter", 2000). A segment outside the
 * window belongs to no connection: rules see it as INVALID.
 */
import { getU32 } from "../../../wire/bytes.ts";
import * as tcp from "../../../wire/tcp.ts";
import * as options from "../../../wire/tcp-options.ts";
import type { Packet } from "../packet.ts";
import { ASSURED, type ConnectionTable, PROTOCOL_WORDS, SEEN_REPLY } from "./connection-table.ts";
import type { TcpSettings } from "./settings.ts";

/** States by number; their names as `conntrack -L` prints them. */
export const TCP_STATES = [
  "NONE",
  "SYN_SENT",
  "SYN_RECV",
  "ESTABLISHED",
  "FIN_WAIT",
  "CLOSE_WAIT",
  "LAST_ACK",
  "TIME_WAIT",
  "CLOSE",
  "SYN_SENT2",
] as const;
const NO = 0;
const SS = 1;
const SR = 2;
export const TCP_ESTABLISHED = 3;
const ES = TCP_ESTABLISHED;
const FW = 4;
const CW = 5;
const LA = 6;
const TW = 7;
const CL = 8;
const S2 = 9;
const IV = 10; // no such move
const IG = 11; // let it through, believe nothing

/** Kinds of segments, in the order of the table's rows. */
const SYN_SEGMENT = 0;
const SYN_ACK_SEGMENT = 1;
const FIN_SEGMENT = 2;
const ACK_SEGMENT = 3;
const RST_SEGMENT = 4;
const NO_SEGMENT = 5;

const STATES = 10;
/** Next state by direction, kind of segment and state. */
const MOVES = Uint8Array.from(
  [
    // direction of the first packet: NO  SS  SR  ES  FW  CW  LA  TW  CL  S2
    [SS, SS, IG, IG, IG, IG, IG, SS, SS, S2], // SYN
    [IV, IV, SR, IV, IV, IV, IV, IV, IV, SR], // SYN+ACK
    [IV, IV, FW, FW, LA, LA, LA, TW, CL, IV], // FIN
    [ES, IV, ES, ES, CW, CW, TW, TW, CL, IV], // ACK
    [IV, CL, CL, CL, CL, CL, CL, CL, CL, CL], // RST
    [IV, IV, IV, IV, IV, IV, IV, IV, IV, IV], // none
    // direction of replies
    [IV, S2, IV, IV, IV, IV, IV, SS, IV, S2],
    [IV, SR, IG, IG, IG, IG, IG, IG, IG, SR],
    [IV, IV, FW, FW, LA, LA, LA, TW, CL, IV],
    [IV, IG, SR, ES, CW, CW, TW, TW, CL, IG],
    [IV, CL, CL, CL, CL, CL, CL, CL, CL, CL],
    [IV, IV, IV, IV, IV, IV, IV, IV, IV, IV],
  ].flat(),
);

/** Words of `protocolState`: what is known of each side, then of the connection and its last segment. */
const SIDE_WORDS = 5;
const END = 0; // highest sequence number sent, plus one
const MAX_END = 1; // the most that the other side has allowed
const MAX_WINDOW = 2; // the largest window announced
const MAX_ACK = 3;
const FLAGS = 4; // flags below, the window scale in the highest byte
const STATE = 10;
const LAST_KIND = 11;
const LAST_DIRECTION = 12;
const LAST_SEQUENCE = 13;
const LAST_ACK = 14;
const LAST_END = 15;
const LAST_WINDOW = 16; // low half; retransmissions seen above it
const LAST_FLAGS = 17;

const WINDOW_SCALE = 1;
const SACK_PERMITTED = 2;
const CLOSE_INITIATED = 4;
const BE_LIBERAL = 8;
const DATA_UNACKNOWLEDGED = 16;
const MAX_ACK_SET = 32;
const SCALE_SHIFT = 24;
const MAXIMUM_SCALE = 14; // RFC 7323 §2.3

/** At least so much may lie between the highest acknowledgement and a late one. */
const MINIMUM_ACK_WINDOW = 66_000;
const SEGMENT_BITS = tcp.FIN | tcp.SYN | tcp.RST | tcp.ACK | tcp.URG;

/** What became of a segment. */
export type TcpAnswer = "accept" | "invalid" | "reopen" | "delete";

export function stateOf(table: ConnectionTable, row: number): number {
  return table.protocolState[row * PROTOCOL_WORDS + STATE]!;
}

/** For those who make connections without packets (load balancer, tests). */
export function setState(table: ConnectionTable, row: number, state: number): void {
  table.protocolState[row * PROTOCOL_WORDS + STATE] = state;
}

/** False: a segment that nobody sends (short, or flags that contradict each other). The checksum is not looked at. */
export function plausible(packet: Packet): boolean {
  const { bytes, transportAt, end } = packet;
  if (tcp.check(bytes, transportAt, end) !== undefined) return false;
  switch (tcp.flags(bytes, transportAt) & SEGMENT_BITS) {
    case tcp.SYN:
    case tcp.SYN | tcp.URG:
    case tcp.SYN | tcp.ACK:
    case tcp.RST:
    case tcp.RST | tcp.ACK:
    case tcp.FIN | tcp.ACK:
    case tcp.FIN | tcp.ACK | tcp.URG:
    case tcp.ACK:
    case tcp.ACK | tcp.URG:
      return true;
    default:
      return false;
  }
}

/** First packet of a new row. False: it begins no connection. */
export function begin(table: ConnectionTable, row: number, packet: Packet, settings: TcpSettings): boolean {
  const state = MOVES[kindOf(packet) * STATES + NO]!;
  if (state === IV) return false;
  const words = table.protocolState;
  const at = row * PROTOCOL_WORDS;
  const { bytes, transportAt } = packet;
  const segmentEnd = endOf(packet);
  const window = Math.max(tcp.window(bytes, transportAt), 1);
  words[at + END] = segmentEnd;
  words[at + MAX_WINDOW] = window;
  if (state === SS) {
    words[at + MAX_END] = segmentEnd;
    words[at + FLAGS] = optionFlags(packet);
  } else {
    if (!settings.loose) return false;
    // Picked up in the middle: the window scale is unknown, so the windows cannot be judged.
    words[at + MAX_END] = (segmentEnd + window) | 0;
    words[at + FLAGS] = SACK_PERMITTED | BE_LIBERAL;
    words[at + SIDE_WORDS + FLAGS] = SACK_PERMITTED | BE_LIBERAL;
  }
  words[at + STATE] = NO;
  words[at + LAST_KIND] = NO_SEGMENT;
  return true;
}

/** Follows a segment of `row` in `direction`. Sets the new timeout in `settings.timeoutNs` when the answer is "accept". */
export function follow(
  table: ConnectionTable,
  row: number,
  direction: 0 | 1,
  packet: Packet,
  settings: TcpSettings,
): TcpAnswer {
  const words = table.protocolState;
  const at = row * PROTOCOL_WORDS;
  const sender = at + direction * SIDE_WORDS;
  const receiver = at + (1 - direction) * SIDE_WORDS;
  const { bytes, transportAt } = packet;
  const kind = kindOf(packet);
  const old = words[at + STATE]!;
  let next = MOVES[(direction * 6 + kind) * STATES + old]!;
  const sequence = tcp.sequence(bytes, transportAt) | 0;
  const acknowledgement = tcp.acknowledgement(bytes, transportAt) | 0;
  let windowChecked = true;

  if (next === IV) return "invalid";
  if (next === SS && old >= TW) {
    const flags = words[sender + FLAGS]! | words[receiver + FLAGS]!;
    if (
      (flags & CLOSE_INITIATED) !== 0 ||
      (words[at + LAST_DIRECTION] === direction && words[at + LAST_KIND] === RST_SEGMENT)
    )
      return "reopen"; // both sides are done with the old connection
    next = IG;
  }
  if (next === IG) {
    if (
      kind === SYN_ACK_SEGMENT &&
      words[at + LAST_KIND] === SYN_SEGMENT &&
      words[at + LAST_DIRECTION] !== direction &&
      acknowledgement === words[at + LAST_END]
    ) {
      // The answer to a SYN that was let through without belief: the two ends are in step, we were not.
      words[receiver + END] = words[at + LAST_END]!;
      words[receiver + MAX_END] = words[at + LAST_END]!;
      words[receiver + MAX_WINDOW] = Math.max(words[at + LAST_WINDOW]! & 0xffff, 1);
      words[receiver + FLAGS] = words[at + LAST_FLAGS]!;
      words.fill(0, sender, sender + SIDE_WORDS);
      words[at + STATE] = SS;
      next = SR;
    } else {
      words[at + LAST_KIND] = kind;
      words[at + LAST_DIRECTION] = direction;
      words[at + LAST_SEQUENCE] = sequence;
      words[at + LAST_END] = endOf(packet);
      words[at + LAST_WINDOW] = tcp.window(bytes, transportAt);
      if (kind === SYN_SEGMENT && direction === 0) words[at + LAST_FLAGS] = optionFlags(packet);
      settings.timeoutNs = -1; // the timer stays as it is
      return "accept";
    }
  } else if (next === CL && kind === RST_SEGMENT) {
    const status = table.status(row);
    const answersIgnored =
      (((status & SEEN_REPLY) !== 0 && words[at + LAST_KIND] === SYN_SEGMENT) ||
        ((status & ASSURED) === 0 && words[at + LAST_KIND] === ACK_SEGMENT)) &&
      acknowledgement === words[at + LAST_END];
    const zeroForSyn = sequence === 0 && (old === SS || old === S2);
    if (
      !zeroForSyn &&
      (words[receiver + FLAGS]! & MAX_ACK_SET) !== 0 &&
      before(sequence, words[receiver + MAX_ACK]!) &&
      !settings.ignoreInvalidReset
    )
      return "invalid";
    if (answersIgnored) windowChecked = false;
  }

  if (windowChecked && !inWindow(words, at, direction, kind, packet) && !settings.beLiberal) return "invalid";

  words[at + LAST_KIND] = kind;
  words[at + LAST_DIRECTION] = direction;
  words[at + STATE] = next;
  if (old !== next && next === FW) words[sender + FLAGS] = words[sender + FLAGS]! | CLOSE_INITIATED;

  const unacknowledged = ((words[at + FLAGS]! | words[at + SIDE_WORDS + FLAGS]!) & DATA_UNACKNOWLEDGED) !== 0;
  let timeoutNs = settings.timeoutsNs[next]!;
  if (words[at + LAST_WINDOW]! >>> 16 >= settings.maximumRetransmissions) {
    timeoutNs = Math.min(timeoutNs, settings.retransmittedNs);
  } else if (unacknowledged) {
    timeoutNs = Math.min(timeoutNs, settings.unacknowledgedNs);
  } else if (tcp.window(bytes, transportAt) === 0) {
    timeoutNs = Math.min(timeoutNs, settings.retransmittedNs);
  }
  settings.timeoutNs = timeoutNs;

  if ((table.status(row) & SEEN_REPLY) === 0) {
    // Nothing but a reset came back: the connection was refused, no need to remember it.
    if (kind === RST_SEGMENT) return "delete";
  } else if ((table.status(row) & ASSURED) === 0 && (old === SR || old === ES) && next === ES) {
    table.addStatus(row, ASSURED);
  }
  return "accept";
}

/** Judges sequence and acknowledgement against what both sides have said, and takes note of them when they hold. */
function inWindow(words: Int32Array, at: number, direction: 0 | 1, kind: number, packet: Packet): boolean {
  const sender = at + direction * SIDE_WORDS;
  const receiver = at + (1 - direction) * SIDE_WORDS;
  const { bytes, transportAt } = packet;
  const flags = tcp.flags(bytes, transportAt);
  const state = words[at + STATE]!;
  let sequence = tcp.sequence(bytes, transportAt) | 0;
  let acknowledgement = tcp.acknowledgement(bytes, transportAt) | 0;
  let window = tcp.window(bytes, transportAt);
  let end = endOf(packet);
  let sack = (words[receiver + FLAGS]! & SACK_PERMITTED) !== 0 ? highestSack(packet, acknowledgement) : acknowledgement;

  if (words[sender + MAX_WINDOW] === 0) {
    if ((flags & tcp.SYN) !== 0) {
      startSide(words, sender, end, window, packet);
      if ((words[sender + FLAGS]! & words[receiver + FLAGS]! & WINDOW_SCALE) === 0) {
        // RFC 7323 §2.2: both must offer it.
        words[sender + FLAGS] = words[sender + FLAGS]! & 0xff_ffff;
        words[receiver + FLAGS] = words[receiver + FLAGS]! & 0xff_ffff;
      }
      if ((flags & tcp.ACK) === 0) return true; // simultaneous open
    } else {
      words[sender + END] = end;
      const scaled = Math.max(window << scaleOf(words, sender), 1);
      words[sender + MAX_WINDOW] = scaled;
      words[sender + MAX_END] = (end + scaled) | 0;
      if (words[receiver + MAX_WINDOW] === 0) {
        words[receiver + END] = sack;
        words[receiver + MAX_END] = sack;
      } else if (sack === ((words[receiver + END]! + 1) | 0)) {
        words[receiver + END] = sack; // the SYN+ACK was not seen
      }
    }
  } else if (
    ((state === SS && direction === 0) || (state === SR && direction === 1)) &&
    after(end, words[sender + END]!)
  ) {
    startSide(words, sender, end, window, packet); // a SYN with another sequence number
  }

  if ((flags & tcp.ACK) === 0 || ((flags & tcp.RST) !== 0 && acknowledgement === 0)) {
    acknowledgement = words[receiver + END]!;
    sack = acknowledgement;
  }
  // A reset that answers a SYN has sequence 0.
  if ((flags & tcp.RST) !== 0 && sequence === 0 && state === SS) {
    sequence = words[sender + END]!;
    end = sequence;
  }

  const receiverWindow = words[receiver + MAX_WINDOW]!;
  const ackWindow = Math.max(words[sender + MAX_WINDOW]!, MINIMUM_ACK_WINDOW);
  const holds =
    before(sequence, words[sender + MAX_END]! + 1) &&
    (receiverWindow === 0 || after(end, words[sender + END]! - receiverWindow - 1)) &&
    before(sack, words[receiver + END]! + 1) &&
    after(sack, words[receiver + END]! - ackWindow - 1);
  if (!holds) return (words[sender + FLAGS]! & BE_LIBERAL) !== 0;

  if ((flags & tcp.SYN) === 0) window <<= scaleOf(words, sender);
  const reach = window + ((sack - acknowledgement) | 0);
  if (words[sender + MAX_WINDOW]! < reach) words[sender + MAX_WINDOW] = reach;
  if (after(end, words[sender + END]!)) {
    words[sender + END] = end;
    words[sender + FLAGS] = words[sender + FLAGS]! | DATA_UNACKNOWLEDGED;
  }
  if ((flags & tcp.ACK) !== 0) {
    if ((words[sender + FLAGS]! & MAX_ACK_SET) === 0 || after(acknowledgement, words[sender + MAX_ACK]!))
      words[sender + MAX_ACK] = acknowledgement;
    words[sender + FLAGS] = words[sender + FLAGS]! | MAX_ACK_SET;
  }
  if (receiverWindow !== 0 && after(end, words[sender + MAX_END]!))
    words[receiver + MAX_WINDOW] = receiverWindow + ((end - words[sender + MAX_END]!) | 0);
  const allowed = (sack + window) | 0;
  if (after(allowed, words[receiver + MAX_END]! - 1))
    words[receiver + MAX_END] = window === 0 ? (allowed + 1) | 0 : allowed;
  if (acknowledgement === words[receiver + END])
    words[receiver + FLAGS] = words[receiver + FLAGS]! & ~DATA_UNACKNOWLEDGED;

  if (kind === ACK_SEGMENT) countRetransmission(words, at, direction, sequence, acknowledgement, end, window);
  return true;
}

/** The same segment again: three times, and the connection is given less time. */
function countRetransmission(
  words: Int32Array,
  at: number,
  direction: 0 | 1,
  sequence: number,
  acknowledgement: number,
  end: number,
  window: number,
): void {
  const last = words[at + LAST_WINDOW]!;
  if (
    words[at + LAST_DIRECTION] === direction &&
    words[at + LAST_SEQUENCE] === sequence &&
    words[at + LAST_ACK] === acknowledgement &&
    words[at + LAST_END] === end &&
    (last & 0xffff) === (window & 0xffff)
  ) {
    if (last >>> 16 < 255) words[at + LAST_WINDOW] = last + 0x1_0000;
    return;
  }
  words[at + LAST_SEQUENCE] = sequence;
  words[at + LAST_ACK] = acknowledgement;
  words[at + LAST_END] = end;
  words[at + LAST_WINDOW] = window & 0xffff;
}

function startSide(words: Int32Array, side: number, end: number, window: number, packet: Packet): void {
  words[side + END] = end;
  words[side + MAX_END] = end;
  words[side + MAX_WINDOW] = Math.max(window, 1);
  words[side + FLAGS] = (words[side + FLAGS]! & 0xff_fffc) | optionFlags(packet);
}

function scaleOf(words: Int32Array, side: number): number {
  return words[side + FLAGS]! >>> SCALE_SHIFT;
}

function kindOf(packet: Packet): number {
  const flags = tcp.flags(packet.bytes, packet.transportAt);
  if ((flags & tcp.RST) !== 0) return RST_SEGMENT;
  if ((flags & tcp.SYN) !== 0) return (flags & tcp.ACK) !== 0 ? SYN_ACK_SEGMENT : SYN_SEGMENT;
  if ((flags & tcp.FIN) !== 0) return FIN_SEGMENT;
  return (flags & tcp.ACK) !== 0 ? ACK_SEGMENT : NO_SEGMENT;
}

/** Sequence number behind the segment; SYN and FIN count one each. */
function endOf(packet: Packet): number {
  const { bytes, transportAt } = packet;
  const flags = tcp.flags(bytes, transportAt);
  const data = packet.end - transportAt - tcp.dataOffsetBytes(bytes, transportAt);
  return (
    (getU32(bytes, transportAt + 4) + data + ((flags & tcp.SYN) !== 0 ? 1 : 0) + ((flags & tcp.FIN) !== 0 ? 1 : 0)) | 0
  );
}

/** What a SYN's options say, as FLAGS has it. */
function optionFlags(packet: Packet): number {
  const { bytes, transportAt } = packet;
  const at = transportAt + tcp.HEADER_BYTES;
  const end = transportAt + tcp.dataOffsetBytes(bytes, transportAt);
  let flags = 0;
  if (options.find(bytes, at, end, options.KIND_SACK_PERMITTED) >= 0) flags |= SACK_PERMITTED;
  const scale = options.find(bytes, at, end, options.KIND_WINDOW_SCALE);
  if (scale >= 0) flags |= WINDOW_SCALE | (Math.min(bytes[scale + 2]!, MAXIMUM_SCALE) << SCALE_SHIFT);
  return flags;
}

/** The highest edge that a SACK option acknowledges, or the acknowledgement itself. */
function highestSack(packet: Packet, acknowledgement: number): number {
  const { bytes, transportAt } = packet;
  const end = transportAt + tcp.dataOffsetBytes(bytes, transportAt);
  if (end === transportAt + tcp.HEADER_BYTES) return acknowledgement;
  const sack = options.find(bytes, transportAt + tcp.HEADER_BYTES, end, options.KIND_SACK);
  if (sack < 0) return acknowledgement;
  let highest = acknowledgement;
  const blocks = options.sackBlockCount(bytes, sack);
  for (let block = 0; block < blocks; block++) {
    const right = options.sackRight(bytes, sack, block) | 0;
    if (after(right, highest)) highest = right;
  }
  return highest;
}

function before(a: number, b: number): boolean {
  return ((a - b) | 0) < 0;
}

function after(a: number, b: number): boolean {
  return ((b - a) | 0) < 0;
}
