/** The keys of a run as Wireshark wants them: the file `esp_sa` of a profile, one line an association (epan/dissectors/packet-ipsec.c, "uat" format). */
import { formatIpv4 } from "../../wire/address.ts";
import { toHex } from "../../wire/bytes.ts";
import type { XfrmState } from "./state.ts";

/** The associations' lines, in their order; one that both ends know is written once. */
export function wiresharkEspSa(namespaces: Iterable<readonly XfrmState[]>): string {
  const lines = new Set<string>();
  for (const states of namespaces) for (const state of states) lines.add(`${lineOf(state)}\n`);
  return [...lines].join("");
}

function lineOf(state: XfrmState): string {
  const { request } = state;
  const fields = [
    "IPv4",
    formatIpv4(request.source),
    formatIpv4(request.destination),
    `0x${request.spi.toString(16).padStart(8, "0")}`,
    `AES-GCM with ${request.icvBytes} octet ICV [RFC4106]`,
    `0x${toHex(request.keyAndSalt)}`,
    "NULL",
    "", // no key of authentication: the algorithm does both
    "32-bit", // sequence numbers
  ];
  return fields.map((field) => `"${field}"`).join(",");
}
