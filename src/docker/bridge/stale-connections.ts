/**
 * The host's connection tracking remembers where flows were led. When an address goes to somebody else, or a port begins to lead somewhere, flows of
 * before must not go on as they did (libnetwork drivers/bridge clearConntrackEntries, iptables/conntrack.go).
 */
import type { NetworkNamespace } from "../../linux/namespace.ts";
import { findNetfilter } from "../../linux/netfilter/attach.ts";
import type { ConnectionTable } from "../../linux/netfilter/conntrack/connection-table.ts";
import type { Ipv4Address } from "../../wire/address.ts";
import { PROTOCOL_UDP } from "../../wire/ipv4.ts";

/** Forgets flows that were translated so that `address` answers, or is answered. */
export function forgetTranslatedTo(host: NetworkNamespace, address: Ipv4Address): void {
  forget(host, (table, row) => {
    const answering = table.source(row * 2 + 1);
    const answered = table.destination(row * 2 + 1);
    return (
      (answering === address && answering !== table.destination(row * 2)) ||
      (answered === address && answered !== table.source(row * 2))
    );
  });
}

/** Forgets UDP flows to a port of the host: they would go on past a rule that is new. */
export function forgetDatagramsTo(host: NetworkNamespace, port: number): void {
  forget(host, (table, row) => table.protocol(row) === PROTOCOL_UDP && (table.ports(row * 2) & 0xffff) === port);
}

function forget(host: NetworkNamespace, which: (table: ConnectionTable, row: number) => boolean): void {
  const table = findNetfilter(host)?.connections;
  if (table === undefined) return;
  const { nowNs } = host.clock;
  for (const row of table.rows(nowNs)) if (which(table, row)) table.delete(row, nowNs);
}
