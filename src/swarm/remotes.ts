/**
 * The managers that a node knows, each with a weight that says how well it has served (swarmkit remotes/remotes.go): chosen at random, the better ones
 * more often.
 */
import type { Random } from "../sim/random.ts";

export interface Peer {
  readonly nodeId: string;
  /** `address:port` */
  readonly address: string;
}

/** What is said of a manager that served; the negative of one that did not. */
export const OBSERVATION_WEIGHT = 10;
const LARGEST_WEIGHT = 256;
/** How much a new observation counts against all before it. */
const SMOOTHING = 0.5;
/** Even the worst is chosen now and then. */
const BIAS = 0.001;

export class Remotes {
  readonly #random: Random;
  readonly #peers = new Map<string, { readonly peer: Peer; weight: number }>();

  constructor(random: Random, peers: readonly Peer[] = []) {
    this.#random = random;
    for (const peer of peers) this.observe(peer, OBSERVATION_WEIGHT);
  }

  /** In the order in which they came to be known. */
  get peers(): readonly Peer[] {
    return [...this.#peers.values()].map(({ peer }) => peer);
  }

  weightOf(peer: Peer): number | undefined {
    return this.#peers.get(keyOf(peer))?.weight;
  }

  observe(peer: Peer, weight: number): void {
    const bounded = Math.max(-LARGEST_WEIGHT, Math.min(LARGEST_WEIGHT, weight));
    const known = this.#peers.get(keyOf(peer));
    const next = Math.ceil(SMOOTHING * bounded + (1 - SMOOTHING) * (known?.weight ?? 0));
    if (known === undefined) this.#peers.set(keyOf(peer), { peer, weight: next });
    else known.weight = next;
  }

  /** Nothing happens when it is not known. */
  observeIfKnown(peer: Peer, weight: number): void {
    if (this.#peers.has(keyOf(peer))) this.observe(peer, weight);
  }

  remove(peer: Peer): void {
    this.#peers.delete(keyOf(peer));
  }

  /** The list of the managers as a session's message brings it: the others are forgotten. */
  replace(peers: readonly (Peer & { readonly weight: number })[]): void {
    const keys = new Set(peers.map(keyOf));
    for (const { nodeId, address, weight } of peers) this.observe({ nodeId, address }, weight);
    for (const key of [...this.#peers.keys()]) if (!keys.has(key)) this.#peers.delete(key);
  }

  /** `excluded` by node id or by address. Undefined: none other is known. */
  select(...excluded: readonly string[]): Peer | undefined {
    const candidates = [...this.#peers.values()].filter(
      ({ peer }) => !excluded.includes(peer.nodeId) && !excluded.includes(peer.address),
    );
    let total = 0;
    const shares = candidates.map(({ weight }) => {
      const share = Math.max(0, weight) + BIAS;
      total += share;
      return share;
    });
    let draw = (this.#random.u32() / 0x1_0000_0000) * total;
    for (const [at, share] of shares.entries()) {
      if (draw < share) return candidates[at]!.peer;
      draw -= share;
    }
    return candidates.at(-1)?.peer;
  }
}

function keyOf({ nodeId, address }: Peer): string {
  return `${nodeId} ${address}`;
}
