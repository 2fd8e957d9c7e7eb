import { describe, expect, it } from "vitest";
import { EmbeddedResolver } from "../../../src/docker/resolver/embedded-resolver.ts";
import { Exchange, type ExchangeResult, type Transport } from "../../../src/docker/resolver/exchange.ts";
import { EMBEDDED_RESOLVER } from "../../../src/docker/resolver/resolv-conf.ts";
import { SandboxNames } from "../../../src/docker/resolver/sandbox-names.ts";
import { ServiceRecords } from "../../../src/docker/resolver/service-records.ts";
import type { NetworkNamespace } from "../../../src/linux/namespace.ts";
import { netfilterOf } from "../../../src/linux/netfilter/attach.ts";
import { save } from "../../../src/linux/netfilter/iptables-save.ts";
import { UdpSocket } from "../../../src/linux/udp-socket.ts";
import { World } from "../../../src/linux/world.ts";
import { Random } from "../../../src/sim/random.ts";
import { MICROSECOND, MILLISECOND, SECOND } from "../../../src/sim/time.ts";
import { formatIpv4, type Ipv4Address, parseIpv4 } from "../../../src/wire/address.ts";
import { toHex } from "../../../src/wire/bytes.ts";
import * as dns from "../../../src/wire/dns.ts";

const address = (text: string): Ipv4Address => parseIpv4(text)!;
const OUTER = ["192.168.50.1", "192.168.50.2", "192.168.50.3"];

/** A container `c1` and, on its other side, a machine that may answer as name servers. */
class Lab {
  readonly world = new World({ seed: "resolver" });
  readonly container: NetworkNamespace;
  readonly machine: NetworkNamespace;
  readonly records = new ServiceRecords("testnet");
  readonly resolver: EmbeddedResolver;
  outside = true;

  constructor(options: { release?: "current" | "20.10"; ndotsSet?: boolean; servers?: readonly string[] } = {}) {
    this.container = this.#namespace("c1");
    this.machine = this.#namespace("node1");
    const { a, b } = this.world.createLink(
      "veth",
      { namespace: this.container, name: "eth1" },
      { namespace: this.machine, name: "eth0" },
    );
    a.setUp(true);
    b.setUp(true);
    this.container.addAddress(a, { address: address("192.168.50.9"), length: 24 });
    for (const server of OUTER) this.machine.addAddress(b, { address: address(server), length: 24 });
    this.resolver = new EmbeddedResolver({
      environment: { machine: this.machine, release: options.release ?? "current", random: new Random("engine") },
      namespace: this.container,
      names: new SandboxNames(() => [{ networkName: "testnet", rank: "swarm", names: this.records }]),
      outerServers: (options.servers ?? OUTER).map((server) => ({
        address: address(server),
        hostLoopback: server.startsWith("127."),
      })),
      ndotsSet: options.ndotsSet ?? false,
      reachesOutside: () => this.outside,
    });
    this.resolver.start();
  }

