import { describe, expect, it } from "vitest";
import { sharedSecret } from "../../../src/swarm/tls/client-handshake.ts";
import { expandLabel, finishedData, KeySchedule, nextTrafficSecret } from "../../../src/swarm/tls/key-schedule.ts";
import { RecordCipher } from "../../../src/swarm/tls/record-cipher.ts";
import { toHex } from "../../../src/wire/bytes.ts";
import * as record from "../../../src/wire/tls-record.ts";
import { hex } from "../../wire/codec-laws.ts";

/** RFC 8448 §3, "Simple 1-RTT Handshake". */
const CLIENT_PRIVATE = "49af42ba7f7994852d713ef2784bcbcaa7911de26adc5642cb634540e7ea5005";
const SERVER_PUBLIC = "c9828876112095fe66762bdbf7c672e156d6cc253b833df1dd69b1b04e751f0f";
const SHARED = "8bd4054fb55b9d63fdfbacf9f04b9f0d35e6d63f537563efd46272900f89492d";
const HELLO_HASH = "860c06edc07858ee8e78f0e7428c58edd6b43f2ca3e6e95f02ed063cf0e1cad8";
const FINISHED_HASH = "9608102a0f1ccc6db6250b7b7e417b1a000eaada3daae4777a7686c9ff83df13";
const CLIENT_HANDSHAKE = "b3eddb126e067f35a780b3abf45e2d8f3b1a950738f52e9600746a0e27a55a21";
const SERVER_HANDSHAKE = "b67b7d690cc16c4e75e54213cb2d37b4e9c912bcded9105d42befd59d391ad38";
const CLIENT_APPLICATION = "9e40646ce79a7f9dc05af8889bce6552875afa0b06df0087f792ebb7c17504a5";
const SERVER_APPLICATION = "a11af9f05531f856ad47116b45a950328204b4f44bfb6b3a4b4f1f3fcb631643";

const NOTHING = new Uint8Array(0);
const keyOf = (secret: string) => toHex(expandLabel(hex(secret), "key", NOTHING, 16));
const ivOf = (secret: string) => toHex(expandLabel(hex(secret), "iv", NOTHING, 12));

describe("The keys of TLS 1.3", () => {
  it("are those of RFC 8448 §3", () => {
    expect(toHex(sharedSecret(hex(CLIENT_PRIVATE), hex(SERVER_PUBLIC))!)).toBe(SHARED);
    const schedule = new KeySchedule(hex(SHARED));
    const handshake = schedule.handshakeTraffic(hex(HELLO_HASH));
    expect(toHex(handshake.client)).toBe(CLIENT_HANDSHAKE);
    expect(toHex(handshake.server)).toBe(SERVER_HANDSHAKE);
    const application = schedule.applicationTraffic(hex(FINISHED_HASH));
    expect(toHex(application.client)).toBe(CLIENT_APPLICATION);
    expect(toHex(application.server)).toBe(SERVER_APPLICATION);
    expect([keyOf(SERVER_HANDSHAKE), ivOf(SERVER_HANDSHAKE)]).toEqual([
      "3fce516009c21727d0f2e4e86ee403bc",
      "5d313eb2671276ee13000b30",
    ]);
    expect([keyOf(SERVER_APPLICATION), ivOf(SERVER_APPLICATION)]).toEqual([
      "9f02283b6c9c07efc26bb9f2ac92e356",
      "cf782b88dd83549aadf1e984",
    ]);
  });

  it("change with every update, and so does what Finished says with every word before it", () => {
    expect(nextTrafficSecret(hex(CLIENT_APPLICATION))).toHaveLength(32);
    const one = finishedData(hex(CLIENT_HANDSHAKE), hex(HELLO_HASH));
    expect(toHex(finishedData(hex(CLIENT_HANDSHAKE), hex(FINISHED_HASH)))).not.toBe(toHex(one));
  });

  it("do not come from a point of small order", () => {
    expect(sharedSecret(hex(CLIENT_PRIVATE), new Uint8Array(32))).toBeUndefined();
    expect(sharedSecret(hex(CLIENT_PRIVATE), new Uint8Array(31))).toBeUndefined();
  });
});

describe("Protected records", () => {
  const secret = hex(CLIENT_APPLICATION);

  it("open in their order, and in no other", () => {
    const writer = new RecordCipher(secret);
    const sealed = ["first", "second"].map((text) => writer.seal(23, new TextEncoder().encode(text)));
    const contents = sealed.map((one) => record.parse(one, 0, one.length) as record.TlsRecord);
    const reader = new RecordCipher(secret);
    expect(new TextDecoder().decode(reader.open(contents[0]!.content)?.content)).toBe("first");
    expect(new TextDecoder().decode(reader.open(contents[1]!.content)?.content)).toBe("second");
    expect(new RecordCipher(secret).open(contents[1]!.content)).toBeUndefined();
  });

  it("are the client's first of RFC 8448 §3: 50 octets", () => {
    const payload = Uint8Array.from({ length: 50 }, (_, index) => index);
    expect(toHex(new RecordCipher(secret).seal(23, payload))).toBe(
      "1703030043a23f7054b62c94d0affafe8228ba55cbefacea42f914aa66bcab3f2b9819a8a5b46b395bd54a9a20441e2b62974e1f5a6292a2977014bd1e3deae63aeebb21694915e4",
    );
  });

  it("do not open when a bit is turned or the end is missing", () => {
    const sealed = new RecordCipher(secret).seal(22, Uint8Array.of(1, 2, 3)).subarray(record.HEADER_BYTES);
    for (let at = 0; at < sealed.length; at++) {
      const damaged = sealed.slice();
      damaged[at]! ^= 1;
      expect(new RecordCipher(secret).open(damaged)).toBeUndefined();
      expect(new RecordCipher(secret).open(sealed.subarray(0, at))).toBeUndefined();
    }
  });
});
