/** What `ping` prints (iputils 20221126, ping_common.c and ping.c): times, errors, the statistics at the end. */
import { formatIpv4, type Ipv4Address } from "../../wire/address.ts";

/** `0.084`, `1.23`, `12.3`, `123`: four digits or so. */
export function roundTripText(timeUs: number): string {
  if (timeUs >= 100_000) return String(Math.floor((timeUs + 500) / 1_000));
  if (timeUs >= 10_000) {
    const tenths = Math.floor((timeUs + 50) / 100);
    return `${Math.floor(tenths / 10)}.${tenths % 10}`;
  }
  if (timeUs >= 1_000) {
    const hundredths = Math.floor((timeUs + 5) / 10);
    return `${Math.floor(hundredths / 100)}.${String(hundredths % 100).padStart(2, "0")}`;
  }
  return thousandths(timeUs);
}

function thousandths(timeUs: number): string {
  return `${Math.floor(timeUs / 1_000)}.${String(timeUs % 1_000).padStart(3, "0")}`;
}

const UNREACHABLE: readonly string[] = [
  "Destination Net Unreachable",
  "Destination Host Unreachable",
  "Destination Protocol Unreachable",
  "Destination Port Unreachable",
  "Frag needed and DF set",
  "Source Route Failed",
  "Destination Net Unknown",
  "Destination Host Unknown",
  "Source Host Isolated",
  "Destination Net Prohibited",
  "Destination Host Prohibited",
  "Destination Net Unreachable for Type of Service",
  "Destination Host Unreachable for Type of Service",
  "Packet filtered",
  "Precedence Violation",
  "Precedence Cutoff",
];
const REDIRECTS: readonly string[] = ["Network", "Host", "Type of Service and Network", "Type of Service and Host"];

/** pr_icmph(): an ICMP error in words. */
export function errorWords(type: number, code: number, info: number): string {
  switch (type) {
    case 3:
      if (code === 4) return `Frag needed and DF set (mtu = ${info})`;
      return UNREACHABLE[code] ?? `Dest Unreachable, Bad Code: ${code}`;
    case 4:
      return "Source Quench";
    case 5:
      return `Redirect ${REDIRECTS[code] ?? `, Bad Code: ${code}`}(New nexthop: ${formatIpv4(info as Ipv4Address)})`;
    case 11:
      if (code === 0) return "Time to live exceeded";
      return code === 1 ? "Frag reassembly time exceeded" : `Time exceeded, Bad Code: ${code}`;
    case 12:
      return `Parameter problem: pointer = ${info}`;
    default:
      return `Bad ICMP type: ${type}`;
  }
}

export class PingStatistics {
  transmitted = 0;
  received = 0;
  repeats = 0;
  errors = 0;
  /** The most requests on their way at a time, and one. */
  pipe = 0;
  #acknowledged = 0;
  #minimumUs = Number.MAX_SAFE_INTEGER;
  #maximumUs = 0;
  #sumUs = 0;
  #sumSquares = 0;
  #smoothedUs = 0; // eight times the average that forgets

  /** A request has been answered, by a reply or an error. */
  acknowledge(sequence: number): void {
    const behind = (this.transmitted - sequence) & 0xffff;
    if (behind > 0x7fff) return;
    if (behind + 1 > this.pipe) this.pipe = behind + 1;
    const ahead = (sequence - this.#acknowledged) & 0xffff;
    if ((ahead !== 0 && ahead < 0x8000) || ((this.transmitted - this.#acknowledged) & 0xffff) > 0x7fff)
      this.#acknowledged = sequence;
  }

  /** Requests that nobody has answered since the last answer. */
  get inFlight(): number {
    const behind = (this.transmitted - this.#acknowledged) & 0xffff;
    return behind <= 0x7fff ? behind : this.transmitted - this.received - this.errors;
  }

  roundTrip(timeUs: number): void {
    this.#sumUs += timeUs;
    this.#sumSquares += timeUs * timeUs;
    if (timeUs < this.#minimumUs) this.#minimumUs = timeUs;
    if (timeUs > this.#maximumUs) this.#maximumUs = timeUs;
    this.#smoothedUs =
      this.#smoothedUs === 0 ? timeUs * 8 : this.#smoothedUs + timeUs - Math.floor(this.#smoothedUs / 8);
  }

  get maximumUs(): number {
    return this.#maximumUs;
  }

  get smoothedUs(): number {
    return Math.floor(this.#smoothedUs / 8);
  }

  /** finish(): what stands at the end. `timed`: replies carry the time of sending. */
  text(target: string, elapsedMs: number, timed: boolean, withGap: boolean): string {
    let text = `\n--- ${target} ping statistics ---\n${this.transmitted} packets transmitted, ${this.received} received`;
    if (this.repeats > 0) text += `, +${this.repeats} duplicates`;
    if (this.errors > 0) text += `, +${this.errors} errors`;
    if (this.transmitted > 0) {
      const loss = ((this.transmitted - this.received) * 100) / this.transmitted;
      text += `, ${shortest(loss)}% packet loss, time ${elapsedMs}ms`;
    }
    text += "\n";
    let comma = "";
    if (this.received > 0 && timed) {
      const count = this.received + this.repeats;
      const average = Math.floor(this.#sumUs / count);
      const variance = Math.max(0, this.#sumSquares / count - average * average);
      const deviation = Math.floor(Math.sqrt(variance));
      text +=
        `rtt min/avg/max/mdev = ${thousandths(this.#minimumUs)}/${thousandths(average)}` +
        `/${thousandths(this.#maximumUs)}/${thousandths(deviation)} ms`;
      comma = ", ";
    }
    if (this.pipe > 1) {
      text += `${comma}pipe ${this.pipe}`;
      comma = ", ";
    }
    if (withGap && this.received > 0 && this.transmitted > 1) {
      const gapUs = Math.floor((elapsedMs * 1_000) / (this.transmitted - 1));
      text += `${comma}ipg/ewma ${thousandths(gapUs)}/${thousandths(this.smoothedUs)} ms`;
    }
    return `${text}\n`;
  }
}

/** printf's %g: six digits, no trailing zeros. */
function shortest(value: number): string {
  return String(Number(value.toPrecision(6)));
}
