/** Every reason that the IPv4 host has to end a packet is reached, and no frame is lost on the way. */
import { describe, expect, it } from "vitest";
import type { DropReason } from "../../src/linux/drop-reason.ts";
import { PacketSocket } from "../../src/linux/packet-socket.ts";
import { RawSocket } from "../../src/linux/raw-socket.ts";
import { UdpSocket } from "../../src/linux/udp-socket.ts";
import { IPV4_BROADCAST, type Ipv4Address, type MacAddress } from "../../src/wire/address.ts";
import { putU16 } from "../../src/wire/bytes.ts";
import * as ethernet from "../../src/wire/ethernet.ts";
import * as icmp from "../../src/wire/icmp.ts";
import * as ipv4 from "../../src/wire/ipv4.ts";
import { ip, mac, net, pass, twoHosts, twoRouters } from "./two-hosts.ts";

type Lab = ReturnType<typeof twoHosts>;
const C1 = ip("10.0.0.2");
const C2 = ip("10.0.0.3");

/** An IPv4 packet in a frame from c1 to c2, with what a test wants wrong. */
function packet(
  lab: Lab,
  change: {
    destination?: Ipv4Address;
    source?: Ipv4Address;
    protocol?: number;
    payload?: number[];
    flags?: number;
    to?: MacAddress;
    options?: number[];
  } = {},
): Uint8Array {
  const payload = change.payload ?? [8, 0, 0, 0, 0, 1, 0, 1];
  const options = Uint8Array.from(change.options ?? []);
  const header = 20 + options.length;
  const bytes = new Uint8Array(14 + header + payload.length);
  ethernet.write(bytes, 0, change.to ?? lab.eth2.address, lab.eth1.address, ethernet.ETHERTYPE_IPV4);
  ipv4.emit(
    {
      typeOfService: 0,
      totalLength: header + payload.length,
      identification: 1,
      dontFragment: false,
      moreFragments: false,
      fragmentOffsetBytes: 0,
      timeToLive: 64,
      protocol: change.protocol ?? 1,
      source: change.source ?? C1,
      destination: change.destination ?? C2,
      options,
    },
    bytes,
    14,
  );
  bytes.set(payload, 14 + header);
  if (change.flags !== undefined) {
    putU16(bytes, 20, change.flags);
    ipv4.writeChecksum(bytes, 14);
  }
  return bytes;
}

function inject(lab: Lab, ...frames: Uint8Array[]): void {
  const socket = new PacketSocket(lab.c1, lab.eth1, undefined);
  for (const bytes of frames) expect(socket.send(bytes)).toBe(bytes.length);
  socket.close();
}

const FRAMES: [DropReason, (lab: Lab) => void][] = [
  [
    "device-down",
    (lab) => {
      inject(lab, packet(lab));
      lab.eth2.setUp(false);
    },
  ],
  ["frame-truncated", (lab) => lab.eth1.transmit(lab.world.frames.make(10))],
  ["not-for-us", (lab) => inject(lab, packet(lab, { to: mac("02:00:00:00:00:01") }))],
  ["ethertype-unknown", (lab) => inject(lab, new Uint8Array(60).fill(0xff))],
  ["arp-malformed", (lab) => inject(lab, Uint8Array.from([...Array(12).fill(0xff), 8, 6, 0, 1]))],
  ["ipv4-malformed", (lab) => inject(lab, packet(lab).fill(0x35, 14, 15))],
  ["ipv4-bad-checksum", (lab) => inject(lab, packet(lab).fill(0x11, 24, 25))],
  ["ipv4-martian-source", (lab) => inject(lab, packet(lab, { source: C2 }))],
  ["ipv4-martian-source", (lab) => inject(lab, packet(lab, { source: ip("127.0.0.1") }))],
  ["ipv4-martian-source", (lab) => inject(lab, packet(lab, { source: ip("224.0.0.1") }))],
  ["ipv4-martian-source", (lab) => inject(lab, packet(lab, { source: IPV4_BROADCAST }))],
  ["ipv4-martian-destination", (lab) => inject(lab, packet(lab, { destination: ip("127.0.0.1") }))],
  ["ipv4-martian-destination", (lab) => inject(lab, packet(lab, { destination: ip("0.0.0.9") }))],
  ["ipv4-not-local", (lab) => inject(lab, packet(lab, { destination: ip("10.0.0.77") }))],
  [
    "ipv4-not-unicast",
    (lab) => inject(lab, packet(lab, { destination: ip("239.9.9.9"), to: mac("01:00:5e:09:09:09") })),
  ],
  [
    "ipv4-not-unicast",
    (lab) => {
      lab.c2.sysctl.set("net.ipv4.ip_forward", "1");
      inject(lab, packet(lab, { destination: ip("10.0.0.77"), to: mac("ff:ff:ff:ff:ff:ff") }));
    },
  ],
  [
    "ipv4-reverse-path",
    (lab) => {
      lab.c2.sysctl.set("net.ipv4.conf.all.rp_filter", "1");
      inject(lab, packet(lab, { source: ip("192.0.2.1") }));
    },
  ],
  ["ipv4-options-invalid", (lab) => inject(lab, packet(lab, { options: [131, 3, 4, 0] }))],
  ["fragment-malformed", (lab) => inject(lab, packet(lab, { payload: [], flags: ipv4.MORE_FRAGMENTS }))],
  ["fragment-too-long", (lab) => inject(lab, packet(lab, { flags: 0x1fff }))],
  ["fragment-timeout", (lab) => inject(lab, packet(lab, { flags: ipv4.MORE_FRAGMENTS }))],
  [
    "fragment-duplicate",
    (lab) => inject(lab, packet(lab, { flags: ipv4.MORE_FRAGMENTS }), packet(lab, { flags: ipv4.MORE_FRAGMENTS })),
  ],
  [
    "fragment-overlap",
    (lab) =>
      inject(
        lab,
        packet(lab, { payload: Array(16).fill(1), flags: ipv4.MORE_FRAGMENTS }),
        packet(lab, { payload: Array(16).fill(1), flags: ipv4.MORE_FRAGMENTS | 1 }),
      ),
  ],
  [
    "fragment-limit",
    (lab) => {
      lab.c2.sysctl.set("net.ipv4.ipfrag_time", "0");
      inject(lab, packet(lab, { flags: ipv4.MORE_FRAGMENTS }));
    },
  ],
  ["protocol-unknown", (lab) => inject(lab, packet(lab, { protocol: 253 }))],
  ["icmp-malformed", (lab) => inject(lab, packet(lab, { payload: [8, 0, 0, 0] }))],
  ["icmp-malformed", (lab) => inject(lab, packet(lab, { payload: message([3, 3, 0, 0, 0, 0, 0, 0, 0x99]) }))],
  ["icmp-bad-checksum", (lab) => inject(lab, packet(lab))],
  ["icmp-unhandled", (lab) => inject(lab, packet(lab, { payload: message([0, 0, 0, 0, 0, 1, 0, 1]) }))],
  ["icmp-unhandled", (lab) => inject(lab, packet(lab, { payload: message([42, 0, 0, 0, 0, 1, 0, 1]) }))],
  ["igmp-malformed", (lab) => inject(lab, packet(lab, { protocol: 2, payload: [0x11, 0, 0, 0] }))],
  ["udp-malformed", (lab) => inject(lab, packet(lab, { protocol: 17, payload: [0, 7, 0, 7] }))],
  ["udp-malformed", (lab) => inject(lab, packet(lab, { protocol: 17, payload: [0, 7, 0, 7, 0, 99, 0, 0] }))],
  ["udp-bad-checksum", (lab) => inject(lab, packet(lab, { protocol: 17, payload: [0, 7, 0, 7, 0, 8, 1, 1] }))],
  ["udp-no-socket", (lab) => inject(lab, packet(lab, { protocol: 17, payload: [0, 7, 0, 7, 0, 8, 0, 0] }))],
  ["neighbour-failed", (lab) => void new RawSocket(lab.c1).send(ip("10.0.0.99"), 1, new Uint8Array(8))],
  [
    "socket-buffer-full",
    (lab) => {
      const socket = new UdpSocket(lab.c2);
      socket.bind(C2, 7);
      socket.receiveBufferBytes = 1;
      inject(lab, packet(lab, { protocol: 17, payload: [0, 7, 0, 7, 0, 8, 0, 0] }));
    },
  ],
];

