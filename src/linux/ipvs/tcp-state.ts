/** How the load balancer sees a TCP connection (net/netfilter/ipvs/ip_vs_proto_tcp.c): coarser than conntrack, for timers and for what counts as active. */
import * as tcp from "../../wire/tcp.ts";

export const TCP_STATE_NAMES = [
  "NONE",
  "ESTABLISHED",
  "SYN_SENT",
  "SYN_RECV",
  "FIN_WAIT",
  "TIME_WAIT",
  "CLOSE",
  "CLOSE_WAIT",
  "LAST_ACK",
  "LISTEN",
  "SYNACK",
] as const;
export const NONE = 0;
export const ESTABLISHED = 1;
const SYN_SENT = 2;
const SYN_RECV = 3;
export const FIN_WAIT = 4;
export const TIME_WAIT = 5;
export const CLOSE = 6;
const SYNACK = 10;

/** Seconds without a packet, by state. */
export const TCP_TIMEOUTS: readonly number[] = [2, 900, 120, 60, 120, 120, 10, 60, 30, 120, 120];

/** Packets from the client, from the server, or from a client whose server answers past us. */
export type Direction = "input" | "output" | "input-only";

/** A letter for each state, in their order. */
const LETTERS = "nesrftcwlia";

/** By direction, then SYN, FIN, ACK, RST: the next state's letter, by the old state. */
const MOVES: Record<Direction, readonly (readonly number[])[]> = {
  //            nesrftcwlia    nesrftcwlia    nesrftcwlia    nesrftcwlia
  input: rows("reerrrrrrrr", "cwstttcwlit", "eeseftcwcie", "cccrcccclir"),
  output: rows("sesrsssssir", "tfstftctlit", "eeseftcwlee", "ccscctccccc"),
  "input-only": rows("reerrrrrrrr", "cfstftcwlit", "eeseftcwcie", "cccrcccclic"),
};

function rows(...texts: readonly string[]): number[][] {
  return texts.map((text) => [...text].map((letter) => LETTERS.indexOf(letter)));
}

/** The state after a segment with these flags. One with none of the four closes. */
export function nextTcpState(state: number, direction: Direction, flags: number): number {
  const kind =
    (flags & tcp.RST) !== 0
      ? 3
      : (flags & tcp.SYN) !== 0
        ? 0
        : (flags & tcp.FIN) !== 0
          ? 1
          : (flags & tcp.ACK) !== 0
            ? 2
            : -1;
  return kind < 0 ? CLOSE : MOVES[direction][kind]![state]!;
}

/** Does a connection in this state count as active? */
export function isActive(state: number): boolean {
  return state === ESTABLISHED || state === SYN_SENT || state === SYN_RECV || state === SYNACK;
}
