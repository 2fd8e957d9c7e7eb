/** libnetwork's overlay driver on one node: the overlay networks that the node has, the keys and rules of encrypted ones, the limits of the neighbour tables. */
import type { NetworkNamespace } from "../../linux/namespace.ts";
import type { World } from "../../linux/world.ts";
import { assert } from "../../sim/assert.ts";
import type { Random } from "../../sim/random.ts";
import type { Ipv4Address } from "../../wire/address.ts";
import { EncryptedVniRules } from "./encrypted-vni-rules.ts";
import type { NetworkKey } from "./network-key.ts";
import { NodeOverlay, type OverlaySpec } from "./node-overlay.ts";
import { OverlayEncryption } from "./overlay-encryption.ts";
import { DATA_PATH_PORT } from "./overlay-sandbox.ts";

export interface OverlayDriverSettings {
  readonly world: World;
  /** The node. */
  readonly host: NetworkNamespace;
  readonly release: "current" | "20.10";
  /** Identifiers of endpoints come from here. */
  readonly random: Random;
  /** What others reach the node by, its `--data-path-addr` or advertised address: its VTEP. */
  readonly advertiseAddress: Ipv4Address;
  /** The node's own address in IPsec; the advertised one unless given. */
  readonly bindAddress?: Ipv4Address | undefined;
  /** 4789 unless given. */
  readonly dataPathPort?: number | undefined;
  /** The node's named namespaces (/var/run/docker/netns), which the overlays' are put among: `1-say6mhukvy`. */
  readonly handles?: Pick<Map<string, NetworkNamespace>, "set" | "delete"> | undefined;
  /** See `PeerTableSettings`; the release's own unless given. */
  readonly forwarding?: "replace" | "exclusive" | undefined;
  /** The engine's log. */
  readonly log?: ((message: string) => void) | undefined;
}

/** Raised once, where they are lower: every peer of every network is an entry. */
const NEIGHBOUR_LIMITS = [
  ["net.ipv4.neigh.default.gc_thresh1", 8_192],
  ["net.ipv4.neigh.default.gc_thresh2", 49_152],
  ["net.ipv4.neigh.default.gc_thresh3", 65_536],
] as const;

export class OverlayDriver {
  readonly settings: OverlayDriverSettings;
  readonly encryption: OverlayEncryption;
  readonly rules: EncryptedVniRules;
  readonly #networks = new Map<string, NodeOverlay>();

  constructor(settings: OverlayDriverSettings) {
    this.settings = settings;
    const { host, release, advertiseAddress, bindAddress = advertiseAddress } = settings;
    const dataPathPort = this.dataPathPort;
    this.encryption = new OverlayEncryption({ host, bindAddress, advertiseAddress, dataPathPort });
    this.rules = new EncryptedVniRules({ host, release, dataPathPort });
    for (const [key, limit] of NEIGHBOUR_LIMITS)
      if (host.sysctl.number(key) < limit) host.sysctl.set(key, String(limit));
  }

  get dataPathPort(): number {
    return this.settings.dataPathPort ?? DATA_PATH_PORT;
  }

  get networks(): ReadonlyMap<string, NodeOverlay> {
    return this.#networks;
  }

  /** The network comes to the node. Nothing of it is in the kernel until somebody joins. */
  createNetwork(spec: OverlaySpec): NodeOverlay {
    assert(!this.#networks.has(spec.id), "an overlay network comes to a node twice");
    const network = new NodeOverlay(this, spec);
    this.#networks.set(spec.id, network);
    return network;
  }

  /** The network leaves the node: nobody is in it. */
  deleteNetwork(id: string): void {
    this.#networks.get(id)?.remove();
    this.#networks.delete(id);
  }

  /** All keys that there are; those for IPsec are taken. The first ones, or those after a rotation. */
  setKeys(keys: readonly NetworkKey[]): void {
    this.encryption.setKeys(keys);
  }
}
