/** iperf 2's UDP payloads: number and time in front of each datagram (negative: the last), and the server's answer to the last. */
import { type Nanoseconds, SECOND } from "../../sim/time.ts";
import { getU32, putU32 } from "../../wire/bytes.ts";

export const HEADER_BYTES = 12;
const REPORT_AT = 16;
const REPORT_BYTES = 40;
const VERSION_1 = 0x8000_0000;

export interface ServerReport {
  readonly bytes: number;
  readonly durationNs: Nanoseconds;
  readonly lost: number;
  readonly outOfOrder: number;
  readonly total: number;
  readonly jitterNs: Nanoseconds;
}

/** Writes the header of datagram `number` into `payload`; the times are split in seconds and microseconds. */
export function writeHeader(payload: Uint8Array, number: number, nowNs: Nanoseconds): void {
  putU32(payload, 0, number >>> 0);
  putU32(payload, 4, Math.floor(nowNs / SECOND));
  putU32(payload, 8, Math.floor((nowNs % SECOND) / 1_000));
}

/** Number and time of sending; undefined: too short for iperf. */
export function readHeader(payload: Uint8Array): { number: number; sentNs: Nanoseconds } | undefined {
  if (payload.length < HEADER_BYTES) return undefined;
  return { number: getU32(payload, 0) | 0, sentNs: getU32(payload, 4) * SECOND + getU32(payload, 8) * 1_000 };
}

/** The last datagram's header, and behind it what the server counted. */
export function reportPayload(last: Uint8Array, report: ServerReport): Uint8Array {
  const payload = new Uint8Array(REPORT_AT + REPORT_BYTES);
  payload.set(last.subarray(0, Math.min(last.length, REPORT_AT)));
  const fields = [
    VERSION_1,
    Math.floor(report.bytes / 0x1_0000_0000),
    report.bytes % 0x1_0000_0000,
    Math.floor(report.durationNs / SECOND),
    Math.floor((report.durationNs % SECOND) / 1_000),
    report.lost,
    report.outOfOrder,
    report.total,
    Math.floor(report.jitterNs / SECOND),
    Math.floor((report.jitterNs % SECOND) / 1_000),
  ];
  for (const [index, value] of fields.entries()) putU32(payload, REPORT_AT + 4 * index, value >>> 0);
  return payload;
}

export function readReport(payload: Uint8Array): ServerReport | undefined {
  if (payload.length < REPORT_AT + REPORT_BYTES || getU32(payload, REPORT_AT) !== VERSION_1) return undefined;
  const at = (index: number) => getU32(payload, REPORT_AT + 4 * index);
  return {
    bytes: at(1) * 0x1_0000_0000 + at(2),
    durationNs: at(3) * SECOND + at(4) * 1_000,
    lost: at(5),
    outOfOrder: at(6),
    total: at(7),
    jitterNs: at(8) * SECOND + at(9) * 1_000,
  };
}
