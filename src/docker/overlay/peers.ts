/**
 * The peers of one overlay network as one node knows them (libnetwork, drivers/overlay/peerdb.go): which endpoint has which addresses behind which VTEP. Whoever
 * is told first for an address is programmed; others for the same address, as there are while a task moves, wait until that one is taken back. What is
 * told before the network's namespace is there is programmed when it comes.
 */
import type { Errno } from "../../linux/errno.ts";
import { formatIpv4, type Ipv4Address, type MacAddress, type Prefix } from "../../wire/address.ts";
import type { OverlaySegment } from "./overlay-segment.ts";

/** What the nodes tell each other of an endpoint. */
export interface PeerRecord {
  /** With its subnet's length. */
  readonly address: Prefix;
  readonly mac: MacAddress;
  /** Its node's address on the data path. */
  readonly vtep: Ipv4Address;
}

export interface Peer extends Omit<PeerRecord, "vtep"> {
  readonly endpointId: string;
  /** Undefined: an endpoint of this node, which the bridge finds by itself. */
  readonly vtep: Ipv4Address | undefined;
}

/** What the node does for its peers. */
export interface PeerPlane {
  /** The segment that an address belongs to, opened if need be; or why there is none. */
  segmentFor(address: Prefix): OverlaySegment | string;
  /** Encryption towards a VTEP, counted; why not, if it cannot be. */
  protect(vtep: Ipv4Address): string | undefined;
  unprotect(vtep: Ipv4Address): void;
}

export interface PeerTableSettings {
  /** This node's own: records that bear it are our own echo. */
  readonly vtep: Ipv4Address;
  /**
   * How a MAC address is given its VTEP. `exclusive` (before moby PR 53663): refused where an entry was learnt from traffic, which then ages out, and the
   * peer cannot be reached from here any more.
   */
  readonly forwarding: "replace" | "exclusive";
  /** The engine's log. */
  readonly log?: ((message: string) => void) | undefined;
}

/** What stands in the way of a record. */
type Problem = Errno | { readonly message: string };

export class PeerTable {
  readonly #settings: PeerTableSettings;
  /** By address, in the order in which they were told. */
  readonly #peers = new Map<Ipv4Address, Peer[]>();
  /** How many programmed records use a VTEP and a MAC address together. */
  readonly #uses = new Map<Ipv4Address, Map<MacAddress, number>>();
  /** How many programmed records there are by VTEP: so often it is protected. */
  readonly #protected = new Map<Ipv4Address, number>();
  #plane: PeerPlane | undefined = undefined;

  constructor(settings: PeerTableSettings) {
    this.#settings = settings;
  }

