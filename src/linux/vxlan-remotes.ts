/**
 * The VTEPs that entries of a VXLAN FDB lead to, as numbered lists. The entries of one VTEP's hosts share one list, and in it the way to the VTEP as
 * routing last told: few lines of the cache for many entries. An entry with several remotes has a list of its own.
 */
import { assert } from "../sim/assert.ts";
import type { Ipv4Address, Vni } from "../wire/address.ts";
import type { NetDevice } from "./net-device.ts";
import type { LinkOutput, Path } from "./path.ts";

/** What a remote is. */
export interface VxlanRemoteKey {
  readonly address: Ipv4Address;
  readonly port: number;
  readonly vni: Vni;
  /** `via`: the underlay device to leave by. */
  readonly device: NetDevice | undefined;
}

/** One destination, and the way to it as routing last told. */
export interface VxlanRemote extends VxlanRemoteKey {
  /** Kept until the routing tables' generation moves on. */
  path: Path | undefined;
  /** While it is `FrameStore.shortcutEpoch`, outer packets of at most `readyBytes` go from `readySource` straight to `readyLink`. */
  readyEpoch: number;
  readyBytes: number;
  /** Signed, see `OuterHeader`. */
  readySource: number;
  readyLink: LinkOutput | undefined;
}

export class VxlanRemotes {
  readonly #lists: VxlanRemote[][] = [];
  /** How many entries lead there. */
  readonly #users: number[] = [];
  readonly #free: number[] = [];
  /** Numbers of the lists that are shared, by address: those of one remote. */
  readonly #shared = new Map<Ipv4Address, number[]>();

  /** At least one remote; the first one is sent to last. */
  at(number: number): readonly VxlanRemote[] {
    return this.#lists[number]!;
  }

  /** The number of the list of this remote alone, for one entry more. */
  take(key: VxlanRemoteKey): number {
    let same = this.#shared.get(key.address);
    if (same === undefined) {
      same = [];
      this.#shared.set(key.address, same);
    }
    for (const number of same) {
      if (!isSame(this.#lists[number]![0]!, key)) continue;
      this.#users[number] = this.#users[number]! + 1;
      return number;
    }
    const number = this.#add([remoteOf(key)]);
    same.push(number);
    return number;
  }

  /** The list with one remote more, or itself when it has it; in place of the caller's use of `number`. */
  extend(number: number, key: VxlanRemoteKey): number {
    const list = this.#lists[number]!;
    if (list.some((remote) => isSame(remote, key))) return number;
    if (list.length === 1) return this.#replace(number, [...list.map(remoteOf), remoteOf(key)]);
    list.push(remoteOf(key));
    return number;
  }

  /** The list without a remote that is one of several; in place of the caller's use of `number`. */
  reduce(number: number, key: VxlanRemoteKey): number {
    const rest = this.#lists[number]!.filter((remote) => !isSame(remote, key));
    assert(rest.length > 0, "a VXLAN FDB entry without remotes");
    if (rest.length > 1) return this.#replace(number, rest);
    this.release(number);
    return this.take(rest[0]!);
  }

  /** One entry less leads there. */
  release(number: number): void {
    const users = this.#users[number]! - 1;
    assert(users >= 0, "a VXLAN remote released twice");
    this.#users[number] = users;
    if (users > 0) return;
    const list = this.#lists[number]!;
    const { address } = list[0]!;
    const same = this.#shared.get(address);
    const index = list.length === 1 ? (same?.indexOf(number) ?? -1) : -1;
    if (same !== undefined && index >= 0) same.splice(index, 1);
    if (same?.length === 0) this.#shared.delete(address);
    this.#lists[number] = [];
    this.#free.push(number);
  }

  #replace(number: number, list: VxlanRemote[]): number {
    this.release(number);
    return this.#add(list);
  }

  #add(list: VxlanRemote[]): number {
    const number = this.#free.pop() ?? this.#lists.length;
    this.#lists[number] = list;
    this.#users[number] = 1;
    return number;
  }
}

export function isSame(a: VxlanRemoteKey, b: VxlanRemoteKey): boolean {
  return a.address === b.address && a.port === b.port && a.vni === b.vni && a.device === b.device;
}

function remoteOf(key: VxlanRemoteKey): VxlanRemote {
  return {
    address: key.address,
    port: key.port,
    vni: key.vni,
    device: key.device,
    path: undefined,
    readyEpoch: -1,
    readyBytes: 0,
    readySource: 0,
    readyLink: undefined,
  };
}
