/** The walks of recordings 06 (single-host-bridge) and 07 (port-mapping): the same commands, and what they showed. */
import { describe, expect, it } from "vitest";
import type { NetworkNamespace } from "../../../src/linux/namespace.ts";
import { SECOND } from "../../../src/sim/time.ts";
import { formatMac } from "../../../src/wire/address.ts";
import { describe as line } from "../../../src/wire/describe.ts";
import { EngineLab } from "../engine-lab.ts";

const MY_BRIDGE = [{ network: "mybr", aliases: [] }];

/** Recording 06: b1 and b2 on a bridge of their own, d1 and d2 on docker0. */
function recorded06() {
  const lab = new EngineLab("20.10");
  lab.engine.gatewayNetwork();
  const bridge = lab.bridge("mybr");
  const b1 = lab.start("b1", "sleep 100000", { networks: MY_BRIDGE });
  const b2 = lab.start("b2", "serve http 80", { networks: [{ network: "mybr", aliases: ["two"] }] });
  const d1 = lab.start("d1", "sleep 100000");
  const d2 = lab.start("d2", "sleep 100000");
  lab.wait(2 * SECOND); // carriers are there
  return { lab, bridge, b1, b2, d1, d2 };
}

/** What a device sees, as tcpdump prints it. */
function seen(namespace: NetworkNamespace, device: string): string[] {
  const lines: string[] = [];
  namespace.device(device)!.tap = {
    frame: (frame) => {
      const { frames } = namespace;
      lines.push(line(frames.bytes, frames.start(frame), frames.end(frame)));
    },
  };
  return lines;
}

describe("A single host's bridges, as recorded (06)", () => {
  it("give addresses from the lowest up, MAC addresses of them, and the bridge's address as the way out", () => {
    const { lab, bridge, b1, d2 } = recorded06();
    const eth0 = b1.namespace!.device("eth0")!;
    expect(lab.on(b1, "ip -4 -o a").text).toMatch(
      /eth0 +inet 172\.19\.0\.2\/16 brd 172\.19\.255\.255 scope global eth0/,
    );
    expect(lab.on(b1, "ip route").text).toBe(
      "default via 172.19.0.1 dev eth0 \n172.19.0.0/16 dev eth0 proto kernel scope link src 172.19.0.2 \n",
    );
    expect(formatMac(eth0.address)).toBe("02:42:ac:13:00:02");
    expect(lab.on(d2, "ip route").text).toContain("172.17.0.0/16 dev eth0 proto kernel scope link src 172.17.0.3");
    expect(lab.on(lab.node, "ip route").text.split("\n")).toContain(
      `172.19.0.0/16 dev ${bridge} proto kernel scope link src 172.19.0.1 `,
    );
    expect(lab.on(lab.node, "ip -4 addr show docker0").text).toContain(
      "inet 172.17.0.1/16 brd 172.17.255.255 scope global docker0",
    );
    const host = lab.node.namespace;
    expect(formatMac(host.device("docker0")!.address)).toMatch(/^02:42:/);
    expect(host.devices.filter(({ name }) => /^veth[0-9a-f]{7}$/.test(name))).toHaveLength(4);
    expect(lab.on(b1, "ip link show eth0").text).toContain(`eth0@if${eth0.index + 1}:`);
  });

  it("let containers of one bridge talk, by ARP and then on Ethernet alone", () => {
    const { lab, bridge, b1 } = recorded06();
    const wire = seen(lab.node.namespace, bridge);
    lab.node.namespace.device(bridge)!.promiscuous = true;
    expect(lab.on(b1, "ping -c 2 172.19.0.3").text).toContain("2 received, 0% packet loss");
    expect(wire.slice(0, 4).map((text) => text.replace(/, id .*/, ""))).toEqual([
      expect.stringContaining("ARP who-has 172.19.0.3 tell 172.19.0.2"),
      expect.stringContaining("ARP reply 172.19.0.3 is-at 02:42:ac:13:00:03"),
      expect.stringContaining("172.19.0.2 > 172.19.0.3: ICMP echo request"),
      expect.stringContaining("172.19.0.3 > 172.19.0.2: ICMP echo reply"),
    ]);
    expect(lab.on(b1, "ping -c 2 172.19.0.1").text).toContain("ttl=64");
  });

  it("find names on a user's bridge, and none on docker0", () => {
    const { lab, b1, d1 } = recorded06();
    expect(lab.on(b1, "ping -c 2 b2").text).toContain("PING b2 (172.19.0.3)");
    expect(lab.on(b1, "ping -c 1 two").text).toContain("(172.19.0.3)");
    expect(lab.on(d1, "ping -c 2 172.17.0.3").text).toContain("2 received");
    expect(lab.on(d1, "ping -c 1 d2").status).not.toBe(0);
  });

  it("are apart: what goes from one to the other is dropped without a word", () => {
    const { lab, b1 } = recorded06();
    const { text } = lab.on(b1, "ping -c 2 -w 3 172.17.0.2");
    expect(text).toContain("100% packet loss");
    expect(text).not.toContain("From ");
  });

  it("reach the outside under the node's address, one hop away", () => {
    const { lab, b1 } = recorded06();
    const wire = seen(lab.client.namespace, "eth0");
    expect(lab.on(b1, "ping -c 2 192.168.50.100").text).toMatch(/ttl=63[\s\S]*2 received/);
    expect(wire.filter((text) => text.includes("echo request"))[0]).toContain("192.168.50.11 > 192.168.50.100");
  });
});

