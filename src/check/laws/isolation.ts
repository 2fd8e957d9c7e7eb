/**
 * A frame stays in its broadcast domain: bridges, cables and VXLAN segments carry it, and only a router, which puts its own source address into the
 * frame, takes the packet to another. So two networks never mix, not even with equal addresses (RFC 7348 §4: "VMs in different VXLAN segments cannot
 * communicate with each other").
 *
 * Domains come from the devices as they stand: a bridge and its ports, the two ends of a cable, VXLAN devices of one VNI, a VLAN device and the one
 * below it are of one domain.
 */
import type { NetDevice } from "../../linux/net-device.ts";
import { vlanOf } from "../../linux/vlan-device.ts";
import { Vxlan } from "../../linux/vxlan.ts";
import { WireEnd } from "../../linux/wire-end.ts";
import { formatMac } from "../../wire/address.ts";
import * as ethernet from "../../wire/ethernet.ts";
import type { Law, Violation } from "../law.ts";
import { layersOf } from "../layers.ts";

const NAME = "isolation";

export const ISOLATION: Law = {
  name: NAME,
  source: "RFC 7348 §4; IEEE 802.1D-2004 §7",
  check({ frames, devices, corrupts }) {
    if (corrupts) return []; // a damaged address or number leads anywhere
    const domains = new Domains(devices);
    const seenIn = new Map<string, { readonly domain: number; readonly place: string }>();
    const violations: Violation[] = [];
    for (const { device, bytes, place, timeNs, packetId } of frames) {
      for (const layer of layersOf(bytes)) {
        const domain = layer.vni === undefined ? domains.ofDevice(device) : domains.ofVni(layer.vni);
        if (domain === undefined) continue;
        const source = ethernet.source(bytes, layer.at);
        const frame = `${packetId} ${source}`;
        const before = seenIn.get(frame);
        if (before === undefined) seenIn.set(frame, { domain, place });
        else if (before.domain !== domain) {
          const words = `a frame from ${formatMac(source)} got here from another network, seen at ${before.place}`;
          violations.push({ law: NAME, words, place, timeNs, packetId });
        }
      }
    }
    return violations;
  },
};

/** Devices and VNIs in disjoint sets. */
class Domains {
  readonly #numbers = new Map<NetDevice | number, number>();
  readonly #parents: number[] = [];

  constructor(devices: readonly NetDevice[]) {
    for (const device of devices) {
      if (device.kind === "loopback") continue;
      if (device.master !== undefined) this.#join(device, device.master);
      const { driver } = device;
      if (driver instanceof WireEnd && driver.peer !== undefined) this.#join(device, driver.peer);
      if (driver instanceof Vxlan) this.#join(device, driver.vni);
      const real = vlanOf(device)?.real;
      if (real !== undefined) this.#join(device, real);
    }
  }

  ofDevice(device: NetDevice): number | undefined {
    return device.kind === "loopback" ? undefined : this.#root(this.#number(device));
  }

  ofVni(vni: number): number {
    return this.#root(this.#number(vni));
  }

  #join(a: NetDevice | number, b: NetDevice | number): void {
    this.#parents[this.#root(this.#number(a))] = this.#root(this.#number(b));
  }

  #number(member: NetDevice | number): number {
    let number = this.#numbers.get(member);
    if (number === undefined) {
      number = this.#parents.length;
      this.#parents.push(number);
      this.#numbers.set(member, number);
    }
    return number;
  }

  #root(number: number): number {
    let root = number;
    while (this.#parents[root] !== root) root = this.#parents[root]!;
    return root;
  }
}
