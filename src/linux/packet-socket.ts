/**
 * A packet socket, packet(7): Ethernet frames of one device, sent as they are given and received before any protocol looks at them. What arping
 * speaks through. Frames that a bridge port takes are seen by captures, not by packet sockets.
 */
import type { Nanoseconds } from "../sim/time.ts";
import * as ethernet from "../wire/ethernet.ts";
import type { Errno } from "./errno.ts";
import type { FrameId } from "./frame-store.ts";
import type { NetworkNamespace, PacketListener } from "./namespace.ts";
import type { NetDevice } from "./net-device.ts";
import { WaitQueue } from "./process.ts";

export interface ReceivedFrame {
  readonly bytes: Uint8Array;
  readonly receivedNs: Nanoseconds;
}

const VLAN_TAG_BYTES = 4;
const MAXIMUM_FRAMES = 256;

export class PacketSocket implements PacketListener {
  readonly #namespace: NetworkNamespace;
  readonly #device: NetDevice;
  readonly #etherType: number | undefined;
  readonly #queue: ReceivedFrame[] = [];
  readonly readable = new WaitQueue();
  #closed = false;

  /** Hears the frames of `device` with that EtherType; of all types when it is undefined. */
  constructor(namespace: NetworkNamespace, device: NetDevice, etherType: number | undefined) {
    this.#namespace = namespace;
    this.#device = device;
    this.#etherType = etherType;
    namespace.packetListeners.push(this);
    namespace.frames.forgetShortcuts();
  }

  /** Sends a whole frame, header included; its length, or why not. */
  send(bytes: Uint8Array): number | Errno {
    if (this.#closed) return "EBADF";
    if (!this.#device.up) return "ENETDOWN";
    if (bytes.length < ethernet.HEADER_BYTES) return "EINVAL";
    const tagged = ethernet.etherType(bytes, 0) === ethernet.ETHERTYPE_VLAN;
    const longest = this.#device.mtu + ethernet.HEADER_BYTES + (tagged ? VLAN_TAG_BYTES : 0);
    if (bytes.length > longest) return "EMSGSIZE";
    const { frames } = this.#namespace;
    const frame = frames.make(bytes.length);
    frames.bytes.set(bytes, frames.start(frame));
    this.#device.transmit(frame);
    return bytes.length;
  }

  /** The oldest frame heard; undefined: nothing yet. */
  receive(): ReceivedFrame | undefined {
    return this.#queue.shift();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    const { packetListeners } = this.#namespace;
    const index = packetListeners.indexOf(this);
    if (index >= 0) packetListeners.splice(index, 1);
  }

  frame(frame: FrameId, device: NetDevice): void {
    const { frames, clock } = this.#namespace;
    const at = frames.start(frame);
    if (device !== this.#device || this.#queue.length >= MAXIMUM_FRAMES) return;
    if (this.#etherType !== undefined && ethernet.etherType(frames.bytes, at) !== this.#etherType) return;
    this.#queue.push({ bytes: frames.bytes.slice(at, frames.end(frame)), receivedNs: clock.nowNs });
    this.readable.wake();
  }
}
