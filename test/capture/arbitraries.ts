/** Frames of the kinds that filters tell apart, from small sets of addresses and ports, so that filters hit often. */
import * as fc from "fast-check";
import { finish, sumBytes } from "../../src/wire/checksum.ts";

export const ADDRESSES = ["10.0.0.1", "10.0.0.2", "10.0.1.3", "192.168.0.1", "224.0.0.22", "255.255.255.255"];
export const MACS = ["02:42:0a:00:00:01", "02:42:0a:00:00:02", "01:00:5e:00:00:16", "ff:ff:ff:ff:ff:ff"];
export const PORTS = [53, 80, 443, 4789, 6081, 8080];
export const VNIS = [42, 4097];

const anyAddress = fc.constantFrom(...ADDRESSES).map((text) => text.split(".").map(Number));
const anyMac = fc.constantFrom(...MACS).map((text) => text.split(":").map((octet) => Number.parseInt(octet, 16)));
const anyPort = fc.constantFrom(...PORTS);
const anyTail = fc.array(fc.integer({ min: 0, max: 255 }), { maxLength: 24 });

const u16 = (value: number): number[] => [(value >> 8) & 255, value & 255];

const anySegment: fc.Arbitrary<{ protocol: number; body: number[] }> = fc.oneof(
  fc.record({ source: anyPort, destination: anyPort, flags: fc.nat(255), tail: anyTail }).map((it) => ({
    protocol: 6,
    body: [
      ...u16(it.source),
      ...u16(it.destination),
      0,
      0,
      0,
      1,
      0,
      0,
      0,
      2,
      0x50,
      it.flags,
      4,
      0,
      0,
      0,
      0,
      0,
      ...it.tail,
    ],
  })),
  fc.record({ source: anyPort, destination: anyPort, tail: anyTail }).map((it) => ({
    protocol: 17,
    body: [...u16(it.source), ...u16(it.destination), ...u16(8 + it.tail.length), 0, 0, ...it.tail],
  })),
  fc
    .record({ type: fc.constantFrom(0, 3, 8, 11), code: fc.nat(4), tail: anyTail })
    .map((it) => ({ protocol: 1, body: [it.type, it.code, 0, 0, ...it.tail] })),
  fc
    .record({ protocol: fc.constantFrom(2, 44, 50, 51, 58, 103, 112, 132), tail: anyTail })
    .map((it) => ({ protocol: it.protocol, body: it.tail })),
);

function ipv4(
  source: number[],
  destination: number[],
  protocol: number,
  body: number[],
  optionWords: number,
  fragment: number,
): number[] {
  const header = [
    ...[0x45 + optionWords, 0, ...u16(20 + 4 * optionWords + body.length), 0, 1, ...u16(fragment), 64, protocol, 0, 0],
    ...[...source, ...destination, ...new Array<number>(4 * optionWords).fill(1)],
  ];
  const checksum = finish(sumBytes(Uint8Array.from(header), 0, header.length));
  header.splice(10, 2, ...u16(checksum));
  return [...header, ...body];
}

interface Payload {
  readonly type: number;
  readonly body: number[];
}

const anyIp4: fc.Arbitrary<Payload> = fc
  .record({
    source: anyAddress,
    destination: anyAddress,
    segment: anySegment,
    optionWords: fc.constantFrom(0, 0, 0, 2),
    fragment: fc.constantFrom(0, 0, 0x4000, 0x2000, 0x00b9),
  })
  .map((it) => ({
    type: 0x0800,
    body: ipv4(it.source, it.destination, it.segment.protocol, it.segment.body, it.optionWords, it.fragment),
  }));

const anyIp6: fc.Arbitrary<Payload> = fc.record({ segment: anySegment }).map(({ segment }) => ({
  type: 0x86dd,
  body: [
    0x60,
    0,
    0,
    0,
    ...u16(segment.body.length),
    segment.protocol,
    64,
    ...new Array<number>(32).fill(7),
    ...segment.body,
  ],
}));

const anyArp: fc.Arbitrary<Payload> = fc
  .record({
    type: fc.constantFrom(0x0806, 0x0806, 0x8035),
    code: fc.constantFrom(1, 2),
    sender: anyMac,
    target: anyMac,
    from: anyAddress,
    to: anyAddress,
  })
  .map((it) => ({
    type: it.type,
    body: [0, 1, 8, 0, 6, 4, 0, it.code, ...it.sender, ...it.from, ...it.target, ...it.to],
  }));

