import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { DropReason } from "../../../src/linux/drop-reason.ts";
import { ipvsOf } from "../../../src/linux/ipvs/attach.ts";
import { UdpSocket } from "../../../src/linux/udp-socket.ts";
import * as ipv4 from "../../../src/wire/ipv4.ts";
import { ip, net, watch } from "../two-hosts.ts";
import { Balanced } from "./balanced.ts";

const SERVICE = "-u 10.1.0.9:80";
const TCP = "-t 10.1.0.9:80";

function drops(lab: Balanced, reason: DropReason): number {
  return lab.world.frames.dropsByReason.get(reason) ?? 0;
}

/** Requests from as many sockets, and who answered. */
function askAll(lab: Balanced, count: number): (number | string | undefined)[] {
  return Array.from({ length: count }, () => lab.ask(lab.socket()));
}

describe("load balancing with address translation", () => {
  it("sends new flows round the servers, the one added last first, and answers under the service's address", () => {
    const lab = new Balanced(3);
    lab.answerDatagrams();
    lab.serve(SERVICE);
    expect(askAll(lab, 6)).toEqual([3, 2, 1, 3, 2, 1]);
    expect(lab.ipvsadm("-Ln --stats")).toContain(
      "UDP  10.1.0.9:80                         6        6        6      174      174\n",
    );
    expect(lab.world.frames.inFlight).toBe(0);
  });

  it("keeps a flow with its server as long as the flow lives, whatever happens to weights", () => {
    const lab = new Balanced(2);
    lab.answerDatagrams();
    lab.serve(SERVICE);
    const socket = lab.socket();
    const first = lab.ask(socket);
    for (let round = 0; round < 3; round++) {
      expect(lab.ask(socket)).toBe(first);
      lab.pass(200);
    }
    lab.ipvsadm(`-e ${SERVICE} -r 10.2.${first}.2:80 -m -w 0`);
    expect(lab.ask(socket)).toBe(first);
    expect(askAll(lab, 2)).toEqual([3 - Number(first), 3 - Number(first)]);
    lab.pass(301); // UDP: five minutes
    expect(lab.ask(socket)).toBe(3 - Number(first));
  });

  it("is found by a mark of the firewall, on any port, and leaves the port as it is", () => {
    const lab = new Balanced(2);
    lab.answerDatagrams(8_080);
    lab.iptables("-t mangle -A INPUT -d 10.1.0.9/32 -j MARK --set-mark 256");
    lab.ipvsadm("-A -f 256 -s rr");
    for (const server of [1, 2]) lab.ipvsadm(`-a -f 256 -r 10.2.${server}.2:0 -m`);
    expect([lab.ask(lab.socket(), "10.1.0.9", 8_080), lab.ask(lab.socket(), "10.1.0.9", 8_080)]).toEqual([2, 1]);
    expect(lab.ipvsadm("-Ln")).toBe(
      "IP Virtual Server version 1.2.1 (size=4096)\n" +
        "Prot LocalAddress:Port Scheduler Flags\n" +
        "  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn\n" +
        "FWM  256 rr\n" +
        "  -> 10.2.1.2:0                   Masq    1      0          1         \n" +
        "  -> 10.2.2.2:0                   Masq    1      0          1         \n",
    );
  });

  it("as Docker sets it up lets the servers see the balancer, by -m ipvs and SNAT", () => {
    const lab = new Balanced(2);
    lab.lb.sysctl.set("net.ipv4.vs.conntrack", "1");
    lab.iptables("-t mangle -A INPUT -d 10.1.0.9/32 -j MARK --set-mark 256");
    for (const server of [1, 2])
      lab.iptables(`-t nat -A POSTROUTING -d 10.2.${server}.0/24 -m ipvs --ipvs -j SNAT --to-source 10.2.${server}.1`);
    lab.ipvsadm("-A -f 256 -s rr");
    for (const server of [1, 2]) lab.ipvsadm(`-a -f 256 -r 10.2.${server}.2:0 -m`);
    const accepted = lab.listen();
    for (const server of lab.servers) server.routes.delete({ destination: net("0.0.0.0/0") }); // they know no way to the client
    const sockets = [lab.connect(), lab.connect(), lab.connect()];
    expect(sockets.map((socket) => socket.state)).toEqual(["established", "established", "established"]);
    expect(accepted.map((list) => list.length)).toEqual([1, 2]);
    expect(accepted[0]![0]!.remoteAddress).toBe(ip("10.2.1.1"));
    expect(accepted[0]![0]!.remotePort).toBe(sockets[1]!.localPort);
    sockets[1]!.write(Uint8Array.of(1, 2, 3));
    lab.pass(1);
    expect(accepted[0]![0]!.readableCount).toBe(3);
    accepted[0]![0]!.write(new Uint8Array(5_000));
    lab.pass(1);
    expect(sockets[1]!.readableCount).toBe(5_000);
    expect(lab.world.frames.inFlight).toBe(0);
  });

  it("lowers the time to live once, and tells the client when it ends here", () => {
    const lab = new Balanced(1);
    lab.answerDatagrams();
    lab.serve(SERVICE);
    const seen = watch(lab.world, lab.servers[0]!.device("eth0")!);
    lab.ask(lab.socket());
    const request = seen.find(({ direction, bytes }) => direction === "in" && bytes[23] === 17)!;
    expect(ipv4.timeToLive(request.bytes, 14)).toBe(63);
    const socket = lab.socket();
    socket.receiveErrors = true;
    socket.ttl = 1;
    lab.ask(socket);
    expect(socket.nextError()).toMatchObject({ type: 11, code: 0, offender: ip("10.1.0.9") });
    expect(drops(lab, "ipv4-ttl-exceeded")).toBe(1);
  });

  it("says port unreachable when there is no server to send to", () => {
    const lab = new Balanced(1);
    lab.answerDatagrams();
    lab.serve(SERVICE);
    lab.ipvsadm(`-e ${SERVICE} -r 10.2.1.2:80 -m -w 0`);
    const socket = lab.socket();
    socket.receiveErrors = true;
    lab.ask(socket);
    expect(socket.nextError()).toMatchObject({ type: 3, code: 3 });
    expect(drops(lab, "ipvs-no-destination")).toBe(1);
  });

  it("passes a server's ICMP error on as if it came from the service", () => {
    const lab = new Balanced(1);
    lab.serve(SERVICE); // nobody listens on the server
    const socket = new UdpSocket(lab.client);
    socket.receiveErrors = true;
    socket.connect(ip("10.1.0.9"), 80);
    lab.ask(socket);
    expect(socket.nextError()).toMatchObject({
      type: 3,
      code: 3,
      offender: ip("10.1.0.9"),
      destination: ip("10.1.0.9"),
      destinationPort: 80,
    });
    expect(lab.world.frames.inFlight).toBe(0);
  });

  it("passes a client's ICMP error on to the server that it is about", () => {
    const lab = new Balanced(1);
    const server = new UdpSocket(lab.servers[0]!);
    server.bind(ip("0.0.0.0"), 80);
    server.receiveErrors = true;
    lab.serve(SERVICE);
    const socket = lab.socket();
    socket.sendTo(Uint8Array.of(1), ip("10.1.0.9"), 80);
    lab.pass(0.1);
    const request = server.receive();
    if (typeof request !== "object") throw new Error("no request");
    const port = socket.localPort;
    socket.close();
    server.sendTo(Uint8Array.of(2), request.source, request.sourcePort);
    lab.pass(0.1);
    expect(server.nextError()).toMatchObject({ type: 3, code: 3, destination: ip("10.1.0.2"), destinationPort: port });
  });

  it("asks for smaller packets when the way to the server is narrower", () => {
    const lab = new Balanced(1);
    lab.serve(SERVICE);
    lab.lb.device("eth1")!.setMtu(1_000);
    const socket = lab.socket();
    socket.receiveErrors = true;
    socket.dontFragment = "do";
    socket.sendTo(new Uint8Array(1_200), ip("10.1.0.9"), 80);
    lab.pass(0.1);
    expect(socket.nextError()).toMatchObject({ type: 3, code: 4, info: 1_000 });
    expect(drops(lab, "ipv4-fragmentation-needed")).toBe(1);
  });

  it("gives back what it took: no request reaches a server, and no answer a client, changed but in address and port", () => {
    const lab = new Balanced(2);
    lab.serve(SERVICE);
    const heard: { port: number; bytes: Uint8Array }[] = [];
    for (const server of lab.servers) {
      const socket = new UdpSocket(server);
      socket.bind(ip("0.0.0.0"), 80);
      socket.readable.add({
        wake: () => {
          for (let datagram = socket.receive(); typeof datagram === "object"; datagram = socket.receive()) {
            heard.push({ port: datagram.sourcePort, bytes: datagram.bytes });
            socket.sendTo(datagram.bytes, datagram.source, datagram.sourcePort);
          }
        },
      });
    }
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 1_400 }), (bytes) => {
        const socket = lab.socket();
        socket.sendTo(bytes, ip("10.1.0.9"), 80);
        lab.pass(0.01);
        const answer = socket.receive();
        expect(answer).toMatchObject({ source: ip("10.1.0.9"), sourcePort: 80, bytes });
        expect(heard.pop()).toEqual({ port: socket.localPort, bytes });
        socket.close();
      }),
      { numRuns: 40 },
    );
    expect(drops(lab, "udp-bad-checksum")).toBe(0);
  });
});

