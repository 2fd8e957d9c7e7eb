/**
 * The UDP socket that all VXLAN devices of one port share in their underlay namespace (vxlan_sock), and the list of those devices. The
 * socket is open while one of them is up: after the last, the host answers with ICMP port unreachable. It checks the VXLAN header, finds
 * the device by VNI, and hands over.
 */
import type { Vni } from "../wire/address.ts";
import * as udp from "../wire/udp.ts";
import * as vxlan from "../wire/vxlan.ts";
import type { DatagramTaker } from "./early-demux.ts";
import type { FrameId } from "./frame-store.ts";
import type { NetworkNamespace } from "./namespace.ts";
import type { NetDevice } from "./net-device.ts";

/** A device as its port sees it. */
export interface VxlanEndpoint {
  readonly vni: Vni;
  readonly port: number;
  readonly device: NetDevice;
  /** The frame starts at the outer IPv4 header; the VXLAN header stands at `at`, the datagram ends at `end`. Takes over the hold. */
  decapsulate(frame: FrameId, at: number, end: number): void;
  /** The header has reserved bits set: the device counts the error. */
  refuse(frame: FrameId): void;
}

export class VxlanPort implements DatagramTaker {
  readonly #namespace: NetworkNamespace;
  readonly port: number;
  readonly #byVni = new Map<Vni, VxlanEndpoint>();
  #last: VxlanEndpoint | undefined = undefined; // most packets are for the same device as the one before

  constructor(namespace: NetworkNamespace, port: number) {
    this.#namespace = namespace;
    this.port = port;
  }

  get empty(): boolean {
    return this.#byVni.size === 0;
  }

  find(vni: Vni): VxlanEndpoint | undefined {
    return this.#byVni.get(vni);
  }

  add(endpoint: VxlanEndpoint): void {
    this.#byVni.set(endpoint.vni, endpoint);
  }

  remove(endpoint: VxlanEndpoint): void {
    if (this.#byVni.get(endpoint.vni) === endpoint) this.#byVni.delete(endpoint.vni);
    this.#last = undefined;
  }

  /** A datagram for the port, its checksum verified; the frame starts at the IPv4 header. Takes over the hold. */
  datagram(frame: FrameId, udpAt: number, ingress: NetDevice): void {
    const frames = this.#namespace.frames;
    const bytes = frames.bytes;
    const at = udpAt + udp.HEADER_BYTES;
    const end = udpAt + udp.length(bytes, udpAt);
    const reason = vxlan.check(bytes, at, end);
    if (reason !== undefined) {
      frames.drop(frame, reason, ingress);
      return;
    }
    const vni = vxlan.vni(bytes, at);
    let endpoint = this.#last;
    if (endpoint === undefined || endpoint.vni !== vni) {
      endpoint = this.#byVni.get(vni);
      if (endpoint === undefined) {
        frames.drop(frame, "vxlan-unknown-vni", ingress);
        return;
      }
      this.#last = endpoint;
    }
    if (vxlan.reservedBitsSet(bytes, at)) endpoint.refuse(frame);
    else endpoint.decapsulate(frame, at, end);
  }
}

/** The VXLAN devices whose sockets are in one namespace, up or down, and the ports that are open. */
export class VxlanPorts {
  readonly #namespace: NetworkNamespace;
  readonly #ports = new Map<number, VxlanPort>();
  readonly #endpoints = new Set<VxlanEndpoint>();
  /** Keys the flow hash of tunnels: drawn once a host, as the kernel draws it once a boot. */
  readonly hashKey: number;

  constructor(namespace: NetworkNamespace) {
    this.#namespace = namespace;
    this.hashKey = namespace.random.fork("flow hash key").u32() | 0;
  }

  /** Is there a device with this VNI on this port, up or down? There may be one only. */
  taken(vni: Vni, port: number): boolean {
    for (const endpoint of this.#endpoints) if (endpoint.vni === vni && endpoint.port === port) return true;
    return false;
  }

  register(endpoint: VxlanEndpoint): void {
    this.#endpoints.add(endpoint);
  }

  forget(endpoint: VxlanEndpoint): void {
    this.#endpoints.delete(endpoint);
  }

  /** The device of an open port, for frames that need no tunnel. */
  find(vni: Vni, port: number): VxlanEndpoint | undefined {
    return this.#ports.get(port)?.find(vni);
  }

  /** The device is up: its port opens, unless it is open. False: a program has the port. */
  open(endpoint: VxlanEndpoint): boolean {
    let port = this.#ports.get(endpoint.port);
    if (port === undefined) {
      port = new VxlanPort(this.#namespace, endpoint.port);
      if (this.#namespace.udp.registerTunnel(endpoint.port, port) !== undefined) return false;
      this.#ports.set(endpoint.port, port);
    }
    port.add(endpoint);
    return true;
  }

  /** The device went down; with the last one the socket closes. */
  close(endpoint: VxlanEndpoint): void {
    const port = this.#ports.get(endpoint.port);
    if (port === undefined) return;
    port.remove(endpoint);
    if (!port.empty) return;
    this.#ports.delete(endpoint.port);
    this.#namespace.udp.unregisterTunnel(endpoint.port);
  }
}

const PORTS = new WeakMap<NetworkNamespace, VxlanPorts>();

/** The VXLAN sockets of a namespace, made when the first device asks. */
export function vxlanPortsOf(namespace: NetworkNamespace): VxlanPorts {
  let ports = PORTS.get(namespace);
  if (ports === undefined) {
    ports = new VxlanPorts(namespace);
    PORTS.set(namespace, ports);
  }
  return ports;
}