const anyBpdu: fc.Arbitrary<Payload> = fc.constant({
  type: 38,
  body: [0x42, 0x42, 3, 0, 0, 0, 0, 0, ...new Array<number>(30).fill(9)],
});

const anyPlain: fc.Arbitrary<Payload> = fc.oneof(
  { weight: 6, arbitrary: anyIp4 },
  { weight: 1, arbitrary: anyIp6 },
  { weight: 2, arbitrary: anyArp },
  { weight: 1, arbitrary: anyBpdu },
);

function ethernetOf(payload: fc.Arbitrary<Payload>): fc.Arbitrary<number[]> {
  return fc
    .record({
      destination: anyMac,
      source: anyMac,
      tags: fc.array(fc.record({ type: fc.constantFrom(0x8100, 0x88a8), id: fc.constantFrom(5, 7) }), { maxLength: 2 }),
      tagged: fc.constantFrom(false, false, true),
      payload,
    })
    .map((it) => {
      const tags = it.tagged ? it.tags.flatMap((tag) => [...u16(tag.type), ...u16(tag.id)]) : [];
      return [...it.destination, ...it.source, ...tags, ...u16(it.payload.type), ...it.payload.body];
    });
}

/** Ethernet frames without tunnels; some are cut short. */
export const anyFrame: fc.Arbitrary<Uint8Array> = cut(ethernetOf(anyPlain));

/** The same frame in Geneve (without options) and in VXLAN, or broken in the same way; `options` makes them different. */
export interface Twins {
  readonly geneve: Uint8Array;
  readonly vxlan: Uint8Array;
}

export function anyTunnelled(optionWords: fc.Arbitrary<number>, protocol: fc.Arbitrary<number>): fc.Arbitrary<Twins> {
  return fc
    .record({
      outer: ethernetOf(fc.constant({ type: 0x0800, body: [] })),
      source: anyAddress,
      destination: anyAddress,
      vni: fc.constantFrom(...VNIS),
      inner: ethernetOf(anyPlain),
      optionWords,
      protocol,
      keep: fc.constantFrom(1, 1, 1, 0.5),
    })
    .map((it) => {
      const build = (port: number, head: number[], options: number[]): Uint8Array => {
        const payload = [...head, 0, it.vni >> 8, it.vni & 255, 0, ...options, ...it.inner];
        const udp = [0xc0, 0, ...u16(port), ...u16(8 + payload.length), 0, 0, ...payload];
        const whole = [...it.outer, ...ipv4(it.source, it.destination, 17, udp, 0, 0)];
        // Not cut inside the tunnel's header: of Geneve's more is read than of VXLAN's.
        const header = whole.length - payload.length;
        const end = Math.ceil(whole.length * it.keep);
        return Uint8Array.from(whole.slice(0, end > header && end < header + 8 ? header + 8 : end));
      };
      return {
        geneve: build(6081, [it.optionWords, 0, ...u16(it.protocol)], new Array<number>(it.optionWords * 4).fill(3)),
        vxlan: build(4789, [8, 0, 0, 0], []),
      };
    });
}

function cut(frames: fc.Arbitrary<number[]>): fc.Arbitrary<Uint8Array> {
  return fc
    .record({ frame: frames, keep: fc.constantFrom(1, 1, 1, 1, 0.6, 0.3, 0.1) })
    .map((it) => Uint8Array.from(it.frame.slice(0, Math.max(1, Math.ceil(it.frame.length * it.keep)))));
}

const anyDirection = fc.constantFrom("", "src ", "dst ", "src or dst ", "src and dst ");

