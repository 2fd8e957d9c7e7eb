/**
 * Matchers for labs, in the form that `expect.extend` of vitest and jest takes:
 *
 *   expect.extend(labMatchers);
 *   expect(lab).toReach("c1", "10.0.0.3");
 *   expect(lab).toDropWith("link-loss", "node2/eth0");
 *   expect(lab).toHaveFrames("node2/eth0", "udp port 4789", { exactly: 6 });
 */
import { compileFilter } from "../capture/filter.ts";
import { DROP_REASONS, type DropReason } from "../linux/drop-reason.ts";
import { matchesPlace } from "../scenario/capture-points.ts";
import type { Lab } from "../scenario/lab.ts";
import { SECOND } from "../sim/time.ts";

export interface MatchResult {
  readonly pass: boolean;
  readonly message: () => string;
}

export interface HowMany {
  readonly exactly?: number;
  readonly atLeast?: number;
  readonly atMost?: number;
}

const PING_NS = 10 * SECOND;

/** A ping from `host` to an address or a name is answered. Takes up to 3 s of virtual time when it is not. */
export function toReach(lab: Lab, host: string, target: string): MatchResult {
  const { status, stdout, stderr } = lab.exec(host, `ping -n -c 1 -W 1 ${target}`, PING_NS);
  const pass = status === 0;
  const said = (stdout + stderr).trim().split("\n").at(-1) ?? "";
  return { pass, message: () => `${host} ${pass ? "reaches" : "does not reach"} ${target}: ${said}` };
}

/** A packet was dropped for this reason so far; at this place, when one is given. */
export function toDropWith(lab: Lab, reason: DropReason, place?: string): MatchResult {
  const drops = lab.report().drops;
  const pass = drops.some((drop) => drop.reason === reason && (place === undefined || matchesPlace(place, drop.at)));
  const found = drops.map(({ reason: one, at, count }) => `${count} ${one} at ${at}`).join(", ");
  const where = place === undefined ? "" : ` at ${place}`;
  const words = DROP_REASONS[reason];
  return {
    pass,
    message: () =>
      `${pass ? "there was a" : "no"} drop ${reason} (${words})${where}; all drops: ${found === "" ? "none" : found}`,
  };
}

/** So many frames pass at the places that the pattern names, from now to the scenario's end; at least one, when no number is given. Runs the lab. */
export function toHaveFrames(lab: Lab, pattern: string, filter?: string, howMany: HowMany = {}): MatchResult {
  const matches = filter === undefined ? () => true : compileFilter(filter);
  if (typeof matches !== "function")
    return {
      pass: false,
      message: () => `the filter "${filter}": found ${matches.found}, expected ${matches.expected}`,
    };
  let count = 0;
  lab.onFrame(pattern, ({ bytes, at, end }) => {
    if (matches(bytes, at, end)) count++;
  });
  lab.run();
  const { exactly, atLeast = exactly ?? 1, atMost = exactly ?? Number.POSITIVE_INFINITY } = howMany;
  const least = howMany.atMost !== undefined && howMany.atLeast === undefined ? 0 : atLeast;
  const pass = count >= least && count <= atMost;
  const wanted = exactly === undefined ? `${least} to ${atMost}` : String(exactly);
  return {
    pass,
    message: () => `${pattern}: ${count} frames${filter === undefined ? "" : ` of "${filter}"`}, wanted ${wanted}`,
  };
}

/** All of them, for `expect.extend`. */
export const labMatchers = { toReach, toDropWith, toHaveFrames };
