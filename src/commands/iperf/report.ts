/** The lines that `iperf` (2.1.8) prints: amounts in four places, intervals, what a server counted of datagrams. */

import type { TcpSocket } from "../../linux/tcp/tcp-socket.ts";
import type { UdpSocket } from "../../linux/udp-socket.ts";
import { type Nanoseconds, SECOND } from "../../sim/time.ts";
import { formatIpv4 } from "../../wire/address.ts";
import type { Unit } from "./options.ts";

export const RULE = "-".repeat(60);
export const HEADING = "[ ID] Interval       Transfer     Bandwidth\n";
export const UDP_HEADING = "[ ID] Interval       Transfer     Bandwidth        Jitter   Lost/Total Datagrams\n";

const BYTE_NAMES = ["Byte", "KByte", "MByte", "GByte"] as const;
const BIT_NAMES = ["bit", "Kbit", "Mbit", "Gbit"] as const;
const POWERS: ReadonlyMap<Unit, number> = new Map([
  ["k", 1],
  ["K", 1],
  ["m", 2],
  ["M", 2],
  ["g", 3],
  ["G", 3],
]);

/** `1.15 GByte`: always bytes, 1024 each. */
export function sizeText(bytes: number, unit: Unit = "a"): string {
  return scaled(bytes, 1_024, BYTE_NAMES, unit);
}

/** `4.90 Gbit`, or bytes for an upper-case unit. */
function rateText(bytesPerSecond: number, unit: Unit): string {
  if (unit === "K" || unit === "M" || unit === "G") return scaled(bytesPerSecond, 1_024, BYTE_NAMES, unit);
  return scaled(bytesPerSecond * 8, 1_000, BIT_NAMES, unit);
}

/** byte_snprintf() */
function scaled(amount: number, base: number, names: readonly string[], unit: Unit): string {
  let power = POWERS.get(unit) ?? 0;
  let value = amount / base ** power;
  while (unit === "a" && value >= base && power < 3) {
    value /= base;
    power++;
  }
  const decimals = value < 0.9995 && value > 0 ? 3 : value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
  return `${value.toFixed(decimals).padStart(4)} ${names[power]}`;
}

/** `[  1] 0.0000-1.0000 sec   633 MBytes  5.31 Gbits/sec` */
export function intervalText(id: string, fromNs: Nanoseconds, toNs: Nanoseconds, bytes: number, unit: Unit): string {
  const bytesPerSecond = toNs > fromNs ? (bytes * SECOND) / (toNs - fromNs) : 0;
  return `[${id}] ${secondsText(fromNs)}-${secondsText(toNs)} sec  ${sizeText(bytes, unit)}s  ${rateText(bytesPerSecond, unit)}s/sec`;
}

/** `   0.001 ms 77/1787 (4.3%)` */
export function lossText(jitterNs: Nanoseconds, lost: number, total: number): string {
  const percent = total === 0 ? 0 : (100 * lost) / total;
  const milliseconds = (jitterNs / 1_000_000).toFixed(3).padStart(6);
  return `  ${milliseconds} ms ${lost}/${total} (${Number(percent.toPrecision(2))}%)`;
}

/** `  1`: as wide as iperf prints the number of a stream. */
export function idText(id: number): string {
  return String(id).padStart(3);
}

export function connectedText(id: number, socket: TcpSocket | UdpSocket, details = ""): string {
  return (
    `[${idText(id)}] local ${formatIpv4(socket.localAddress)} port ${socket.localPort} ` +
    `connected with ${formatIpv4(socket.remoteAddress)} port ${socket.remotePort}${details}\n`
  );
}

/** `(icwnd/mss/irtt=14/1448/30)` */
export function tcpDetails(socket: TcpSocket): string {
  const information = socket.information();
  if (information === undefined) return "";
  const { cwnd, mss, rttUs } = information;
  return ` (icwnd/mss/irtt=${Math.floor((cwnd * mss) / 1_024)}/${mss}/${Math.round(rttUs)})`;
}

function secondsText(timeNs: Nanoseconds): string {
  const tenThousandths = Math.round(timeNs / 100_000);
  return `${Math.floor(tenThousandths / 10_000)}.${String(tenThousandths % 10_000).padStart(4, "0")}`;
}