/** An ICMP message with its checksum. */
function message(bytes: number[]): number[] {
  const buffer = new ArrayBuffer((bytes.length + 1) & ~1);
  const memory = { bytes: new Uint8Array(buffer), words: new Uint16Array(buffer) };
  memory.bytes.set(bytes);
  icmp.finishChecksum(memory, 0, bytes.length);
  return [...memory.bytes.subarray(0, bytes.length)];
}

describe("a packet that ends early", () => {
  it.each(FRAMES)("ends as %s", (reason, provoke) => {
    const lab = twoHosts();
    lab.c2.neighbours.add({ device: lab.eth2, address: C1, mac: lab.eth1.address });
    provoke(lab);
    pass(lab.world, 40);
    expect([...lab.world.frames.dropsByReason.keys()]).toContain(reason);
    expect(lab.world.frames.inFlight).toBe(0);
  });

  const ROUTED: [DropReason, (lab: ReturnType<typeof twoRouters>) => void][] = [
    ["ipv4-no-route", (lab) => void new RawSocket(lab.c1).send(ip("192.0.2.1"), 1, new Uint8Array(8))],
    [
      "ipv4-ttl-exceeded",
      (lab) => void new RawSocket(lab.c1).send(ip("10.0.3.2"), 1, new Uint8Array(8), { timeToLive: 1 }),
    ],
    [
      "ipv4-fragmentation-needed",
      (lab) => {
        lab.middle.a.setMtu(1_000);
        new RawSocket(lab.c1).send(ip("10.0.3.2"), 1, new Uint8Array(1_400), { dontFragment: "do" });
      },
    ],
    ...(["unreachable", "prohibit", "blackhole"] as const).map(
      (type): [DropReason, (lab: ReturnType<typeof twoRouters>) => void] => [
        `ipv4-route-${type}`,
        (lab) => {
          lab.r1.routes.add({ destination: net("192.0.2.0/24"), type });
          new RawSocket(lab.c1).send(ip("192.0.2.1"), 1, new Uint8Array(8));
        },
      ],
    ),
  ];
  it.each(ROUTED)("ends at a router as %s", (reason, provoke) => {
    const lab = twoRouters();
    provoke(lab);
    pass(lab.world, 5);
    expect([...lab.world.frames.dropsByReason.keys()]).toContain(reason);
    expect(lab.world.frames.inFlight).toBe(0);
  });
});

describe("a namespace that is removed", () => {
  it("takes its devices, their peers and what waits with it", () => {
    const { world, c1, c2 } = twoHosts();
    new RawSocket(c1).send(ip("10.0.0.99"), 1, new Uint8Array(8));
    world.removeNamespace(c1);
    pass(world, 1);
    expect(world.namespaces.has("c1")).toBe(false);
    expect(c2.device("eth0")).toBeUndefined();
    expect(c2.routes.list().filter((route) => route.device?.name === "eth0")).toEqual([]);
    expect(world.frames.inFlight).toBe(0);
  });
});