  /** Address by address. */
  get peers(): readonly Peer[] {
    return [...this.#peers.values()].flat();
  }

  /** The namespace is there: what is known is programmed. */
  attach(plane: PeerPlane): void {
    this.#plane = plane;
    for (const [first] of this.#peers.values())
      if (first?.vtep !== undefined) this.#report(first, this.#program(first, first.vtep, false));
  }

  /** The namespace has gone, with everything in it. */
  detach(): void {
    for (const [vtep, count] of this.#protected) for (let turn = 0; turn < count; turn++) this.#plane?.unprotect(vtep);
    this.#protected.clear();
    this.#uses.clear();
    this.#plane = undefined;
  }

  add(peer: Peer): void {
    const address = peer.address.address;
    let peers = this.#peers.get(address);
    const known = peers?.some((other) => isSame(other, peer)) ?? false;
    if (peers === undefined) {
      peers = [peer]; // one in most cases: a list that grows takes ten times the memory
      this.#peers.set(address, peers);
    } else if (!known) peers.push(peer);
    if (peers.length > 1) this.#warnOfSeveral("peerDbAdd", address, peers);
    if (peer.vtep === undefined) return;
    // An entry that no peer accounts for was left behind by one whose removal failed.
    const problem = this.#program(peer, peer.vtep, !known && peers.length === 1);
    if (problem === "EEXIST" && peers.length > 1) return;
    this.#report(peer, problem);
  }

  delete(peer: Peer): void {
    const address = peer.address.address;
    const peers = (this.#peers.get(address) ?? []).filter((other) => !isSame(other, peer));
    if (peers.length === 0) this.#peers.delete(address);
    else this.#peers.set(address, peers);
    if (peers.length > 0) this.#warnOfSeveral("peerDbDelete", address, peers);
    if (peer.vtep !== undefined) {
      const problem = this.#unprogram(peer, peer.vtep);
      if (problem === "ENOENT" && peers.length > 0) return; // it never was programmed
      this.#report(peer, problem);
    }
    const next = peers[0];
    if (next?.vtep !== undefined) this.#report(next, this.#program(next, next.vtep, false));
  }

  /** An event of the peer table: what was told of an endpoint before, and what is told now. */
  notify(endpointId: string, previous: PeerRecord | undefined, current: PeerRecord | undefined): void {
    const own = this.#settings.vtep;
    const before = previous === undefined || previous.vtep === own ? undefined : peerOf(endpointId, previous);
    const now = current === undefined || current.vtep === own ? undefined : peerOf(endpointId, current);
    if (before !== undefined && now !== undefined && isSame(before, now)) return;
    if (before !== undefined) this.delete(before);
    if (now !== undefined) this.add(now);
  }

  #program(peer: Peer, vtep: Ipv4Address, replaceStale: boolean): Problem | undefined {
    const plane = this.#plane;
    if (plane === undefined) return undefined;
    const segment = plane.segmentFor(peer.address);
    if (typeof segment === "string") return { message: segment };
    const refusal = plane.protect(vtep);
    if (refusal !== undefined) return { message: refusal };
    const { address } = peer.address;
    let problem = segment.addNeighbour(address, peer.mac);
    if (problem === "EEXIST" && replaceStale) problem = segment.addNeighbour(address, peer.mac, true);
    if (problem === undefined) {
      problem = this.#forward(segment, peer.mac, vtep);
      if (problem !== undefined) segment.deleteNeighbour(address);
    }
    if (problem === undefined) this.#protected.set(vtep, (this.#protected.get(vtep) ?? 0) + 1);
    else plane.unprotect(vtep);
    return problem;
  }

  #forward(segment: OverlaySegment, mac: MacAddress, vtep: Ipv4Address): Errno | undefined {
    let usesOfVtep = this.#uses.get(vtep);
    const uses = usesOfVtep?.get(mac) ?? 0;
    const problem = uses > 0 ? undefined : segment.addForwarding(mac, vtep, this.#settings.forwarding === "replace");
    if (problem !== undefined) return problem;
    if (usesOfVtep === undefined) {
      usesOfVtep = new Map();
      this.#uses.set(vtep, usesOfVtep);
    }
    usesOfVtep.set(mac, uses + 1);
    return undefined;
  }

  #unprogram(peer: Peer, vtep: Ipv4Address): Problem | undefined {
    const plane = this.#plane;
    if (plane === undefined) return undefined;
    const usesOfVtep = this.#uses.get(vtep);
    const uses = usesOfVtep?.get(peer.mac) ?? 0;
    if (usesOfVtep === undefined || uses === 0) return "ENOENT";
    const segment = plane.segmentFor(peer.address);
    if (typeof segment === "string") return { message: segment };
    const problem = segment.deleteNeighbour(peer.address.address);
    if (problem !== undefined) return problem;
    if (uses > 1) usesOfVtep.set(peer.mac, uses - 1);
    else {
      usesOfVtep.delete(peer.mac);
      segment.deleteForwarding(peer.mac, vtep);
    }
    // Last, so that no packet can leave in clear.
    const protections = this.#protected.get(vtep) ?? 0;
    if (protections > 1) this.#protected.set(vtep, protections - 1);
    else this.#protected.delete(vtep);
    plane.unprotect(vtep);
    return undefined;
  }

  #warnOfSeveral(operation: string, address: Ipv4Address, peers: readonly Peer[]): void {
    this.#settings.log?.(
      `${operation} transient condition: there is more than one endpoint using the same IP ` +
        `peerIP=${formatIpv4(address)} cardinality=${peers.length}`,
    );
  }

  #report(peer: Peer, problem: Problem | undefined): void {
    if (problem === undefined) return;
    const why = typeof problem === "string" ? problem : problem.message;
    this.#settings.log?.(`Peer operation failed eid=${peer.endpointId}: ${why}`);
  }
}

/** Field by field: copies by `...` have a hidden class each, which takes more memory than the peer. */
function peerOf(endpointId: string, { address, mac, vtep }: PeerRecord): Peer {
  return { endpointId, address, mac, vtep };
}

function isSame(a: Peer, b: Peer): boolean {
  return (
    a.endpointId === b.endpointId &&
    a.address.address === b.address.address &&
    a.address.length === b.address.length &&
    a.mac === b.mac &&
    a.vtep === b.vtep
  );
}
