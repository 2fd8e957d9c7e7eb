/** Units of time that rates are given in, beyond those of sim/time.ts. */
import { MINUTE, type Nanoseconds } from "../../sim/time.ts";

export const HOUR_NS: Nanoseconds = 60 * MINUTE;
export const DAY_NS: Nanoseconds = 24 * HOUR_NS;
