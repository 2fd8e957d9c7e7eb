import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import * as endpointRecord from "../../../src/docker/discovery/endpoint-record.ts";
import * as peerRecord from "../../../src/docker/discovery/peer-record.ts";
import { emit } from "../../../src/gossip/networkdb-messages.ts";
import type { Ipv4Address, MacAddress } from "../../../src/wire/address.ts";
import { fromHex, toHex } from "../../../src/wire/bytes.ts";
import { ip, mac, net } from "../../linux/two-hosts.ts";

const WEB_4: endpointRecord.EndpointRecord = {
  name: "web.4.i5w344jdyvt9skjx79qkda7ti",
  serviceName: "web",
  serviceId: "o4ribk05847am9tqldreqegx6",
  virtualAddress: ip("10.0.1.2"),
  address: ip("10.0.1.14"),
  ports: [],
  aliases: [],
  taskAliases: ["beae49053e64", "node3-4"],
  isDisabled: false,
};
const PUB_1: endpointRecord.EndpointRecord = {
  name: "pub.1.rgijprtx8af1722x3t4g7klwh",
  serviceName: "pub",
  serviceId: "syfho7eqq9v1vvkizkgzeeika",
  virtualAddress: ip("10.0.0.5"),
  address: ip("10.0.0.6"),
  ports: [{ name: "", protocol: "tcp", targetPort: 80, publishedPort: 8_080 }],
  aliases: [],
  taskAliases: ["9153287e9af2", "node2-1"],
  isDisabled: false,
};

/** What memberlist seals for one table event: its checksum's 5 bytes, the type of a user's message, a compound. */
function gossipBytes(table: string, time: number, value: Uint8Array, operation: "create" | "update" = "create") {
  const event = emit({
    kind: "table-event",
    operation,
    time,
    node: "4995b018521f",
    network: "say6mhukvycnvxxxcp30z7lcn",
    table,
    key: "d".repeat(64),
    value,
    residualReapSeconds: 0,
  });
  return 5 + 1 + emit({ kind: "compound", messages: [event] }).length;
}

function anyText() {
  return fc.string({ minLength: 1, maxLength: 20 });
}

function anyRecord(): fc.Arbitrary<endpointRecord.EndpointRecord> {
  const address = fc.nat(0xffff_ffff).map((value) => value as Ipv4Address);
  const port = fc.record({
    name: fc.string({ maxLength: 5 }),
    protocol: fc.constantFrom("tcp" as const, "udp" as const, "sctp" as const),
    targetPort: fc.nat(0xffff),
    publishedPort: fc.nat(0xffff),
  });
  return fc.record({
    name: anyText(),
    serviceName: fc.string({ maxLength: 10 }),
    serviceId: fc.string({ maxLength: 10 }),
    virtualAddress: fc.option(address, { nil: undefined }),
    address,
    ports: fc.array(port, { maxLength: 3 }),
    aliases: fc.array(anyText(), { maxLength: 3 }),
    taskAliases: fc.array(anyText(), { maxLength: 3 }),
    isDisabled: fc.boolean(),
  });
}

describe("an endpoint's record", () => {
  it("is as long as those recorded: with and without ports, enabled and disabled", () => {
    const size = (record: endpointRecord.EndpointRecord, time: number, operation?: "update") =>
      gossipBytes(endpointRecord.ENDPOINT_TABLE, time, endpointRecord.emit(record), operation);
    expect(size(WEB_4, 222)).toBe(261);
    expect(size({ ...WEB_4, isDisabled: true }, 225, "update")).toBe(263);
    expect(size(PUB_1, 118)).toBe(266);
  });

  it("has libnetwork's field numbers, and says <nil> for no virtual address", () => {
    const record = {
      ...PUB_1,
      name: "c",
      serviceName: "s",
      serviceId: "i",
      virtualAddress: undefined,
      taskAliases: ["t"],
    };
    expect(toHex(endpointRecord.emit({ ...record, aliases: ["a"], isDisabled: true }))).toBe(
      "0a0163" +
        "120173" +
        "1a0169" +
        "22053c6e696c3e" +
        "2a0831302e302e302e36" +
        "32051850" +
        "20903f" +
        "3a0161" +
        "420174" +
        "4801",
    );
  });

  it("comes back from its own bytes", () => {
    fc.assert(
      fc.property(anyRecord(), (record) => {
        expect(endpointRecord.parse(endpointRecord.emit(record))).toEqual(record);
        expect(endpointRecord.areEquivalent(record, { ...record, isDisabled: !record.isDisabled })).toBe(true);
        const reordered = { ...record, aliases: [...record.aliases].reverse(), ports: [...record.ports].reverse() };
        expect(endpointRecord.areEquivalent(record, reordered)).toBe(true);
        expect(endpointRecord.areEquivalent(record, { ...record, name: `${record.name}x` })).toBe(false);
      }),
    );
  });

  it("is none without a name, without an address, or with ports that no port can be", () => {
    const parse = (record: endpointRecord.EndpointRecord) => endpointRecord.parse(endpointRecord.emit(record));
    expect(parse({ ...WEB_4, name: "" })).toBeUndefined();
    expect(endpointRecord.parse(fromHex("0a0163")!)).toBeUndefined();
    expect(parse({ ...PUB_1, ports: [{ ...PUB_1.ports[0]!, publishedPort: 65_536 }] })).toBeUndefined();
    expect(endpointRecord.parse(new Uint8Array(0))).toBeUndefined();
  });

  it("is never an exception, whatever the bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        endpointRecord.parse(bytes);
        peerRecord.parse(bytes);
      }),
    );
  });
});

describe("a peer's record", () => {
  const PEER = { address: net("10.0.1.7/24"), mac: mac("02:42:0a:00:01:07"), vtep: ip("192.168.50.13") };

  it("is as long as those recorded", () => {
    expect(gossipBytes(peerRecord.PEER_TABLE, 33, peerRecord.emit(PEER))).toBe(202);
    const later = { ...PEER, address: net("10.0.1.14/24"), mac: mac("02:42:0a:00:01:0e") };
    expect(gossipBytes(peerRecord.PEER_TABLE, 218, peerRecord.emit(later))).toBe(204);
  });

  it("is texts, with libnetwork's field numbers", () => {
    const text = (value: string) => toHex(new TextEncoder().encode(value));
    expect(toHex(peerRecord.emit(PEER))).toBe(
      `0a0b${text("10.0.1.7/24")}1211${text("02:42:0a:00:01:07")}1a0d${text("192.168.50.13")}`,
    );
  });

  it("comes back from its own bytes, and is none when a part is missing", () => {
    const peer = fc.record({
      address: fc.record({ address: fc.nat(0xffff_ffff).map((value) => value as Ipv4Address), length: fc.nat(32) }),
      mac: fc.nat(0xffff_ffff_ffff).map((value) => value as MacAddress),
      vtep: fc.nat(0xffff_ffff).map((value) => value as Ipv4Address),
    });
    fc.assert(
      fc.property(peer, (record) => {
        const bytes = peerRecord.emit(record);
        expect(peerRecord.parse(bytes)).toEqual(record);
        for (let length = 0; length < bytes.length; length++) {
          const cut = peerRecord.parse(bytes.slice(0, length));
          expect(cut).toBeUndefined();
        }
      }),
      { numRuns: 25 },
    );
  });
});
