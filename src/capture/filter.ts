/**
 * Capture filters, a subset of pcap-filter(7): `host`, `net`, `port`, `portrange` with `src` and `dst`, `ether host`, words for protocols, `vlan`,
 * `vxlan` and `geneve` (what follows them speaks of the inner frame), `less`, `greater`, expressions such as `tcp[tcpflags] & tcp-syn != 0`,
 * `and`, `or`, `not`, parentheses. What it accepts means what it means to tcpdump.
 */
import { FilterCursor, type FilterProblem } from "./filter-cursor.ts";
import { FilterParser } from "./filter-parser.ts";
import { FilterProbe } from "./filter-probe.ts";
import type { HostLookup } from "./filter-values.ts";

export type { FilterProblem } from "./filter-cursor.ts";
export type { HostLookup } from "./filter-values.ts";

/**
 * Whether the frame from `at` to `end` matches; never throws, whatever the bytes. `length` is the frame's length on the wire when only a part of it was
 * captured.
 */
export type FrameFilter = (bytes: Uint8Array, at: number, end: number, length?: number) => boolean;

const MAXIMUM_CHARACTERS = 65_536;

/** A filter, or the first problem of the expression. `lookup` finds hosts by name; without it only addresses are known. */
export function compileFilter(text: string, lookup: HostLookup = () => undefined): FrameFilter | FilterProblem {
  if (text.length > MAXIMUM_CHARACTERS) {
    return { at: MAXIMUM_CHARACTERS, found: `${text.length} characters`, expected: `at most ${MAXIMUM_CHARACTERS}` };
  }
  const cursor = new FilterCursor(text);
  const parser = new FilterParser(cursor, lookup);
  const matches = parser.parse();
  if (matches === undefined) {
    return cursor.problem ?? { at: 0, found: text, expected: "a filter expression" };
  }
  const probe = new FilterProbe(parser.levels);
  return (bytes, at, end, length = end - at) => {
    probe.start(bytes, at, end, length);
    return matches(probe) && !probe.failed;
  };
}