/** Primitives that do not change where the next one looks. */
export const anyPrimitive: fc.Arbitrary<string> = fc.oneof(
  fc.constantFrom(
    "ip",
    "ip6",
    "arp",
    "rarp",
    "tcp",
    "udp",
    "icmp",
    "igmp",
    "esp",
    "ah",
    "sctp",
    "pim",
    "vrrp",
    "icmp6",
    "stp",
  ),
  fc.constantFrom(
    "broadcast",
    "multicast",
    "ether broadcast",
    "ether multicast",
    "ip multicast",
    "ip proto 6",
    "ip6 proto 17",
    "proto 17",
  ),
  fc.constantFrom("ip proto \\tcp", "proto \\udp", "ether proto \\arp", "ether proto 0x800", "ether proto 0x42"),
  fc
    .tuple(fc.constantFrom("", "ip ", "arp ", "rarp "), anyDirection, fc.constantFrom(...ADDRESSES))
    .map(([over, way, address]) => `${over}${way}host ${address}`),
  fc
    .tuple(
      fc.constantFrom("", "ip ", "arp "),
      anyDirection,
      fc.constantFrom("10.0.0.0/24", "10", "10.0", "192.168.0.0 mask 255.255.0.0", "0.0.0.0/0"),
    )
    .map(([over, way, net]) => `${over}${way}net ${net}`),
  fc.tuple(anyDirection, fc.constantFrom(...MACS)).map(([way, address]) => `ether ${way}host ${address}`),
  fc
    .tuple(fc.constantFrom("", "tcp ", "udp "), anyDirection, fc.constantFrom(...PORTS, "domain"))
    .map(([over, way, port]) => `${over}${way}port ${port}`),
  fc
    .tuple(fc.constantFrom("", "tcp ", "udp "), anyDirection, fc.constantFrom("53-443", "443-80", "6000-7000"))
    .map(([over, way, range]) => `${over}${way}portrange ${range}`),
  fc.constantFrom(
    "port http",
    "tcp port http or https",
    "port 80 or 443",
    "port (53 or 80)",
    "src host 10.0.0.1 or 10.0.0.2",
    "host (10.0.0.1 or not 10.0.0.2)",
    "not port 80 and not 53",
  ),
  fc.constantFrom("less 60", "greater 60", "len > 50", "len <= 80", "len - 14 >= 40", "len % 2 = 0", "len % 4 + 1 = 2"),
  fc.constantFrom(
    "tcp[tcpflags] & tcp-syn != 0",
    "tcp[tcpflags] & (tcp-syn|tcp-ack) == tcp-syn",
    "tcp[13] & 0x10 = 0",
    "icmp[icmptype] == icmp-echo",
    "icmp[icmptype] = icmp-unreach and icmp[icmpcode] > 1",
  ),
  fc.constantFrom(
    "ip[0] & 0xf != 5",
    "ip[6:2] & 0x1fff = 0",
    "ip[2:2] > 40",
    "ether[0] & 1 = 1",
    "udp[4:2] > 12",
    "arp[6:2] = 1",
    "ip[ip[0] & 0xf] = 10",
    "tcp[-1] = 3",
    "ip[16:4] = 0x0a000001",
  ),
  fc.constantFrom(
    "(ip[8] - 1) * 2 + 2 = 128",
    "ip[8] / 2 = 32",
    "ip[9] << 1 > 12",
    "ip[9] ^ 6 = 0",
    "ip[0] | 0xf = 0x4f",
    "udp[8:4] & 0x08000000 != 0",
    "ip[8] / (ip[9] - 6) = 5",
  ),
);

function joined(primitive: fc.Arbitrary<string>): fc.Arbitrary<string> {
  const negated = fc
    .tuple(fc.constantFrom("", "", "not ", "! "), primitive)
    .map(([sign, text]) => (sign === "" ? text : `${sign}(${text})`));
  return fc
    .tuple(
      negated,
      fc.array(fc.tuple(fc.constantFrom(" and ", " or ", " && ", " || "), negated, fc.boolean()), { maxLength: 3 }),
    )
    .map(([first, rest]) =>
      rest.reduce((sum, [word, text, wrap]) => (wrap ? `(${sum})${word}(${text})` : `${sum}${word}${text}`), first),
    );
}

/** Expressions without tags and tunnels. */
export const anyExpression: fc.Arbitrary<string> = joined(anyPrimitive);

/** The same behind one or two VLAN tags. */
export const anyVlanExpression: fc.Arbitrary<string> = fc
  .tuple(fc.constantFrom("vlan", "vlan 5", "vlan 7", "vlan and vlan", "vlan 5 and vlan 7"), anyExpression)
  .map(([tags, inner]) => `${tags} and (${inner})`);

/** Behind a tunnel, whose word is put in for `TUNNEL`. */
export const anyTunnelExpression: fc.Arbitrary<string> = fc
  .tuple(
    fc.constantFrom("", "udp and ", "vlan and "),
    fc.constantFrom("TUNNEL", "TUNNEL 42", "TUNNEL 4097"),
    fc.constantFrom("", "vlan and ", "vlan 5 and "),
    anyExpression,
  )
  .map(([before, tunnel, tag, inner]) => `${before}${tunnel} and ${tag}(${inner})`);
