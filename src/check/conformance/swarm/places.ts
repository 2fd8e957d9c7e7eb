/** Where a recorded capture was taken, found in our lab: an interface of a machine, of an overlay's namespace, of a load balancer, of a container. */

import { shortIdentifier } from "../../../docker/identifiers.ts";
import type { NetworkNamespace } from "../../../linux/namespace.ts";
import type { NetDevice } from "../../../linux/net-device.ts";
import { WireEnd } from "../../../linux/wire-end.ts";
import type { LabNode, RecordedLab } from "./lab.ts";
import { roleOf } from "./naming.ts";
import { HOST_NAMESPACE, shownInterfaces } from "./recorded-state.ts";
import type { RecordedCapture, RecordedCase } from "./recording.ts";

export function findDevice(lab: RecordedLab, recorded: RecordedCase, capture: RecordedCapture): NetDevice | undefined {
  const host = lab.host(capture.machine);
  if (host === undefined) return undefined;
  if (capture.place === "underlay") return host.namespace.device(capture.interface);
  const node = lab.nodes.get(capture.machine);
  if (node === undefined) return undefined;
  if (capture.place === "host") return host.namespace.device(hostInterface(node, recorded, capture.interface));
  const namespace = findNamespace(node, recorded, capture.place);
  const isOverlay = /^\d+-/.test(capture.place);
  if (!isOverlay || !capture.interface.startsWith("veth")) return namespace?.device(capture.interface);
  const other = otherEnd(recorded, capture);
  if (other === undefined) return undefined;
  const inner = findNamespace(node, recorded, other.namespace)?.device(other.interface);
  return inner?.driver instanceof WireEnd ? inner.driver.peer : undefined;
}

/** By a handle, or by a container's name or its beginning. */
export function findNamespace(node: LabNode, recorded: RecordedCase, place: string): NetworkNamespace | undefined {
  const { host, daemon } = node;
  const handle = /^(\d+-|lb_)(\w+)$/.exec(place);
  if (place === "ingress_sbox") return host.namedNamespaces.get(place);
  if (handle !== null) {
    const [, kind, id] = handle;
    const network = [...daemon.networking.networks.values()].find(({ name }) => name === recorded.networkName(id!));
    if (network === undefined) return undefined;
    for (const [name, namespace] of host.namedNamespaces) {
      const own = /^(\d+-|lb_)(\w+)$/.exec(name);
      const isSameKind = (own?.[1] === "lb_") === (kind === "lb_");
      if (own !== null && isSameKind && network.id.startsWith(own[2]!)) return namespace;
    }
    return undefined;
  }
  const role = roleOf(place);
  const containers = [...daemon.engine.containers.values()].filter(({ running }) => running);
  return containers.findLast(({ name }) => roleOf(name) === role)?.namespace;
}

/** A bridge of a network is called after its identifier. */
export function hostInterface(node: LabNode, recorded: RecordedCase, name: string): string {
  const id = /^br-(\w+)$/.exec(name)?.[1];
  if (id === undefined) return name;
  const wanted = recorded.networkName(id);
  const network = [...node.daemon.engine.networks.values()].find((each) => each.name === wanted);
  return network === undefined ? name : `br-${shortIdentifier(network.id)}`;
}

/** Whose end a veth of an overlay's namespace has on its other side, as the recorded node showed. */
function otherEnd(
  { states, captures }: RecordedCase,
  { machine, place, interface: name }: RecordedCapture,
): { readonly namespace: string; readonly interface: string } | undefined {
  const shown = (states.get(machine)?.sections ?? []).filter(
    ({ namespace, command }) => command === "ip addr" && namespace !== HOST_NAMESPACE,
  );
  const own = shown.find(({ namespace }) => namespace === place);
  if (own === undefined) {
    // The machine told nothing of itself: the other end is the one that saw the same frames.
    const mine = captures.find((each) => each.machine === machine && each.place === place && each.interface === name);
    const twin = captures.find(
      (each) => each.machine === machine && !/^(\d+-|underlay$|host$)/.test(each.place) && sameFrames(each, mine),
    );
    return twin === undefined ? undefined : { namespace: twin.place, interface: twin.interface };
  }
  const veth = shownInterfaces(own.text).find((each) => each.name === name);
  if (veth?.peerIndex === undefined) return undefined;
  for (const { namespace, container, text } of shown) {
    if (namespace === place) continue;
    const end = shownInterfaces(text).find(
      ({ index, peerIndex }) => index === veth.peerIndex && peerIndex === veth.index,
    );
    if (end !== undefined) return { namespace: container ?? namespace, interface: end.name };
  }
  return undefined;
}

function sameFrames(one: RecordedCapture, other: RecordedCapture | undefined): boolean {
  const same = (a: Uint8Array, b: Uint8Array | undefined) =>
    a.length === b?.length && a.every((byte, at) => byte === b[at]);
  return (
    one.frames.length === other?.frames.length &&
    one.frames.every(({ bytes }, at) => same(bytes, other.frames[at]?.bytes))
  );
}
