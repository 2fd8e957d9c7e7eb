/**
 * The state of one connection: RFC 9293 §3.3.1's transmission control block, with what Linux's tcp_sock adds for loss recovery (RFC 6582, 6675,
 * 6937, 8985), delayed acknowledgements and window tuning. It is data: the rules stand in the files beside it, functions of a connection
 * and a segment. Sockets, IP and time are behind the interfaces declared here.
 */
import type { Random } from "../../sim/random.ts";
import type { Clock } from "../../sim/simulation.ts";
import type { Nanoseconds } from "../../sim/time.ts";
import type { Ipv4Address } from "../../wire/address.ts";
import type { Errno } from "../errno.ts";
import { type CongestionControl, CongestionWindow } from "./congestion/congestion-control.ts";
import type { Conversation } from "./conversation.ts";
import { ReceiveBuffer } from "./receive-buffer.ts";
import { RttEstimator } from "./rtt.ts";
import { SackBlocks } from "./sack-blocks.ts";
import type { OutgoingSegment } from "./segment.ts";
import { SendBuffer } from "./send-buffer.ts";
import type { CongestionControlName, TcpSettings } from "./settings.ts";
import type { TimerKind, TimerOwner, TimerRow, TimerTable } from "./timers.ts";

/** RFC 9293 §3.3.2; LISTEN is a listener's, SYN-RECEIVED a pending connection's matter until the handshake is complete. */
export type TcpState =
  | "closed"
  | "syn-sent"
  | "syn-received"
  | "established"
  | "fin-wait-1"
  | "fin-wait-2"
  | "close-wait"
  | "closing"
  | "last-ack"
  | "time-wait";

/** Congestion state: all well; duplicates seen; window reduced without loss; retransmitting by SACK; after a timeout. */
export type CongestionState = "open" | "disorder" | "reduced" | "recovery" | "loss";

/** Which of the timers that exclude each other runs (Linux's icsk_pending). */
export type PendingTimer = "none" | "retransmit" | "probe-tail" | "reorder" | "probe-window";

/** What a connection asks of its host. */
export interface TcpHost {
  readonly clock: Clock;
  readonly random: Random;
  readonly settings: TcpSettings;
  readonly timers: TimerTable;
  /** The segment under construction. */
  readonly segment: OutgoingSegment;
  /** Sends `segment` with the addresses of `connection`. It may be lost there as on any link. */
  transmit(connection: Connection): void;
  /** The longest IP packet for the connection's destination now. */
  pathMtu(connection: Connection): number;
  /** One more answer to an unacceptable segment may be sent in this second (RFC 5961 §7). */
  challengeAllowed(): boolean;
  /** The peer answers: no need to probe its link address. */
  confirmNeighbour(connection: Connection): void;
  /** The path gives no answers: ask routing again. */
  doubtPath(connection: Connection): void;
}

/** What a connection tells the one who opened it. */
export interface ConnectionOwner {
  /** Something one may wait for has changed: connected, readable, writable, ended. */
  changed(): void;
  /** The connection is closed and its ports are free. Once. */
  ended(): void;
}

/** Bits of `Connection.ackPending`. */
export const ACK_SCHEDULED = 1;
export const ACK_PUSHED = 2;
export const ACK_PUSHED_TWICE = 4;
export const ACK_NOW = 8;

/** RFC 9293 §3.7.1: when the peer names no MSS. */
export const DEFAULT_MSS = 536;
export const MINIMUM_MSS = 88;
export const MAXIMUM_WINDOW_SCALE = 14;

export class Connection implements TimerOwner {
  readonly host: TcpHost;
  readonly settings: TcpSettings;
  /** Addresses and ports; set before anything is sent. */
  localAddress: Ipv4Address;
  localPort: number;
  remoteAddress: Ipv4Address;
  remotePort: number;

  /** How IP carries it; the host's. */
  conversation: Conversation | undefined = undefined;
  owner: ConnectionOwner | undefined = undefined;
  state: TcpState = "closed";
  /** Why the connection broke; the next call reports it. */
  error: Errno | undefined = undefined;
  /** What an ICMP error said that may pass: reported when a timeout ends the connection (RFC 1122 §4.2.3.9). */
  softError: Errno | undefined = undefined;
  /** The program has closed the socket; the kernel finishes alone. */
  orphaned = false;
  finReceived = false;
  /** shutdown("read"): what comes is thrown away. */
  readShut = false;
  writeShut = false;

