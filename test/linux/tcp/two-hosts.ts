/**
 * Two TCP hosts without sockets and IP, joined by a link that does what a script says to each segment: the harness of the state machine's
 * tests. Segments travel as real headers and bytes, so that the options are written and read as on a wire.
 */

import { acknowledgeAfterRead } from "../../../src/linux/tcp/acknowledging.ts";
import { abort } from "../../../src/linux/tcp/change-state.ts";
import type { Connection, ConnectionOwner, TcpHost } from "../../../src/linux/tcp/connection-state.ts";
import { receive } from "../../../src/linux/tcp/input.ts";
import { Listener, type ListenerHost } from "../../../src/linux/tcp/listener.ts";
import { makeConnection, openActively } from "../../../src/linux/tcp/open.ts";
import { queueFin, write } from "../../../src/linux/tcp/output.ts";
import type { PendingConnection } from "../../../src/linux/tcp/pending-connection.ts";
import { IncomingSegment, OutgoingSegment } from "../../../src/linux/tcp/segment.ts";
import { defaultSettings, type TcpSettings } from "../../../src/linux/tcp/settings.ts";
import { defaultOptions, type SocketOptions } from "../../../src/linux/tcp/socket-options.ts";
import { receiveInTimeWait } from "../../../src/linux/tcp/time-wait.ts";
import { TimerTable } from "../../../src/linux/tcp/timers.ts";
import { adjustSpace } from "../../../src/linux/tcp/window.ts";
import { Random } from "../../../src/sim/random.ts";
import { type Receiver, Simulation } from "../../../src/sim/simulation.ts";
import { MILLISECOND, type Nanoseconds } from "../../../src/sim/time.ts";
import type { Ipv4Address } from "../../../src/wire/address.ts";
import * as tcp from "../../../src/wire/tcp.ts";

import { audit } from "./audit.ts";

/** When each copy of a segment arrives, after the link's delay; none: it is lost. */
export type Fate = (segment: Seen) => readonly Nanoseconds[];

/** A segment as it was put on the link. */
export interface Seen {
  readonly atNs: Nanoseconds;
  readonly from: "a" | "b";
  /** Counted from 1 in its direction. */
  readonly number: number;
  /** Relative to the sender's and the receiver's first sequence number. */
  readonly sequence: number;
  readonly acknowledgement: number;
  readonly flags: string;
  readonly bytes: number;
  readonly window: number;
  readonly sack: readonly (readonly [number, number])[];
  readonly retransmission: boolean;
  readonly wire: Uint8Array;
}

const A = 0x0a000002 as Ipv4Address;
const B = 0x0a000003 as Ipv4Address;

export class Side implements ConnectionOwner, TcpHost, ListenerHost {
  readonly name: "a" | "b";
  readonly clock: Simulation;
  readonly random: Random;
  readonly settings: TcpSettings;
  readonly timers: TimerTable;
  readonly segment = new OutgoingSegment();
  readonly incoming = new IncomingSegment();
  readonly link: Link;
  mtu = 1500;
  connection: Connection | undefined = undefined;
  listener: Listener | undefined = undefined;
  pending: PendingConnection | undefined = undefined;
  hasEnded = false;
  verdicts: string[] = [];
  onChange: (() => void) | undefined = undefined;
  readonly received: number[] = [];
  readAll = true;

  constructor(name: "a" | "b", simulation: Simulation, link: Link, settings: TcpSettings) {
    this.name = name;
    this.clock = simulation;
    this.random = new Random(`side ${name}`);
    this.settings = settings;
    this.timers = new TimerTable(simulation);
    this.link = link;
  }

  get tcp(): TcpHost {
    return this;
  }

  connect(): Connection {
    const c = makeConnection(this, { localAddress: A, localPort: 20001, remoteAddress: B, remotePort: 80 });
    c.owner = this;
    this.connection = c;
    openActively(c);
    return c;
  }

