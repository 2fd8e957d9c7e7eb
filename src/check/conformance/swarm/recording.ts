/** Recorded cases of a real swarm, read: what was done, what was captured, what the nodes said of themselves. */
import type { CapturedFrame, CaptureTime } from "../../../capture/capture-frame.ts";
import { readCapture } from "../../../capture/capture-reader.ts";
import { type Nanoseconds, SECOND } from "../../../sim/time.ts";
import { type Ipv4Address, parseIpv4 } from "../../../wire/address.ts";
import { getU32 } from "../../../wire/bytes.ts";
import { type Notes, parseNotes } from "./notes.ts";
import { type GossipLine, parseGossip, type ToldEndpoint, toldEndpoints } from "./recorded-gossip.ts";
import { parseState, type RecordedState } from "./recorded-state.ts";

const ETHERNET_BYTES = 14;
/** Where the last address of an ARP packet or an IPv4 header ends. */
const ADDRESSES_END = 42;
const PROTOCOL_AT = 23;
const ICMP = 1;
const SECONDS_A_DAY = 86_400;
const FIRST_NODE = 11;

export interface RecordedCapture {
  /** `node1_c1_eth0.pcap` */
  readonly file: string;
  /** `node1`, `client`. */
  readonly machine: string;
  /** `underlay`, `host`, a namespace's handle, a container. */
  readonly place: string;
  readonly interface: string;
  readonly frames: readonly CapturedFrame[];
}

/** An endpoint, and on which machine it was. */
export interface PlacedEndpoint extends ToldEndpoint {
  readonly node: string;
  /** When it was first told that it answers, on the day's clock. */
  readonly readyNs: Nanoseconds | undefined;
}

/** What ran in a container beside the commands: `nodeN_CONTAINER_ping_loop.txt`. */
export interface RecordedLoop {
  readonly machine: string;
  readonly container: string;
  readonly address: Ipv4Address;
  readonly count: number;
  /** When its first echo was sent, on the day's clock. */
  readonly fromNs: Nanoseconds;
}

export interface RecordedCase {
  readonly name: string;
  readonly notes: Notes;
  readonly captures: readonly RecordedCapture[];
  readonly states: ReadonlyMap<string, RecordedState>;
  readonly gossip: ReadonlyMap<string, readonly GossipLine[]>;
  readonly endpoints: readonly PlacedEndpoint[];
  readonly loops: readonly RecordedLoop[];
  /** The name of the network whose identifier begins so. */
  networkName(id: string): string;
}

/** A case from its folder's files, or what is wrong with it. */
export function readCase(name: string, files: ReadonlyMap<string, Uint8Array>): RecordedCase | { problem: string } {
  const text = (file: string): string => new TextDecoder().decode(files.get(file));
  const notes = parseNotes(text("notes.md"));
  if ("problem" in notes) return notes;
  const captures: RecordedCapture[] = [];
  const states = new Map<string, RecordedState>();
  const gossip = new Map<string, readonly GossipLine[]>();
  for (const file of [...files.keys()].sort()) {
    const pcap = /^(client|node\d+)_(?:(host)_(.+)|(.+)_([^_]+)|([^_]+))\.pcap$/.exec(file);
    if (pcap !== null) {
      const [, machine = "", host, hostInterface, place, inner, own] = pcap;
      captures.push({
        file,
        machine,
        place: host ?? place ?? "underlay",
        interface: hostInterface ?? inner ?? own ?? "",
        frames: readCapture(files.get(file)!).frames.map(whole),
      });
    }
    const told = /^(state|gossip)_(node\d+)\.txt$/.exec(file);
    if (told?.[1] === "state") states.set(told[2]!, parseState(text(file)));
    if (told?.[1] === "gossip") gossip.set(told[2]!, parseGossip(text(file)));
  }
  const names = networkNames(states, notes);
  const endpoints: PlacedEndpoint[] = [];
  const known = new Set<string>();
  for (const [node, lines] of gossip) {
    const underlay = captures.find(({ machine, place }) => machine === node && place === "underlay");
    const zeroNs = timeOfDay(underlay?.frames[0]?.time);
    for (const endpoint of toldEndpoints(lines)) {
      const { key, vtep, readySeconds } = endpoint;
      if (known.has(key) || vtep === undefined) continue;
      known.add(key);
      const readyNs =
        zeroNs === undefined || readySeconds === undefined ? undefined : zeroNs + Math.round(readySeconds * SECOND);
      endpoints.push({ ...endpoint, node: `node${(vtep & 0xff) - FIRST_NODE + 1}`, readyNs });
    }
  }
  return {
    name,
    notes,
    captures,
    states,
    gossip,
    endpoints,
    loops: [...files.keys()].flatMap((file) => loopOf(file, text(file), captures) ?? []),
    networkName: (id) => names.find(([known]) => known.startsWith(id) || id.startsWith(known))?.[1] ?? id,
  };
}