  #namespace(name: string): NetworkNamespace {
    const namespace = this.world.createNamespace(name);
    namespace.loopback.setUp(true);
    namespace.addAddress(namespace.loopback, { address: address("127.0.0.1"), length: 8 });
    return namespace;
  }

  /** A name server on the machine; `respond` gives the answer's code, or undefined for silence. What was asked is noted. */
  server(at: string, respond: (query: dns.Dns) => number | undefined): string[] {
    const asked: string[] = [];
    const socket = new UdpSocket(this.machine);
    expect(socket.bind(address(at), 53)).toBeUndefined();
    socket.readable.add({
      wake() {
        const datagram = socket.receive();
        if (typeof datagram !== "object") return;
        const query = dns.parse(datagram.bytes, 0, datagram.bytes.length) as dns.Dns;
        const responseCode = respond(query);
        asked.push(`${query.questions[0]!.name} from ${formatIpv4(datagram.source)}`);
        if (responseCode === undefined) return;
        const { name } = query.questions[0]!;
        const found = dns.toBytes({
          ...query,
          response: true,
          responseCode,
          answers:
            responseCode === 0
              ? [{ name, class: 1, timeToLiveS: 300, data: { kind: "a", address: address("203.0.113.7") } }]
              : [],
        });
        socket.sendTo(found, datagram.source, datagram.sourcePort);
      },
    });
    return asked;
  }

  ask(
    name: string,
    type = dns.TYPE_A,
    options: { transport?: Transport; udpBytes?: number; seconds?: number } = {},
  ): ExchangeResult {
    const more = options.udpBytes === undefined ? [] : [dns.optRecord(options.udpBytes)];
    return this.exchange(dns.toBytes(dns.query(0x1234, name, type, more)), options.transport, options.seconds);
  }

  exchange(bytes: Uint8Array, transport: Transport = "udp", seconds = 30): ExchangeResult {
    let result: ExchangeResult | undefined;
    new Exchange(
      {
        namespace: this.container,
        transport,
        server: EMBEDDED_RESOLVER,
        port: 53,
        bytes,
        timeoutNs: seconds * SECOND,
      },
      (found) => {
        result = found;
      },
    );
    const { simulation } = this.world;
    simulation.run(simulation.nowNs + (seconds + 1) * SECOND, () => result !== undefined);
    return result!;
  }

  message(name: string, type?: number, options?: Parameters<Lab["ask"]>[2]): dns.Dns {
    const result = this.ask(name, type, options);
    if (result.kind !== "answer") throw new Error(`no answer but ${JSON.stringify(result)}`);
    return result.message;
  }
}

const addresses = (message: dns.Dns) =>
  message.answers.map(({ data }) => (data.kind === "a" ? formatIpv4(data.address) : data.kind));

