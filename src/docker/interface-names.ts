/** Names of interfaces inside containers. */
import type { NetworkNamespace } from "../linux/namespace.ts";

/** The lowest unused of `eth0`, `eth1`, …: what libnetwork gives the next interface of a container. */
export function containerInterfaceName(container: NetworkNamespace): string {
  let number = 0;
  while (container.device(`eth${number}`) !== undefined) number++;
  return `eth${number}`;
}
