/** What a node believes, message by message. */
import { describe, expect, it } from "vitest";
import { Agenda } from "../../src/gossip/agenda.ts";
import { Health } from "../../src/gossip/health.ts";
import { Membership } from "../../src/gossip/membership.ts";
import { type Alive, parse } from "../../src/gossip/messages.ts";
import { LAN, type Settings } from "../../src/gossip/settings.ts";
import { Random } from "../../src/sim/random.ts";
import { SECOND } from "../../src/sim/time.ts";
import type { Ipv4Address } from "../../src/wire/address.ts";

const PORT = 7946;
const VERSIONS = Uint8Array.of(1, 5, 2, 0, 0, 0);

function alive(node: string, incarnation: number, address = 2): Alive {
  return {
    kind: "alive",
    node,
    incarnation,
    address: address as Ipv4Address,
    port: PORT,
    meta: null,
    versions: VERSIONS,
  };
}

function make(settings: Settings = LAN): { membership: Membership; agenda: Agenda; health: Health; heard: string[] } {
  const agenda = new Agenda(0);
  const health = new Health(settings.awarenessMaximum);
  const heard: string[] = [];
  const self = { name: "me", address: 1 as Ipv4Address, port: PORT };
  const membership = new Membership(self, settings, new Random(1), agenda, health, {
    joined: (member) => heard.push(`joined ${member.name}`),
    gone: (member) => heard.push(`gone ${member.name}`),
  });
  membership.begin();
  return { membership, agenda, health, heard };
}

describe("membership", () => {
  it("answers an accusation with an incarnation above the accused one, and doubts itself", () => {
    const { membership, health } = make();
    membership.queue.take(2, 10_000);
    membership.suspect({ kind: "suspect", from: "other", node: "me", incarnation: 7 });
    expect(membership.members.get("me")).toMatchObject({ state: "alive", incarnation: 8 });
    expect(health.score).toBe(1);
    const told = membership.queue.take(2, 10_000).map((bytes) => parse(bytes));
    expect(told[0]).toMatchObject({ kind: "alive", node: "me", incarnation: 8 });
  });

  it("takes alive only with a higher incarnation, suspicion with the same one", () => {
    const { membership } = make();
    membership.alive(alive("b", 3));
    membership.suspect({ kind: "suspect", from: "c", node: "b", incarnation: 2 });
    expect(membership.members.get("b")?.state).toBe("alive");
    membership.suspect({ kind: "suspect", from: "c", node: "b", incarnation: 3 });
    expect(membership.members.get("b")?.state).toBe("suspect");
    membership.alive(alive("b", 3));
    expect(membership.members.get("b")?.state).toBe("suspect");
    membership.alive(alive("b", 4));
    expect(membership.members.get("b")?.state).toBe("alive");
  });

  it("buries a suspect when its time is over, unless it was heard of", () => {
    const { membership, agenda, heard } = make();
    membership.alive(alive("b", 1));
    membership.suspect({ kind: "suspect", from: "me", node: "b", incarnation: 1 });
    agenda.advance(4 * SECOND - 1);
    expect(membership.members.get("b")?.state).toBe("suspect");
    agenda.advance(4 * SECOND);
    expect(membership.members.get("b")?.state).toBe("dead");
    expect(heard).toEqual(["joined me", "joined b", "gone b"]);
  });

  it("gives the dead of a push-pull the chance to refute", () => {
    const { membership } = make();
    membership.alive(alive("b", 1));
    const { kind: _, ...node } = alive("b", 1);
    membership.merge([{ ...node, state: "dead" }]);
    expect(membership.members.get("b")?.state).toBe("suspect");
    membership.merge([{ ...node, state: "left" }]);
    expect(membership.members.get("b")?.state).toBe("left");
  });

  it("lets a name move to another address once it left, or was dead for long where that is allowed", () => {
    const { membership, agenda } = make({ ...LAN, deadNodeReclaimNs: 5 * SECOND });
    membership.alive(alive("b", 1, 2));
    membership.alive(alive("b", 2, 3));
    expect(membership.members.get("b")).toMatchObject({ address: 2, incarnation: 1 });
    membership.dead({ kind: "dead", from: "me", node: "b", incarnation: 1 });
    membership.alive(alive("b", 2, 3));
    expect(membership.members.get("b")?.state).toBe("dead");
    agenda.advance(6 * SECOND);
    membership.alive(alive("b", 1, 3)); // the new tenant begins to count anew
    expect(membership.members.get("b")).toMatchObject({ address: 3, state: "alive", incarnation: 1 });
    membership.dead({ kind: "dead", from: "b", node: "b", incarnation: 1 });
    membership.alive(alive("b", 1, 4));
    expect(membership.members.get("b")).toMatchObject({ address: 4, state: "alive" });
  });
});
