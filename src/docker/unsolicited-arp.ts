/**
 * The ARP announcements of the current engine (libnetwork osl/interface_linux.go, internal/l2disco): an interface that comes into a sandbox tells its address
 * three times, a second apart, so that nobody goes on with a former owner's MAC address. RFC 5227 §3's form: a request for the own address.
 */
import type { NetworkNamespace } from "../linux/namespace.ts";
import type { NetDevice } from "../linux/net-device.ts";
import { MILLISECOND, type Nanoseconds, SECOND } from "../sim/time.ts";
import { Timer } from "../sim/timer.ts";
import { type Ipv4Address, MAC_BROADCAST, MAC_ZERO } from "../wire/address.ts";
import * as arp from "../wire/arp.ts";

const COUNT_OPTION = "com.docker.network.advertise_addr_nmsgs";
const INTERVAL_OPTION = "com.docker.network.advertise_addr_ms";
const DEFAULT_COUNT = 3;
const LARGEST_COUNT = 3;
const DEFAULT_INTERVAL_NS: Nanoseconds = SECOND;
const SHORTEST_INTERVAL_NS = 100 * MILLISECOND;
const LONGEST_INTERVAL_NS = 2 * SECOND;

/** Begins at once; ends when the interface leaves, for `isThere` is asked before each. `options`: the network's. */
export function announceAddress(
  namespace: NetworkNamespace,
  device: NetDevice,
  address: Ipv4Address,
  options: ReadonlyMap<string, string>,
  isThere: () => boolean,
): void {
  let left = within(options.get(COUNT_OPTION), 0, LARGEST_COUNT) ?? DEFAULT_COUNT;
  const intervalMs = within(
    options.get(INTERVAL_OPTION),
    SHORTEST_INTERVAL_NS / MILLISECOND,
    LONGEST_INTERVAL_NS / MILLISECOND,
  );
  const intervalNs = intervalMs === undefined ? DEFAULT_INTERVAL_NS : intervalMs * MILLISECOND;
  if (left === 0) return;
  const announce = (): void => {
    if (!isThere() || !device.running) return;
    namespace.arp.send(device, arp.OPERATION_REQUEST, {
      senderProtocolAddress: address,
      targetHardwareAddress: MAC_ZERO,
      targetProtocolAddress: address,
      to: MAC_BROADCAST,
    });
    if (--left > 0) timer.set(intervalNs);
  };
  const timer = new Timer(namespace.clock, announce);
  announce();
}

/** A whole number between the limits; undefined when `text` is none. */
function within(text: string | undefined, least: number, most: number): number | undefined {
  if (text === undefined || !/^\d{1,9}$/.test(text)) return undefined;
  const value = Number(text);
  return value >= least && value <= most ? value : undefined;
}
