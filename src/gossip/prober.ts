/**
 * The failure detector, SWIM §3.1 and memberlist state.go: each interval one member is pinged; without an ack in time, others are asked to ping
 * it and a stream is tried; without any answer by the end of the interval it is suspected.
 */
import type { Agenda, Appointment } from "./agenda.ts";
import type { Health } from "./health.ts";
import { isGone, type Member } from "./member-table.ts";
import type { Membership } from "./membership.ts";
import { type Accusation, emit, type IndirectPing, type Ping, type PingSource } from "./messages.ts";
import type { Endpoint, Outbox, Rumours } from "./outbox.ts";
import type { Settings } from "./settings.ts";

/** Protocol versions that know a feature; byte 1 of a member's versions is the highest it speaks. */
const STREAM_PING_VERSION = 3;
const NACK_VERSION = 4;
const CHECKSUM_VERSION = 5;

export function speaks(member: Member, version: number): boolean {
  return member.versions[1]! >= version;
}
export function takesChecksum(member: Member): boolean {
  return speaks(member, CHECKSUM_VERSION);
}

/** Who waits for the answer to a ping of a certain sequence number. */
interface Waiting {
  readonly ack: () => void;
  readonly nack: (() => void) | undefined;
}

export class Prober {
  readonly #settings: Settings;
  readonly #membership: Membership;
  readonly #health: Health;
  readonly #agenda: Agenda;
  readonly #outbox: Outbox;
  readonly #rumours: Rumours;
  readonly #waiting = new Map<number, Waiting>();
  #sequenceNumber = 0;
  #place = 0; // in the list of members

  constructor(
    settings: Settings,
    membership: Membership,
    health: Health,
    agenda: Agenda,
    outbox: Outbox,
    rumours: Rumours,
  ) {
    this.#settings = settings;
    this.#membership = membership;
    this.#health = health;
    this.#agenda = agenda;
    this.#outbox = outbox;
    this.#rumours = rumours;
  }

  /** Time for the next probe; `done` when it has an end. */
  tick(done: () => void): void {
    const member = this.#next();
    if (member === undefined) done();
    else this.#probe(member, done);
  }

