/**
 * A member of a gossiping cluster, memberlist: probes, spreads rumours, and exchanges its whole state with others now and then. It hears
 * datagrams and streams from its caller, and leaves in the outbox what is to be sent.
 */
import type { Random } from "../sim/random.ts";
import { SECOND } from "../sim/time.ts";
import type { Agenda } from "./agenda.ts";
import * as datagram from "./datagram.ts";
import { Health } from "./health.ts";
import type { Keyring } from "./keyring.ts";
import type { Malformed } from "./malformed.ts";
import { isGone, type Member } from "./member-table.ts";
import { type Identity, Membership, type MembershipWatcher } from "./membership.ts";
import { aliveSubject, type Message, parse, USER } from "./messages.ts";
import type { Endpoint, Outbox } from "./outbox.ts";
import { Prober, takesChecksum } from "./prober.ts";
import { open } from "./seal.ts";
import { pushPullIntervalNs, type Settings } from "./settings.ts";
import * as stream from "./stream.ts";
import type { PushPull, StreamMessage } from "./stream-messages.ts";
import { Ticker } from "./ticker.ts";

const USER_TYPE_BYTES = 1;
const LEAVE_TIMEOUT_NS = SECOND;

/** The layer above: networkdb. */
export interface Delegate extends MembershipWatcher {
  /** A user message came, by datagram or stream. The bytes are the receiver's to keep. */
  receive(payload: Uint8Array): void;
  /** Rumours of its own that fit into `limitBytes`, each costing `overheadBytes` more. */
  rumours(overheadBytes: number, limitBytes: number): Uint8Array[];
  localState(): Uint8Array;
  mergeState(state: Uint8Array): void;
}

export class Memberlist {
  readonly #settings: Settings;
  readonly #keyring: Keyring | undefined;
  readonly #random: Random;
  readonly #agenda: Agenda;
  readonly #outbox: Outbox;
  readonly #delegate: Delegate;
  readonly #health: Health;
  readonly #membership: Membership;
  readonly #prober: Prober;

  /** `keyring` undefined: gossip in clear. */
  constructor(
    self: Identity,
    settings: Settings,
    keyring: Keyring | undefined,
    random: Random,
    agenda: Agenda,
    outbox: Outbox,
    delegate: Delegate,
  ) {
    this.#settings = settings;
    this.#keyring = keyring;
    this.#random = random;
    this.#agenda = agenda;
    this.#outbox = outbox;
    this.#delegate = delegate;
    this.#health = new Health(settings.awarenessMaximum);
    this.#membership = new Membership(self, settings, random, agenda, this.#health, delegate);
    this.#prober = new Prober(settings, this.#membership, this.#health, agenda, outbox, this.#rumours);
  }

  get members(): readonly Member[] {
    return this.#membership.members.list;
  }

  /** 0 is well, see `Health`. */
  get healthScore(): number {
    return this.#health.score;
  }

  member(name: string): Member | undefined {
    return this.#membership.members.get(name);
  }

