/** Two hosts, a server on the second and a channel on the first, and what their link carried. */
import { MemorySink } from "../../../src/capture/byte-sink.ts";
import { PcapngWriter } from "../../../src/capture/pcapng-writer.ts";
import { type LinkSettings, PERFECT_LINK } from "../../../src/linux/link-settings.ts";
import { Random } from "../../../src/sim/random.ts";
import { SECOND } from "../../../src/sim/time.ts";
import { type ChannelSettings, GrpcChannel } from "../../../src/swarm/grpc/channel.ts";
import type { Security } from "../../../src/swarm/grpc/security.ts";
import { GrpcServer } from "../../../src/swarm/grpc/server.ts";
import { formatStatus, type Status } from "../../../src/swarm/grpc/status.ts";
import { ip, type Seen, twoHosts, watch } from "../../linux/two-hosts.ts";

export const PORT = 2377;
export const ECHO = "/docker.swarmkit.v1.Raft/Echo";

export interface LabOptions {
  readonly seed?: string | number;
  readonly link?: Partial<LinkSettings>;
  readonly channel?: Partial<ChannelSettings>;
  readonly clientSecurity?: Security;
  readonly serverSecurity?: Security;
}

export class Lab {
  readonly hosts: ReturnType<typeof twoHosts>;
  readonly server: GrpcServer;
  readonly channel: GrpcChannel;
  readonly seen: Seen[];

  constructor(options: LabOptions = {}) {
    this.hosts = twoHosts(options.seed ?? 1);
    const { c1, c2, world, eth1 } = this.hosts;
    this.seen = watch(world, eth1);
    this.setLink(options.link ?? {});
    const server = { namespace: c2, address: ip("0.0.0.0"), port: PORT };
    this.server = new GrpcServer(
      options.serverSecurity === undefined ? server : { ...server, security: options.serverSecurity },
    );
    this.channel = new GrpcChannel({
      namespace: c1,
      address: ip("10.0.0.3"),
      port: PORT,
      random: new Random("channel"),
      ...(options.clientSecurity === undefined ? {} : { security: options.clientSecurity }),
      ...options.channel,
    });
    this.server.unary(ECHO, (request, _call, answer) => answer({ response: request }));
  }

  get nowNs(): number {
    return this.hosts.world.simulation.nowNs;
  }

  setLink(settings: Partial<LinkSettings>): void {
    this.hosts.link.aToB.settings = { ...PERFECT_LINK, delayNs: 100_000, ...settings };
    this.hosts.link.bToA.settings = { ...PERFECT_LINK, delayNs: 100_000, ...settings };
  }

  run(seconds: number): void {
    this.hosts.world.simulation.run(this.nowNs + Math.round(seconds * SECOND));
  }

  /** Calls, and lets time pass until the answer is there: its bytes, or the error in Go's words. */
  call(method: string, request: Uint8Array, timeoutNs?: number, forSeconds = 60): Uint8Array | string {
    const results: (Uint8Array | string)[] = [];
    this.channel.unary(method, request, timeoutNs, (result) => {
      results.push("response" in result ? result.response : formatStatus(result.status));
    });
    this.hosts.world.simulation.run(this.nowNs + forSeconds * SECOND, () => results.length > 0);
    return results[0] ?? "no answer";
  }

  /** A stream whose events are kept. */
  open(method: string, timeoutNs?: number) {
    const messages: string[] = [];
    const statuses: Status[] = [];
    const stream = this.channel.stream(
      method,
      {
        message: (bytes) => messages.push(text(bytes)),
        ended: (how) => statuses.push(how),
      },
      timeoutNs,
    );
    return { stream, messages, statuses };
  }

  /** TCP payloads of the link in their order: sender and size. */
  payloads(): string[] {
    return this.seen.flatMap(({ bytes, direction }) => {
      const size = payloadOf(bytes).length;
      return size > 0 ? [`${direction === "out" ? ">" : "<"} ${size}`] : [];
    });
  }

  capture(): Uint8Array {
    const sink = new MemorySink();
    const writer = new PcapngWriter(sink);
    writer.addInterface("c1/eth0");
    for (const { timeNs, direction, bytes } of this.seen)
      writer.frame(0, timeNs, bytes, 0, bytes.length, direction === "in" ? 1 : 2, 0);
    writer.close();
    return sink.toBytes();
  }
}

/** Of an Ethernet frame with IPv4 and TCP; empty for any other. */
function payloadOf(frame: Uint8Array): Uint8Array {
  if (frame[12] !== 8 || frame[13] !== 0 || frame[23] !== 6) return frame.subarray(frame.length);
  const totalBytes = frame[16]! * 256 + frame[17]!;
  const tcp = 14 + (frame[14]! & 0x0f) * 4;
  return frame.subarray(tcp + (frame[tcp + 12]! >> 4) * 4, 14 + totalBytes);
}

export function bytes(content: string): Uint8Array {
  return new TextEncoder().encode(content);
}

export function text(content: Uint8Array): string {
  return new TextDecoder().decode(content);
}

/** `count` bytes that tell where they belong. */
export function pattern(count: number): Uint8Array {
  return Uint8Array.from({ length: count }, (_, index) => (index * 31 + (index >> 8)) & 0xff);
}
