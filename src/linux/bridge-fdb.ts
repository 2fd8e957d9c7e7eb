/**
 * What `bridge fdb add, append, replace, del` and `flush` do with `master`: the kernel's br_fdb_add and br_fdb_delete, refusals included.
 */
import type { MacAddress } from "../wire/address.ts";
import { MAC_ZERO } from "../wire/address.ts";
import type { Bridge } from "./bridge.ts";
import type { BridgePort } from "./bridge-port.ts";
import type { VlanGroup } from "./bridge-vlan.ts";
import type { Errno } from "./errno.ts";
import type { FdbEntry } from "./filtering-database.ts";

export interface FdbRequest {
  readonly address: MacAddress;
  /** Undefined: the bridge's own device. */
  readonly port: BridgePort | undefined;
  /** 0: none given. */
  readonly vlan: number;
}

export interface FdbAddition extends FdbRequest {
  /** `permanent` (also `local`, the default of `bridge fdb`), `static` (also `temp`), or `dynamic`. */
  readonly state: "permanent" | "static" | "dynamic";
  /** `add` refuses an address that is there (NLM_F_EXCL); `append` and `replace` change it. */
  readonly exclusive: boolean;
  readonly sticky?: boolean;
  readonly external?: boolean;
}

export function addFdbEntry(bridge: Bridge, addition: FdbAddition): Errno | undefined {
  const { address, port, state } = addition;
  if (address === MAC_ZERO) return "EINVAL";
  const vlans = vlansFor(bridge, addition);
  if (vlans === undefined) return "EINVAL";
  if (port === undefined && state !== "permanent") return "EINVAL";
  if (addition.sticky === true && state === "permanent") return "EINVAL";
  const learns = port === undefined || port.state === "learning" || port.state === "forwarding";
  if (state === "dynamic" && !learns) return "EPERM";
  const nowNs = bridge.clock.nowNs;
  const flags = {
    local: state === "permanent",
    fixed: state !== "dynamic",
    byUser: true,
    sticky: addition.sticky === true,
    external: addition.external === true,
  };
  for (const vlan of vlans) {
    if (addition.exclusive && bridge.fdb.get(address, vlan, nowNs) !== undefined) return "EEXIST";
    bridge.fdb.set(address, vlan, port, flags, nowNs);
  }
  return undefined;
}

/** ENOENT: the address is not there, or leads elsewhere. */
export function deleteFdbEntry(bridge: Bridge, request: FdbRequest): Errno | undefined {
  const vlans = vlansFor(bridge, request);
  if (vlans === undefined) return "EINVAL";
  const nowNs = bridge.clock.nowNs;
  let found = false;
  for (const vlan of vlans) {
    const entry = bridge.fdb.get(request.address, vlan, nowNs);
    if (entry === undefined || entry.port !== request.port) continue;
    bridge.fdb.delete(entry);
    found = true;
  }
  return found ? undefined : "ENOENT";
}

/** `bridge fdb flush`: all entries that `which` picks; by default, as there, everything but local ones set by the kernel. */
export function flushFdb(bridge: Bridge, which: (entry: FdbEntry) => boolean): void {
  for (const entry of bridge.fdb.list(bridge.clock.nowNs)) {
    if (which(entry) && !(entry.local && !entry.byUser)) bridge.fdb.delete(entry);
  }
}

/** The VLANs that a request is for: the one given, or all of the port's and none besides. Undefined: the port is not in that VLAN. */
function vlansFor(bridge: Bridge, request: FdbRequest): number[] | undefined {
  const group: VlanGroup = request.port === undefined ? bridge.vlans : request.port.vlans;
  if (request.vlan !== 0) return bridge.filtersVlans && group.has(request.vlan) ? [request.vlan] : undefined;
  if (!bridge.filtersVlans) return [0];
  return [0, ...group.list().map((membership) => membership.vid)];
}
