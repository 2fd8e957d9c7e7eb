/** /proc/net/xfrm_stat: what became of packets that IPsec did not let through (Documentation/networking/xfrm_proc.rst). */
const NAMES = [
  "XfrmInError",
  "XfrmInBufferError",
  "XfrmInHdrError",
  "XfrmInNoStates",
  "XfrmInStateProtoError",
  "XfrmInStateModeError",
  "XfrmInStateSeqError",
  "XfrmInStateExpired",
  "XfrmInStateMismatch",
  "XfrmInStateInvalid",
  "XfrmInTmplMismatch",
  "XfrmInNoPols",
  "XfrmInPolBlock",
  "XfrmInPolError",
  "XfrmOutError",
  "XfrmOutBundleGenError",
  "XfrmOutBundleCheckError",
  "XfrmOutNoStates",
  "XfrmOutStateProtoError",
  "XfrmOutStateModeError",
  "XfrmOutStateSeqError",
  "XfrmOutStateExpired",
  "XfrmOutPolBlock",
  "XfrmOutPolDead",
  "XfrmOutPolError",
  "XfrmFwdHdrError",
  "XfrmOutStateInvalid",
  "XfrmAcquireError",
] as const;

export type XfrmCounter = (typeof NAMES)[number];

const NAME_COLUMN = 24;

export class XfrmStatistics {
  readonly #counts = new Map<XfrmCounter, number>();

  count(name: XfrmCounter): void {
    this.#counts.set(name, this.get(name) + 1);
  }

  get(name: XfrmCounter): number {
    return this.#counts.get(name) ?? 0;
  }

  /** The file's text. */
  get text(): string {
    return NAMES.map((name) => `${name.padEnd(NAME_COLUMN)}\t${this.get(name)}\n`).join("");
  }
}
