/**
 * What a node believes of another and of itself, whatever it hears in whatever order: alive, suspect and dead of two incarnations, from two accusers. Held against
 * SWIM §4.2 (Das, Gupta, Motivala 2002): incarnations never fall, only a higher one brings back to life or clears of suspicion, and nobody believes ill of
 * himself, but answers with a higher incarnation.
 */
import { Agenda } from "../../gossip/agenda.ts";
import { Health } from "../../gossip/health.ts";
import { Membership } from "../../gossip/membership.ts";
import { emit, type Message, parse } from "../../gossip/messages.ts";
import { LAN } from "../../gossip/settings.ts";
import { Random } from "../../sim/random.ts";
import type { Ipv4Address } from "../../wire/address.ts";
import { toHex } from "../../wire/bytes.ts";
import type { SmallWorld } from "./scope.ts";

const SELF = { name: "self", address: 0x0a00_0001 as Ipv4Address, port: 7946 };
const PEER = { name: "peer", address: 0x0a00_0002 as Ipv4Address, port: 7946 };
const VERSIONS = Uint8Array.of(1, 5, 2, 0, 0, 0);

function heard(): Message[] {
  const messages: Message[] = [];
  for (const { name: node, address, port } of [PEER, SELF])
    for (const incarnation of [1, 2]) {
      messages.push({ kind: "alive", node, address, port, incarnation, meta: null, versions: VERSIONS });
      for (const from of ["first", "second"]) messages.push({ kind: "suspect", from, node, incarnation });
      messages.push({ kind: "dead", from: "first", node, incarnation });
    }
  return messages;
}

const MESSAGES: readonly Message[] = heard();

interface Belief {
  readonly state: string;
  readonly incarnation: number;
}

interface Look {
  readonly peer: Belief | undefined;
  readonly self: Belief;
}

export class MembershipScope implements SmallWorld {
  readonly choices = MESSAGES.length;
  readonly #agenda = new Agenda(0);
  readonly #membership: Membership;

  constructor() {
    const watcher = { joined: () => undefined, gone: () => undefined };
    this.#membership = new Membership(SELF, LAN, new Random("small scope"), this.#agenda, new Health(8), watcher);
    this.#membership.begin();
  }

  get state(): string {
    // Which accusers were heard decides how long a suspicion lasts: the appointments' times say it.
    return `${this.#belief("peer")} ${this.#belief("self")} ${this.#agenda.nextNs}`;
  }

  take(choice: number): string | undefined {
    const message = MESSAGES[choice]!;
    const parsed = parse(emit(message));
    if (typeof parsed === "string" || toHex(emit(parsed)) !== toHex(emit(message)))
      return `a message does not come back from its bytes: ${message.kind}`;
    const before = this.#look();
    if (parsed.kind === "alive") this.#membership.alive(parsed);
    else if (parsed.kind === "suspect") this.#membership.suspect(parsed);
    else if (parsed.kind === "dead") this.#membership.dead(parsed);
    return this.#judge(
      before,
      this.#look(),
      message as Message & { readonly incarnation: number; readonly node: string },
    );
  }

  #look(): Look {
    const of = (name: string): Belief | undefined => {
      const member = this.#membership.members.get(name);
      return member === undefined ? undefined : { state: member.state, incarnation: member.incarnation };
    };
    return { peer: of("peer"), self: of("self")! };
  }

  #judge(
    before: Look,
    after: Look,
    { kind, node, incarnation }: { readonly kind: string; readonly node: string; readonly incarnation: number },
  ): string | undefined {
    if (after.self.state !== "alive") return `it believes itself to be ${after.self.state}`;
    if (after.self.incarnation < before.self.incarnation) return "its own incarnation fell";
    const accused = node === "self" && kind !== "alive" && incarnation >= before.self.incarnation;
    if (accused && after.self.incarnation <= incarnation)
      return `an accusation of incarnation ${incarnation} was not answered`;
    if (node === "self") return undefined;
    const { peer: was } = before;
    const { peer: is } = after;
    if (was === undefined)
      return is === undefined || kind === "alive" ? undefined : `${kind} of somebody unknown was believed`;
    if (is === undefined) return "a member was forgotten";
    if (is.incarnation < was.incarnation) return `the incarnation fell from ${was.incarnation} to ${is.incarnation}`;
    if (is.state === was.state) return undefined;
    if (is.state === "alive" && (kind !== "alive" || is.incarnation <= was.incarnation))
      return `${was.state} of ${was.incarnation} became alive by ${kind} of ${incarnation}`;
    if (is.state !== "alive" && incarnation < was.incarnation) return `an old ${kind} of ${incarnation} was believed`;
    if (is.state === "suspect" && was.state !== "alive") return `${was.state} became suspect`;
    return undefined;
  }

  #belief(name: string): string {
    const member = this.#membership.members.get(name);
    return member === undefined ? "unknown" : `${member.state} ${member.incarnation}`;
  }
}
