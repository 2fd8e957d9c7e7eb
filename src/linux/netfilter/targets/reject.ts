/** `-j REJECT`: ends the packet and tells its sender, by an ICMP error or a TCP reset (ipt_REJECT, nf_reject_ipv4). */
import * as icmp from "../../../wire/icmp.ts";
import * as ipv4 from "../../../wire/ipv4.ts";
import * as tcp from "../../../wire/tcp.ts";
import { option, RuleError, type TargetExtension } from "../extension.ts";
import type { Packet } from "../packet.ts";
import type { Target } from "../rule-parts.ts";
import { DROP, type Verdict } from "../verdict.ts";

/** Names, their short forms, and the codes of "unreachable" that they send. */
const ERRORS: readonly (readonly [name: string, alias: string, code: number])[] = [
  ["icmp-net-unreachable", "net-unreach", icmp.CODE_NETWORK_UNREACHABLE],
  ["icmp-host-unreachable", "host-unreach", icmp.CODE_HOST_UNREACHABLE],
  ["icmp-proto-unreachable", "proto-unreach", icmp.CODE_PROTOCOL_UNREACHABLE],
  ["icmp-port-unreachable", "port-unreach", icmp.CODE_PORT_UNREACHABLE],
  ["icmp-net-prohibited", "net-prohib", 9],
  ["icmp-host-prohibited", "host-prohib", 10],
  ["icmp-admin-prohibited", "admin-prohib", icmp.CODE_PROHIBITED],
];
const RESET = "tcp-reset";
/** ip_default_ttl is what the kernel gives a reset. */
const TTL_KEY = "net.ipv4.ip_default_ttl";

class RejectTarget implements Target {
  readonly name = "REJECT";
  readonly points = ["input", "forward", "output"] as const;
  readonly #answer: string;
  readonly #code: number;

  constructor(answer: string, code: number) {
    this.#answer = answer;
    this.#code = code;
  }

  run(packet: Packet): Verdict {
    if (this.#answer === RESET) sendReset(packet);
    else packet.host.sendError(packet.frame, icmp.TYPE_UNREACHABLE, this.#code, packet.ingress ?? packet.egress);
    packet.dropReason = "netfilter-reject";
    return DROP;
  }
  save(): string {
    return `--reject-with ${this.#answer}`;
  }
  list(): string {
    return `reject-with ${this.#answer}`;
  }
}

/** RFC 9293 §3.10.7.1: what a host without that connection would answer. Never to a reset, never to a broadcast. */
function sendReset(packet: Packet): void {
  const { bytes, transportAt, frames, host } = packet;
  if (!packet.hasTransport(tcp.HEADER_BYTES)) return;
  const flags = tcp.flags(bytes, transportAt);
  if ((flags & tcp.RST) !== 0) return;
  const verify = frames.checksumKnown[packet.frame] === 0;
  if (verify && !tcp.checksumOk(frames, transportAt, packet.end, packet.source, packet.destination)) return;
  const type = host.addressType(packet.destination, undefined);
  if (type === "BROADCAST" || type === "MULTICAST") return;

  const sequence = tcp.sequence(bytes, transportAt);
  const hasAck = (flags & tcp.ACK) !== 0;
  const data = packet.end - transportAt - tcp.dataOffsetBytes(bytes, transportAt);
  const length = data + ((flags & tcp.SYN) !== 0 ? 1 : 0) + ((flags & tcp.FIN) !== 0 ? 1 : 0);
  const sourcePort = packet.destinationPort;
  const destinationPort = packet.sourcePort;
  const acknowledgement = tcp.acknowledgement(bytes, transportAt);

  const size = ipv4.HEADER_BYTES + tcp.HEADER_BYTES;
  const answer = frames.make(size);
  frames.causedBy(answer, packet.frame);
  const at = frames.start(answer);
  const ttl = host.sysctl(TTL_KEY);
  ipv4.write(
    frames.bytes,
    at,
    size,
    0,
    ipv4.DONT_FRAGMENT,
    ttl,
    ipv4.PROTOCOL_TCP,
    packet.destination,
    packet.source,
    0,
  );
  tcp.write(
    frames.bytes,
    at + ipv4.HEADER_BYTES,
    sourcePort,
    destinationPort,
    hasAck ? acknowledgement : 0,
    hasAck ? 0 : (sequence + length) >>> 0,
    tcp.HEADER_BYTES,
    hasAck ? tcp.RST : tcp.RST | tcp.ACK,
    0,
  );
  tcp.finishChecksum(frames, at + ipv4.HEADER_BYTES, at + size, packet.destination, packet.source);
  frames.checksumKnown[answer] = 1;
  host.send(answer);
}

export const REJECT_TARGET: TargetExtension = {
  name: "REJECT",
  options: [option("reject-with")],
  build(uses, context) {
    const text = uses.value("reject-with") ?? "icmp-port-unreachable";
    if (text === RESET || text === "tcp-rst") {
      if (context.protocol !== ipv4.PROTOCOL_TCP || context.protocolInverted) return new ResetWithoutTcp();
      return new RejectTarget(RESET, 0);
    }
    const known =
      ERRORS.find(([name, alias]) => name === text || alias === text) ??
      ERRORS.find(([name]) => text !== "" && name.startsWith(text));
    if (known === undefined) throw new RuleError(`unknown reject type "${text}"`);
    return new RejectTarget(known[0], known[2]);
  },
};

/** The kernel refuses a reset where packets need not be TCP: no hook takes this. */
class ResetWithoutTcp implements Target {
  readonly name = "REJECT";
  readonly points = [] as const;
  run(): Verdict {
    return DROP;
  }
  save(): string {
    return `--reject-with ${RESET}`;
  }
  list(): string {
    return `reject-with ${RESET}`;
  }
}
