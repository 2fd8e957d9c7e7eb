/**
 * How far a frame's delay lies from the mean: evenly within the jitter, or as a normal distribution with the jitter as its
 * standard deviation. The normal one is a table of integers, as in netem (`distribution normal`): the inverse of the distribution
 * function in units of 1/8192, built here from additions, multiplications and divisions alone, which every engine
 * rounds alike; `Math.exp` may differ in its last bit.
 */
import type { Random } from "../sim/random.ts";
import type { Nanoseconds } from "../sim/time.ts";

export type DelayDistribution = "uniform" | "normal";

const TABLE_SIZE = 4_096;
/** One standard deviation (NETEM_DIST_SCALE). */
const SCALE = 8_192;

/** The next deviation from the mean delay; uniform: -jitter to +jitter - 1; normal: at most about 3.7 times the jitter. */
export function deviationNs(jitterNs: Nanoseconds, distribution: DelayDistribution, random: Random): Nanoseconds {
  if (jitterNs === 0) return 0;
  if (distribution === "uniform") return random.between(0, 2 * jitterNs - 1) - jitterNs;
  return scaledDeviationNs(jitterNs, random.below(TABLE_SIZE));
}

/**
 * The same from a random number of 32 bits that is drawn elsewhere: netem's. It takes the remainder, so that little is left of a
 * correlation in the number; the kernel does the same.
 */
export function deviationOf(drawn: number, jitterNs: Nanoseconds, distribution: DelayDistribution): Nanoseconds {
  return distribution === "uniform"
    ? (drawn % (2 * jitterNs)) - jitterNs
    : scaledDeviationNs(jitterNs, drawn % TABLE_SIZE);
}

/** The deviation that place `index` of the normal table gives, 0 to 4095. */
export function scaledDeviationNs(jitterNs: Nanoseconds, index: number): Nanoseconds {
  const deviation = normalTable()[index]!;
  // netem's own split, so that no product leaves the exact integers.
  const product = (jitterNs % SCALE) * deviation;
  const rounded = product >= 0 ? product + SCALE / 2 : product - SCALE / 2;
  return Math.trunc(rounded / SCALE) + Math.floor(jitterNs / SCALE) * deviation;
}

const TABLE: { values: Int16Array | undefined } = { values: undefined };

/** Made on first use: most runs have no normal jitter. */
function normalTable(): Int16Array {
  TABLE.values ??= makeNormalTable();
  return TABLE.values;
}

/** Entry i: where the normal distribution function reaches (i + 1/2) / TABLE_SIZE. */
function makeNormalTable(): Int16Array {
  const table = new Int16Array(TABLE_SIZE);
  const stepsPerDeviation = 2_048;
  const density = (step: number) => exponential(-0.5 * (step / stepsPerDeviation) ** 2);
  // Half of the area under the bell, by the trapezoid rule over six deviations.
  let half = 0;
  for (let step = 0; step < 6 * stepsPerDeviation; step++) half += (density(step) + density(step + 1)) / 2;
  let area = 0;
  let step = 0;
  for (let index = TABLE_SIZE / 2; index < TABLE_SIZE; index++) {
    const wanted = (half * (2 * index + 1 - TABLE_SIZE)) / TABLE_SIZE;
    let slice = (density(step) + density(step + 1)) / 2;
    while (area + slice < wanted) {
      area += slice;
      step++;
      slice = (density(step) + density(step + 1)) / 2;
    }
    const value = Math.round(((step + (wanted - area) / slice) * SCALE) / stepsPerDeviation);
    table[index] = value;
    table[TABLE_SIZE - 1 - index] = -value;
  }
  return table;
}

/** e to the power of `x` (-40 to 0), from exactly rounded operations only. */
function exponential(x: number): number {
  const small = x / 1_024;
  let term = 1;
  let sum = 1;
  for (let power = 1; power <= 8; power++) {
    term = (term * small) / power;
    sum += term;
  }
  for (let doubling = 0; doubling < 10; doubling++) sum *= sum;
  return sum;
}
