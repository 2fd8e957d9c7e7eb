/** memberlist's compressed message, util.go: type 9, then a map of the algorithm (0 = LZW) and the compressed message. */
import * as lzw from "./lzw.ts";
import type { Malformed } from "./malformed.ts";
import { COMPRESS, field } from "./messages.ts";
import { MsgpackWriter, parseMap } from "./msgpack.ts";
import { OpenedMessages } from "./opened-messages.ts";

/** Neither a datagram nor a push-pull opens to more: memberlist's own limit of a push-pull state. */
export const MOST_BYTES = 20 * 1024 * 1024;
const LZW = 0;
/** At most: the type, the map's head, two keys, a number, and how long the rest is. */
const HEADER_BYTES = 17;
const OPENED = new OpenedMessages();

/** `message` is not written any more. */
export function compress(message: Uint8Array): Uint8Array {
  const compressed = lzw.compress(message);
  const writer = new MsgpackWriter(COMPRESS, HEADER_BYTES + compressed.length);
  writer.map(2);
  field(writer, "Algo").uint(LZW);
  field(writer, "Buf").raw(compressed);
  const bytes = writer.finish();
  OPENED.add(bytes.subarray(bytes.length - compressed.length), message);
  return bytes;
}

/** The message in a compressed one, whose type byte is at `at`. It may be the very bytes that were compressed: not to be written. */
export function decompress(bytes: Uint8Array, at = 0, end = bytes.length): Uint8Array | Malformed {
  const parsed = parseMap(bytes, at + 1, end);
  if (typeof parsed === "string") return parsed;
  const buffer = parsed.fields.get("Buf");
  if (parsed.fields.get("Algo") !== LZW || !(buffer instanceof Uint8Array)) return "gossip-compression";
  return OPENED.get(buffer) ?? lzw.decompress(buffer, MOST_BYTES) ?? "gossip-compression";
}