/** Of sealed traffic only the headers are kept; what was cut off comes back as zeros. */
function whole(frame: CapturedFrame): CapturedFrame {
  if (frame.bytes.length >= frame.originalLength) return frame;
  const bytes = new Uint8Array(frame.originalLength);
  bytes.set(frame.bytes);
  return { ...frame, bytes };
}

function loopOf(file: string, text: string, captures: readonly RecordedCapture[]): RecordedLoop | undefined {
  const [, machine, container] = /^(node\d+)_(.+)_ping_loop\.txt$/.exec(file) ?? [];
  const address = parseIpv4(/^PING \S+ \(([\d.]+)\)/.exec(text)?.[1] ?? "");
  const count = /(\d+) packets transmitted/.exec(text)?.[1];
  if (machine === undefined || container === undefined || address === undefined || count === undefined)
    return undefined;
  const inside = captures.find(
    (each) => each.machine === machine && each.place === container && each.interface === "eth0",
  );
  // The first frame to or from the address: its ARP request. What passes the machine's tap tells by how much its clock is off.
  const first = inside?.frames.find(({ bytes }) => mentions(bytes, address));
  const echo = inside?.frames.find(({ bytes }) => bytes[PROTOCOL_AT] === ICMP && mentions(bytes, address));
  const outside = captures.find((each) => each.machine === machine && each.place === "underlay");
  const passing = echo === undefined ? undefined : outside?.frames.find(({ bytes }) => endsWith(bytes, echo.bytes));
  const [firstNs, echoNs, passingNs] = [first, echo, passing].map((frame) => timeOfDay(frame?.time));
  const offsetNs = echoNs === undefined || passingNs === undefined ? 0 : passingNs - echoNs;
  const fromNs = firstNs === undefined ? undefined : firstNs + offsetNs;
  return fromNs === undefined ? undefined : { machine, container, address, count: Number(count), fromNs };
}

function mentions(bytes: Uint8Array, address: Ipv4Address): boolean {
  for (let at = ETHERNET_BYTES; at + 4 <= Math.min(bytes.length, ADDRESSES_END); at++)
    if (getU32(bytes, at) === address) return true;
  return false;
}

/** Behind a tunnel's headers. */
function endsWith(bytes: Uint8Array, inner: Uint8Array): boolean {
  const shift = bytes.length - inner.length;
  return shift > 0 && inner.every((byte, at) => bytes[shift + at] === byte);
}

/** Identifiers, as far as they were shown, with names. */
function networkNames(states: ReadonlyMap<string, RecordedState>, notes: Notes): [string, string][] {
  const names: [string, string][] = [];
  for (const { sections } of states.values())
    for (const { command, text } of sections)
      if (command === "docker network ls")
        for (const line of text.split("\n").slice(1)) {
          const [id, name] = line.split(/\s+/);
          if (id !== undefined && name !== undefined) names.push([id, name]);
        }
  for (const step of notes.steps)
    if (step.kind === "command" && step.line.startsWith("docker network create"))
      names.push([step.output.trim(), step.line.split(/\s+/).at(-1) ?? ""]);
  return names;
}

export function timeOfDay(time: CaptureTime | undefined): Nanoseconds | undefined {
  return time === undefined ? undefined : (time.seconds % SECONDS_A_DAY) * SECOND + time.nanoseconds;
}
