/** A new connection: which server gets it, and whether a template of a persistent service already says so (ip_vs_schedule, ip_vs_sched_persist). */
import type { Nanoseconds } from "../../sim/time.ts";
import { SECOND } from "../../sim/time.ts";
import * as ipv4 from "../../wire/ipv4.ts";
import type { Tuple } from "../netfilter/conntrack/tuple.ts";
import { type ConnectionEnds, IpvsConnection } from "./connection.ts";
import type { IpvsConnectionTable } from "./connection-table.ts";
import type { RealServer } from "./real-server.ts";
import type { IpvsSettings } from "./settings.ts";
import type { VirtualService } from "./virtual-service.ts";

export const FTP_PORT = 21;

/** The connection for a packet of a service, entered into the table; undefined: no server can take it. */
export function schedule(
  service: VirtualService,
  tuple: Tuple,
  connections: IpvsConnectionTable,
  settings: IpvsSettings,
  nowNs: Nanoseconds,
): IpvsConnection | undefined {
  const { key, options } = service;
  const ends: ConnectionEnds = {
    protocol: tuple.protocol,
    clientAddress: tuple.source,
    clientPort: tuple.ports >>> 16,
    virtualAddress: tuple.destination,
    virtualPort: tuple.ports & 0xffff,
  };
  const enter = (server: RealServer, serverPort: number, controller: IpvsConnection | undefined) => {
    const onePacket = options.onePacket && ends.protocol === ipv4.PROTOCOL_UDP;
    const tracked = settings.conntrack;
    const made = new IpvsConnection(ends, server, serverPort, { template: false, controller, tracked, onePacket });
    server.inactiveConnections++;
    server.connectionAdded();
    server.statistics.countConnection(nowNs);
    service.statistics.countConnection(nowNs);
    connections.add(made);
    return made;
  };
  if (options.persistentSeconds === undefined) {
    if (key.mark === 0 && ends.virtualPort !== key.port) return undefined;
    const server = service.choose(ends.clientAddress, ends.virtualAddress);
    return server === undefined
      ? undefined
      : enter(server, server.port === 0 ? ends.virtualPort : server.port, undefined);
  }
  const template = templateFor(service, ends, options.persistentSeconds, connections, settings);
  if (template === undefined) return undefined;
  const { server } = template;
  const ownPort = key.mark === 0 && ends.virtualPort === key.port && server.port !== 0;
  template.controlled++;
  return enter(server, ownPort ? server.port : ends.virtualPort, template);
}

/** The template of a client, made when it has none that holds. */
function templateFor(
  service: VirtualService,
  ends: ConnectionEnds,
  seconds: number,
  connections: IpvsConnectionTable,
  settings: IpvsSettings,
): IpvsConnection | undefined {
  const { key, options } = service;
  const ownPort = key.mark === 0 && ends.virtualPort === key.port && key.port !== FTP_PORT;
  const templateEnds: ConnectionEnds = {
    protocol: key.mark !== 0 ? 0 : ends.protocol,
    clientAddress: (ends.clientAddress & options.clientMask) >>> 0,
    clientPort: 0,
    virtualAddress: key.mark !== 0 ? key.mark : ends.virtualAddress,
    virtualPort: ownPort ? ends.virtualPort : 0,
  };
  const old = connections.findTemplate(templateEnds);
  if (old !== undefined) {
    if (old.server.available && !(settings.expireQuiescentTemplate && old.server.weight === 0)) {
      old.timeoutNs = seconds * SECOND;
      connections.touch(old);
      return old;
    }
    connections.remove(old);
  }
  const chosen = service.choose(ends.clientAddress, ends.virtualAddress);
  if (chosen === undefined) return undefined;
  const template = new IpvsConnection(templateEnds, chosen, ownPort ? chosen.port : 0, {
    template: true,
    controller: undefined,
    tracked: false,
    onePacket: false,
  });
  template.timeoutNs = seconds * SECOND;
  chosen.persistentConnections++;
  connections.add(template);
  return template;
}
