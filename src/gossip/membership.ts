/**
 * What a node believes of the others, SWIM §4.2 as memberlist state.go has it: alive overrides with a higher incarnation, suspect and dead with
 * the same or a higher one; a node answers an accusation against itself with a higher incarnation.
 */
import type { Random } from "../sim/random.ts";
import type { Ipv4Address } from "../wire/address.ts";
import type { Agenda, Appointment } from "./agenda.ts";
import { BroadcastQueue } from "./broadcast-queue.ts";
import type { Health } from "./health.ts";
import { isGone, type Member, MemberTable } from "./member-table.ts";
import { type Accusation, type Alive, emit } from "./messages.ts";
import type { Settings } from "./settings.ts";
import type { PushPullNode } from "./stream-messages.ts";
import { Suspicion } from "./suspicion.ts";

/** Protocol 1 to 5, speaking 2; no delegate protocol. */
const VERSIONS = Uint8Array.of(1, 5, 2, 0, 0, 0);
const NO_META = new Uint8Array(0);

export interface Identity {
  readonly name: string;
  readonly address: Ipv4Address;
  readonly port: number;
}

/** Who wants to hear of comings and goings. */
export interface MembershipWatcher {
  joined(member: Member): void;
  /** It failed or left. */
  gone(member: Member): void;
}

interface OpenSuspicion {
  readonly suspicion: Suspicion;
  timer: Appointment;
}

export class Membership {
  readonly self: Identity;
  readonly members: MemberTable;
  readonly queue: BroadcastQueue;
  readonly #settings: Settings;
  readonly #agenda: Agenda;
  readonly #health: Health;
  readonly #watcher: MembershipWatcher;
  readonly #suspicions = new Map<string, OpenSuspicion>();
  #incarnation = 0;
  #isLeaving = false;

  constructor(
    self: Identity,
    settings: Settings,
    random: Random,
    agenda: Agenda,
    health: Health,
    watcher: MembershipWatcher,
  ) {
    this.self = self;
    this.members = new MemberTable(random);
    this.#settings = settings;
    this.queue = new BroadcastQueue(settings.retransmitMultiplier, () => this.members.size);
    this.#agenda = agenda;
    this.#health = health;
    this.#watcher = watcher;
  }

  /** Declares itself alive: the first thing a node does. */
  begin(): void {
    const { name, address, port } = this.self;
    const incarnation = ++this.#incarnation;
    const alive: Alive = { kind: "alive", node: name, address, port, incarnation, meta: NO_META, versions: VERSIONS };
    this.#accept(alive, this.#addUnknown(alive));
  }