  // Send sequence space
  iss = 0;
  sndUna = 0;
  sndNxt = 0;
  /** Behind all that was written, FIN included. */
  writeSequence = 0;
  sndWnd = 0;
  sndWl1 = 0;
  /** The largest window that the peer ever offered. */
  maximumWindow = 0;
  sndScale = 0;
  /** Behind the data that was last marked with PSH. */
  pushedSequence = 0;
  /** End of the last segment shorter than the MSS: Minshall's variant of Nagle's rule. */
  smallEnd = 0;
  readonly send = new SendBuffer();
  /** A writer has found no room and wants to be told. */
  writerWaits = false;

  // Receive sequence space
  irs = 0;
  rcvNxt = 0;
  /** rcvNxt when the window was last advertised. */
  rcvWup = 0;
  rcvWnd = 0;
  rcvScale = 0;
  readonly receive = new ReceiveBuffer();
  readonly sackBlocks = new SackBlocks();
  /** Sequence number of a FIN that lies behind a hole. */
  earlyFin = 0;
  hasEarlyFin = false;

  // Options agreed
  sackEnabled: boolean;
  timestamps: boolean;
  windowScaling: boolean;
  /** Added to the host's milliseconds, so that nobody learns its uptime. */
  timestampOffset = 0;
  recentTimestamp = 0;
  recentTimestampNs: Nanoseconds = 0;
  /** TSval of our first SYN. */
  synTimestamp = 0;
  /** TSecr of the segment in hand. */
  echoed = 0;

  // Segment size
  /** What the peer offered. */
  peerMss = DEFAULT_MSS;
  /** What we offer. */
  advertisedMss = DEFAULT_MSS;
  /** Data bytes of a full segment with the usual options. */
  mss = DEFAULT_MSS;
  pathMtu = 0;

  // Counts of segments sent (RFC 6675): out, selectively acknowledged, lost, retransmitted
  packetsOut = 0;
  sackedOut = 0;
  lostOut = 0;
  retransmittedOut = 0;

  // Congestion and loss
  readonly cwnd = new CongestionWindow();
  congestion!: CongestionControl;
  congestionName: CongestionControlName;
  congestionState: CongestionState = "open";
  /** sndNxt when the current congestion state began. */
  recoveryPoint = 0;
  /** sndUna when the window was reduced, for undoing it. */
  undoMarker = 0;
  mayUndo = false;
  /** Retransmissions that no DSACK has accounted for; -1: unknown. */
  undoRetransmissions = 0;
  priorThreshold = 0;
  /** When the first retransmission of this episode was sent, as a timestamp value; 0 = none. */
  retransmitStamp = 0;
  prrDelivered = 0;
  prrOut = 0;
  forwardRto = false;
  reordering: number;
  reorderingSeen = 0;
  /** Transmissions so far. */
  sendOrder = 0;
  /** RACK: which transmission was the most recent of those that have arrived, where it ended, and its RTT. */
  rackOrder = 0;
  rackEnd = 0;
  rackRttUs = 0;
  rackAdvanced = false;
  rackWindowSteps = 1;
  rackWindowPersist = 0;
  rackDsackSeen = false;
  rackLastDelivered = 0;
  /** Tail loss probe: sndNxt when it was sent; `tailProbing` says whether one is out. */
  tailProbeEnd = 0;
  tailProbing = false;
  tailProbeRetransmitted = false;
  /** Segments delivered in all. */
  delivered = 0;
  /** End of the highest range that SACK has reported. */
  highestSack = 0;
  // Use of the window (RFC 7661 as Linux has it)
  windowLimited = false;
  maximumOut = 0;
  usageEnd = 0;
  usedSegments = 0;
  lastSentNs: Nanoseconds = 0;
  lastReceivedNs: Nanoseconds = 0;
  /** Bytes in a second that the window would allow: it decides how many segments leave as one burst. */
  pacingRate = 0xffff_ffff;

  // Time
  readonly rtt: RttEstimator;
  readonly timerRow: TimerRow;
  pendingTimer: PendingTimer = "none";
  /** Timeouts in a row, SYN's included. */
  retransmissions = 0;
  /** Of those, the ones of this episode: for linear SYN timeouts. */
  totalTimeouts = 0;
  firstTimeoutNs: Nanoseconds = 0;
  probesOut = 0;
  probeStartNs: Nanoseconds = -1;
  userTimeoutNs: Nanoseconds = 0;

