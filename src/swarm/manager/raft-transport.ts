/** The ways to all the other managers (swarmkit raft/transport/transport.go). */
import type { Message, RaftId } from "../../raft/messages.ts";
import { SEND_TIMEOUT_NS } from "../../raft/settings.ts";
import type { Clock } from "../../sim/simulation.ts";
import type { Channel } from "./channel.ts";
import { type PeerEvents, RaftPeer } from "./raft-peer.ts";
import { RESOLVE_ADDRESS, resolveAddressRequestShape, resolveAddressResponseShape } from "./raft-shapes.ts";

export class RaftTransport {
  readonly #clock: Clock;
  readonly #connect: (address: string) => Channel;
  readonly #events: PeerEvents;
  readonly #peers = new Map<RaftId, RaftPeer>();
  /** Removed ones, and one-time ways to unknown ones, that may still have something to send. */
  readonly #retired = new Set<RaftPeer>();
  #isStopped = false;

  constructor(clock: Clock, connect: (address: string) => Channel, events: PeerEvents) {
    this.#clock = clock;
    this.#connect = connect;
    this.#events = events;
  }

  peer(id: RaftId): RaftPeer | undefined {
    return this.#peers.get(id);
  }

  isActive(id: RaftId): boolean {
    return this.#peers.get(id)?.isActive === true;
  }

  /** Adds a manager or gives it another address. */
  put(id: RaftId, address: string): void {
    if (this.#isStopped) return;
    const known = this.#peers.get(id);
    if (known === undefined) this.#peers.set(id, this.#newPeer(id, address));
    else known.moveTo(address);
  }

  remove(id: RaftId): void {
    const peer = this.#peers.get(id);
    if (peer === undefined) return;
    this.#peers.delete(id);
    this.#retire(peer);
  }

  send(message: Message): void {
    if (this.#isStopped) return;
    const peer = this.#peers.get(message.to);
    if (peer === undefined) this.#sendToUnknown(message);
    else if (!peer.send(message)) {
      this.#events.unreachable(message.to);
      if (message.kind === "snapshot") this.#events.snapshotSent(message.to, false);
    }
  }

  /** The one that has answered without a break for the longest time. */
  get longestActive(): RaftPeer | undefined {
    let longest: RaftPeer | undefined;
    for (const peer of this.#peers.values())
      if (peer.activeSinceNs !== undefined && peer.activeSinceNs < (longest?.activeSinceNs ?? Number.POSITIVE_INFINITY))
        longest = peer;
    return longest;
  }

  stop(): void {
    this.#isStopped = true;
    for (const peer of [...this.#peers.values(), ...this.#retired]) peer.stop();
    this.#peers.clear();
    this.#retired.clear();
  }

  #newPeer(id: RaftId, address: string): RaftPeer {
    return new RaftPeer({ id, address, clock: this.#clock, connect: this.#connect, events: this.#events });
  }

  #retire(peer: RaftPeer): void {
    this.#retired.add(peer);
    peer.retire(() => this.#retired.delete(peer));
  }

  /** Asks another manager for the address; the answer serves for this message alone. */
  #sendToUnknown(message: Message): void {
    const request = resolveAddressRequestShape.emit({ raftId: message.to });
    this.longestActive?.channel.unary(RESOLVE_ADDRESS, request, SEND_TIMEOUT_NS, (result) => {
      const address = "response" in result ? resolveAddressResponseShape.parse(result.response)?.address : undefined;
      if (this.#isStopped || address === undefined || address === "" || this.#peers.has(message.to)) return;
      const peer = this.#newPeer(message.to, address);
      peer.send(message);
      this.#retire(peer);
    });
  }
}
