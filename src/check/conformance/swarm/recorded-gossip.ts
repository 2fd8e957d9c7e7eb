/**
 * The gossip that a recorded node sent and got, opened and read (`gossip_node1.txt`): a line for each message with its frame, time, path, size on the wire
 * and content. What the conductor of a run takes from it is which tasks there were, where and when; what the comparison takes is kinds, sizes and times.
 */
import { type Ipv4Address, parseIpv4 } from "../../../wire/address.ts";

export interface GossipLine {
  /** Since the first frame of the capture. */
  readonly atSeconds: number;
  readonly transport: "TCP" | "UDP";
  readonly source: Ipv4Address;
  readonly destination: Ipv4Address;
  readonly payloadBytes: number;
  readonly content: string;
}

export function parseGossip(text: string): GossipLine[] {
  const lines: GossipLine[] = [];
  for (const line of text.split("\n")) {
    const [, at, path, size, , ...content] = line.split("\t");
    const match = /^(TCP|UDP) (\d+\.\d+\.\d+\.\d+)\S* > (\d+\.\d+\.\d+\.\d+)/.exec(path ?? "");
    if (match === null || at === undefined || size === undefined) continue;
    lines.push({
      atSeconds: Number(at),
      transport: match[1] as "TCP" | "UDP",
      source: parseIpv4(match[2]!)!,
      destination: parseIpv4(match[3]!)!,
      payloadBytes: Number.parseInt(size, 10),
      content: content.join("\t"),
    });
  }
  return lines;
}

/** An endpoint that gossip told of. */
export interface ToldEndpoint {
  /** The record's key. */
  readonly key: string;
  /** The network's identifier, its first twelve characters. */
  readonly network: string;
  /** `web.2.iv377sc0v42ynx8173tm9qyma`, `ingress-endpoint`, `c1`; undefined when only the peer table had it. */
  name: string | undefined;
  service: string | undefined;
  virtualAddress: Ipv4Address | undefined;
  address: Ipv4Address | undefined;
  vtep: Ipv4Address | undefined;
  /** When it was first said that it is there, or that it can be talked to. */
  readonly firstSeconds: number;
  readySeconds: number | undefined;
}

const EVENT =
  /TableEvent (CREATE|UPDATE) .*? net=(\w+) table=(\w+) key=(\w+) (?:ep\{name=(\S*) svc=(\S*) svcid=\S* vip=(\S*) ip=(\S*) [^}]*?(DISABLED)?\}|peer\{ip=([\d.]+)\/\d+ mac=\S+ vtep=([\d.]+)\})/g;

/** In the order in which they were first heard of. */
export function toldEndpoints(lines: readonly GossipLine[]): ToldEndpoint[] {
  const found = new Map<string, ToldEndpoint>();
  for (const { atSeconds, content } of lines) {
    for (const event of content.matchAll(EVENT)) {
      const [, , network, , key, name, service, virtual, address, , peerAddress, vtep] = event;
      let endpoint = found.get(`${network} ${key}`);
      if (endpoint === undefined) {
        endpoint = {
          key: key!,
          network: network!,
          name: undefined,
          service: undefined,
          virtualAddress: undefined,
          address: undefined,
          vtep: undefined,
          firstSeconds: atSeconds,
          readySeconds: undefined,
        };
        found.set(`${network} ${key}`, endpoint);
      }
      if (name !== undefined) {
        endpoint.name = name;
        endpoint.service = service === "" ? undefined : service;
        endpoint.virtualAddress = parseIpv4(virtual ?? "");
        endpoint.address ??= parseIpv4(address ?? "");
        endpoint.readySeconds ??= atSeconds;
      } else {
        endpoint.address ??= parseIpv4(peerAddress ?? "");
        endpoint.vtep ??= parseIpv4(vtep ?? "");
      }
    }
  }
  return [...found.values()];
}
