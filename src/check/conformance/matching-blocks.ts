/**
 * The frames that two captures have in common, in order: Ratcliff and Obershelp's gestalt matching, which looks for the longest common run and goes on
 * on both sides of it. It decides how "match 20 of 22 frames" counts and which frames' times are held against each other.
 */

/** Pairs of indices into `a` and `b`, rising in both. */
export function matchingPairs(a: readonly string[], b: readonly string[]): [number, number][] {
  const places = new Map<string, number[]>();
  b.forEach((line, index) => {
    const list = places.get(line);
    if (list === undefined) places.set(line, [index]);
    else list.push(index);
  });
  const pairs: [number, number][] = [];
  const open: [number, number, number, number][] = [[0, a.length, 0, b.length]];
  while (open.length > 0) {
    const [aLow, aHigh, bLow, bHigh] = open.pop()!;
    const { aAt, bAt, size } = longestRun(a, places, aLow, aHigh, bLow, bHigh);
    if (size === 0) continue;
    for (let index = 0; index < size; index++) pairs.push([aAt + index, bAt + index]);
    if (aLow < aAt && bLow < bAt) open.push([aLow, aAt, bLow, bAt]);
    if (aAt + size < aHigh && bAt + size < bHigh) open.push([aAt + size, aHigh, bAt + size, bHigh]);
  }
  return pairs.sort((one, other) => one[0] - other[0]);
}

/** The longest common run; of several, the one that begins first in `a`, then in `b`. */
function longestRun(
  a: readonly string[],
  places: ReadonlyMap<string, readonly number[]>,
  aLow: number,
  aHigh: number,
  bLow: number,
  bHigh: number,
): { aAt: number; bAt: number; size: number } {
  let best = { aAt: aLow, bAt: bLow, size: 0 };
  let lengths = new Map<number, number>(); // of the run that ends at this index of b and the a before
  for (let i = aLow; i < aHigh; i++) {
    const next = new Map<number, number>();
    for (const j of places.get(a[i]!) ?? []) {
      if (j < bLow) continue;
      if (j >= bHigh) break;
      const size = (lengths.get(j - 1) ?? 0) + 1;
      next.set(j, size);
      if (size > best.size) best = { aAt: i - size + 1, bAt: j - size + 1, size };
    }
    lengths = next;
  }
  return best;
}

/** A unified diff's body with two lines of context, without file names. */
export function unifiedDiff(a: readonly string[], b: readonly string[], pairs: readonly [number, number][]): string[] {
  const script: { sign: " " | "-" | "+"; line: string; a: number; b: number }[] = [];
  let i = 0;
  let j = 0;
  for (const [aAt, bAt] of [...pairs, [a.length, b.length] as const]) {
    while (i < aAt) script.push({ sign: "-", line: a[i]!, a: i++, b: j });
    while (j < bAt) script.push({ sign: "+", line: b[j]!, a: i, b: j++ });
    if (i < a.length && j < b.length) script.push({ sign: " ", line: a[i]!, a: i++, b: j++ });
  }
  const CONTEXT = 2;
  const lines: string[] = [];
  let shownTo = 0;
  script.forEach((entry, at) => {
    if (entry.sign === " ") return;
    const from = Math.max(shownTo, at - CONTEXT);
    if (from > shownTo || lines.length === 0) {
      const first = script[from]!;
      lines.push(`@@ frame ${first.a + 1} of the reference, ${first.b + 1} of ours @@`);
    }
    for (const shown of script.slice(from, at + 1)) lines.push(shown.sign + shown.line);
    shownTo = at + 1;
    for (let after = at + 1; after <= at + CONTEXT && script[after]?.sign === " "; after++) {
      lines.push(` ${script[after]!.line}`);
      shownTo = after + 1;
    }
  });
  return lines;
}
