/** Shares of processors: rational numbers as Go's math/big reads them, `0.5`, `1/4`, `1e-3`; a billionth is the smallest part. */

const NANO = 1_000_000_000n;
const MOST_DIGITS = 100;
const MOST_EXPONENT = 100;

/** In billionths, or the client's complaint. */
export function parseCpus(text: string): number | string {
  const fraction = text.length > MOST_DIGITS ? undefined : parseRational(text);
  if (fraction === undefined) return `failed to parse ${text} as a rational number`;
  const [numerator, denominator] = fraction;
  const nano = numerator * NANO;
  return nano % denominator === 0n ? Number(nano / denominator) : "value is too precise";
}

function parseRational(text: string): readonly [numerator: bigint, denominator: bigint] | undefined {
  const ratio = /^([-+]?)(\d+)\/(\d+)$/.exec(text);
  if (ratio !== null) {
    const denominator = BigInt(ratio[3]!);
    const numerator = BigInt(ratio[2]!);
    return denominator === 0n ? undefined : [ratio[1] === "-" ? -numerator : numerator, denominator];
  }
  const decimal = /^([-+]?)(\d*)(?:\.(\d*))?(?:[eE]([-+]?\d+))?$/.exec(text);
  if (decimal === null) return undefined;
  const [, sign, whole = "", places = "", exponentText = "0"] = decimal;
  const exponent = Number(exponentText) - places.length;
  if (whole + places === "" || Math.abs(exponent) > MOST_EXPONENT + MOST_DIGITS) return undefined;
  const digits = BigInt(whole + places) * (sign === "-" ? -1n : 1n);
  return exponent >= 0 ? [digits * 10n ** BigInt(exponent), 1n] : [digits, 10n ** BigInt(-exponent)];
}
