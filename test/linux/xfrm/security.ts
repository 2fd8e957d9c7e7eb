/** Associations and policies between two hosts, as the tests of IPsec need them. */
import type { NetworkNamespace } from "../../../src/linux/namespace.ts";
import { xfrmOf } from "../../../src/linux/xfrm/attach.ts";
import type { PolicyRequest } from "../../../src/linux/xfrm/policy.ts";
import { ANY_MARK, type Selector } from "../../../src/linux/xfrm/selector.ts";
import type { StateRequest } from "../../../src/linux/xfrm/state.ts";
import type { Xfrm } from "../../../src/linux/xfrm/xfrm.ts";
import { hex } from "../../wire/codec-laws.ts";
import { ip, net, type Seen } from "../two-hosts.ts";

export const ANY_SELECTOR: Selector = {
  source: net("0.0.0.0/0"),
  destination: net("0.0.0.0/0"),
  protocol: 0,
  sourcePort: undefined,
  destinationPort: undefined,
  device: 0,
};

export function stateRequest(source: string, destination: string, changes: Partial<StateRequest> = {}): StateRequest {
  return {
    source: ip(source),
    destination: ip(destination),
    spi: 0x1001,
    reqid: 1,
    mark: ANY_MARK,
    selector: ANY_SELECTOR,
    keyAndSalt: hex("000102030405060708090a0b0c0d0e0f00001001"),
    icvBytes: 8,
    replayWindow: 0,
    sequence: 0,
    outputSequence: 0,
    outputMark: undefined,
    lifetime: {},
    flags: [],
    ...changes,
  };
}

export function policyRequest(
  direction: PolicyRequest["direction"],
  source: string,
  destination: string,
  changes: Partial<PolicyRequest> = {},
): PolicyRequest {
  return {
    selector: { ...ANY_SELECTOR, source: net(`${source}/32`), destination: net(`${destination}/32`) },
    direction,
    mark: ANY_MARK,
    action: "allow",
    priority: 0,
    templates: [
      {
        source: ip(source),
        destination: ip(destination),
        protocol: 50,
        spi: 0,
        reqid: 1,
        mode: "transport",
        optional: false,
      },
    ],
    type: "main",
    lifetime: {},
    flags: [],
    ...changes,
  };
}

/** Both directions between 10.0.0.2 and 10.0.0.3, with policies both ways on both hosts. */
export function secure(c1: NetworkNamespace, c2: NetworkNamespace, changes: Partial<StateRequest> = {}): [Xfrm, Xfrm] {
  const there = stateRequest("10.0.0.2", "10.0.0.3", changes);
  const back = stateRequest("10.0.0.3", "10.0.0.2", { spi: 0x1002, ...changes });
  const ends: [Xfrm, Xfrm] = [xfrmOf(c1), xfrmOf(c2)];
  for (const end of ends) {
    end.addState(there);
    end.addState(back);
  }
  ends[0].addPolicy(policyRequest("out", "10.0.0.2", "10.0.0.3"));
  ends[0].addPolicy(policyRequest("in", "10.0.0.3", "10.0.0.2"));
  ends[1].addPolicy(policyRequest("out", "10.0.0.3", "10.0.0.2"));
  ends[1].addPolicy(policyRequest("in", "10.0.0.2", "10.0.0.3"));
  return ends;
}

/** What was seen as a classic capture file (Ethernet, nanoseconds). */
export function pcapOf(seen: readonly Seen[]): Uint8Array {
  const file = new Uint8Array(24 + seen.reduce((sum, { bytes }) => sum + 16 + bytes.length, 0));
  const view = new DataView(file.buffer);
  for (const [at, value] of [
    [0, 0xa1b2_3c4d],
    [4, 0x0002_0004],
    [16, 0xffff],
    [20, 1],
  ] as const)
    view.setUint32(at, value);
  let at = 24;
  for (const { timeNs, bytes } of seen) {
    view.setUint32(at, Math.floor(timeNs / 1e9));
    view.setUint32(at + 4, timeNs % 1e9);
    view.setUint32(at + 8, bytes.length);
    view.setUint32(at + 12, bytes.length);
    file.set(bytes, at + 16);
    at += 16 + bytes.length;
  }
  return file;
}
