/** `-m conntrack` and `-m state`: what a packet's connection is (xt_conntrack, xt_state). */
import { formatIpv4, formatPrefix, type Ipv4Address, maskOf, parsePrefix } from "../../../wire/address.ts";
import * as info from "../conntrack/connection-info.ts";
import {
  ASSURED,
  CONFIRMED,
  type ConnectionTable,
  DESTINATION_NAT,
  EXPECTED,
  SEEN_REPLY,
  SOURCE_NAT,
} from "../conntrack/connection-table.ts";
import { invertible, type MatchExtension, option, parseInteger, RuleError, type Uses } from "../extension.ts";
import { parsePortRange, parseProtocol } from "../names.ts";
import type { Packet } from "../packet.ts";
import type { Match } from "../rule-parts.ts";

/** In the order in which they are printed. */
const STATES: readonly (readonly [string, number])[] = [
  ["INVALID", info.STATE_INVALID],
  ["NEW", info.STATE_NEW],
  ["RELATED", info.STATE_RELATED],
  ["ESTABLISHED", info.STATE_ESTABLISHED],
  ["UNTRACKED", info.STATE_UNTRACKED],
];
const STATE_SNAT = 32;
const STATE_DNAT = 64;
const CONNECTION_STATES = [...STATES, ["SNAT", STATE_SNAT], ["DNAT", STATE_DNAT]] as const;

const NO_STATUS = 0x1_0000;
const STATUSES: readonly (readonly [string, number])[] = [
  ["NONE", NO_STATUS],
  ["EXPECTED", EXPECTED],
  ["SEEN_REPLY", SEEN_REPLY],
  ["ASSURED", ASSURED],
  ["CONFIRMED", CONFIRMED],
];

function parseList(text: string, names: readonly (readonly [string, number])[], label: string): number {
  let bits = 0;
  for (const word of text.split(",")) {
    const known = names.find(([name]) => name === word.toUpperCase());
    if (known === undefined) throw new RuleError(`Bad ${label} "${word}"`);
    bits |= known[1];
  }
  return bits;
}

function formatList(bits: number, names: readonly (readonly [string, number])[]): string {
  return names
    .filter(([, bit]) => (bits & bit) !== 0)
    .map(([name]) => name)
    .join(",");
}

class StateMatch implements Match {
  readonly name = "state";
  readonly needsConntrack = true;
  readonly #states: number;
  readonly #inverted: boolean;

  constructor(states: number, inverted: boolean) {
    this.#states = states;
    this.#inverted = inverted;
  }

