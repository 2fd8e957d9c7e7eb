/** The order in which the docker client sorts names: runs of digits count as numbers, `web.2` before `web.10`. */

/** Negative when `a` comes first. */
export function naturalOrder(a: string, b: string): number {
  const left = a.match(/\d+|\D/g) ?? [];
  const right = b.match(/\d+|\D/g) ?? [];
  for (let at = 0; at < left.length && at < right.length; at++) {
    const x = left[at]!;
    const y = right[at]!;
    if (x === y) continue;
    if (/^\d/.test(x) && /^\d/.test(y)) {
      const [p, q] = [x.replace(/^0+/, ""), y.replace(/^0+/, "")];
      if (p !== q) return p.length - q.length || (p < q ? -1 : 1);
      return x.length - y.length;
    }
    return x < y ? -1 : 1;
  }
  return left.length - right.length;
}
