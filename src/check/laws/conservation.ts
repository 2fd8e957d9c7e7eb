/** Nothing vanishes: every frame that was made was delivered, consumed, dropped for a reason, or is still somewhere. */
import type { Law, Violation } from "../law.ts";

const NAME = "conservation";

export const CONSERVATION: Law = {
  name: NAME,
  source: "made = delivered + consumed + dropped + in flight; every drop has a reason of the closed list",
  check({ accounts }) {
    const { made, delivered, consumed, dropped, inFlight, holders, dropsByReason } = accounts;
    const violations: Violation[] = [];
    const sum = delivered + consumed + dropped + inFlight;
    if (made !== sum) violations.push({ law: NAME, words: `${made} frames were made, ${sum} are accounted for` });
    if (inFlight !== holders)
      violations.push({ law: NAME, words: `${inFlight} frames should be in flight, ${holders} are held` });
    let reasons = 0;
    for (const count of dropsByReason.values()) reasons += count;
    if (reasons !== dropped)
      violations.push({ law: NAME, words: `${dropped} frames were dropped, ${reasons} of them for a reason` });
    return violations;
  },
};
