/** Arguments of netop.py's verbs: endpoints, payloads. */
import type { Process } from "../../linux/process.ts";
import { type Ipv4Address, parseIpv4 } from "../../wire/address.ts";
import { fromHex } from "../../wire/bytes.ts";

/** `@N`: N bytes 00 01 02 … ff 00 …; else hexadecimal. */
export function body(text: string): Uint8Array | undefined {
  if (!text.startsWith("@")) return fromHex(text);
  return counting(Number(text.slice(1)));
}

export function counting(lengthBytes: number): Uint8Array {
  return Uint8Array.from({ length: lengthBytes }, (_, index) => index & 0xff);
}

export function endpoint(text: string | undefined): { address: Ipv4Address; port: number } | undefined {
  const colon = text?.lastIndexOf(":") ?? -1;
  if (text === undefined || colon < 0) return undefined;
  const address = parseIpv4(text.slice(0, colon));
  return address === undefined ? undefined : { address, port: Number(text.slice(colon + 1)) };
}

export function usage(process: Process, verb: string): number {
  process.stderr.write(`netop.py: bad arguments of ${verb}\n`);
  return 2;
}
