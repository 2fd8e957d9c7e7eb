/** A client, a load balancer, and servers behind it: what the tests of the load balancer build on. */
import { type IpvsadmSurroundings, ipvsadm } from "../../../src/commands/ipvsadm/ipvsadm.ts";
import type { NetworkNamespace } from "../../../src/linux/namespace.ts";
import { netfilterOf } from "../../../src/linux/netfilter/attach.ts";
import { iptables } from "../../../src/linux/netfilter/iptables.ts";
import { TcpSocket } from "../../../src/linux/tcp/tcp-socket.ts";
import { UdpSocket } from "../../../src/linux/udp-socket.ts";
import { World } from "../../../src/linux/world.ts";
import { ip, net, pass } from "../two-hosts.ts";

/** client 10.1.0.2 — lb 10.1.0.1, with the VIP 10.1.0.9 — servers 10.2.1.2, 10.2.2.2, … each on a link of its own. */
export class Balanced {
  readonly world: World;
  readonly client: NetworkNamespace;
  readonly lb: NetworkNamespace;
  readonly servers: NetworkNamespace[] = [];

  constructor(count: number) {
    this.world = new World({ seed: "ipvs" });
    this.client = this.world.createNamespace("client");
    this.lb = this.world.createNamespace("lb");
    this.lb.sysctl.set("net.ipv4.ip_forward", "1");
    this.#join(this.client, "eth0", "10.1.0.2/24", "eth0", "10.1.0.1/24");
    this.client.routes.add({ destination: net("0.0.0.0/0"), gateway: ip("10.1.0.1") });
    this.lb.addAddress(this.lb.device("eth0")!, net("10.1.0.9/32"));
    for (let number = 1; number <= count; number++) {
      const server = this.world.createNamespace(`s${number}`);
      this.#join(server, "eth0", `10.2.${number}.2/24`, `eth${number}`, `10.2.${number}.1/24`);
      server.routes.add({ destination: net("0.0.0.0/0"), gateway: ip(`10.2.${number}.1`) });
      this.servers.push(server);
    }
    for (const host of [this.client, this.lb, ...this.servers]) host.loopback.setUp(true);
  }

  /** Runs `ipvsadm`; all it printed. */
  ipvsadm(line: string, stdin = ""): string {
    const surroundings: IpvsadmSurroundings = { namespace: this.lb, stdin, hostName: () => undefined };
    const outcome = ipvsadm(
      line.split(/\s+/).filter((word) => word !== ""),
      surroundings,
    );
    return outcome.stderr === "" ? outcome.stdout : `${outcome.status}: ${outcome.stdout}${outcome.stderr}`;
  }

  /** A service with all servers behind it, as `options` of -A and -a say. */
  serve(service: string, options = "-s rr", method = "-m"): void {
    this.ipvsadm(`-A ${service} ${options}`);
    for (const [index] of this.servers.entries()) this.ipvsadm(`-a ${service} -r 10.2.${index + 1}.2:80 ${method}`);
  }

  iptables(line: string): void {
    const outcome = iptables(netfilterOf(this.lb), line.split(" "));
    if (outcome.status !== 0) throw new Error(outcome.stderr);
  }

  pass(seconds: number): void {
    pass(this.world, seconds);
  }

  /** Every server answers datagrams to its port with its own number. */
  answerDatagrams(port = 80): void {
    for (const [index, server] of this.servers.entries()) {
      const socket = new UdpSocket(server);
      socket.bind(ip("0.0.0.0"), port);
      socket.readable.add({
        wake: () => {
          for (let datagram = socket.receive(); typeof datagram === "object"; datagram = socket.receive())
            socket.sendTo(Uint8Array.of(index + 1), datagram.source, datagram.sourcePort);
        },
      });
    }
  }

  /** Who answers a datagram from this port of the client: the server's number; undefined when nobody does, else the error. */
  ask(socket: UdpSocket, to = "10.1.0.9", port = 80): number | string | undefined {
    const problem = socket.sendTo(Uint8Array.of(0), ip(to), port);
    if (typeof problem === "string") return problem;
    this.pass(0.1);
    const answer = socket.receive();
    if (typeof answer !== "object") return answer === "EAGAIN" ? undefined : answer;
    return answer.source === ip(to) && answer.sourcePort === port ? answer.bytes[0] : "from elsewhere";
  }

  socket(port = 0): UdpSocket {
    const socket = new UdpSocket(this.client);
    socket.bind(ip("0.0.0.0"), port);
    return socket;
  }

  /** Every server listens; what each has accepted. */
  listen(port = 80): TcpSocket[][] {
    return this.servers.map((server) => {
      const listener = new TcpSocket(server);
      listener.bind(ip("0.0.0.0"), port);
      listener.listen(64);
      const accepted: TcpSocket[] = [];
      listener.changed.add({
        wake: () => {
          for (let socket = listener.accept(); typeof socket === "object"; socket = listener.accept())
            accepted.push(socket);
        },
      });
      return accepted;
    });
  }

  connect(to = "10.1.0.9", port = 80, fromPort = 0): TcpSocket {
    const socket = new TcpSocket(this.client);
    if (fromPort !== 0) {
      socket.reuseAddress = true;
      socket.bind(ip("0.0.0.0"), fromPort);
    }
    socket.connect(ip(to), port);
    this.pass(0.1);
    return socket;
  }

  #join(host: NetworkNamespace, name: string, address: string, lbName: string, lbAddress: string): void {
    const link = this.world.createLink("veth", { namespace: host, name }, { namespace: this.lb, name: lbName });
    host.addAddress(link.a, net(address));
    this.lb.addAddress(link.b, net(lbAddress));
    link.a.setUp(true);
    link.b.setUp(true);
  }
}
