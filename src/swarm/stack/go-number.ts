/** Numbers as Go writes them: strconv's shortest 'g', which fmt's `%v` and the YAML encoder share. */

/** A float64: with an exponent from 1e+06 on, and below 1e-04. */
export function floatText(value: number): string {
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "+Inf" : "-Inf";
  const [mantissa, exponentText] = value.toExponential().split("e") as [string, string];
  const exponent = Number(exponentText);
  // Between these bounds JavaScript writes no exponent either.
  if (exponent >= -4 && exponent < 6) return Object.is(value, -0) ? "-0" : value.toString();
  return `${mantissa}e${exponent < 0 ? "-" : "+"}${String(Math.abs(exponent)).padStart(2, "0")}`;
}

/** A float32: the fewest digits that come back to the same 32 bits. */
export function float32Text(value: number): string {
  const single = Math.fround(value);
  for (let digits = 1; digits < 9; digits++) {
    const short = Number(single.toPrecision(digits));
    if (Math.fround(short) === single) return floatText(short);
  }
  return floatText(Number(single.toPrecision(9)));
}
