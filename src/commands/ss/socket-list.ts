/** The sockets of a namespace as `ss` lists them: listeners, then conversations by port. */
import type { NetworkNamespace } from "../../linux/namespace.ts";
import { Connection } from "../../linux/tcp/connection-state.ts";
import { informationOf, type TcpInformation } from "../../linux/tcp/tcp-socket.ts";
import { UdpSocket } from "../../linux/udp-socket.ts";
import { IPV4_ANY, type Ipv4Address } from "../../wire/address.ts";

export interface ListedSocket {
  readonly transport: "tcp" | "udp";
  readonly state: string;
  readonly receiveQueue: number;
  readonly sendQueue: number;
  readonly localAddress: Ipv4Address;
  readonly localPort: number;
  readonly deviceName: string | undefined;
  readonly remoteAddress: Ipv4Address;
  /** 0: none. */
  readonly remotePort: number;
  readonly information: TcpInformation | undefined;
}

/** As ss spells the states of a connection. */
const STATES: ReadonlyMap<string, string> = new Map([
  ["established", "ESTAB"],
  ["syn-received", "SYN-RECV"],
  ["closed", "UNCONN"],
]);

export function udpSockets(namespace: NetworkNamespace): ListedSocket[] {
  const tunnels = namespace.udp.tunnelPorts.map((port) => unconnected(port));
  const sockets = namespace.udp.endpoints().map((endpoint): ListedSocket => {
    const { localAddress, localPort, remoteAddress, remotePort, device } = endpoint;
    return {
      ...unconnected(localPort),
      state: remotePort === 0 ? "UNCONN" : "ESTAB",
      receiveQueue: endpoint instanceof UdpSocket ? endpoint.queuedBytes : 0,
      localAddress,
      deviceName: device?.name,
      remoteAddress,
      remotePort,
    };
  });
  return [...tunnels, ...sockets].sort((a, b) => a.localPort - b.localPort);
}

export function tcpSockets(namespace: NetworkNamespace): ListedSocket[] {
  const listeners = namespace.tcp.listeners().map((listener): ListedSocket => {
    const { localAddress, localPort, waiting, backlog, options } = listener;
    return {
      ...unconnected(localPort),
      transport: "tcp",
      state: "LISTEN",
      receiveQueue: waiting,
      sendQueue: backlog,
      localAddress,
      deviceName: options.device?.name,
    };
  });
  const conversations = namespace.tcp.flows.list().map((flow): ListedSocket => {
    const { localAddress, localPort, remoteAddress, remotePort } = flow;
    const connection = flow instanceof Connection ? flow : undefined;
    const state = connection?.state ?? "syn-received";
    const live = connection !== undefined && state !== "time-wait" && state !== "syn-sent";
    return {
      transport: "tcp",
      state: STATES.get(state) ?? state.toUpperCase(),
      receiveQueue: live ? connection.receive.readable : 0,
      sendQueue: connection !== undefined && state !== "time-wait" ? unacknowledged(connection) : 0,
      localAddress,
      localPort,
      deviceName: flow.conversation?.device?.name,
      remoteAddress,
      remotePort,
      information: connection === undefined || state === "time-wait" ? undefined : informationOf(connection),
    };
  });
  conversations.sort(
    (a, b) => a.localPort - b.localPort || a.remoteAddress - b.remoteAddress || a.remotePort - b.remotePort,
  );
  return [...listeners, ...conversations];
}

/** write_seq - snd_una: a SYN or FIN counts as a byte. */
function unacknowledged(connection: Connection): number {
  return (connection.writeSequence - connection.sndUna) >>> 0;
}

function unconnected(port: number): ListedSocket {
  return {
    transport: "udp",
    state: "UNCONN",
    receiveQueue: 0,
    sendQueue: 0,
    localAddress: IPV4_ANY,
    localPort: port,
    deviceName: undefined,
    remoteAddress: IPV4_ANY,
    remotePort: 0,
    information: undefined,
  };
}