/** Recording 07: besides, p1 with port 80 published as 8081. */
function recorded07(release: "current" | "20.10" = "20.10") {
  const lab = new EngineLab(release);
  lab.engine.gatewayNetwork();
  const bridge = lab.bridge("mybr");
  const b1 = lab.start("b1", "sleep 100000", { networks: MY_BRIDGE });
  lab.start("b2", "sleep 100000", { networks: MY_BRIDGE });
  const ports = [{ protocol: "tcp", containerPort: 80, hostPort: 8_081 }] as const;
  const p1 = lab.start("p1", "serve http 80", { networks: MY_BRIDGE, ports });
  return { lab, bridge, b1, p1 };
}

/** Whom the server sees. */
const peer = (text: string): string => /RemoteAddr: ([\d.]+):/.exec(text)?.[1] ?? text;

describe.each(["20.10", "current"] as const)("A published port, as recorded (07), release %s", (release) => {
  it("leads to the container, which sees the client's own address", () => {
    const { lab } = recorded07(release);
    expect(peer(lab.on(lab.client, "curl -s http://192.168.50.11:8081/").text)).toBe("192.168.50.100");
  });

  it("leads by way of the userland proxy from 127.0.0.1: the container sees the bridge", () => {
    const { lab } = recorded07(release);
    expect(peer(lab.on(lab.node, "curl -s http://127.0.0.1:8081/").text)).toBe("172.19.0.1");
  });

  it("is redirected on its way out from the node's own address", () => {
    const { lab } = recorded07(release);
    expect(peer(lab.on(lab.node, "curl -s http://192.168.50.11:8081/").text)).toBe("192.168.50.11");
  });

  it("leads by way of the userland proxy from a container of the same bridge", () => {
    const { lab, b1 } = recorded07(release);
    expect(peer(lab.on(b1, "curl -s http://192.168.50.11:8081/").text)).toBe("172.19.0.1");
  });

  it("is closed again when the container is gone", () => {
    const { lab, p1 } = recorded07(release);
    p1.stop();
    lab.wait(11 * SECOND);
    expect(p1.state).toBe("exited");
    expect(lab.on(lab.client, "curl -s http://192.168.50.11:8081/").status).toBe(7);
    expect(lab.on(lab.node, "ss -lnt").text).not.toContain("8081");
  });
});

describe("The userland proxy", () => {
  it("takes a connection before the server is asked, and closes it when there is none", () => {
    const { lab } = recorded07();
    lab.start("p2", "sleep 1000", {
      networks: MY_BRIDGE,
      ports: [{ protocol: "tcp", containerPort: 80, hostPort: 8_082 }],
    });
    expect(lab.on(lab.node, "curl -s http://127.0.0.1:8082/").status).toBe(56); // reset
    expect(lab.on(lab.client, "curl -s http://192.168.50.11:8082/").status).toBe(7); // refused
  });

  it("carries megabytes both ways", () => {
    const { lab } = recorded07();
    const { text } = lab.on(lab.node, "curl -s http://127.0.0.1:8081/data?size=3000000");
    expect(text.length).toBe(3_000_000);
  });

  it("carries datagrams, each client's apart", () => {
    const { lab } = recorded07();
    lab.start("echo", "serve echo 7", { ports: [{ protocol: "udp", containerPort: 7, hostPort: 7_007 }] });
    expect(lab.on(lab.node, "echo hello | nc -u -w 1 127.0.0.1 7007").text).toContain("hello");
    expect(lab.on(lab.client, "echo again | nc -u -w 1 192.168.50.11 7007").text).toContain("again");
  });
});
