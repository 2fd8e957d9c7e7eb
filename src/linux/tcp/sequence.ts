/**
 * Sequence numbers, RFC 9293 §3.4: integers modulo 2^32, compared by the sign of their difference. Kept as signed 32-bit integers, which
 * JavaScript engines store without a box; `>>> 0` makes the number that people read.
 */

/** `a` lies before `b`. */
export function before(a: number, b: number): boolean {
  return ((a - b) | 0) < 0;
}

/** `a` lies behind `b`. */
export function after(a: number, b: number): boolean {
  return ((b - a) | 0) < 0;
}

export function add(sequence: number, count: number): number {
  return (sequence + count) | 0;
}

/** How far `to` lies behind `from`; negative when it lies before. */
export function distance(from: number, to: number): number {
  return (to - from) | 0;
}

/** The earlier one. */
export function earlier(a: number, b: number): number {
  return before(a, b) ? a : b;
}

/** The later one. */
export function later(a: number, b: number): number {
  return after(a, b) ? a : b;
}
