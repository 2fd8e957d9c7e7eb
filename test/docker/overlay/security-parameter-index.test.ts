import { describe, expect, it } from "vitest";
import { encryptionKeys } from "../../../src/docker/overlay/network-key.ts";
import { securityParameterIndex } from "../../../src/docker/overlay/security-parameter-index.ts";
import { ip } from "./overlay-lab.ts";

describe("The SPI between two VTEPs", () => {
  it.each([
    ["192.168.1.11", "192.168.1.12", 0x1234, 0xc841_d1fa],
    // As recorded from Docker 20.10.
    ["192.168.50.11", "192.168.50.12", 0xcccc, 0x53a7_cc90],
    ["192.168.50.12", "192.168.50.11", 0xcccc, 0x768c_f848],
  ])("from %s to %s with tag %i is %i", (source, destination, tag, spi) => {
    expect(securityParameterIndex(ip(source), ip(destination), tag)).toBe(spi);
  });
});

describe("The keys of IPsec", () => {
  it("are those for it, the second eldest in front, and are named by the low 32 bits of their times", () => {
    const key = (lamportTime: number, subsystem: "gossip" | "ipsec" = "ipsec") => ({
      subsystem,
      key: new Uint8Array(16).fill(lamportTime),
      lamportTime,
    });
    expect(encryptionKeys([key(7), key(5), key(4, "gossip"), key(6)]).map(({ tag }) => tag)).toEqual([6, 5, 7]);
    expect(encryptionKeys([key(2 ** 33 + 9)]).map(({ tag }) => tag)).toEqual([9]);
    expect(encryptionKeys([])).toEqual([]);
  });
});
