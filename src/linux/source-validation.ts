/** May a packet with this source come in by this device? fib_validate_source: martians, and the reverse path filter of RFC 3704. */
import type { Ipv4Address } from "../wire/address.ts";
import type { Ipv4Core } from "./ipv4-core.ts";
import type { NetDevice } from "./net-device.ts";

/** `on-link`: the source is a neighbour on the device it came by, so a redirect would help it. */
export type SourceVerdict = "ok" | "on-link" | "martian" | "reverse-path";

const NO_ADDRESS = 0 as Ipv4Address;

/** `egress`: where the packet would leave, for packets on their way through. */
export function validateSource(
  core: Ipv4Core,
  source: Ipv4Address,
  destination: Ipv4Address,
  mark: number,
  ingress: NetDevice,
  egress: NetDevice | undefined,
): SourceVerdict {
  const settings = core.devices.of(ingress).settings;
  const filter = settings.rpFilter;
  const { routing } = core;
  const mayRedirect = egress === ingress && settings.sendRedirects;
  if (filter === 0 && !mayRedirect && !routing.hasCustomRules) {
    if (settings.acceptLocal) return "ok";
    return routing.hasAddress(source) ? "martian" : "ok";
  }
  const flow = { destination: source, source: destination, mark, ingress, egress: undefined };
  const route = routing.lookup(flow);
  if (typeof route === "string") return filter === 0 ? "ok" : "reverse-path";
  if (route.type !== "unicast" && !(route.type === "local" && settings.acceptLocal)) return "martian";
  if (route.device === ingress || route.type === "local") return route.gateway === undefined ? "on-link" : "ok";
  if (ingress.addresses.length === 0) return filter === 0 ? "ok" : "reverse-path";
  if (filter === 1) return "reverse-path";
  const back = routing.lookup({ ...flow, source: NO_ADDRESS, egress: ingress });
  return typeof back !== "string" && back.type === "unicast" && back.gateway === undefined ? "on-link" : "ok";
}