  /** Tickers run from now on. Go's random stagger before the first tick ends before that tick comes, but for push-pull. */
  start(): void {
    this.#membership.begin();
    const { probeIntervalNs, gossipIntervalNs, pushPullIntervalNs: exchangeNs } = this.#settings;
    new Ticker(this.#agenda, probeIntervalNs, (done) => this.#prober.tick(done));
    this.#agenda.every(gossipIntervalNs, () => this.#gossip());
    this.#agenda.after(this.#random.between(0, exchangeNs - 1), () => this.#schedulePushPull());
  }

  /** Exchanges state with each address in turn; `done` learns with how many that worked. */
  join(addresses: readonly Endpoint[], done: (reached: number) => void): void {
    const next = (index: number, reached: number): void => {
      const address = addresses[index];
      if (address === undefined) done(reached);
      else this.#pushPull(address, true, (isReached) => next(index + 1, reached + (isReached ? 1 : 0)));
    };
    next(0, 0);
  }

  /** Tells the others; `done` when they were told often enough, or after a second. */
  leave(done: () => void): void {
    let isDone = false;
    const once = (): void => {
      if (isDone) return;
      isDone = true;
      done();
    };
    this.#membership.leave(once);
    if (this.#membership.hasCompany) this.#agenda.after(LEAVE_TIMEOUT_NS, once);
    else once();
  }

  /** A user message to each of `members` in one datagram, unless it is lost: `payload` without the type byte. */
  sendBestEffort(members: readonly Member[], payload: Uint8Array): void {
    const message = [withUserType(payload)];
    // most take a checksum: what goes out is made once for all of them
    const made: { with?: Uint8Array; without?: Uint8Array } = {};
    for (const member of members) {
      const kind = takesChecksum(member) ? "with" : "without";
      made[kind] ??= datagram.wrap(message, kind === "with");
      this.#outbox.sendPlain(member, made[kind]);
    }
  }

  /** A user message over a stream; `ended` says whether it could be sent. */
  sendReliable(member: Member, payload: Uint8Array, ended: (isSent: boolean) => void): void {
    const message: StreamMessage = { kind: "stream-user", payload };
    this.#outbox.open(member, message, this.#settings.streamTimeoutNs, false, (outcome) => ended(outcome === "sent"));
  }

  /** `bytes` are the node's from now on. */
  receiveDatagram(from: Endpoint, bytes: Uint8Array): Malformed | undefined {
    const plaintext = this.#keyring === undefined ? bytes : open(this.#keyring.keys, bytes);
    if (typeof plaintext === "string") return plaintext;
    const parsed = datagram.parse(plaintext);
    if (typeof parsed === "string") return parsed;
    let refusal: Malformed | undefined;
    for (const part of parsed.parts) {
      const alive = aliveSubject(part);
      if (alive !== undefined && this.#membership.isOldNews(alive.node, alive.incarnation)) continue;
      const message = parse(part);
      if (typeof message === "string") refusal ??= message;
      else this.#receive(message, from);
    }
    return refusal;
  }

  /** One whole message that came by a stream; what to answer on it before closing. */
  receiveStream(bytes: Uint8Array): { reply: Uint8Array | undefined; refusal: Malformed | undefined } {
    const message = stream.parse(bytes, this.#keyring);
    if (typeof message === "string") {
      const error = stream.complaint(bytes, this.#keyring, message);
      const reply = error === undefined ? undefined : this.#outbox.sealedForStream({ kind: "error", error });
      return { reply, refusal: message };
    }
    switch (message.kind) {
      case "push-pull": {
        // the answer is what was known before the merge
        const reply = this.#outbox.sealedForStream(this.#state(message.isJoin));
        this.#merge(message);
        return { reply, refusal: undefined };
      }
      case "stream-user":
        this.#delegate.receive(message.payload.slice());
        return { reply: undefined, refusal: undefined };
      case "ping": {
        if (message.node !== "" && message.node !== this.#membership.self.name) break;
        const ack: StreamMessage = { kind: "ack", sequenceNumber: message.sequenceNumber, payload: null };
        return { reply: this.#outbox.sealedForStream(ack), refusal: undefined };
      }
      case "ack":
      case "error":
        break; // an answer to nothing
    }
    return { reply: undefined, refusal: undefined };
  }

  /** The reply on a stream that this node opened. */
  streamReplied(id: number, bytes: Uint8Array): Malformed | undefined {
    const reply = stream.parse(bytes, this.#keyring);
    this.#outbox.end(id, typeof reply === "string" ? "failed" : reply);
    return typeof reply === "string" ? reply : undefined;
  }

  #receive(message: Message, from: Endpoint): void {
    switch (message.kind) {
      case "ping":
        this.#prober.ping(message, from);
        return;
      case "indirect-ping":
        this.#prober.indirectPing(message, from);
        return;
      case "ack":
        this.#prober.ack(message.sequenceNumber);
        return;
      case "nack":
        this.#prober.nack(message.sequenceNumber);
        return;
      case "alive":
        this.#membership.alive(message);
        return;
      case "suspect":
        this.#membership.suspect(message);
        return;
      case "dead":
        this.#membership.dead(message);
        return;
      case "user":
        this.#delegate.receive(message.payload);
        return;
      case "error":
        return; // of streams alone
    }
  }

  /** memberlist's own rumours first, the delegate's in the room that is left. */
  readonly #rumours = (overheadBytes: number, limitBytes: number): Uint8Array[] => {
    const rumours = this.#membership.queue.take(overheadBytes, limitBytes);
    const usedBytes = rumours.reduce((sum, rumour) => sum + rumour.length + overheadBytes, 0);
    const freeBytes = limitBytes - usedBytes;
    if (freeBytes <= overheadBytes + USER_TYPE_BYTES) return rumours;
    const more = this.#delegate.rumours(overheadBytes + USER_TYPE_BYTES, freeBytes);
    return [...rumours, ...more.map(withUserType)];
  };

  #gossip(): void {
    const nowNs = this.#agenda.nowNs;
    const self = this.#membership.self.name;
    const { gossipNodes, gossipToTheDeadNs } = this.#settings;
    const receivers = this.#membership.members.pick(
      gossipNodes,
      (member) => member.name !== self && (!isGone(member) || nowNs - member.stateChangeNs <= gossipToTheDeadNs),
    );
    for (const receiver of receivers) {
      const rumours = this.#rumours(datagram.COMPOUND_PART_BYTES, this.#outbox.compoundBytes);
      if (rumours.length === 0) return;
      this.#outbox.send(receiver, rumours, takesChecksum(receiver));
    }
  }

  #schedulePushPull(): void {
    this.#agenda.after(pushPullIntervalNs(this.#settings, this.#membership.members.size), () => {
      this.#schedulePushPull();
      const self = this.#membership.self.name;
      const [member] = this.#membership.members.pick(1, (other) => other.name !== self && other.state === "alive");
      if (member !== undefined) this.#pushPull(member, false, () => {});
    });
  }

  #pushPull(to: Endpoint, isJoin: boolean, done: (isReached: boolean) => void): void {
    this.#outbox.open(to, this.#state(isJoin), this.#settings.streamTimeoutNs, true, (outcome) => {
      const isReached = typeof outcome !== "string" && outcome.kind === "push-pull";
      if (isReached) this.#merge(outcome);
      done(isReached);
    });
  }

  #state(isJoin: boolean): PushPull {
    return { kind: "push-pull", isJoin, nodes: this.#membership.nodes(), userState: this.#delegate.localState() };
  }

  #merge(heard: PushPull): void {
    this.#membership.merge(heard.nodes);
    if (heard.userState.length > 0) this.#delegate.mergeState(heard.userState.slice());
  }
}

function withUserType(payload: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(USER_TYPE_BYTES + payload.length);
  bytes[0] = USER;
  bytes.set(payload, USER_TYPE_BYTES);
  return bytes;
}
