/** PEM, RFC 7468: bytes as lines of base 64 between two lines that say what they are. */

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const LINE = 64;

/** `label`: `CERTIFICATE`, `EC PRIVATE KEY`. */
export function emitPem(label: string, bytes: Uint8Array): string {
  const encoded = toBase64(bytes);
  const lines: string[] = [];
  for (let at = 0; at < encoded.length; at += LINE) lines.push(encoded.slice(at, at + LINE));
  return `-----BEGIN ${label}-----\n${lines.map((line) => `${line}\n`).join("")}-----END ${label}-----\n`;
}

/** All blocks of that label, in their order; what is no such block is passed over. */
export function parsePem(label: string, content: string): Uint8Array[] {
  const pattern = new RegExp(`-----BEGIN ${label}-----([A-Za-z0-9+/=\\s]*)-----END ${label}-----`, "g");
  return [...content.matchAll(pattern)].flatMap((match) => fromBase64(match[1]!.replace(/\s/g, "")) ?? []);
}

function toBase64(bytes: Uint8Array): string {
  let encoded = "";
  for (let at = 0; at < bytes.length; at += 3) {
    const word = (bytes[at]! << 16) | ((bytes[at + 1] ?? 0) << 8) | (bytes[at + 2] ?? 0);
    const left = bytes.length - at;
    encoded += ALPHABET[word >> 18]! + ALPHABET[(word >> 12) & 63]!;
    encoded += left > 1 ? ALPHABET[(word >> 6) & 63]! : "=";
    encoded += left > 2 ? ALPHABET[word & 63]! : "=";
  }
  return encoded;
}

function fromBase64(encoded: string): Uint8Array | undefined {
  const plain = encoded.replace(/={1,2}$/, "");
  if (encoded.length % 4 !== 0 || plain.includes("=")) return undefined;
  const bytes = new Uint8Array(Math.floor((plain.length * 3) / 4));
  let at = 0;
  let held = 0;
  let bits = 0;
  for (const character of plain) {
    held = ((held << 6) | ALPHABET.indexOf(character)) & 0xffff;
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    bytes[at++] = held >> bits;
  }
  return bytes;
}
