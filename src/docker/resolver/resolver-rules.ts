/**
 * How a container's queries to 127.0.0.11 port 53 reach the embedded resolver's sockets on random ports: two chains of the container's nat table
 * (libnetwork's resolver_unix.go). The POSTROUTING jump asks for the destination, so that the second chain is never met by an answer: connection tracking
 * turns the port back.
 */

import type { NetworkNamespace } from "../../linux/namespace.ts";
import { netfilterOf } from "../../linux/netfilter/attach.ts";
import { restore } from "../../linux/netfilter/iptables-restore.ts";
import { assert } from "../../sim/assert.ts";

export function redirectQueries(namespace: NetworkNamespace, udpPort: number, tcpPort: number): void {
  const { status, stderr } = restore(
    netfilterOf(namespace),
    `*nat
:DOCKER_OUTPUT - [0:0]
:DOCKER_POSTROUTING - [0:0]
-A OUTPUT -d 127.0.0.11/32 -j DOCKER_OUTPUT
-A POSTROUTING -d 127.0.0.11/32 -j DOCKER_POSTROUTING
-A DOCKER_OUTPUT -d 127.0.0.11/32 -p tcp -m tcp --dport 53 -j DNAT --to-destination 127.0.0.11:${tcpPort}
-A DOCKER_OUTPUT -d 127.0.0.11/32 -p udp -m udp --dport 53 -j DNAT --to-destination 127.0.0.11:${udpPort}
-A DOCKER_POSTROUTING -s 127.0.0.11/32 -p tcp -m tcp --sport ${tcpPort} -j SNAT --to-source :53
-A DOCKER_POSTROUTING -s 127.0.0.11/32 -p udp -m udp --sport ${udpPort} -j SNAT --to-source :53
COMMIT
`,
    { noFlush: true, counters: false, test: false },
  );
  assert(status === 0, `rules of the embedded resolver refused: ${stderr}`);
}