describe("TCP through the load balancer", () => {
  it("counts what lives and what is over, by the kernel's states and times", () => {
    const lab = new Balanced(1);
    const accepted = lab.listen();
    lab.serve(TCP);
    const socket = lab.connect();
    expect(lab.ipvsadm("-Ln")).toContain("  -> 10.2.1.2:80                  Masq    1      1          0         \n");
    const source = `10.1.0.2:${socket.localPort}`.padEnd(18);
    expect(lab.ipvsadm("-Lcn")).toContain(`TCP 14:59  ESTABLISHED ${source} 10.1.0.9:80        10.2.1.2:80\n`);
    socket.close();
    lab.pass(0.1);
    expect(lab.ipvsadm("-Lcn")).toContain("CLOSE_WAIT");
    accepted[0]![0]!.close();
    lab.pass(0.1);
    expect(lab.ipvsadm("-Lcn")).toMatch(/TCP 01:59 {2}TIME_WAIT/);
    expect(lab.ipvsadm("-Ln")).toContain("Masq    1      0          1         \n");
    lab.pass(121);
    expect(lab.ipvsadm("-Lcn").split("\n").length).toBe(3);
    expect(lab.ipvsadm("-Ln")).toContain("Masq    1      0          0         \n");
  });

  it("leaves a segment of no connection to the host, which resets it", () => {
    const lab = new Balanced(1);
    const accepted = lab.listen();
    lab.serve(TCP);
    const socket = lab.connect();
    const { connections } = ipvsOf(lab.lb);
    for (const connection of connections.list()) connections.remove(connection);
    socket.write(Uint8Array.of(1));
    lab.pass(1);
    expect(socket.error ?? socket.takeError()).toBe("ECONNRESET");
    expect(accepted[0]![0]!.readableCount).toBe(0);
  });

  it("refuses a connection with an ICMP message when all servers are out of service", () => {
    const lab = new Balanced(1);
    lab.listen();
    lab.ipvsadm(`-A ${TCP} -s rr`);
    const socket = lab.connect();
    lab.pass(10);
    expect(socket.state).not.toBe("established");
    expect(drops(lab, "ipvs-no-destination")).toBeGreaterThan(0);
  });

  it("sends a SYN from a used port to another server, or with conn_reuse_mode 0 to the old one", () => {
    for (const mode of ["1", "0"]) {
      const lab = new Balanced(2);
      lab.lb.sysctl.set("net.ipv4.vs.conn_reuse_mode", mode);
      lab.client.sysctl.set("net.ipv4.tcp_tw_reuse", "1");
      const accepted = lab.listen();
      lab.serve(TCP);
      for (let round = 0; round < 2; round++) {
        const socket = lab.connect("10.1.0.9", 80, 5_000);
        lab.pass(2); // the server's TIME_WAIT may cost the first SYN
        expect([mode, round, socket.state]).toEqual([mode, round, "established"]);
        for (const list of accepted) for (const server of list) server.close(); // the server closes first: no TIME_WAIT at the client
        lab.pass(1);
        socket.close();
        lab.pass(1);
      }
      expect(accepted.map((list) => list.length)).toEqual(mode === "1" ? [1, 1] : [0, 2]);
    }
  });

  it("forgets connections of a server that was taken out: at once with expire_nodest_conn, else they are lost", () => {
    for (const [expire, conntrack] of [
      ["1", "1"],
      ["1", "0"],
      ["0", "0"],
    ] as const) {
      const lab = new Balanced(2);
      lab.lb.sysctl.set("net.ipv4.vs.conntrack", conntrack);
      lab.lb.sysctl.set("net.ipv4.vs.expire_nodest_conn", expire);
      lab.listen();
      lab.serve(TCP);
      const socket = lab.connect(); // server 2
      lab.ipvsadm(`-d ${TCP} -r 10.2.2.2:80`);
      socket.write(Uint8Array.of(1));
      lab.pass(0.05);
      expect(ipvsOf(lab.lb).connections.count).toBe(expire === "1" ? 0 : 1);
      expect(drops(lab, "ipvs-drop")).toBe(expire === "1" && conntrack === "0" ? 0 : 1);
      lab.pass(3);
      expect(socket.error ?? "none").toBe(expire === "1" ? "ECONNRESET" : "none");
    }
  });

  it("gives a server back its connections when it is added again", () => {
    const lab = new Balanced(2);
    const accepted = lab.listen();
    lab.serve(TCP);
    const socket = lab.connect();
    lab.ipvsadm(`-d ${TCP} -r 10.2.2.2:80`);
    lab.ipvsadm(`-a ${TCP} -r 10.2.2.2:80 -m`);
    socket.write(Uint8Array.of(1, 2));
    lab.pass(1);
    expect(accepted[1]![0]!.readableCount).toBe(2);
    expect(lab.ipvsadm("-Ln")).toContain("  -> 10.2.2.2:80                  Masq    1      1          0         \n");
  });

  it("takes no more than the upper threshold, and again below three quarters of it", () => {
    const lab = new Balanced(1);
    const accepted = lab.listen();
    lab.ipvsadm(`-A ${TCP} -s rr`);
    lab.ipvsadm(`-a ${TCP} -r 10.2.1.2:80 -m -x 4`);
    const sockets = Array.from({ length: 5 }, () => lab.connect());
    expect(sockets.map((socket) => socket.state === "established")).toEqual([true, true, true, true, false]);
    for (const list of accepted) for (const socket of list.slice(0, 2)) socket.close();
    for (const socket of sockets.slice(0, 2)) socket.close();
    lab.pass(130);
    expect(lab.connect().state).toBe("established");
  });

  it("keeps a client with one server while it is persistent, for all its connections", () => {
    const lab = new Balanced(3);
    const accepted = lab.listen();
    lab.serve(TCP, "-s rr -p 60");
    for (let round = 0; round < 3; round++) lab.connect();
    expect(accepted.map((list) => list.length)).toEqual([0, 0, 3]);
    expect(lab.ipvsadm("-Ln --persistent-conn")).toContain(
      "  -> 10.2.3.2:80                  1         1           3          0         \n",
    );
    expect(lab.ipvsadm("-Lcn")).toContain("TCP 00:59  NONE        10.1.0.2:0         10.1.0.9:80        10.2.3.2:80\n");
    lab.ipvsadm(`-e ${TCP} -r 10.2.3.2:80 -m -w 0`);
    lab.connect();
    expect(accepted.map((list) => list.length)).toEqual([0, 0, 4]);
    lab.lb.sysctl.set("net.ipv4.vs.expire_quiescent_template", "1");
    lab.connect();
    expect(accepted.map((list) => list.length)).toEqual([0, 1, 4]);
  });
});

