/** CRC-32 of IEEE 802.3 (reflected polynomial 0xedb88320), as Go's hash/crc32 `ChecksumIEEE`: memberlist's optional checksum. */
const TABLE = new Uint32Array(256);
for (let index = 0; index < 256; index++) {
  let value = index;
  for (let bit = 0; bit < 8; bit++) value = (value & 1) === 1 ? (value >>> 1) ^ 0xedb8_8320 : value >>> 1;
  TABLE[index] = value;
}

/** 0 to 2^32 - 1. */
export function crc32(bytes: Uint8Array, at = 0, end = bytes.length): number {
  let sum = 0xffff_ffff;
  for (let index = at; index < end; index++) sum = (sum >>> 8) ^ TABLE[(sum ^ bytes[index]!) & 255]!;
  return ~sum >>> 0;
}
