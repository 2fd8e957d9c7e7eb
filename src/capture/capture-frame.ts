/** What readers of captures give: frames, and at most one problem. */
import type { Direction } from "./pcapng-writer.ts";

/** Since 1970; two numbers, since nanoseconds of today's wall clock do not fit in one. */
export interface CaptureTime {
  readonly seconds: number;
  /** 0 to 999 999 999; finer resolutions are cut. */
  readonly nanoseconds: number;
}

export interface CapturedFrame {
  /** Number of the interface in its section, from 0; 0 in classic pcap. */
  readonly interfaceId: number;
  /** Empty when the file tells no name. */
  readonly interfaceName: string;
  /** A simple packet block has none: zero. */
  readonly time: CaptureTime;
  /** What was captured: the reader's copy, the caller's to keep. */
  readonly bytes: Uint8Array;
  /** Length on the wire; more than `bytes.length` when the frame was cut. */
  readonly originalLength: number;
  /** 0 when unknown. */
  readonly direction: Direction;
  /** epb_packetid, 0 when there is none; exact below 2^53. */
  readonly packetId: number;
  readonly comment: string | undefined;
  /** LINKTYPE_ of the interface, 1 = Ethernet. */
  readonly linkType: number;
}

/** Why a file cannot be read on. */
export interface CaptureProblem {
  /** Offset in the file of the record, block or field that is wrong. */
  readonly offset: number;
  readonly found: string;
  readonly expected: string;
}

/** Reads a capture as it comes, chunk by chunk, in memory that does not grow with the file. */
export interface FrameReader {
  /** The frames that end in this chunk, in the order of the file. After a problem there are none. The chunk is copied. */
  push(chunk: Uint8Array): CapturedFrame[];
  /** Says that the file has ended: gives the problem, if there is one, such as a record cut in its midst. */
  finish(): CaptureProblem | undefined;
  readonly problem: CaptureProblem | undefined;
}

/** No record or block may be longer: 16 MiB, the limit of most readers. */
export const MAXIMUM_RECORD_BYTES = 16 * 1024 * 1024;
