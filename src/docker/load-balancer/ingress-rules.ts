/**
 * The host's part of the routing mesh, libnetwork programIngress: published ports are translated to the ingress sandbox behind docker_gwbridge, and a socket
 * that nobody reads holds each port, so that no other program takes it.
 */
import type { NetworkNamespace } from "../../linux/namespace.ts";
import { TcpSocket } from "../../linux/tcp/tcp-socket.ts";
import { UdpSocket } from "../../linux/udp-socket.ts";
import { formatIpv4, IPV4_ANY, type Ipv4Address } from "../../wire/address.ts";
import { Firewall } from "./firewall.ts";
import { type IngressPort, portsKey } from "./ingress-port.ts";

const CHAIN = "DOCKER-INGRESS";
const JUMP_TO_LOCAL = `-m addrtype --dst-type LOCAL -j ${CHAIN}`;
/** Go's net package listens with the limit that the system has, somaxconn. */
const BACKLOG = 4_096;

/** The generation of Docker that programs the firewall: its chains differ. */
export type Release = "current" | "20.10";

export class IngressRules {
  readonly #host: NetworkNamespace;
  readonly #release: Release;
  readonly #firewall: Firewall;
  /** How many bindings use a port, by its key. */
  readonly #uses = new Map<string, number>();
  readonly #placeholders = new Map<string, TcpSocket | UdpSocket>();
  #isFlushed = false;

  constructor(host: NetworkNamespace, release: Release) {
    this.#host = host;
    this.#release = release;
    this.#firewall = new Firewall(host);
  }

  /** `sandbox`: the ingress sandbox's address on docker_gwbridge. */
  publish(ports: readonly IngressPort[], sandbox: Ipv4Address): void {
    this.#prepare(sandbox);
    for (const port of ports) {
      const key = portsKey([port]);
      const uses = this.#uses.get(key) ?? 0;
      this.#uses.set(key, uses + 1);
      if (uses > 0) continue;
      for (const [table, rule] of this.#rulesOf(port, sandbox)) this.#firewall.insert(table, CHAIN, rule);
      this.#reserve(port);
    }
  }

  /** Chains and jumps stay: only the ports' rules go. */
  withdraw(ports: readonly IngressPort[], sandbox: Ipv4Address): void {
    for (const port of ports) {
      const key = portsKey([port]);
      const uses = this.#uses.get(key);
      if (uses === undefined) continue;
      if (uses > 1) {
        this.#uses.set(key, uses - 1);
        continue;
      }
      this.#uses.delete(key);
      for (const [table, rule] of this.#rulesOf(port, sandbox)) this.#firewall.delete(table, CHAIN, rule);
      this.#free(port);
    }
  }

  /** The engine has ended: its sockets close, its rules stay until it comes back. */
  stop(): void {
    for (const socket of this.#placeholders.values()) socket.close();
    this.#placeholders.clear();
    this.#uses.clear();
  }

  #prepare(sandbox: Ipv4Address): void {
    const firewall = this.#firewall;
    if (!this.#isFlushed) {
      // What an engine's former life has left.
      for (const table of ["nat", "filter"] as const) firewall.flushChain(table, CHAIN);
      this.#isFlushed = true;
    }
    for (const table of ["nat", "filter"] as const) {
      firewall.addChain(table, CHAIN);
      firewall.appendOnce(table, CHAIN, "-j RETURN");
    }
    if (this.#release === "20.10") {
      for (const chain of ["OUTPUT", "PREROUTING"]) firewall.insertOnce("nat", chain, JUMP_TO_LOCAL);
      if (!firewall.has("filter", "FORWARD", `-j ${CHAIN}`)) {
        firewall.insert("filter", "FORWARD", `-j ${CHAIN}`);
        // Users' own rules stay in front of everything.
        if (firewall.hasChain("filter", "DOCKER-USER")) firewall.insertAnew("filter", "FORWARD", "-j DOCKER-USER");
      }
    } else {
      for (const chain of ["OUTPUT", "PREROUTING"]) firewall.insertAnew("nat", chain, JUMP_TO_LOCAL);
      firewall.insertAnew("filter", "DOCKER-FORWARD", `-j ${CHAIN}`);
    }
    const path = this.#host.ipv4.resolve({ destination: sandbox });
    if (typeof path === "string") return;
    const bridge = path.device.name;
    // For clients at 127.0.0.1, whose packets leave by the bridge.
    this.#host.sysctl.set(`net.ipv4.conf.${bridge}.route_localnet`, "1");
    firewall.insertOnce("nat", "POSTROUTING", `-m addrtype --src-type LOCAL -o ${bridge} -j MASQUERADE`);
  }

  /** In the order in which they are inserted, so the last one stands first. */
  #rulesOf({ protocol, publishedPort }: IngressPort, sandbox: Ipv4Address) {
    const target = `${formatIpv4(sandbox)}:${publishedPort}`;
    const answers =
      this.#release === "20.10"
        ? `-m state -p ${protocol} --sport ${publishedPort} --state ESTABLISHED,RELATED -j ACCEPT`
        : `-p ${protocol} --sport ${publishedPort} -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT`;
    return [
      ["nat", `-p ${protocol} --dport ${publishedPort} -j DNAT --to-destination ${target}`],
      ["filter", answers],
      ["filter", `-p ${protocol} --dport ${publishedPort} -j ACCEPT`],
    ] as const;
  }

  /** A port that somebody else has is served all the same: Docker only warns. */
  #reserve({ protocol, publishedPort }: IngressPort): void {
    const key = `${publishedPort}/${protocol}`;
    if (protocol === "sctp" || this.#placeholders.has(key)) return;
    const socket = protocol === "tcp" ? new TcpSocket(this.#host) : new UdpSocket(this.#host);
    if (socket instanceof TcpSocket) socket.reuseAddress = true;
    const problem =
      socket.bind(IPV4_ANY, publishedPort) ?? (socket instanceof TcpSocket ? socket.listen(BACKLOG) : undefined);
    if (problem === undefined) this.#placeholders.set(key, socket);
    else socket.close();
  }

  #free({ protocol, publishedPort }: IngressPort): void {
    const key = `${publishedPort}/${protocol}`;
    this.#placeholders.get(key)?.close();
    this.#placeholders.delete(key);
  }
}
