/** `-m physdev`: the bridge ports of a bridged packet, where br_netfilter shows it (xt_physdev). */
import type { NetDevice } from "../../net-device.ts";
import { invertible, invertibleFlag, type MatchExtension, RuleError, type Uses } from "../extension.ts";
import type { Packet } from "../packet.ts";
import { type DeviceTest, deviceMatches, type Match } from "../rule-parts.ts";

interface FlagTest {
  readonly inverted: boolean;
}

class PhysdevMatch implements Match {
  readonly name = "physdev";
  readonly #in: DeviceTest | undefined;
  readonly #out: DeviceTest | undefined;
  readonly #isIn: FlagTest | undefined;
  readonly #isOut: FlagTest | undefined;
  readonly #isBridged: FlagTest | undefined;

  constructor(uses: Uses) {
    this.#in = deviceTest(uses, "physdev-in");
    this.#out = deviceTest(uses, "physdev-out");
    this.#isIn = uses.find("physdev-is-in");
    this.#isOut = uses.find("physdev-is-out");
    this.#isBridged = uses.find("physdev-is-bridged");
  }

  matches(packet: Packet): boolean {
    const { physicalIngress, physicalEgress } = packet;
    return (
      fits(this.#isIn, physicalIngress) &&
      fits(this.#isOut, physicalEgress) &&
      (this.#isBridged === undefined ||
        (physicalIngress !== undefined && physicalEgress !== undefined) !== this.#isBridged.inverted) &&
      (this.#in === undefined || deviceMatches(this.#in, physicalIngress)) &&
      (this.#out === undefined || deviceMatches(this.#out, physicalEgress))
    );
  }

  save(): string {
    const parts: string[] = [];
    const not = (test: FlagTest) => (test.inverted ? "! " : "");
    if (this.#isIn !== undefined) parts.push(`${not(this.#isIn)}--physdev-is-in`);
    if (this.#in !== undefined) parts.push(`${not(this.#in)}--physdev-in ${formatDevice(this.#in)}`);
    if (this.#isOut !== undefined) parts.push(`${not(this.#isOut)}--physdev-is-out`);
    if (this.#out !== undefined) parts.push(`${not(this.#out)}--physdev-out ${formatDevice(this.#out)}`);
    if (this.#isBridged !== undefined) parts.push(`${not(this.#isBridged)}--physdev-is-bridged`);
    return parts.join(" ");
  }
  list(): string {
    return `PHYSDEV match ${this.save()}`;
  }
}

function fits(test: FlagTest | undefined, device: NetDevice | undefined): boolean {
  return test === undefined || (device !== undefined) !== test.inverted;
}

function deviceTest(uses: Uses, name: string): DeviceTest | undefined {
  const text = uses.value(name);
  if (text === undefined) return undefined;
  const prefix = text.endsWith("+");
  return { name: prefix ? text.slice(0, -1) : text, prefix, inverted: uses.inverted(name) };
}

function formatDevice(test: DeviceTest): string {
  return test.prefix ? `${test.name}+` : test.name;
}

export const PHYSDEV_MATCH: MatchExtension = {
  name: "physdev",
  options: [
    invertible("physdev-in"),
    invertible("physdev-out"),
    invertibleFlag("physdev-is-in"),
    invertibleFlag("physdev-is-out"),
    invertibleFlag("physdev-is-bridged"),
  ],
  build(uses) {
    if (uses.all.length === 0) throw new RuleError("physdev: no physdev option specified");
    return new PhysdevMatch(uses);
  },
};