  listen(backlog = 16, options: SocketOptions = defaultOptions()): Listener {
    this.listener = new Listener(this, { changed: () => this.#accept() }, B, 80, options, backlog);
    return this.listener;
  }

  autoAccept = true;
  #accept(): void {
    if (!this.autoAccept) return;
    const c = this.listener?.accept();
    if (c !== undefined) {
      c.owner = this;
      this.connection = c;
      this.changed();
    }
  }

  write(bytes: Uint8Array): number {
    return write(this.connection!, bytes, 0, bytes.length);
  }

  finish(): void {
    const c = this.connection!;
    c.writeShut = true;
    c.state = c.state === "close-wait" ? "last-ack" : "fin-wait-1";
    queueFin(c);
  }

  abort(): void {
    abort(this.connection!);
  }

  read(limit = 1_000_000): number {
    const c = this.connection!;
    const target = new Uint8Array(Math.min(limit, c.receive.readable));
    const count = c.receive.read(target);
    if (count > 0) {
      for (const byte of target.subarray(0, count)) this.received.push(byte);
      adjustSpace(c);
      acknowledgeAfterRead(c, count);
    }
    return count;
  }

  arrive(wire: Uint8Array): void {
    const segment = this.incoming;
    segment.read(wire, 0, wire.length);
    const c = this.connection;
    let verdict: string;
    if (c !== undefined && c.state === "time-wait") verdict = receiveInTimeWait(c, segment);
    else if (c !== undefined && c.state !== "closed") verdict = receive(c, segment);
    else if (this.pending !== undefined) verdict = this.listener!.receivePending(this.pending, segment);
    else if (this.listener !== undefined && c === undefined)
      verdict = this.listener.receive({ localAddress: B, localPort: 80, remoteAddress: A, remotePort: 20001 }, segment);
    else verdict = "refuse";
    this.verdicts.push(verdict);
    if (verdict === "refuse") this.#refuse(segment);
    if (this.connection !== undefined) audit(this.connection);
  }

  #refuse(segment: IncomingSegment): void {
    if (segment.has(tcp.RST)) return;
    if (segment.has(tcp.ACK)) this.segment.reset(tcp.RST, segment.acknowledgement, 0);
    else this.segment.reset(tcp.RST | tcp.ACK, 0, segment.end);
    this.link.send(this, this.segment);
  }

  changed(): void {
    if (this.readAll && this.connection !== undefined && this.connection.receive.readable > 0) {
      if (!this.#wakes) {
        this.#wakes = true;
        this.link.later(20_000, () => {
          this.#wakes = false;
          if (this.readAll) this.read();
          this.onChange?.();
        });
      }
    } else this.onChange?.();
  }
  #wakes = false;

  ended(): void {
    this.hasEnded = true;
  }

  transmit(_connection: Connection): void {
    this.link.send(this, this.segment);
  }
  transmitFor(_pending: PendingConnection): void {
    this.link.send(this, this.segment);
  }
  remember(pending: PendingConnection): void {
    this.pending = pending;
  }
  replace(_pending: PendingConnection, connection: Connection): void {
    this.pending = undefined;
    this.connection = connection;
  }
  forget(pending: PendingConnection): void {
    this.pending = undefined;
    this.listener!.drop(pending);
  }
  refuse(_pending: PendingConnection, segment: IncomingSegment): void {
    this.#refuse(segment);
  }
  mtuTowards(): number {
    return this.mtu;
  }
  pathMtu(): number {
    return this.mtu;
  }
  challengeAllowed(): boolean {
    return true;
  }
  confirmNeighbour(): void {}
  doubtPath(): void {}
}

export class Link implements Receiver {
  readonly simulation = new Simulation(new Random("link"));
  readonly log: Seen[] = [];
  readonly a: Side;
  readonly b: Side;
  delayNs: Nanoseconds;
  fate: Fate = () => [0];
  readonly #id: number;
  readonly #work: (() => void)[] = [];
  readonly #count = { a: 0, b: 0 };
  readonly #base: { a: number | undefined; b: number | undefined } = { a: undefined, b: undefined };
  readonly #highest = { a: 0, b: 0 };

