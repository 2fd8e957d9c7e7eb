/**
 * Damage to frames: bits, bytes, numbers that programs trip over, lengths, cuts, pieces doubled, moved and taken from other frames, addresses
 * exchanged, and layers put around. One buffer is worked on in place.
 */
import { assert } from "../../sim/assert.ts";
import type { Random } from "../../sim/random.ts";
import { putU16, putU32 } from "../../wire/bytes.ts";
import * as ethernet from "../../wire/ethernet.ts";
import * as ipv4 from "../../wire/ipv4.ts";
import * as tcp from "../../wire/tcp.ts";
import { type Draft, LONGEST_BYTES } from "./draft.ts";
import { networkLayer, repairChecksums } from "./repair.ts";
import { wrapInIcmpError, wrapInVlan, wrapInVxlan } from "./wrapping.ts";

const EDGES = [0, 1, 2, 4, 5, 7, 8, 20, 64, 127, 128, 255, 256, 1_500, 0x7fff, 0x8000, 0xfffe, 0xffff];
/** Where fields that say lengths, offsets and kinds stand in an Ethernet frame that carries IPv4, and in VXLAN's inner one. */
const FIELDS = [
  12, 14, 16, 18, 20, 22, 23, 34, 36, 38, 40, 42, 46, 47, 48, 54, 56, 58, 60, 62, 64, 66, 68, 70, 72, 73, 84, 88,
];
const TCP_FLAG_BITS = 0x3f;

type Mutation = (draft: Draft, random: Random, other: Uint8Array) => void;

/** What may befall a frame; `other` is another real frame to take pieces from. */
const MUTATIONS: readonly Mutation[] = [
  flipBits,
  setByte,
  setField,
  setField,
  cut,
  extend,
  remove,
  double,
  splice,
  exchangeAddresses,
  exchangeMacs,
  fragment,
  addOptions,
  changeTcp,
  changeTcp,
  wrapInVlan,
  wrapInVxlan,
  wrapInIcmpError,
];

/** Damages the draft a few times; mostly with right checksums at the end. */
export function mutate(draft: Draft, random: Random, other: Uint8Array): void {
  const times = random.below(4);
  for (let turn = 0; turn < times; turn++) {
    if (draft.length < ethernet.HEADER_BYTES) break;
    MUTATIONS[random.below(MUTATIONS.length)]!(draft, random, other);
    assert(draft.length <= LONGEST_BYTES, "a mutation grew its frame too long");
  }
  if (random.below(8) > 0) repairChecksums(draft.memory, 0, draft.length);
}

/** Bytes of no meaning behind an Ethernet header of a known type. */
export function noise(draft: Draft, random: Random): void {
  draft.length = random.below(random.below(8) === 0 ? 2_000 : 120);
  for (let at = 0; at < draft.length; at++) draft.bytes[at] = random.below(256);
  if (draft.length < ethernet.HEADER_BYTES) return;
  const types = [ethernet.ETHERTYPE_IPV4, ethernet.ETHERTYPE_ARP, ethernet.ETHERTYPE_VLAN, 0x26];
  putU16(draft.bytes, 12, types[random.below(types.length)]!);
  if (draft.length > ethernet.HEADER_BYTES) draft.bytes[ethernet.HEADER_BYTES] = 0x45;
}

function flipBits(draft: Draft, random: Random): void {
  for (let count = random.between(1, 4); count > 0; count--) {
    const at = place(draft, random);
    draft.bytes[at] = draft.bytes[at]! ^ (1 << random.below(8));
  }
}

function setByte(draft: Draft, random: Random): void {
  draft.bytes[place(draft, random)] = random.below(256);
}

function setField(draft: Draft, random: Random): void {
  const at = FIELDS[random.below(FIELDS.length)]!;
  if (at + 2 > draft.length) return;
  const value = random.below(3) === 0 ? random.below(0x1_0000) : EDGES[random.below(EDGES.length)]!;
  if (random.below(3) === 0) draft.bytes[at] = value;
  else putU16(draft.bytes, at, value);
}

function cut(draft: Draft, random: Random): void {
  draft.length = random.below(draft.length + 1);
}

function extend(draft: Draft, random: Random): void {
  const count = random.below(random.below(10) === 0 ? 3_000 : 64);
  const from = draft.length;
  if (!draft.open(from, count)) return;
  for (let at = from; at < draft.length; at++) draft.bytes[at] = random.below(256);
}

function remove(draft: Draft, random: Random): void {
  const at = place(draft, random);
  draft.close(at, Math.min(draft.length, at + random.between(1, 8)));
}

function double(draft: Draft, random: Random): void {
  const at = place(draft, random);
  const count = Math.min(draft.length - at, random.between(1, 40));
  draft.open(at, count); // what stood there stands there still, and again behind it
}

/** The head of this frame and the tail of another. */
function splice(draft: Draft, random: Random, other: Uint8Array): void {
  const at = place(draft, random);
  const from = random.below(2) === 0 ? Math.min(at, other.length) : random.below(other.length + 1);
  const tail = other.subarray(from, from + LONGEST_BYTES - at);
  draft.bytes.set(tail, at);
  draft.length = at + tail.length;
}

