/**
 * IPsec between the VTEPs of encrypted overlays (libnetwork, drivers/overlay/encryption.go): ESP in transport mode. Towards each VTEP there is one association
 * and one policy to send, with the key whose turn it is, and one association to receive for every key, so that nodes may change keys at
 * different moments.
 */
import type { NetworkNamespace } from "../../linux/namespace.ts";
import { xfrmOf } from "../../linux/xfrm/attach.ts";
import type { PolicyRequest } from "../../linux/xfrm/policy.ts";
import { ANY_MARK, type Selector } from "../../linux/xfrm/selector.ts";
import type { StateRequest } from "../../linux/xfrm/state.ts";
import type { Xfrm } from "../../linux/xfrm/xfrm.ts";
import { IPV4_ANY, type Ipv4Address } from "../../wire/address.ts";
import { putU32 } from "../../wire/bytes.ts";
import * as ipv4 from "../../wire/ipv4.ts";
import { type EncryptionKey, encryptionKeys, type NetworkKey } from "./network-key.ts";
import { securityParameterIndex } from "./security-parameter-index.ts";

/** Marks packets that are to be protected, and as `reqid` tells Docker's associations from others. */
export const ENCRYPTION_MARK = 0xd0_c4e3;
const WHOLE_MARK = 0xffff_ffff;
const ICV_BYTES = 8;
const SALT_BYTES = 4;
const NO_KEYS = "encryption key is not present";

const ANYTHING: Selector = {
  source: { address: IPV4_ANY, length: 0 },
  destination: { address: IPV4_ANY, length: 0 },
  protocol: 0,
  sourcePort: undefined,
  destinationPort: undefined,
  device: 0,
};

export interface OverlayEncryptionSettings {
  readonly host: NetworkNamespace;
  /** What the node listens on: the associations' own address. */
  readonly bindAddress: Ipv4Address;
  /** What others know the node by: SPIs are made of it. */
  readonly advertiseAddress: Ipv4Address;
  readonly dataPathPort: number;
}

export class OverlayEncryption {
  readonly #settings: OverlayEncryptionSettings;
  /** The one to send with first. */
  #keys: readonly EncryptionKey[] = [];
  /** VTEPs, and how many peers are behind each. */
  readonly #uses = new Map<Ipv4Address, number>();

  constructor(settings: OverlayEncryptionSettings) {
    this.#settings = settings;
  }

  get hasKeys(): boolean {
    return this.#keys.length > 0;
  }