  /** Declares itself gone by its own will; `told` when the rumour has been sent often enough. */
  leave(told: () => void): void {
    const me = this.members.get(this.self.name);
    if (me === undefined || this.#isLeaving) return;
    this.#isLeaving = true;
    this.#bury({ kind: "dead", from: me.name, node: me.name, incarnation: me.incarnation }, me, told);
  }

  /** Whether anybody else is there. */
  get hasCompany(): boolean {
    return this.members.list.some((member) => member.name !== this.self.name && !isGone(member));
  }

  /** Whether an alive message about another node can change nothing here: `alive` would come to the same end. */
  isOldNews(node: string, incarnation: number): boolean {
    const known = this.members.get(node);
    if (known === undefined || node === this.self.name || isGone(known)) return false;
    return incarnation <= known.incarnation;
  }

  alive(heard: Alive): void {
    const isSelf = heard.node === this.self.name;
    if (isSelf && this.#isLeaving) return; // an echo of what it was
    // Go's decoder turns an empty byte string into nil, and so it is told on.
    const alive = heard.meta !== null && heard.meta.length === 0 ? { ...heard, meta: null } : heard;
    const known = this.members.get(alive.node);
    const member = known ?? this.#addUnknown(alive);
    let moves = false;
    if (member.address !== alive.address || member.port !== alive.port) {
      if (!this.#mayMove(member)) return; // "Conflicting address": the name is taken
      moves = true;
    }
    if (isSelf) {
      const isKnown = alive.incarnation === member.incarnation;
      if (alive.incarnation < member.incarnation || (isKnown && isEmpty(alive.meta))) return;
      this.#refute(member, alive.incarnation);
      return;
    }
    if (known !== undefined && alive.incarnation <= member.incarnation && !moves) return;
    this.#accept(alive, member);
  }

  suspect(accusation: Accusation): void {
    const member = this.members.get(accusation.node);
    if (member === undefined || accusation.incarnation < member.incarnation) return;
    const open = this.#suspicions.get(member.name);
    if (open !== undefined) {
      if (!open.suspicion.confirm(accusation.from)) return;
      this.#tell(accusation.node, accusation);
      this.#agenda.cancel(open.timer);
      open.timer = this.#expiry(member, open.suspicion);
      return;
    }
    if (member.state !== "alive") return;
    if (member.name === this.self.name) {
      this.#refute(member, accusation.incarnation);
      return;
    }
    this.#tell(accusation.node, accusation);
    member.incarnation = accusation.incarnation;
    member.state = "suspect";
    member.stateChangeNs = this.#agenda.nowNs;
    const suspicion = new Suspicion(this.#settings, this.members.size, accusation.from, this.#agenda.nowNs);
    this.#suspicions.set(member.name, { suspicion, timer: this.#expiry(member, suspicion) });
  }

  dead(accusation: Accusation): void {
    const member = this.members.get(accusation.node);
    if (member === undefined || accusation.incarnation < member.incarnation) return;
    this.#forgetSuspicion(member.name);
    if (isGone(member)) return;
    if (member.name === this.self.name && !this.#isLeaving) this.#refute(member, accusation.incarnation);
    else this.#bury(accusation, member);
  }

  /** What another node told in a push-pull. Its dead are only suspects here: they get the chance to refute. */
  merge(nodes: readonly PushPullNode[]): void {
    for (const { state, ...node } of nodes) {
      const accusation = { from: this.self.name, node: node.node, incarnation: node.incarnation };
      if (state === "alive") this.alive({ kind: "alive", ...node });
      else if (state === "left") this.dead({ kind: "dead", ...accusation, from: node.node });
      else this.suspect({ kind: "suspect", ...accusation });
    }
  }

  /** What this node tells in a push-pull. */
  nodes(): PushPullNode[] {
    return this.members.list.map((member) => ({
      node: member.name,
      address: member.address,
      port: member.port,
      incarnation: member.incarnation,
      meta: member.meta,
      versions: member.versions,
      state: member.state,
    }));
  }

  #addUnknown(alive: Alive): Member {
    const member: Member = {
      name: alive.node,
      address: alive.address,
      port: alive.port,
      incarnation: 0,
      meta: ownMeta(alive.meta),
      versions: ownVersions(alive.versions),
      state: "dead",
      stateChangeNs: this.#agenda.nowNs,
    };
    this.members.add(member);
    return member;
  }

  #accept(alive: Alive, member: Member): void {
    this.#forgetSuspicion(member.name);
    this.#tell(alive.node, alive);
    const wasGone = isGone(member);
    member.incarnation = alive.incarnation;
    member.meta = ownMeta(alive.meta);
    member.versions = ownVersions(alive.versions);
    member.address = alive.address;
    member.port = alive.port;
    if (member.state !== "alive") {
      member.state = "alive";
      member.stateChangeNs = this.#agenda.nowNs;
    }
    if (wasGone) this.#watcher.joined(member);
  }

  #bury(accusation: Accusation, member: Member, told?: () => void): void {
    this.#forgetSuspicion(member.name);
    this.#tell(member.name, accusation, told);
    member.incarnation = accusation.incarnation;
    member.state = accusation.from === accusation.node ? "left" : "dead";
    member.stateChangeNs = this.#agenda.nowNs;
    this.#watcher.gone(member);
  }

  /** A name may come back at another address when it left, or has been dead for long. */
  #mayMove(member: Member): boolean {
    if (member.state === "left") return true;
    const reclaimNs = this.#settings.deadNodeReclaimNs;
    return member.state === "dead" && reclaimNs > 0 && this.#agenda.nowNs - member.stateChangeNs > reclaimNs;
  }

  #refute(me: Member, accusedIncarnation: number): void {
    this.#incarnation = (Math.max(this.#incarnation, accusedIncarnation) + 1) >>> 0; // 32 bits, in Go too
    me.incarnation = this.#incarnation;
    this.#health.adjust(1); // who has to refute was slow to answer
    const { address, port, incarnation, meta, versions } = me;
    const alive: Alive = { kind: "alive", node: me.name, address, port, incarnation, meta, versions };
    this.#tell(`address ${address}`, alive); // memberlist files this one under the address, not the name
  }

  #expiry(member: Member, suspicion: Suspicion): Appointment {
    return this.#agenda.after(suspicion.deadlineNs - this.#agenda.nowNs, () => {
      this.#suspicions.delete(member.name);
      if (member.state !== "suspect") return;
      this.dead({ kind: "dead", from: this.self.name, node: member.name, incarnation: member.incarnation });
    });
  }

  #forgetSuspicion(name: string): void {
    const open = this.#suspicions.get(name);
    if (open === undefined) return;
    this.#agenda.cancel(open.timer);
    this.#suspicions.delete(name);
  }

  #tell(subject: string, message: Alive | Accusation, told?: () => void): void {
    this.queue.add(subject, emit(message), told);
  }
}

// What is kept of a message must not keep the packet that it came in; and almost everybody's is the same (at 1 000 nodes, a million of them).

function ownVersions(versions: Uint8Array): Uint8Array {
  return versions.every((version, index) => version === VERSIONS[index]) ? VERSIONS : versions.slice();
}

function ownMeta(meta: Uint8Array | null): Uint8Array | null {
  if (meta === null) return null;
  return meta.length === 0 ? NO_META : meta.slice();
}

function isEmpty(meta: Uint8Array | null): boolean {
  return meta === null || meta.length === 0;
}
