/**
 * One end of a link: the driver of veth and nic devices (drivers/net/veth.c). A frame handed to it arrives at the peer device after the
 * link's delay, one event a hop. Each direction has settings of its own, which may change while the simulation runs.
 * Both devices have carrier while both are up.
 */
import { assert } from "../sim/assert.ts";
import type { Random } from "../sim/random.ts";
import type { Clock, ReceiverId } from "../sim/simulation.ts";
import type { Nanoseconds } from "../sim/time.ts";
import type { ChecksumOffload } from "./checksum-offload.ts";
import type { FrameId, FrameStore } from "./frame-store.ts";
import { forkLinkStreams, LinkImpairment, type LinkStreams } from "./link-impairment.ts";
import { isPlain, type LinkSettings } from "./link-settings.ts";
import type { DeviceChange, DeviceListener, Driver, NetDevice } from "./net-device.ts";
import { QUEUE_FULL, TransmitQueue } from "./transmit-queue.ts";

/** An Ethernet header and one VLAN tag: how much longer than the MTU a frame may be (is_skb_forwardable). */
const HEADER_ALLOWANCE_BYTES = 18;

export class WireEnd implements Driver, DeviceListener {
  // What every frame touches stands together, see NetDevice.
  readonly #clock: Clock;
  readonly #frames: FrameStore;
  #device: NetDevice | undefined = undefined;
  #peer: NetDevice | undefined = undefined;
  #peerReceiver: ReceiverId = -1;
  #delayNs: Nanoseconds;
  #queue: TransmitQueue | undefined = undefined;
  /** Undefined for a plain link: `#settings.delayNs` says it all, kept in `#delayNs`. */
  #impairment: LinkImpairment | undefined = undefined;
  /** What a card with a fault of its own does to what it sends; `ethtool` puts it in. */
  offload: ChecksumOffload | undefined = undefined;

  readonly #random: Random;
  #settings: LinkSettings;
  #streams: LinkStreams | undefined = undefined;

  /** `cable` holds until `settings` are set: a plain link. `clock.random` is the root of the run's chance. */
  constructor(clock: Clock & { readonly random: Random }, frames: FrameStore, cable: LinkSettings) {
    this.#clock = clock;
    this.#frames = frames;
    this.#random = clock.random;
    this.#delayNs = cable.delayNs;
    this.#settings = cable;
  }

  get device(): NetDevice | undefined {
    return this.#device;
  }

  get peer(): NetDevice | undefined {
    return this.#peer;
  }

  get settings(): LinkSettings {
    return this.#settings;
  }

  /** Replaces what this direction does, from the next frame on; frames on their way are not called back. */
  set settings(settings: LinkSettings) {
    this.#settings = settings;
    this.#delayNs = settings.delayNs;
    const device = this.#device;
    if (device === undefined) return;
    this.#impairment = undefined;
    this.#queue = undefined;
    if (isPlain(settings)) return;
    if (isPlain({ ...settings, rateBitsPerSecond: 0 })) {
      this.#queue = new TransmitQueue(
        this.#clock,
        settings.rateBitsPerSecond,
        settings.queueLimitFrames,
        settings.queueLimitBytes,
      );
      return;
    }
    this.#streams ??= forkLinkStreams(this.#random, device.place);
    this.#impairment = new LinkImpairment({
      clock: this.#clock,
      frames: this.#frames,
      settings,
      streams: this.#streams,
      where: device,
      receiver: this.#peerReceiver,
    });
  }

  /** Changes some settings and keeps the others. */
  change(some: Partial<LinkSettings>): void {
    this.settings = { ...this.#settings, ...some };
  }

  /** Puts this end into `device` and leads it to `peer`, whose number at the clock is `peerReceiver`. */
  connect(device: NetDevice, peer: NetDevice, peerReceiver: ReceiverId): void {
    assert(this.#device === undefined, "a link end connected twice");
    this.#device = device;
    this.#peer = peer;
    this.#peerReceiver = peerReceiver;
    device.listen(this);
    peer.listen(this);
    device.setCarrier(device.up && peer.up);
  }

  /** Either end went up or down, or is gone: each of the two ends sees to its own device. */
  deviceChanged(changed: NetDevice, change: DeviceChange): void {
    const device = this.#device;
    const peer = this.#peer;
    if (device === undefined || peer === undefined) return;
    if (change === "removed") {
      this.#peer = undefined;
      device.setCarrier(false);
    } else if (change === "up" || change === "down") {
      device.setCarrier(device.up && peer.up);
    }
    if (change === "removed" && changed === device) this.#device = undefined;
  }

  transmit(frame: FrameId): void {
    const device = this.#device;
    const peer = this.#peer;
    const frames = this.#frames;
    if (device === undefined || peer === undefined || !device.carrier) {
      this.#refuse(frame, "device-no-carrier");
      return;
    }
    if (frames.length(frame) > peer.mtu + HEADER_ALLOWANCE_BYTES) {
      peer.rxDropped++;
      this.#refuse(frame, "device-mtu-exceeded");
      return;
    }
    let sent = frame;
    const notes = frames.mark[frame]! | frames.connection[frame]! | frames.flags[frame]! | frames.fragmentLimit[frame]!;
    if (notes !== 0) sent = this.#scrub(frame);
    if (this.offload !== undefined) sent = this.offload.transmit(sent);
    if (this.#queue !== undefined) this.#queueAndSend(this.#queue, sent);
    else if (this.#impairment === undefined) this.#clock.schedule(this.#delayNs, this.#peerReceiver, sent);
    else this.#impairment.transmit(sent);
  }

  /** A link with a rate and nothing else: one transmitter in front of a fixed delay keeps the order by itself. */
  #queueAndSend(queue: TransmitQueue, frame: FrameId): void {
    const waitNs = queue.admit(this.#frames.length(frame));
    if (waitNs === QUEUE_FULL) this.#refuse(frame, "link-queue-full");
    else this.#clock.schedule(waitNs + this.#delayNs, this.#peerReceiver, frame);
  }

  /** What the sending host knows of a frame stays there (skb_scrub_packet); another holder there may still need it. */
  #scrub(frame: FrameId): FrameId {
    const frames = this.#frames;
    const own = frames.writable(frame);
    frames.mark[own] = 0;
    frames.connection[own] = 0;
    frames.flags[own] = 0;
    frames.fragmentLimit[own] = 0;
    return own;
  }

  #refuse(frame: FrameId, reason: "device-no-carrier" | "device-mtu-exceeded" | "link-queue-full"): void {
    const device = this.#device;
    if (device !== undefined) device.txDropped++;
    this.#frames.drop(frame, reason, device ?? UNCONNECTED);
  }
}

const UNCONNECTED = { place: "an unconnected link end" };