describe("load balancing without translation", () => {
  it("with direct routing leaves the addresses as they are and takes the server for the next hop", () => {
    const lab = new Balanced(2);
    for (const server of lab.servers) server.addAddress(server.loopback, net("10.1.0.9/32"));
    lab.lb.sysctl.set("net.ipv4.conf.all.accept_local", "1"); // it is the servers' router too, and the source is its own address
    const accepted = lab.listen();
    lab.serve(TCP, "-s rr", "-g");
    const seen = watch(lab.world, lab.servers[1]!.device("eth0")!);
    expect([lab.connect().state, lab.connect().state]).toEqual(["established", "established"]);
    expect(accepted.map((list) => list.length)).toEqual([1, 1]);
    const syn = seen.find(({ direction, bytes }) => direction === "in" && bytes[23] === 6)!;
    expect(ipv4.parse(syn.bytes, 14, syn.bytes.length)).toMatchObject({
      source: ip("10.1.0.2"),
      destination: ip("10.1.0.9"),
      timeToLive: 63,
    });
    expect(lab.ipvsadm("-Ln")).toContain("  -> 10.2.1.2:80                  Route   1      1          0         \n");
    expect(lab.ipvsadm("-Ln --stats")).toMatch(/TCP {2}10\.1\.0\.9:80 +2 +4 +0 +224 +0\n/); // answers are not ours
  });

  it("with tunnelling sends the packet inside another one", () => {
    const lab = new Balanced(1);
    lab.serve(SERVICE, "-s rr", "-i");
    const seen = watch(lab.world, lab.servers[0]!.device("eth0")!);
    lab.ask(lab.socket());
    const packet = seen.find(({ direction, bytes }) => direction === "in" && bytes[23] === 4)!.bytes;
    expect(ipv4.parse(packet, 14, packet.length)).toMatchObject({
      source: ip("10.2.1.1"),
      destination: ip("10.2.1.2"),
      protocol: 4,
    });
    expect(ipv4.parse(packet, 34, packet.length)).toMatchObject({ destination: ip("10.1.0.9"), timeToLive: 63 });
  });
});

