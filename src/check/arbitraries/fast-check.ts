/** The library whose arbitraries these are: it is handed in by whoever tests, so that vxlab itself does not depend on it. */
import type * as fastCheck from "fast-check";

export type FastCheck = typeof fastCheck;
