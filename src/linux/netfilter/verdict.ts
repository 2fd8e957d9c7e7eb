/** What a rule, a chain or a hook decides about a packet, as small integers (include/uapi/linux/netfilter.h). */
export type Verdict = 0 | 1 | 2 | 3;

/** Nothing decided: the next rule. */
export const CONTINUE = 0;
/** On to the next table or hook. */
export const ACCEPT = 1;
/** The packet ends here; `Packet.dropReason` says why. */
export const DROP = 2;
/** Back to the calling chain; in a built-in chain its policy decides. */
export const RETURN = 3;
