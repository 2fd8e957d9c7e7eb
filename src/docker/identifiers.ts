/** Identifiers of an engine's own objects: containers, local networks, endpoints, sandboxes (moby pkg/stringid, libnetwork's). */
import type { Random } from "../sim/random.ts";

const SHORT_LENGTH = 12;

/** 64 hexadecimal digits. One whose first twelve look like a decimal number is drawn again, as moby does: it would not do as a host name. */
export function drawIdentifier(random: Random): string {
  for (;;) {
    let identifier = "";
    while (identifier.length < 64) identifier += random.u32().toString(16).padStart(8, "0");
    if (!/^\d+$/.test(identifier.slice(0, SHORT_LENGTH))) return identifier;
  }
}

/** What people see: the first twelve characters. */
export function shortIdentifier(identifier: string): string {
  return identifier.slice(0, SHORT_LENGTH);
}
