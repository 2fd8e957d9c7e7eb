/**
 * The ARP announcements of the current engine (libnetwork osl/interface_linux.go, internal/l2disco): an interface that comes into a container tells its address three
 * times, a second apart, so that nobody goes on with a former owner's MAC address. RFC 5227 §3's form: a request for the own address.
 */

import type { NetworkNamespace } from "../../linux/namespace.ts";
import { type Nanoseconds, SECOND } from "../../sim/time.ts";
import { Timer } from "../../sim/timer.ts";
import { MAC_BROADCAST, MAC_ZERO } from "../../wire/address.ts";
import * as arp from "../../wire/arp.ts";
import type { Endpoint } from "../endpoint.ts";

const COUNT = 3;
const INTERVAL_NS: Nanoseconds = SECOND;

/** Begins at once; ends when the interface leaves. */
export function announceAddress(namespace: NetworkNamespace, endpoint: Endpoint): void {
  const { device } = endpoint;
  if (device === undefined) return;
  let left = COUNT;
  const announce = (): void => {
    if (endpoint.device !== device || !device.running) return;
    namespace.arp.send(device, arp.OPERATION_REQUEST, {
      senderProtocolAddress: endpoint.address.address,
      targetHardwareAddress: MAC_ZERO,
      targetProtocolAddress: endpoint.address.address,
      to: MAC_BROADCAST,
    });
    if (--left > 0) timer.set(INTERVAL_NS);
  };
  const timer = new Timer(namespace.clock, announce);
  announce();
}
