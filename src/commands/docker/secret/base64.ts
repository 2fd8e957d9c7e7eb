/** Base 64 (RFC 4648 §4), as Go's JSON writes bytes. */
const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

export function base64(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += 3) {
    const left = bytes.length - at;
    const bits = (bytes[at]! << 16) | ((bytes[at + 1] ?? 0) << 8) | (bytes[at + 2] ?? 0);
    const group = [18, 12, 6, 0].map((shift) => LETTERS[(bits >>> shift) & 0x3f]!).join("");
    text += left >= 3 ? group : group.slice(0, left + 1).padEnd(4, "=");
  }
  return text;
}
