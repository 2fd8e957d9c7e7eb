/** `-m multiport`: any of up to 15 ports and ranges (xt_multiport). */

import { hasPorts } from "../conntrack/tuple.ts";
import { invertible, type MatchExtension, RuleError } from "../extension.ts";
import { parsePort, portName } from "../names.ts";
import type { Packet } from "../packet.ts";
import type { Match } from "../rule-parts.ts";

const MAXIMUM_PORTS = 15;
type Side = "sports" | "dports" | "ports";

interface Range {
  readonly minimum: number;
  readonly maximum: number;
}

class MultiportMatch implements Match {
  readonly name = "multiport";
  readonly #side: Side;
  readonly #ranges: readonly Range[];
  readonly #inverted: boolean;

  constructor(side: Side, ranges: readonly Range[], inverted: boolean) {
    this.#side = side;
    this.#ranges = ranges;
    this.#inverted = inverted;
  }

  matches(packet: Packet): boolean {
    if (!packet.hasTransport(4)) return false;
    let fits = false;
    for (let index = 0; index < this.#ranges.length && !fits; index++) {
      const { minimum, maximum } = this.#ranges[index]!;
      const source = packet.sourcePort;
      const destination = packet.destinationPort;
      fits =
        (this.#side !== "dports" && source >= minimum && source <= maximum) ||
        (this.#side !== "sports" && destination >= minimum && destination <= maximum);
    }
    return fits !== this.#inverted;
  }

  save(): string {
    return `${this.#inverted ? "! " : ""}--${this.#side} ${this.#format(true)}`;
  }
  list(numeric: boolean): string {
    return `multiport ${this.#side} ${this.#inverted ? "!" : ""}${this.#format(numeric)}`;
  }

  #format(numeric: boolean): string {
    return this.#ranges
      .map(({ minimum, maximum }) =>
        minimum === maximum
          ? portName(minimum, numeric)
          : `${portName(minimum, numeric)}:${portName(maximum, numeric)}`,
      )
      .join(",");
  }
}

function parseRanges(text: string): Range[] {
  let slots = 0;
  const ranges = text.split(",").map((word) => {
    const [low, high, more] = word.split(":");
    slots += high === undefined ? 1 : 2;
    if (more !== undefined) throw new RuleError(`invalid portrange specified`);
    const minimum = parsePort(low ?? "");
    const maximum = high === undefined ? minimum : parsePort(high);
    if (minimum > maximum) throw new RuleError("invalid portrange specified");
    return { minimum, maximum };
  });
  if (slots > MAXIMUM_PORTS) throw new RuleError("too many ports specified");
  return ranges;
}

export const MULTIPORT_MATCH: MatchExtension = {
  name: "multiport",
  options: [invertible("sports", "source-ports"), invertible("dports", "destination-ports"), invertible("ports")],
  build(uses, context) {
    if (context.protocolInverted || !hasPorts(context.protocol))
      throw new RuleError("multiport needs `-p tcp', `-p udp', `-p udplite', `-p sctp' or `-p dccp'");
    for (const side of ["sports", "dports", "ports"] as const) {
      const value = uses.value(side);
      if (value !== undefined) return new MultiportMatch(side, parseRanges(value), uses.inverted(side));
    }
    throw new RuleError("multiport expection an option");
  },
};