  /** Answers a ping that was meant for this node. */
  ping(ping: Ping, from: Endpoint): void {
    if (ping.node !== "" && ping.node !== this.#membership.self.name) return; // an old tenant of this address
    const ack = emit({ kind: "ack", sequenceNumber: ping.sequenceNumber, payload: null });
    this.#outbox.sendWithRumours(ping.source ?? from, ack, this.#rumours);
  }

  /** Pings another for who asks, with a sequence number of its own. */
  indirectPing(asked: IndirectPing, from: Endpoint): void {
    const sequenceNumber = this.#nextSequenceNumber();
    const asker = asked.source ?? from;
    const giveUp = this.#agenda.after(this.#settings.probeTimeoutNs, () => {
      this.#waiting.delete(sequenceNumber);
      if (!asked.nack) return;
      const nack = emit({ kind: "nack", sequenceNumber: asked.sequenceNumber });
      this.#outbox.sendWithRumours(asker, nack, this.#rumours);
    });
    this.#waiting.set(sequenceNumber, {
      ack: () => {
        this.#agenda.cancel(giveUp);
        const ack = emit({ kind: "ack", sequenceNumber: asked.sequenceNumber, payload: null });
        this.#outbox.sendWithRumours(asker, ack, this.#rumours);
      },
      nack: undefined,
    });
    const ping = emit({ kind: "ping", node: asked.node, sequenceNumber, source: this.#source });
    this.#outbox.sendWithRumours({ address: asked.target, port: asked.port }, ping, this.#rumours);
  }

  ack(sequenceNumber: number): void {
    const waiting = this.#waiting.get(sequenceNumber);
    this.#waiting.delete(sequenceNumber);
    waiting?.ack();
  }

  nack(sequenceNumber: number): void {
    this.#waiting.get(sequenceNumber)?.nack?.();
  }

  /** 32 bits, as on the wire. */
  #nextSequenceNumber(): number {
    this.#sequenceNumber = (this.#sequenceNumber + 1) >>> 0;
    return this.#sequenceNumber;
  }

  get #source(): PingSource {
    const { address, port, name } = this.#membership.self;
    return { address, port, node: name };
  }

  /** The next member worth a probe; at the list's end the long dead are forgotten and the rest is shuffled. */
  #next(): Member | undefined {
    const members = this.#membership.members;
    for (let checked = 0; checked < members.size; ) {
      const member = members.list[this.#place];
      checked++;
      if (member === undefined) {
        members.renew(this.#agenda.nowNs - this.#settings.gossipToTheDeadNs);
        this.#place = 0;
        continue;
      }
      this.#place++;
      if (member.name !== this.#membership.self.name && !isGone(member)) return member;
    }
    return undefined;
  }

  #probe(member: Member, done: () => void): void {
    const sequenceNumber = this.#nextSequenceNumber();
    const intervalNs = this.#health.stretchNs(this.#settings.probeIntervalNs);
    const deadlineNs = this.#agenda.nowNs + intervalNs;
    let nacks = 0;
    let nacksExpected = 0;
    let isStreamWorking = false;
    const appointments: Appointment[] = [];
    const finish = (delta: number): void => {
      for (const appointment of appointments) this.#agenda.cancel(appointment);
      this.#waiting.delete(sequenceNumber);
      this.#health.adjust(delta);
      done();
    };
    const ack = (): void => finish(-1);
    const nack = (): void => {
      nacks++;
    };
    this.#waiting.set(sequenceNumber, { ack, nack });
    this.#sendPing(member, sequenceNumber);
    appointments.push(
      this.#agenda.after(this.#settings.probeTimeoutNs, () => {
        nacksExpected = this.#askOthers(member, sequenceNumber);
        if (!speaks(member, STREAM_PING_VERSION)) return;
        const ping: Ping = { kind: "ping", node: member.name, sequenceNumber, source: this.#source };
        this.#outbox.open(member, ping, deadlineNs - this.#agenda.nowNs, true, (outcome) => {
          if (typeof outcome === "string" || outcome.kind !== "ack") return;
          if (outcome.sequenceNumber === sequenceNumber) isStreamWorking = true;
        });
      }),
      this.#agenda.after(intervalNs, () => {
        if (isStreamWorking) {
          finish(-1); // "UDP probes failed, network may be misconfigured", but it lives
          return;
        }
        const { name, incarnation } = member;
        const accusation: Accusation = {
          kind: "suspect",
          from: this.#membership.self.name,
          incarnation,
          node: name,
        };
        this.#membership.suspect(accusation);
        finish(nacksExpected > 0 ? nacksExpected - Math.min(nacks, nacksExpected) : 1);
      }),
    );
  }

  /** A suspect is told of the suspicion along with the ping, so that it can refute at once. */
  #sendPing(member: Member, sequenceNumber: number): void {
    const ping = emit({ kind: "ping", node: member.name, sequenceNumber, source: this.#source });
    if (member.state === "alive") {
      this.#outbox.sendWithRumours(member, ping, this.#rumours);
      return;
    }
    const { name: node, incarnation } = member;
    const suspect = emit({ kind: "suspect", from: this.#membership.self.name, incarnation, node });
    this.#outbox.send(member, [ping, suspect], takesChecksum(member));
  }

  /** How many of those asked will say so when they get no answer either. */
  #askOthers(member: Member, sequenceNumber: number): number {
    const self = this.#membership.self.name;
    const others = this.#membership.members.pick(
      this.#settings.indirectChecks,
      (other) => other.name !== self && other.name !== member.name && other.state === "alive",
    );
    let nacksExpected = 0;
    for (const other of others) {
      const nack = speaks(other, NACK_VERSION);
      if (nack) nacksExpected++;
      const request = emit({
        kind: "indirect-ping",
        node: member.name,
        sequenceNumber,
        target: member.address,
        port: member.port,
        nack,
        source: this.#source,
      });
      this.#outbox.sendWithRumours(other, request, this.#rumours);
    }
    return nacksExpected;
  }
}
