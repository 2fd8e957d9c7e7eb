/** Beginning a connection: RFC 9293 §3.10.1 (active OPEN) and what a listener makes of a completed handshake. */
import type { Nanoseconds } from "../../sim/time.ts";
import type { Ipv4Address } from "../../wire/address.ts";
import { HEADER_BYTES as IPV4_HEADER_BYTES } from "../../wire/ipv4.ts";
import { SYN, HEADER_BYTES as TCP_HEADER_BYTES } from "../../wire/tcp.ts";
import type { CongestionControl } from "./congestion/congestion-control.ts";
import { Cubic } from "./congestion/cubic.ts";
import { NewReno } from "./congestion/new-reno.ts";
import { Connection, type TcpHost } from "./connection-state.ts";
import { timerFired } from "./expire.ts";
import { transmitChunk } from "./output.ts";
import { rearm } from "./retransmit-timer.ts";
import { add } from "./sequence.ts";
import type { CongestionControlName, TcpSettings } from "./settings.ts";
import { selectInitialWindow } from "./window.ts";

export interface Addresses {
  readonly localAddress: Ipv4Address;
  readonly localPort: number;
  readonly remoteAddress: Ipv4Address;
  readonly remotePort: number;
}

/** A connection that has not begun: its options may still be set. */
export function makeConnection(host: TcpHost, addresses: Addresses): Connection {
  return new Connection(host, addresses, timerFired);
}

export function makeCongestionControl(
  name: CongestionControlName,
  settings: TcpSettings,
  sndNxt: number,
  nowNs: Nanoseconds,
): CongestionControl {
  return name === "reno" ? new NewReno() : new Cubic(settings.hybridSlowStart, sndNxt, nowNs);
}

/** The MSS that a path of `mtu` bytes takes. */
export function mssOf(mtu: number): number {
  return Math.max(mtu - IPV4_HEADER_BYTES - TCP_HEADER_BYTES, 88);
}

/** Sends the SYN. The initial sequence number and the timestamp offset are random (RFC 6528, RFC 7323 §5.4). */
export function openActively(c: Connection): void {
  const host = c.host;
  begin(c, host.random.u32() | 0, host.random.u32() | 0);
  c.pathMtu = host.pathMtu(c);
  c.advertisedMss = mssOf(c.pathMtu);
  c.mss = c.peerMss;
  selectInitialWindow(c, c.advertisedMss);
  c.state = "syn-sent";
  c.synTimestamp = c.timestampNow;
  const chunk = c.send.chunks.append(c.iss, add(c.iss, 1), SYN);
  c.send.chunks.unsent = undefined;
  c.sndNxt = chunk.end;
  c.writeSequence = chunk.end;
  c.packetsOut = 1;
  transmitChunk(c, chunk);
  c.pendingTimer = "retransmit";
  rearm(c);
}

/** Sequence numbers and congestion control of a connection whose SYN carries `iss`. */
export function begin(c: Connection, iss: number, timestampOffset: number): void {
  c.iss = iss;
  c.timestampOffset = timestampOffset;
  c.sndUna = iss;
  c.sndNxt = iss;
  c.writeSequence = iss;
  c.recoveryPoint = iss;
  c.highestSack = iss;
  c.send.begin(add(iss, 1));
  c.congestion = makeCongestionControl(c.congestionName, c.settings, add(iss, 1), c.host.clock.nowNs);
}