  /** The first keys, or a rotation: all that is known of a later one is which keys there are now. */
  setKeys(networkKeys: readonly NetworkKey[]): void {
    const keys = encryptionKeys(networkKeys);
    const old = this.#keys;
    if (old.length === 0) this.#forgetFormerLife();
    this.#keys = keys;
    const gone = old.filter(({ tag }) => keys.every((key) => key.tag !== tag));
    const come = keys.filter(({ tag }) => old.every((key) => key.tag !== tag));
    for (const vtep of this.#uses.keys()) this.#rotate(vtep, { gone, come, from: old[0], to: keys[0] });
  }

  /** One more peer is behind `vtep`. */
  protect(vtep: Ipv4Address): string | undefined {
    if (!this.hasKeys) return NO_KEYS;
    const uses = this.#uses.get(vtep) ?? 0;
    this.#uses.set(vtep, uses + 1);
    if (uses > 0) return undefined;
    this.#keys.forEach((key, index) => {
      this.#addInbound(vtep, key);
      if (index > 0) return;
      this.#addOutbound(vtep, key);
      this.#xfrm.addPolicy(this.#policyTo(vtep, key), true);
    });
    return undefined;
  }

  /** One peer less; with the last one everything towards `vtep` goes. */
  unprotect(vtep: Ipv4Address): void {
    const uses = this.#uses.get(vtep);
    if (uses === undefined) return;
    if (uses > 1) {
      this.#uses.set(vtep, uses - 1);
      return;
    }
    this.#uses.delete(vtep);
    this.#keys.forEach((key, index) => {
      this.#deleteInbound(vtep, key);
      if (index > 0) return;
      this.#deleteOutbound(vtep, key);
      const policy = this.#xfrm.policies.find(this.#policyTo(vtep, key));
      if (policy !== undefined) this.#xfrm.deletePolicy(policy);
    });
  }

  get #xfrm(): Xfrm {
    return xfrmOf(this.#settings.host);
  }

  /** Receiving comes first, so that what the peers send can be opened at every moment. */
  #rotate(
    vtep: Ipv4Address,
    change: {
      readonly gone: readonly EncryptionKey[];
      readonly come: readonly EncryptionKey[];
      readonly from: EncryptionKey | undefined;
      readonly to: EncryptionKey | undefined;
    },
  ): void {
    const { gone, come, from, to } = change;
    for (const key of gone) this.#deleteInbound(vtep, key);
    for (const key of come) this.#addInbound(vtep, key);
    if (to === undefined || from?.tag === to.tag) return;
    this.#addOutbound(vtep, to);
    this.#xfrm.addPolicy(this.#policyTo(vtep, to), true);
    if (from !== undefined) this.#deleteOutbound(vtep, from);
  }

  /** What an engine that was killed has left. */
  #forgetFormerLife(): void {
    const xfrm = this.#settings.host.xfrm;
    if (xfrm === undefined) return;
    for (const { request } of [...xfrm.states.list])
      if (request.reqid === ENCRYPTION_MARK) xfrm.deleteState(request.destination, request.spi, request.mark);
    for (const policy of [...xfrm.policies.list])
      if (policy.templates.some(({ reqid }) => reqid === ENCRYPTION_MARK)) xfrm.deletePolicy(policy);
  }

  #addInbound(vtep: Ipv4Address, { tag, key }: EncryptionKey): void {
    const { bindAddress } = this.#settings;
    this.#xfrm.addState(association(vtep, bindAddress, this.#spiFrom(vtep, tag), key));
  }

  #deleteInbound(vtep: Ipv4Address, { tag }: EncryptionKey): void {
    this.#xfrm.deleteState(this.#settings.bindAddress, this.#spiFrom(vtep, tag), ANY_MARK);
  }

  #addOutbound(vtep: Ipv4Address, { tag, key }: EncryptionKey): void {
    const { bindAddress } = this.#settings;
    this.#xfrm.addState(association(bindAddress, vtep, this.#spiTo(vtep, tag), key));
  }

  #deleteOutbound(vtep: Ipv4Address, { tag }: EncryptionKey): void {
    this.#xfrm.deleteState(vtep, this.#spiTo(vtep, tag), ANY_MARK);
  }

  #spiFrom(vtep: Ipv4Address, tag: number): number {
    return securityParameterIndex(vtep, this.#settings.advertiseAddress, tag);
  }

  #spiTo(vtep: Ipv4Address, tag: number): number {
    return securityParameterIndex(this.#settings.advertiseAddress, vtep, tag);
  }

  #policyTo(vtep: Ipv4Address, { tag }: EncryptionKey): PolicyRequest {
    const { bindAddress, dataPathPort } = this.#settings;
    return {
      selector: {
        source: { address: bindAddress, length: 32 },
        destination: { address: vtep, length: 32 },
        protocol: ipv4.PROTOCOL_UDP,
        sourcePort: undefined,
        destinationPort: dataPathPort,
        device: 0,
      },
      direction: "out",
      mark: { value: ENCRYPTION_MARK, mask: WHOLE_MARK },
      action: "allow",
      priority: 0,
      templates: [
        {
          source: bindAddress,
          destination: vtep,
          protocol: ipv4.PROTOCOL_ESP,
          spi: this.#spiTo(vtep, tag),
          reqid: ENCRYPTION_MARK,
          mode: "transport",
          optional: false,
        },
      ],
      type: "main",
      lifetime: {},
      flags: [],
    };
  }
}

/** rfc4106(gcm(aes)) with an ICV of 64 bits and no replay window; the salt is the SPI. */
function association(source: Ipv4Address, destination: Ipv4Address, spi: number, key: Uint8Array): StateRequest {
  const keyAndSalt = new Uint8Array(key.length + SALT_BYTES);
  keyAndSalt.set(key);
  putU32(keyAndSalt, key.length, spi);
  return {
    source,
    destination,
    spi,
    reqid: ENCRYPTION_MARK,
    mark: ANY_MARK,
    selector: ANYTHING,
    keyAndSalt,
    icvBytes: ICV_BYTES,
    replayWindow: 0,
    sequence: 0,
    outputSequence: 0,
    outputMark: undefined,
    lifetime: {},
    flags: [],
  };
}
