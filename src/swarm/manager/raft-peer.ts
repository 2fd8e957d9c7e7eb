/**
 * The way to one other manager (swarmkit raft/transport/peer.go): raft's messages go one after the other, each in a StreamRaftMessage call that must
 * be answered within 2 s. Whether the last one was decides whether the manager counts as reachable.
 */
import type { Message, RaftId } from "../../raft/messages.ts";
import { SEND_TIMEOUT_NS } from "../../raft/settings.ts";
import { emitRequest } from "../../raft/wire.ts";
import type { Clock } from "../../sim/simulation.ts";
import { type Nanoseconds, SECOND } from "../../sim/time.ts";
import { Timer } from "../../sim/timer.ts";
import type { Status } from "../grpc/status.ts";
import type { Channel, ClientStream } from "./channel.ts";
import { checkHealth } from "./health.ts";
import { STREAM_RAFT_MESSAGE } from "./raft-shapes.ts";
import { MEMBER_REMOVED, splitSnapshot } from "./raft-stream.ts";

/** Messages that may wait; with more the manager is unreachable. */
const MOST_WAITING = 4096;
/** A removed manager's connection stays open for what it still has to hear. */
const CLOSE_DELAY_NS: Nanoseconds = 8 * SECOND;

export interface PeerEvents {
  /** A message did not get through. */
  unreachable(to: RaftId): void;
  snapshotSent(to: RaftId, isDelivered: boolean): void;
  /** The other one says that we were removed from raft. */
  removed(): void;
  /** It answered at last, or no longer does. */
  activityChanged(): void;
}

export class RaftPeer {
  readonly id: RaftId;
  #address: string;
  readonly #clock: Clock;
  readonly #connect: (address: string) => Channel;
  readonly #events: PeerEvents;
  #channel: Channel;
  readonly #queue: Message[] = [];
  /** A message, or the first health check, waits for its answer. */
  #isBusy = true;
  #isStopped = false;
  #call: ClientStream | undefined;
  #activeSinceNs: Nanoseconds | undefined;
  readonly #closing: Timer;
  #closed: () => void = () => {};

  constructor(settings: {
    readonly id: RaftId;
    readonly address: string;
    readonly clock: Clock;
    readonly connect: (address: string) => Channel;
    readonly events: PeerEvents;
  }) {
    const { id, address, clock, connect, events } = settings;
    this.id = id;
    this.#address = address;
    this.#clock = clock;
    this.#connect = connect;
    this.#events = events;
    this.#channel = connect(address);
    this.#closing = new Timer(clock, () => {
      this.#channel.close();
      this.#closed();
    });
    this.checkHealth((isServing) => {
      if (isServing) this.#setActive(true);
      this.#isBusy = false;
      this.#sendNext();
    });
  }

  get address(): string {
    return this.#address;
  }
  get channel(): Channel {
    return this.#channel;
  }
  get isActive(): boolean {
    return this.#activeSinceNs !== undefined;
  }
  /** Undefined while it is not. */
  get activeSinceNs(): Nanoseconds | undefined {
    return this.#activeSinceNs;
  }

  /** False: too much waits already. */
  send(message: Message): boolean {
    if (this.#isStopped) return false;
    if (this.#queue.length >= MOST_WAITING) {
      this.#setActive(false);
      return false;
    }
    this.#queue.push(message);
    this.#sendNext();
    return true;
  }

  checkHealth(done: (isServing: boolean) => void): void {
    checkHealth(this.#channel, "Raft", SEND_TIMEOUT_NS, (problem) => done(problem === undefined));
  }

  /** Another address: at once over a new connection. */
  moveTo(address: string): void {
    if (address === this.#address) return;
    this.#channel.close();
    this.#address = address;
    this.#channel = this.#connect(address);
  }

  /** Sends what waits, and closes a while later. */
  retire(closed: () => void): void {
    this.#isStopped = true;
    this.#closed = closed;
    this.#setActive(false);
    this.#closing.set(CLOSE_DELAY_NS);
  }

  /** At once: the power is off. */
  stop(): void {
    this.#isStopped = true;
    this.#queue.length = 0;
    this.#call?.cancel();
    this.#call = undefined;
    this.#closing.stop();
    this.#channel.close();
  }

  #setActive(isActive: boolean): void {
    if (isActive === this.isActive || (isActive && this.#isStopped)) return;
    this.#activeSinceNs = isActive ? this.#clock.nowNs : undefined;
    this.#events.activityChanged();
  }

  #sendNext(): void {
    if (this.#isBusy) return;
    const message = this.#queue.shift();
    if (message === undefined) return;
    this.#isBusy = true;
    const events = { message: () => {}, ended: (status: Status) => this.#ended(message, status) };
    const call = this.#channel.stream(STREAM_RAFT_MESSAGE, events, SEND_TIMEOUT_NS);
    this.#call = call;
    const parts = message.kind === "snapshot" ? splitSnapshot(message) : [message];
    for (const part of parts) call.send(emitRequest(part));
    call.closeSend();
  }

  #ended(message: Message, status: Status): void {
    this.#call = undefined;
    this.#isBusy = false;
    const isDelivered = status.code === 0;
    if (status.code === MEMBER_REMOVED.code && status.message === MEMBER_REMOVED.message) this.#events.removed();
    this.#setActive(isDelivered);
    if (message.kind === "snapshot") this.#events.snapshotSent(message.to, isDelivered);
    if (!isDelivered) this.#events.unreachable(message.to);
    this.#sendNext();
  }
}