function exchangeMacs(draft: Draft, random: Random, other: Uint8Array): void {
  if (random.below(2) === 0) exchange(draft.bytes, 0, 6, 6);
  else if (other.length >= 12)
    draft.bytes.set(other.subarray(0, random.between(1, 2) * 6), random.below(2) * 6 === 0 ? 0 : 0);
}

function exchangeAddresses(draft: Draft, random: Random, other: Uint8Array): void {
  const { type, at } = networkLayer(draft.bytes, 0, draft.length);
  if (type !== ethernet.ETHERTYPE_IPV4 || at + 24 > draft.length) return;
  const choice = random.below(4);
  if (choice === 0) exchange(draft.bytes, at + 12, at + 16, 4);
  else if (choice === 1)
    exchange(draft.bytes, at + 20, at + 22, 2); // ports
  else if (choice === 2)
    putU32(draft.bytes, at + 12 + 4 * random.below(2), ODD_ADDRESSES[random.below(ODD_ADDRESSES.length)]!);
  else if (other.length >= 34) draft.bytes.set(other.subarray(26, 34), at + 12);
}
const ODD_ADDRESSES = [0, 0xffff_ffff, 0x7f00_0001, 0xe000_0001, 0xe000_0116, 0x0a09_00ff, 0xac11_0002, 0x0a00_0001];

function fragment(draft: Draft, random: Random): void {
  const { type, at } = networkLayer(draft.bytes, 0, draft.length);
  if (type !== ethernet.ETHERTYPE_IPV4 || at + ipv4.HEADER_BYTES > draft.length) return;
  const offset = random.below(4) === 0 ? random.below(0x2000) : random.below(200);
  putU16(draft.bytes, at + 6, (random.below(2) === 0 ? ipv4.MORE_FRAGMENTS : 0) | (random.below(3) === 0 ? 0 : offset));
  if (random.below(2) === 0) putU16(draft.bytes, at + 4, random.below(4)); // few identifications: fragments meet
  const room = draft.length - at - ipv4.HEADER_BYTES;
  draft.length = at + ipv4.HEADER_BYTES + (random.below(4) === 0 ? room : room & ~7);
  putU16(draft.bytes, at + 2, draft.length - at);
}

/** IPv4 options: kinds and lengths at random, some of them known. */
function addOptions(draft: Draft, random: Random): void {
  const { type, at } = networkLayer(draft.bytes, 0, draft.length);
  if (type !== ethernet.ETHERTYPE_IPV4 || at + ipv4.HEADER_BYTES > draft.length) return;
  const count = 4 * random.between(1, 10);
  const from = at + ipv4.HEADER_BYTES;
  if (!draft.open(from, count)) return;
  for (let option = from; option < from + count; option++) draft.bytes[option] = random.below(256);
  const kinds = [0, 1, 7, 68, 131, 137, 148, 130];
  draft.bytes[from] = kinds[random.below(kinds.length)]!;
  draft.bytes[from + 1] = random.below(2) === 0 ? count : random.below(12);
  draft.bytes[at] = 0x45 + count / 4;
  putU16(draft.bytes, at + 2, draft.length - at);
}

/** Flags, numbers near the right ones, windows, options. */
function changeTcp(draft: Draft, random: Random): void {
  const { bytes } = draft;
  const { type, at } = networkLayer(bytes, 0, draft.length);
  const segment = at + ipv4.HEADER_BYTES;
  if (type !== ethernet.ETHERTYPE_IPV4 || segment + tcp.HEADER_BYTES > draft.length) return;
  if (ipv4.protocol(bytes, at) !== ipv4.PROTOCOL_TCP) return;
  switch (random.below(6)) {
    case 0:
      bytes[segment + 13] = random.below(TCP_FLAG_BITS + 1);
      break;
    case 1:
      putU32(bytes, segment + 4, tcp.sequence(bytes, segment) + random.between(-3_000, 70_000));
      break;
    case 2:
      putU32(bytes, segment + 8, tcp.acknowledgement(bytes, segment) + random.between(-70_000, 3_000));
      break;
    case 3:
      putU16(bytes, segment + 14, EDGES[random.below(EDGES.length)]!);
      break;
    case 4:
      bytes[segment + 12] = random.below(16) << 4;
      break;
    default: {
      const end = Math.min(draft.length, segment + tcp.dataOffsetBytes(bytes, segment));
      for (let option = segment + tcp.HEADER_BYTES; option < end; option++)
        if (random.below(4) === 0) bytes[option] = random.below(random.below(2) === 0 ? 12 : 256);
    }
  }
}

/** Headers are worth more than payload. */
function place(draft: Draft, random: Random): number {
  return random.below(random.below(4) === 0 ? draft.length : Math.min(draft.length, 100));
}

function exchange(bytes: Uint8Array, a: number, b: number, count: number): void {
  for (let index = 0; index < count; index++) {
    const held = bytes[a + index]!;
    bytes[a + index] = bytes[b + index]!;
    bytes[b + index] = held;
  }
}