  // Acknowledging
  ackPending = 0;
  /** Acknowledgements that may still go out at once. */
  quickAcks = 0;
  /** The current delay estimate, ticks; 0 before the first data. */
  ackTimeoutJiffies = 0;
  /** Replies that went out soon after a request: acknowledgements wait for the next one (Linux's pingpong). */
  interactive = 0;
  lastDataNs: Nanoseconds = 0;
  lastSmallSegment = 0;
  /** Largest data segment lately received: an estimate of the peer's MSS. */
  rcvMss = DEFAULT_MSS;
  /** TSecr of the last data segment that was measured. */
  lastEchoSeen = 0;
  compressedAcks = 0;
  duplicateAcks = 0;
  compressedAckNext = 0;
  lastChallengeNs: Nanoseconds = -1;

  // The receive window
  /** Kernel memory that may be used (SO_RCVBUF). */
  receiveLimit: number;
  /** Set by SO_RCVBUF: no automatic growth. */
  receiveFixed = false;
  windowClamp = 0;
  /** What the window may grow to while memory is plenty. */
  receiveThreshold = 0;
  /** Data bytes in 256 bytes of kernel memory. */
  scalingRatio = 128;
  receiveRttEighthsUs = 0;
  receiveRttSequence = 0;
  receiveRttStartUs = 0;
  spaceBytes = 0;
  spaceSequence = 0;
  spaceStartUs = 0;

  // Options of the program
  noDelay = false;
  keepalive = false;
  keepaliveIdleNs: Nanoseconds;
  keepaliveIntervalNs: Nanoseconds;
  keepaliveCount: number;

  // Counters for `ss -ti`
  retransmittedSegments = 0;
  segmentsSent = 0;
  segmentsReceived = 0;
  dataSegmentsSent = 0;
  dataSegmentsReceived = 0;
  bytesSent = 0;
  bytesAcknowledged = 0;
  bytesReceived = 0;
  bytesRetransmitted = 0;
  dsackDuplicates = 0;

  readonly #fired: (connection: Connection, kind: TimerKind) => void;

  /** `fired` is what happens when a timer goes off; `congestion` is set by `begin…` in open.ts. */
  constructor(
    host: TcpHost,
    addresses: { localAddress: Ipv4Address; localPort: number; remoteAddress: Ipv4Address; remotePort: number },
    fired: (connection: Connection, kind: TimerKind) => void,
  ) {
    const settings = host.settings;
    this.host = host;
    this.settings = settings;
    this.localAddress = addresses.localAddress;
    this.localPort = addresses.localPort;
    this.remoteAddress = addresses.remoteAddress;
    this.remotePort = addresses.remotePort;
    this.sackEnabled = settings.sack;
    this.timestamps = settings.timestamps;
    this.windowScaling = settings.windowScaling;
    this.congestionName = settings.congestionControl;
    this.reordering = settings.reordering;
    this.rtt = new RttEstimator(settings.minRttWindowNs);
    this.timerRow = host.timers.take(this);
    this.receiveLimit = settings.receiveMemory[1];
    this.send.limitBytes = settings.sendMemory[1];
    this.keepaliveIdleNs = settings.keepaliveTimeNs;
    this.keepaliveIntervalNs = settings.keepaliveIntervalNs;
    this.keepaliveCount = settings.keepaliveProbes;
    this.#fired = fired;
  }

  get nowUs(): number {
    return Math.floor(this.host.clock.nowNs / 1_000);
  }

  /** The timestamp clock: milliseconds, RFC 7323 §5.4. */
  get timestampNow(): number {
    return (Math.floor(this.host.clock.nowNs / 1_000_000) + this.timestampOffset) | 0;
  }

  /** Segments thought to be in the network: RFC 6675's pipe. */
  get inFlight(): number {
    return this.packetsOut - this.sackedOut - this.lostOut + this.retransmittedOut;
  }

  /** Connected and not yet broken or closed on both sides. */
  get synchronized(): boolean {
    return this.state !== "closed" && this.state !== "syn-sent" && this.state !== "syn-received";
  }

  timerFired(kind: TimerKind): void {
    this.#fired(this, kind);
  }
}

/**
 * Without SACK duplicate acknowledgements only stand for segments that have arrived: never for more than are out and not lost, whatever
 * has just been acknowledged, marked or joined (the bound of tcp_limit_reno_sacked).
 */
export function limitDuplicates(c: Connection): void {
  if (!c.sackEnabled) c.sackedOut = Math.min(c.sackedOut, Math.max(0, c.packetsOut - c.lostOut));
}