describe("the load balancer's memory", () => {
  it("of one-packet services is empty again behind each packet", () => {
    const lab = new Balanced(2);
    lab.answerDatagrams();
    lab.serve(SERVICE, "-s rr -o");
    const socket = lab.socket();
    socket.sendTo(Uint8Array.of(1), ip("10.1.0.9"), 80);
    lab.pass(0.1);
    expect(ipvsOf(lab.lb).connections.count).toBe(0);
    expect(lab.ipvsadm("-Ln --stats")).toContain("UDP  10.1.0.9:80                         1 ");
  });

  it("is empty when all has been quiet long enough, and every count is back at zero", () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom("ask", "pass", "weight", "remove", "add"), { maxLength: 25 }), (steps) => {
        const lab = new Balanced(2);
        lab.answerDatagrams();
        lab.serve(SERVICE, "-s wlc");
        for (const step of steps) {
          if (step === "ask") lab.ask(lab.socket());
          else if (step === "pass") lab.pass(100);
          else if (step === "weight") lab.ipvsadm(`-e ${SERVICE} -r 10.2.1.2:80 -m -w 0`);
          else if (step === "remove") lab.ipvsadm(`-d ${SERVICE} -r 10.2.1.2:80`);
          else lab.ipvsadm(`-a ${SERVICE} -r 10.2.1.2:80 -m`);
          const { connections, services } = ipvsOf(lab.lb);
          for (const server of services.list[0]!.servers)
            expect(server.connections).toBe(
              connections.list().filter((connection) => connection.server === server).length,
            );
        }
        lab.pass(301);
        expect(ipvsOf(lab.lb).connections.count).toBe(0);
        for (const server of ipvsOf(lab.lb).services.list[0]!.servers) expect(server.connections).toBe(0);
        expect(lab.world.frames.inFlight).toBe(0);
      }),
      { numRuns: 15 },
    );
  });

  it("shows a steady rate as it is", () => {
    const lab = new Balanced(1);
    lab.answerDatagrams();
    lab.serve(SERVICE);
    const socket = lab.socket();
    for (let round = 0; round < 600; round++) lab.ask(socket); // ten a second
    expect(lab.ipvsadm("-Ln --rate")).toContain(
      "UDP  10.1.0.9:80                         0       10       10      290      290\n",
    );
  });
});
