/** networkdb's own timers and bounds, moby networkdb/{cluster,networkdb}.go. */
import { MINUTE, type Nanoseconds, SECOND } from "../sim/time.ts";

export interface NetworkDbSettings {
  readonly reapIntervalNs: Nanoseconds;
  readonly deletedEntryKeptSeconds: number;
  readonly leftNetworkKeptSeconds: number;
  readonly reconnectIntervalNs: Nanoseconds;
  readonly goneNodeKeptNs: Nanoseconds;
  readonly goneNodeCheckNs: Nanoseconds;
  readonly rejoinIntervalNs: Nanoseconds;
  readonly rejoinRetryNs: Nanoseconds;
  readonly rejoinTimeoutNs: Nanoseconds;
  readonly bulkSyncTimeoutNs: Nanoseconds;
  readonly nodeEventTimeoutNs: Nanoseconds;
  /** Entries heard by bulk sync are not told on when so many wait already. */
  readonly mostQueuedOnSync: number;
  /** What becomes of the entries of a node that fails: newer engines hide and remember them, Docker 20.10 deletes them. */
  readonly failedNodeEntries: "hide" | "delete";
}

export const NETWORKDB: NetworkDbSettings = {
  reapIntervalNs: 5 * SECOND,
  deletedEntryKeptSeconds: 30 * 60,
  leftNetworkKeptSeconds: 30 * 60 + 25,
  reconnectIntervalNs: SECOND,
  goneNodeKeptNs: 24 * 60 * MINUTE,
  goneNodeCheckNs: 2 * 60 * MINUTE,
  rejoinIntervalNs: 60 * SECOND,
  rejoinRetryNs: SECOND,
  rejoinTimeoutNs: 10 * SECOND,
  bulkSyncTimeoutNs: 30 * SECOND,
  nodeEventTimeoutNs: 5 * SECOND,
  mostQueuedOnSync: 500,
  failedNodeEntries: "hide",
};