describe("the embedded resolver", () => {
  it("answers for a container with the very bytes that a real one sent", () => {
    const lab = new Lab();
    lab.records.add("c2", address("10.0.1.12"), "c2");
    const answered = lab.exchange(dns.toBytes(dns.query(0x3d48, "c2", dns.TYPE_A)));
    // Recording 02, c1_lo, frame 3.
    expect(answered.kind === "answer" && toHex(answered.bytes)).toBe(
      "3d48818000010001000000000263320000010001026332000001000100000258" + "00040a00010c",
    );
    expect(lab.message("c2", dns.TYPE_AAAA)).toMatchObject({ responseCode: 0, answers: [] });
  });

  it("has the rules that iptables-save shows in a real container", () => {
    const lab = new Lab();
    const rules = save(netfilterOf(lab.container), { counters: false, table: "nat", date: "" });
    const { udpPort, tcpPort } = lab.resolver;
    expect(rules.split("\n").filter((line) => /^[:-]/.test(line))).toEqual([
      ":PREROUTING ACCEPT [0:0]",
      ":INPUT ACCEPT [0:0]",
      ":OUTPUT ACCEPT [0:0]",
      ":POSTROUTING ACCEPT [0:0]",
      ":DOCKER_OUTPUT - [0:0]",
      ":DOCKER_POSTROUTING - [0:0]",
      "-A OUTPUT -d 127.0.0.11/32 -j DOCKER_OUTPUT",
      "-A POSTROUTING -d 127.0.0.11/32 -j DOCKER_POSTROUTING",
      `-A DOCKER_OUTPUT -d 127.0.0.11/32 -p tcp -m tcp --dport 53 -j DNAT --to-destination 127.0.0.11:${tcpPort}`,
      `-A DOCKER_OUTPUT -d 127.0.0.11/32 -p udp -m udp --dport 53 -j DNAT --to-destination 127.0.0.11:${udpPort}`,
      `-A DOCKER_POSTROUTING -s 127.0.0.11/32 -p tcp -m tcp --sport ${tcpPort} -j SNAT --to-source :53`,
      `-A DOCKER_POSTROUTING -s 127.0.0.11/32 -p udp -m udp --sport ${udpPort} -j SNAT --to-source :53`,
    ]);
  });

  it("costs nothing before somebody asks or looks", () => {
    const lab = new Lab();
    lab.server(OUTER[0]!, () => dns.RCODE_NO_ERROR);
    const socket = new UdpSocket(lab.container);
    socket.sendTo(dns.toBytes(dns.query(1, "example.com", dns.TYPE_A)), address(OUTER[0]!), 53);
    lab.world.simulation.run(SECOND);
    expect(typeof socket.receive()).toBe("object");
    expect([lab.resolver.udpPort, lab.container.udp.endpoints().length]).toEqual([0, 1]);
    lab.message("example.com");
    expect(lab.resolver.udpPort).toBeGreaterThan(0);
  });

  it("shuffles the addresses of a service for each query", () => {
    const lab = new Lab();
    for (const last of [3, 4, 5]) lab.records.add("tasks.web", address(`10.0.1.${last}`), `t${last}`);
    const orders = new Set<string>();
    for (let round = 0; round < 40; round++) orders.add(addresses(lab.message("tasks.web")).join(" "));
    expect(orders.size).toBe(6);
  });

  it("gives the reverse names of containers, and forwards those of virtual addresses", () => {
    const lab = new Lab();
    lab.records.addReverse(address("10.0.1.12"), "c2");
    const asked = lab.server(OUTER[0]!, () => dns.RCODE_NAME_ERROR);
    expect(lab.message("12.1.0.10.in-addr.arpa", dns.TYPE_PTR)).toMatchObject({
      answers: [{ timeToLiveS: 600, data: { kind: "ptr", name: "c2.testnet" } }],
    });
    expect(lab.message("2.1.0.10.in-addr.arpa", dns.TYPE_PTR).responseCode).toBe(dns.RCODE_NAME_ERROR);
    expect(asked).toEqual(["2.1.0.10.in-addr.arpa from 192.168.50.9"]);
  });

  it("answers the mail exchange of a known name with nothing, and forwards other types", () => {
    const lab = new Lab();
    lab.records.add("web", address("10.0.1.2"), "web");
    const asked = lab.server(OUTER[0]!, () => dns.RCODE_NAME_ERROR);
    expect(lab.message("web", dns.TYPE_MX)).toMatchObject({ responseCode: 0, answers: [] });
    lab.message("web", dns.TYPE_TXT);
    lab.message("_http._tcp.web", dns.TYPE_SRV);
    expect(asked.map((line) => line.split(" ")[0])).toEqual(["web", "_http._tcp.web"]);
  });

  it("truncates to what the client takes by UDP, and gives all over TCP", () => {
    const lab = new Lab();
    for (let last = 1; last <= 200; last++) lab.records.add("many", address(`10.0.2.${last}`), String(last));
    const short = lab.ask("many");
    if (short.kind !== "answer") throw new Error("no answer");
    // Compressed answers take 16 bytes each: 12 + 10 + 30 × 16 = 502.
    expect([short.bytes.length, short.message.truncated, short.message.answers.length]).toEqual([502, true, 30]);
    const longer = lab.message("many", dns.TYPE_A, { udpBytes: 1232 });
    expect([longer.truncated, longer.answers.length]).toEqual([true, 75]);
    const whole = lab.message("many", dns.TYPE_A, { transport: "tcp" });
    expect([whole.truncated, whole.answers.length]).toEqual([false, 200]);
  });

  it("forwards what it does not know, and passes the answer on as it is", () => {
    const lab = new Lab();
    const asked = lab.server(OUTER[0]!, () => dns.RCODE_NO_ERROR);
    const message = lab.message("example.com");
    expect(addresses(message)).toEqual(["203.0.113.7"]);
    expect(message.answers[0]!.timeToLiveS).toBe(300);
    lab.message("nosuchname");
    expect(asked).toEqual(["example.com from 192.168.50.9", "nosuchname from 192.168.50.9"]);
  });

  it("asks the next server after SERVFAIL, REFUSED, a closed port and four seconds of silence", () => {
    const failing = new Lab();
    failing.server(OUTER[0]!, () => dns.RCODE_SERVER_FAILURE);
    failing.server(OUTER[1]!, () => dns.RCODE_REFUSED);
    failing.server(OUTER[2]!, () => dns.RCODE_NO_ERROR);
    expect(addresses(failing.message("example.com"))).toEqual(["203.0.113.7"]);
    expect(failing.world.simulation.nowNs).toBeLessThan(10 * MILLISECOND);

    const silent = new Lab();
    silent.server(OUTER[1]!, () => undefined);
    silent.server(OUTER[2]!, () => dns.RCODE_NAME_ERROR);
    expect(silent.message("example.com").responseCode).toBe(dns.RCODE_NAME_ERROR);
    expect(Math.round(silent.world.simulation.nowNs / SECOND)).toBe(4);
  });

  it("says SERVFAIL when all servers failed; release 20.10 says nothing", () => {
    expect(new Lab().message("example.com").responseCode).toBe(dns.RCODE_SERVER_FAILURE);
    expect(new Lab({ release: "20.10" }).ask("example.com").kind).toBe("timeout");
  });

  it("asks servers at the machine's loopback from the machine's namespace", () => {
    const lab = new Lab({ servers: ["127.0.0.53"] });
    const asked = lab.server("127.0.0.53", () => dns.RCODE_NO_ERROR);
    lab.message("example.com");
    expect(asked).toEqual(["example.com from 127.0.0.1"]);
  });

  it("forwards nothing from a sandbox without a way out, nor short names when the user has set ndots", () => {
    const inner = new Lab();
    inner.outside = false;
    const asked = inner.server(OUTER[0]!, () => dns.RCODE_NO_ERROR);
    expect(inner.message("example.com").responseCode).toBe(dns.RCODE_SERVER_FAILURE);
    expect(asked).toEqual([]);

    const dotted = new Lab({ ndotsSet: true });
    const heard = dotted.server(OUTER[0]!, () => dns.RCODE_NO_ERROR);
    expect(dotted.message("web")).toMatchObject({ responseCode: 0, answers: [] });
    dotted.message("web.example");
    expect(heard).toEqual(["web.example from 192.168.50.9"]);
  });

  it("keeps 1024 queries in flight, and refuses those that found no place within four seconds", () => {
    const lab = new Lab({ servers: [OUTER[0]!] });
    const asked = lab.server(OUTER[0]!, () => undefined);
    const socket = new UdpSocket(lab.container);
    socket.receiveBufferBytes = 1 << 24;
    const { simulation } = lab.world;
    for (let id = 0; id < 2100; id++) {
      socket.sendTo(dns.toBytes(dns.query(id, "example.com", dns.TYPE_A)), EMBEDDED_RESOLVER, 53);
      simulation.run(simulation.nowNs + 100 * MICROSECOND);
    }
    simulation.run(simulation.nowNs + 20 * SECOND);
    const codes: number[] = [];
    for (let datagram = socket.receive(); typeof datagram === "object"; datagram = socket.receive())
      codes.push(datagram.bytes[3]! & 15);
    expect(asked.length).toBe(2048);
    expect(codes.filter((code) => code === dns.RCODE_SERVER_FAILURE).length).toBe(2048);
    expect(codes.filter((code) => code === dns.RCODE_REFUSED).length).toBe(52);
  });

  it("refuses broken queries as miekg/dns does, and passes over what is none", () => {
    const lab = new Lab();
    const query = dns.toBytes(dns.query(0x77, "web", dns.TYPE_A));
    const notify = query.slice();
    notify[2] = 5 << 3;
    const cut = query.slice(0, query.length - 3);
    for (const [bytes, code] of [
      [notify, dns.RCODE_NOT_IMPLEMENTED],
      [cut, dns.RCODE_FORMAT_ERROR],
    ] as const) {
      const result = lab.exchange(bytes);
      expect(result.kind === "answer" && result.message.responseCode).toBe(code);
      expect(result.kind === "answer" && result.bytes.length).toBe(dns.HEADER_BYTES);
    }
    const response = query.slice();
    response[2] = 0x80;
    expect(lab.exchange(response, "udp", 1).kind).toBe("timeout");
    expect(lab.exchange(query.slice(0, 11), "udp", 1).kind).toBe("timeout");
    expect([...lab.resolver.ignored]).toEqual([
      ["dns-response", 1],
      ["dns-truncated", 1],
    ]);
  });

  it("leaves no frame behind, and stops with its sandbox", () => {
    const lab = new Lab();
    lab.message("example.com");
    lab.resolver.stop();
    expect(lab.ask("example.com", dns.TYPE_A, { seconds: 2 })).toMatchObject({ kind: "error", error: "ECONNREFUSED" });
    lab.world.simulation.run(lab.world.simulation.nowNs + 60 * SECOND);
    expect(lab.world.frames.inFlight).toBe(0);
  });
});
