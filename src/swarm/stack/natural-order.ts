/** The order in which Go's YAML encoder (yaml.v3) writes the keys of a mapping: runs of digits count as numbers, letters stand last. */

/** Negative when `a` comes first. */
export function compareKeys(a: string, b: string): number {
  const left = [...a];
  const right = [...b];
  let afterDigit = false;
  for (let at = 0; at < left.length && at < right.length; at++) {
    const x = left[at]!;
    const y = right[at]!;
    if (x === y) {
      afterDigit = isDigit(x);
      continue;
    }
    const xLetter = LETTER.test(x);
    const yLetter = LETTER.test(y);
    if (xLetter && yLetter) return codeOrder(x, y);
    // "a1b" before "a12", "ab" after "a-b".
    if (xLetter || yLetter) return xLetter === afterDigit ? -1 : 1;
    return compareNumbers(left, right, at);
  }
  return left.length - right.length;
}

/** From the first difference at `at`: the numbers that go on there, then their lengths, then the signs themselves. */
function compareNumbers(left: readonly string[], right: readonly string[], at: number): number {
  // A zero within a number has weight only if something other than zeros stands before it.
  let before = "";
  if (left[at] === "0" || right[at] === "0") {
    for (let back = at - 1; back >= 0 && isDigit(left[back]!); back--) {
      if (left[back] !== "0") {
        before = "1";
        break;
      }
    }
  }
  const x = digitsFrom(left, at);
  const y = digitsFrom(right, at);
  const xNumber = Number(before + x);
  const yNumber = Number(before + y);
  if (xNumber !== yNumber) return xNumber - yNumber;
  if (x.length !== y.length) return x.length - y.length;
  return codeOrder(left[at]!, right[at]!);
}

function digitsFrom(signs: readonly string[], at: number): string {
  let end = at;
  while (end < signs.length && isDigit(signs[end]!)) end++;
  return signs.slice(at, end).join("");
}

const LETTER = /^\p{L}$/u;

function isDigit(sign: string): boolean {
  return sign >= "0" && sign <= "9";
}

function codeOrder(a: string, b: string): number {
  return a.codePointAt(0)! - b.codePointAt(0)!;
}
