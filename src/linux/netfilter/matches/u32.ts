/** `-m u32`: numbers found anywhere in the packet, by a small language of offsets, masks and shifts (xt_u32, iptables-extensions(8)). */
import { getU32 } from "../../../wire/bytes.ts";
import { hex, invertible, type MatchExtension, RuleError } from "../extension.ts";
import type { Packet } from "../packet.ts";
import type { Match } from "../rule-parts.ts";

type Operator = "&" | "<<" | ">>" | "@";

interface Test {
  readonly start: number;
  readonly steps: readonly { readonly operator: Operator; readonly number: number }[];
  readonly ranges: readonly { readonly minimum: number; readonly maximum: number }[];
}

class U32Match implements Match {
  readonly name = "u32";
  readonly #tests: readonly Test[];
  readonly #inverted: boolean;

  constructor(tests: readonly Test[], inverted: boolean) {
    this.#tests = tests;
    this.#inverted = inverted;
  }

  matches(packet: Packet): boolean {
    let fits = true;
    for (let index = 0; index < this.#tests.length && fits; index++) fits = holds(this.#tests[index]!, packet);
    return fits !== this.#inverted;
  }

  save(): string {
    return `${this.#inverted ? "! " : ""}--u32 "${this.#format()}"`;
  }
  list(): string {
    return `${this.#inverted ? "! " : ""}u32 "${this.#format()}"`;
  }

  #format(): string {
    return this.#tests
      .map(({ start, steps, ranges }) => {
        const location = steps.map(({ operator, number }) => operator + hex(number)).join("");
        const values = ranges.map(({ minimum, maximum }) =>
          minimum === maximum ? hex(minimum) : `${hex(minimum)}:${hex(maximum)}`,
        );
        return `${hex(start)}${location}=${values.join(",")}`;
      })
      .join("&&");
  }
}

/** Offsets count from the IPv4 header; `@` moves on by the number found so far. A number that lies outside the packet fits nothing. */
function holds(test: Test, packet: Packet): boolean {
  const { bytes, end } = packet;
  let base = packet.at;
  if (base + test.start + 4 > end) return false;
  let value = getU32(bytes, base + test.start);
  for (let index = 0; index < test.steps.length; index++) {
    const { operator, number } = test.steps[index]!;
    if (operator === "&") value = (value & number) >>> 0;
    else if (operator === "<<") value = number > 31 ? 0 : (value << number) >>> 0;
    else if (operator === ">>") value = number > 31 ? 0 : value >>> number;
    else {
      base += value;
      if (base + number + 4 > end) return false;
      value = getU32(bytes, base + number);
    }
  }
  for (let index = 0; index < test.ranges.length; index++) {
    const { minimum, maximum } = test.ranges[index]!;
    if (value >= minimum && value <= maximum) return true;
  }
  return false;
}

function parse(text: string): Test[] {
  return text.split("&&").map((part) => {
    const [location, values, more] = part.replace(/\s+/g, "").split("=");
    if (location === undefined || values === undefined || more !== undefined)
      throw new RuleError(`u32: Missing \`=' in "${part.trim()}"`);
    const words = location.split(/(&|<<|>>|@)/);
    const steps = [];
    for (let index = 1; index < words.length; index += 2)
      steps.push({ operator: words[index] as Operator, number: parseNumber(words[index + 1] ?? "") });
    const ranges = values.split(",").map((range) => {
      const [low, high] = range.split(":");
      const minimum = parseNumber(low ?? "");
      return { minimum, maximum: high === undefined ? minimum : parseNumber(high) };
    });
    return { start: parseNumber(words[0] ?? ""), steps, ranges };
  });
}

function parseNumber(text: string): number {
  if (!/^(0[xX][0-9a-fA-F]+|\d+)$/.test(text)) throw new RuleError(`u32: At char 0: not a number "${text}"`);
  const number = /^0\d/.test(text) ? Number.parseInt(text, 8) : Number(text);
  if (number > 0xffff_ffff) throw new RuleError("u32: number out of range");
  return number;
}

export const U32_MATCH: MatchExtension = {
  name: "u32",
  options: [invertible("u32")],
  build: (uses) => new U32Match(parse(uses.required("u32")), uses.inverted("u32")),
};
