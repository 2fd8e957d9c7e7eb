/** One write of a user: a transaction that is refused as a whole, or answered when it is committed. */
import type { Status } from "../grpc/status.ts";
import type { Store, Transaction } from "../store/store.ts";
import { type Answered, notCommitted } from "./refusals.ts";

/** What a transaction leaves: a refusal (then it must have changed nothing), or how to answer once it is committed. */
export type Written<T> = { readonly status: Status } | (() => T);

export function write<T>(
  store: Store,
  fill: (tx: Transaction) => Written<T>,
  done: (answer: Answered<T>) => void,
): void {
  let written: Written<T> | undefined;
  store.update(
    (tx) => {
      written = fill(tx);
    },
    (outcome) => {
      if (outcome !== "committed" || written === undefined) done({ status: notCommitted(outcome) });
      else if (typeof written === "function") done({ response: written() });
      else done(written);
    },
  );
}
