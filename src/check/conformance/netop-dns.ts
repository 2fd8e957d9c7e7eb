/** The verbs `dns` and `dnsq` of netop.py: a name server that knows a few names, and one question. */
import type { CommandContext } from "../../commands/word.ts";
import { errorText } from "../../linux/errno.ts";
import type { Process, Program } from "../../linux/process.ts";
import { UdpSocket } from "../../linux/udp-socket.ts";
import { SECOND } from "../../sim/time.ts";
import { type Ipv4Address, parseIpv4 } from "../../wire/address.ts";
import { getU16, putU16, putU32 } from "../../wire/bytes.ts";
import { endpoint, usage } from "./netop-arguments.ts";

const HEADER_BYTES = 12;
const TYPE_A = 1;
/** Response, authoritative, recursion desired and available; and the same with "no such name". */
const FLAGS_ANSWER = 0x8580;
const FLAGS_NO_NAME = 0x8583;
const TIME_TO_LIVE_S = 600;
/** Points back at the name in the question. */
const NAME_POINTER = 0xc00c;

/** `dns IP:PORT name=ip …` */
export function* dnsServer(process: Process, { namespace }: CommandContext, args: readonly string[]): Program {
  const [at, ...zone] = args;
  const local = endpoint(at);
  if (local === undefined) return usage(process, "dns");
  const addresses = new Map<string, Ipv4Address>();
  for (const entry of zone) {
    const [name = "", address = ""] = entry.split("=");
    const parsed = parseIpv4(address);
    if (parsed !== undefined) addresses.set(name, parsed);
  }
  const socket = new UdpSocket(namespace);
  process.atExit(() => socket.close());
  const problem = socket.bind(local.address, local.port);
  if (problem !== undefined) {
    process.stderr.write(`OSError: ${errorText(problem)}\n`);
    return 1;
  }
  for (;;) {
    const query = socket.receive();
    if (query === undefined) {
      if ((yield { queues: [socket.readable] }) === "signal") return 143;
      continue;
    }
    if (typeof query === "string") continue;
    const { name, end } = readName(query.bytes);
    const type = getU16(query.bytes, end);
    process.stdout.write(`query ${name} ${type}\n`);
    const answer = reply(query.bytes, end + 4, addresses.get(name), type);
    socket.sendTo(answer, query.source, query.sourcePort);
  }
}

/** The question's name, and where it ends. */
function readName(bytes: Uint8Array): { name: string; end: number } {
  const labels: string[] = [];
  let at = HEADER_BYTES;
  while (at < bytes.length && bytes[at] !== 0) {
    const length = bytes[at]!;
    labels.push(String.fromCharCode(...bytes.slice(at + 1, at + 1 + length)));
    at += length + 1;
  }
  return { name: labels.join("."), end: at + 1 };
}

function reply(query: Uint8Array, questionEnd: number, address: Ipv4Address | undefined, type: number): Uint8Array {
  const answers = address !== undefined && type === TYPE_A ? 1 : 0;
  const bytes = new Uint8Array(questionEnd + answers * 16);
  bytes.set(query.subarray(0, questionEnd));
  putU16(bytes, 2, address === undefined ? FLAGS_NO_NAME : FLAGS_ANSWER);
  putU16(bytes, 4, 1);
  putU16(bytes, 6, answers);
  putU32(bytes, 8, 0);
  if (address === undefined || answers === 0) return bytes;
  putU16(bytes, questionEnd, NAME_POINTER);
  putU16(bytes, questionEnd + 2, TYPE_A);
  putU16(bytes, questionEnd + 4, 1);
  putU32(bytes, questionEnd + 6, TIME_TO_LIVE_S);
  putU16(bytes, questionEnd + 10, 4);
  putU32(bytes, questionEnd + 12, address);
  return bytes;
}

/** `dnsq SRC:PORT DST:PORT NAME [ID]` */
export function* dnsQuestion(process: Process, { namespace }: CommandContext, args: readonly string[]): Program {
  const [from, to, name = "", id = "4660"] = args;
  const source = endpoint(from);
  const destination = endpoint(to);
  if (source === undefined || destination === undefined) return usage(process, "dnsq");
  const socket = new UdpSocket(namespace);
  process.atExit(() => socket.close());
  const problem = socket.bind(source.address, source.port);
  if (problem === undefined) socket.sendTo(question(name, Number(id)), destination.address, destination.port);
  const untilNs = process.clock.nowNs + SECOND;
  for (;;) {
    const answer = socket.receive();
    if (answer !== undefined && typeof answer !== "string") {
      process.stdout.write(`rcode ${answer.bytes[3]! & 15} answers ${getU16(answer.bytes, 6)}\n`);
      return 0;
    }
    if ((yield { queues: [socket.readable], untilNs }) !== "ready") return 1;
  }
}

function question(name: string, id: number): Uint8Array {
  const labels = name.split(".");
  const bytes = new Uint8Array(HEADER_BYTES + labels.reduce((sum, label) => sum + label.length + 1, 0) + 5);
  putU16(bytes, 0, id);
  putU16(bytes, 2, 0x0100);
  putU16(bytes, 4, 1);
  let at = HEADER_BYTES;
  for (const label of labels) {
    bytes[at++] = label.length;
    for (const character of label) bytes[at++] = character.charCodeAt(0);
  }
  putU16(bytes, at + 1, TYPE_A);
  putU16(bytes, at + 3, 1);
  return bytes;
}
