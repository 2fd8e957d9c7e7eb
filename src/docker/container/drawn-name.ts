/** Names for containers that nobody named: two words and an underscore, as moby's. */
import type { Random } from "../../sim/random.ts";

const QUALITIES = [
  "agile",
  "amber",
  "brave",
  "bright",
  "calm",
  "clever",
  "crisp",
  "eager",
  "fair",
  "fleet",
  "gentle",
  "golden",
  "happy",
  "honest",
  "jolly",
  "keen",
  "kind",
  "lively",
  "lucid",
  "mellow",
  "merry",
  "nimble",
  "patient",
  "placid",
  "quick",
  "quiet",
  "serene",
  "sharp",
  "steady",
  "swift",
  "tidy",
  "vivid",
] as const;
const PEOPLE = [
  "baran",
  "bellovin",
  "cerf",
  "clark",
  "cohen",
  "crocker",
  "davies",
  "deering",
  "dijkstra",
  "estrin",
  "feinler",
  "floyd",
  "hamilton",
  "hopper",
  "jacobson",
  "kahn",
  "karels",
  "kent",
  "kleinrock",
  "lamport",
  "leiner",
  "liskov",
  "lovelace",
  "metcalfe",
  "mockapetris",
  "moy",
  "perlman",
  "pouzin",
  "postel",
  "roberts",
  "shannon",
  "turing",
] as const;

/** A free name; with a number behind it when it is hard to find one. */
export function drawContainerName(random: Random, isTaken: (name: string) => boolean): string {
  for (let tries = 0; ; tries++) {
    const name = `${QUALITIES[random.below(QUALITIES.length)]}_${PEOPLE[random.below(PEOPLE.length)]}`;
    if (!isTaken(name)) return name;
    if (tries >= 5) {
      const numbered = `${name}${random.below(10_000)}`;
      if (!isTaken(numbered)) return numbered;
    }
  }
}