  matches(packet: Packet): boolean {
    return ((info.stateOf(packet.connection) & this.#states) !== 0) !== this.#inverted;
  }
  save(): string {
    return `${this.#inverted ? "! " : ""}--state ${formatList(this.#states, STATES)}`;
  }
  list(): string {
    return `${this.#inverted ? "! " : ""}state ${formatList(this.#states, STATES)}`;
  }
}

export const STATE_MATCH: MatchExtension = {
  name: "state",
  options: [invertible("state")],
  build(uses) {
    return new StateMatch(parseList(uses.required("state"), STATES, "state"), uses.inverted("state"));
  },
};

/** One option of `-m conntrack`, ready to be asked. */
interface Test {
  readonly option: string;
  readonly value: string;
  readonly inverted: boolean;
  holds(packet: Packet, connections: ConnectionTable, packed: number): boolean;
}

class ConntrackMatch implements Match {
  readonly name = "conntrack";
  readonly needsConntrack = true;
  readonly #states: number;
  readonly #statesInverted: boolean;
  readonly #tests: readonly Test[];

  constructor(states: number, statesInverted: boolean, tests: readonly Test[]) {
    this.#states = states;
    this.#statesInverted = statesInverted;
    this.#tests = tests;
  }

  matches(packet: Packet): boolean {
    const packed = packet.connection;
    if (this.#states !== 0) {
      let state = info.stateOf(packed);
      const row = info.connectionOf(packed);
      if (row !== 0 && (this.#states & (STATE_SNAT | STATE_DNAT)) !== 0) {
        const status = packet.connections.status(row);
        if ((status & SOURCE_NAT) !== 0) state |= STATE_SNAT;
        if ((status & DESTINATION_NAT) !== 0) state |= STATE_DNAT;
      }
      if (((state & this.#states) !== 0) === this.#statesInverted) return false;
    }
    const tests = this.#tests;
    if (tests.length === 0) return true;
    if (info.connectionOf(packed) === 0) return false;
    for (let index = 0; index < tests.length; index++) {
      const test = tests[index]!;
      if (test.holds(packet, packet.connections, packed) === test.inverted) return false;
    }
    return true;
  }

  save(): string {
    return this.#describe("--");
  }
  list(): string {
    return this.#describe("");
  }

  #describe(dashes: string): string {
    const parts: string[] = [];
    if (this.#states !== 0)
      parts.push(`${this.#statesInverted ? "! " : ""}${dashes}ctstate ${formatList(this.#states, CONNECTION_STATES)}`);
    for (const test of this.#tests) parts.push(`${test.inverted ? "! " : ""}${dashes}${test.option} ${test.value}`);
    return parts.join(" ");
  }
}

function addressTest(uses: Uses, option: string, direction: 0 | 1, isSource: boolean): Test[] {
  const text = uses.value(option);
  if (text === undefined) return [];
  const prefix = parsePrefix(text);
  if (prefix === undefined) throw new RuleError(`host/network \`${text}' not found`);
  const mask = maskOf(prefix.length);
  const wanted = (prefix.address & mask) >>> 0;
  return [
    {
      option,
      value:
        prefix.length === 32 ? formatIpv4(prefix.address) : formatPrefix({ ...prefix, address: wanted as Ipv4Address }),
      inverted: uses.inverted(option),
      holds(_packet, connections, packed) {
        const handle = info.connectionOf(packed) * 2 + direction;
        const address = isSource ? connections.source(handle) : connections.destination(handle);
        return (address & mask) >>> 0 === wanted;
      },
    },
  ];
}

function portTest(uses: Uses, option: string, direction: 0 | 1, isSource: boolean): Test[] {
  const text = uses.value(option);
  if (text === undefined) return [];
  const { minimum, maximum } = parsePortRange(text);
  return [
    {
      option,
      value: minimum === maximum ? String(minimum) : `${minimum}:${maximum}`,
      inverted: uses.inverted(option),
      holds(_packet, connections, packed) {
        const ports = connections.ports(info.connectionOf(packed) * 2 + direction);
        const port = isSource ? ports >>> 16 : ports & 0xffff;
        return port >= minimum && port <= maximum;
      },
    },
  ];
}

function otherTests(uses: Uses): Test[] {
  const tests: Test[] = [];
  const protocolText = uses.value("ctproto");
  if (protocolText !== undefined) {
    const protocol = parseProtocol(protocolText);
    tests.push({
      option: "ctproto",
      value: String(protocol),
      inverted: uses.inverted("ctproto"),
      holds: (_packet, connections, packed) => connections.protocol(info.connectionOf(packed)) === protocol,
    });
  }
  tests.push(
    ...addressTest(uses, "ctorigsrc", 0, true),
    ...addressTest(uses, "ctorigdst", 0, false),
    ...addressTest(uses, "ctreplsrc", 1, true),
    ...addressTest(uses, "ctrepldst", 1, false),
    ...portTest(uses, "ctorigsrcport", 0, true),
    ...portTest(uses, "ctorigdstport", 0, false),
    ...portTest(uses, "ctreplsrcport", 1, true),
    ...portTest(uses, "ctrepldstport", 1, false),
  );
  const statusText = uses.value("ctstatus");
  if (statusText !== undefined) {
    const wanted = parseList(statusText, STATUSES, "ctstatus");
    tests.push({
      option: "ctstatus",
      value: formatList(wanted, STATUSES),
      inverted: uses.inverted("ctstatus"),
      holds(_packet, connections, packed) {
        const status = connections.status(info.connectionOf(packed)) & (EXPECTED | SEEN_REPLY | ASSURED | CONFIRMED);
        return ((status === 0 ? NO_STATUS : status) & wanted) !== 0;
      },
    });
  }
  const expireText = uses.value("ctexpire");
  if (expireText !== undefined) {
    const [low, high] = expireText.split(":").map(parseInteger);
    if (low === undefined) throw new RuleError(`conntrack: Bad value for "--ctexpire" option: "${expireText}"\n`);
    const maximum = expireText.includes(":") ? (high ?? 0xffff_ffff) : low;
    tests.push({
      option: "ctexpire",
      value: maximum === low ? String(low) : `${low}:${maximum}`,
      inverted: uses.inverted("ctexpire"),
      holds(packet, connections, packed) {
        const leftNs = connections.expiresNs(info.connectionOf(packed)) - packet.host.clock.nowNs;
        const seconds = Math.max(0, Math.floor(leftNs / 1_000_000_000));
        return seconds >= low && seconds <= maximum;
      },
    });
  }
  const directionText = uses.value("ctdir");
  if (directionText !== undefined) {
    const name = directionText.toUpperCase();
    if (name !== "ORIGINAL" && name !== "REPLY")
      throw new RuleError(`conntrack: Bad value for "--ctdir" option: "${directionText}"`);
    tests.push({
      option: "ctdir",
      value: name,
      inverted: false,
      holds: (_packet, _conntrack, packed) => (info.directionOf(packed) === 1) === (name === "REPLY"),
    });
  }
  return tests;
}

export const CONNTRACK_MATCH: MatchExtension = {
  name: "conntrack",
  options: [
    invertible("ctstate"),
    invertible("ctproto"),
    invertible("ctorigsrc"),
    invertible("ctorigdst"),
    invertible("ctreplsrc"),
    invertible("ctrepldst"),
    invertible("ctorigsrcport"),
    invertible("ctorigdstport"),
    invertible("ctreplsrcport"),
    invertible("ctrepldstport"),
    invertible("ctstatus"),
    invertible("ctexpire"),
    option("ctdir"),
  ],
  build(uses) {
    if (uses.all.length === 0) throw new RuleError("conntrack: At least one option is required");
    const text = uses.value("ctstate");
    const states = text === undefined ? 0 : parseList(text, CONNECTION_STATES, "ctstate");
    return new ConntrackMatch(states, uses.inverted("ctstate"), otherTests(uses));
  },
};