  constructor(options: { delayNs?: Nanoseconds; a?: Partial<TcpSettings>; b?: Partial<TcpSettings> } = {}) {
    this.delayNs = options.delayNs ?? 10 * MILLISECOND;
    this.#id = this.simulation.register(this);
    this.a = new Side("a", this.simulation, this, { ...defaultSettings(), ...options.a });
    this.b = new Side("b", this.simulation, this, { ...defaultSettings(), ...options.b });
  }

  later(delayNs: Nanoseconds, work: () => void): void {
    this.#work.push(work);
    this.simulation.schedule(delayNs, this.#id, this.#work.length - 1);
  }

  receive(index: number): void {
    const work = this.#work[index]!;
    this.#work[index] = () => {};
    work();
  }

  run(forNs: Nanoseconds): void {
    this.simulation.run(this.simulation.nowNs + forNs);
  }

  send(side: Side, segment: OutgoingSegment): void {
    const wire = new Uint8Array(segment.headerBytes + segment.payloadBytes);
    const ports: readonly [number, number] = side.name === "a" ? [20001, 80] : [80, 20001];
    segment.write(wire, 0, ports[0], ports[1]);
    const seen = this.#describe(side.name, segment, wire);
    this.log.push(seen);
    const target = side.name === "a" ? this.b : this.a;
    for (const extraNs of this.fate(seen)) this.later(this.delayNs + extraNs, () => target.arrive(wire));
  }

  /** Puts a hand-made segment on the way to a side at once. */
  inject(to: Side, wire: Uint8Array): void {
    to.arrive(wire);
  }

  #describe(from: "a" | "b", segment: OutgoingSegment, wire: Uint8Array): Seen {
    const to = from === "a" ? "b" : "a";
    if ((segment.flags & tcp.SYN) !== 0) this.#base[from] = segment.sequence;
    const base = this.#base[from] ?? segment.sequence;
    const other = this.#base[to] ?? 0;
    const sequence = (segment.sequence - base) | 0;
    const end = sequence + segment.payloadBytes;
    const retransmission = segment.payloadBytes > 0 && end <= this.#highest[from];
    this.#highest[from] = Math.max(this.#highest[from], end);
    const names: readonly (readonly [number, string])[] = [
      [tcp.SYN, "S"],
      [tcp.FIN, "F"],
      [tcp.RST, "R"],
      [tcp.PSH, "P"],
      [tcp.ACK, "A"],
    ];
    return {
      atNs: this.simulation.nowNs,
      from,
      number: ++this.#count[from],
      sequence,
      acknowledgement: (segment.flags & tcp.ACK) !== 0 ? (segment.acknowledgement - other) | 0 : 0,
      flags: names.map(([bit, name]) => ((segment.flags & bit) !== 0 ? name : "")).join(""),
      bytes: segment.payloadBytes,
      window: segment.window,
      sack: Array.from({ length: segment.sackCount }, (_, block): readonly [number, number] => [
        (segment.sackStart[block]! - other) | 0,
        (segment.sackEnd[block]! - other) | 0,
      ]),
      retransmission,
      wire,
    };
  }
}

/** `a PA 1:1448 ack 1`: one line for each segment, for traces in tests. */
export function line(seen: Seen): string {
  const sack = seen.sack.map(([start, end]) => ` sack ${start}-${end}`).join("");
  return `${seen.from} ${seen.flags} seq ${seen.sequence} ack ${seen.acknowledgement} len ${seen.bytes}${sack}`;
}

/** `count` bytes that tell where they belong. */
export function pattern(count: number, from = 0): Uint8Array {
  const bytes = new Uint8Array(count);
  for (let index = 0; index < count; index++) bytes[index] = ((from + index) * 31 + ((from + index) >> 8)) & 0xff;
  return bytes;
}
