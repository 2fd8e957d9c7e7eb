/**
 * What a leader knows of one follower (etcd's raft, "Progress"). A probe sends one append and waits for its answer, to find where
 * the logs agree; then appends follow one another without waiting, `maxInflight` of them; a follower that needs entries that
 * have been compacted is sent a snapshot and nothing else until it has it.
 */
export interface Progress {
  /** The highest entry that the follower is known to hold. */
  match: number;
  /** The next entry to send. */
  next: number;
  mode: Mode;
  /** It has answered since the last check of the quorum. */
  isActive: boolean;
}
export type Mode =
  | { readonly kind: "probe"; isWaiting: boolean }
  | { readonly kind: "replicate"; readonly inflight: number[] } // the last index of each append under way, in order
  | { readonly kind: "snapshot"; readonly index: number };

export function newProgress(lastIndex: number): Progress {
  return { match: 0, next: lastIndex + 1, mode: { kind: "probe", isWaiting: false }, isActive: false };
}

export function probe(progress: Progress): void {
  // After a snapshot, the follower may hold it although its answer was lost.
  const sent = progress.mode.kind === "snapshot" ? progress.mode.index : 0;
  progress.next = Math.max(progress.match, sent) + 1;
  progress.mode = { kind: "probe", isWaiting: false };
}

export function replicate(progress: Progress): void {
  progress.next = progress.match + 1;
  progress.mode = { kind: "replicate", inflight: [] };
}

/** No append may be sent now. */
export function isPaused(progress: Progress, maxInflight: number): boolean {
  switch (progress.mode.kind) {
    case "probe":
      return progress.mode.isWaiting;
    case "replicate":
      return progress.mode.inflight.length >= maxInflight;
    case "snapshot":
      return true;
  }
}

/** The follower holds everything up to `index`; false when that was known. */
export function acknowledge(progress: Progress, index: number): boolean {
  if (progress.mode.kind === "replicate") {
    const inflight = progress.mode.inflight;
    while (inflight.length > 0 && inflight[0]! <= index) inflight.shift();
  } else if (progress.mode.kind === "probe") progress.mode.isWaiting = false;
  progress.next = Math.max(progress.next, index + 1);
  if (index <= progress.match) return false;
  progress.match = index;
  return true;
}

/**
 * The follower refused an append behind `index`; try again behind `hint`. False for an answer that is out of date: to an append
 * behind what it has confirmed since, or not to the probe under way.
 */
export function retreat(progress: Progress, index: number, hint: number): boolean {
  if (progress.mode.kind === "replicate") {
    if (index <= progress.match) return false;
    progress.next = progress.match + 1;
    return true;
  }
  if (progress.mode.kind !== "probe" || progress.next - 1 !== index) return false;
  progress.next = Math.max(Math.min(index, hint + 1), progress.match + 1, 1);
  progress.mode.isWaiting = false;
  return true;
}
