/** Protection of one direction's records by TLS_AES_128_GCM_SHA256, RFC 8446 §5.2 and §5.3. */
import { createCipheriv, createDecipheriv } from "node:crypto";
import * as record from "../../wire/tls-record.ts";
import { expandLabel } from "./key-schedule.ts";

const ALGORITHM = "aes-128-gcm";
const KEY_BYTES = 16;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
/** What protection adds to a record's content: its type and the tag. */
export const OVERHEAD_BYTES = 1 + TAG_BYTES;
const NOTHING = new Uint8Array(0);

export class RecordCipher {
  readonly #key: Uint8Array;
  readonly #nonceBase: Uint8Array;
  readonly #nonce = new Uint8Array(NONCE_BYTES);
  #sequence = 0;

  constructor(trafficSecret: Uint8Array) {
    this.#key = expandLabel(trafficSecret, "key", NOTHING, KEY_BYTES);
    this.#nonceBase = expandLabel(trafficSecret, "iv", NOTHING, NONCE_BYTES);
  }

  /** The whole record around a content of that type. */
  seal(type: number, content: Uint8Array): Uint8Array {
    const length = content.length + OVERHEAD_BYTES;
    const sealed = new Uint8Array(record.HEADER_BYTES + length);
    record.emitHeader(record.APPLICATION_DATA, record.VERSION, length, sealed, 0);
    const cipher = createCipheriv(ALGORITHM, this.#key, this.#nextNonce());
    cipher.setAAD(sealed.subarray(0, record.HEADER_BYTES));
    sealed.set(cipher.update(content), record.HEADER_BYTES);
    sealed.set(cipher.update(Uint8Array.of(type)), record.HEADER_BYTES + content.length);
    cipher.final();
    sealed.set(cipher.getAuthTag(), sealed.length - TAG_BYTES);
    return sealed;
  }

  /** What the content of an application data record holds; undefined: it is not genuine, or holds nothing at all. */
  open(sealed: Uint8Array): record.TlsRecord | undefined {
    if (sealed.length < OVERHEAD_BYTES) return undefined;
    const header = new Uint8Array(record.HEADER_BYTES);
    record.emitHeader(record.APPLICATION_DATA, record.VERSION, sealed.length, header, 0);
    const tagAt = sealed.length - TAG_BYTES;
    const decipher = createDecipheriv(ALGORITHM, this.#key, this.#nextNonce());
    decipher.setAAD(header);
    decipher.setAuthTag(sealed.subarray(tagAt));
    const clear = Uint8Array.from(decipher.update(sealed.subarray(0, tagAt)));
    try {
      decipher.final(); // throws when the tag does not fit: the library's way to say so
    } catch {
      return undefined;
    }
    let end = clear.length;
    while (end > 0 && clear[end - 1] === 0) end--; // padding (§5.4)
    return end === 0 ? undefined : { type: clear[end - 1]!, content: clear.subarray(0, end - 1) };
  }

  #nextNonce(): Uint8Array {
    let number = this.#sequence++;
    for (let at = NONCE_BYTES - 1; at >= 0; at--) {
      this.#nonce[at] = this.#nonceBase[at]! ^ (number % 0x100);
      number = Math.floor(number / 0x100);
    }
    return this.#nonce;
  }
}
