/** What rules are made of: tests of what every packet has (addresses, devices), extension matches, and targets. */
import type { HookPoint } from "../hooks.ts";
import type { NetDevice } from "../net-device.ts";
import type { Packet } from "./packet.ts";
import type { Verdict } from "./verdict.ts";

/** A loaded match extension (`-m …`) with its options. */
export interface Match {
  readonly name: string;
  matches(packet: Packet): boolean;
  /** Its options as iptables-save writes them; "" when it has none. */
  save(): string;
  /** As `iptables -L` prints it; `numeric` as with -n. */
  list(numeric: boolean): string;
  /** Must connections be tracked for this? */
  readonly needsConntrack?: boolean;
  /** The hooks where it may stand; undefined: all. */
  readonly points?: readonly HookPoint[] | undefined;
}

/** What is done with a packet that matched. */
export interface Target {
  readonly name: string;
  run(packet: Packet): Verdict;
  save(): string;
  list(numeric: boolean): string;
  readonly needsConntrack?: boolean;
  readonly points?: readonly HookPoint[] | undefined;
  /** The only table that takes it; undefined: all. */
  readonly table?: string;
}

/** An address to compare with, and its mask (any bits). */
export interface AddressTest {
  readonly address: number;
  readonly mask: number;
  readonly inverted: boolean;
}

export interface DeviceTest {
  /** A name, or its beginning when `prefix` is set (`eth+`). */
  readonly name: string;
  readonly prefix: boolean;
  readonly inverted: boolean;
}

export function deviceMatches(test: DeviceTest, device: NetDevice | undefined): boolean {
  const name = device === undefined ? "" : device.name;
  return (test.prefix ? name.startsWith(test.name) : name === test.name) !== test.inverted;
}
