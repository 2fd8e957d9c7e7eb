/** What the process ends with. */
export const EXIT_HOLDS = 0; // all expectations hold
export const EXIT_FAILED = 1; // one failed
export const EXIT_USAGE = 2; // usage or bad input
export const EXIT_FAULT = 3; // a fault of our own
export const EXIT_INTERRUPTED = 130; // SIGINT
