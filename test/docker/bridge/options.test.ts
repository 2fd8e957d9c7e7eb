import { describe, expect, it } from "vitest";
import { BridgeNetwork } from "../../../src/docker/bridge/bridge-network.ts";
import type { ContainerSpec } from "../../../src/docker/container-spec.ts";
import { isRefusal } from "../../../src/docker/refusal.ts";
import { SECOND } from "../../../src/sim/time.ts";
import { formatMac } from "../../../src/wire/address.ts";
import { ip, net } from "../../linux/two-hosts.ts";
import { EngineLab, savedRules } from "../engine-lab.ts";

const PREFIX = "com.docker.network.";
const on = (network: string): Pick<ContainerSpec, "networks"> => ({ networks: [{ network, aliases: [] }] });
const options = (...pairs: [string, string][]) => ({
  options: new Map(pairs.map(([key, value]) => [PREFIX + key, value])),
});
const received = (text: string): string => /(\d+) received/.exec(text)?.[1] ?? text;

describe("A bridge network's options", () => {
  it("name the bridge, its containers' interfaces and their MTU", () => {
    const lab = new EngineLab("current");
    lab.bridge("app", options(["bridge.name", "app0"], ["driver.mtu", "1400"], ["container_iface_prefix", "net"]));
    const c1 = lab.start("c1", "sleep 1000", on("app"));
    expect(c1.namespace!.device("net0")?.mtu).toBe(1_400);
    expect(lab.node.namespace.device("app0")?.mtu).toBe(1_400);
    expect(lab.on(c1, "ping -c 1 -M do -s 1373 192.168.50.100").status).not.toBe(0);
    expect(received(lab.on(c1, "ping -c 1 -M do -s 1372 192.168.50.100").text)).toBe("1");
  });

  it.each(["current", "20.10"] as const)(
    "keep containers apart without inter-container communication (%s)",
    (release) => {
      const lab = new EngineLab(release);
      lab.bridge("app", options(["bridge.enable_icc", "false"]));
      const c1 = lab.start("c1", "sleep 1000", on("app"));
      const c2 = lab.start("c2", "sleep 1000", on("app"));
      const address = c2.endpoints[0]!.address.address;
      expect(address).toBe(ip("172.18.0.3"));
      expect(received(lab.on(c1, "ping -c 1 -W 1 172.18.0.3").text)).toBe("0");
      expect(received(lab.on(c1, "ping -c 1 172.18.0.1").text)).toBe("1");
      expect(received(lab.on(c1, "ping -c 1 192.168.50.100").text)).toBe("1");
    },
  );

  it("leave containers their own addresses without masquerading", () => {
    const lab = new EngineLab("20.10"); // the current release drops what comes to a container's own address, answers too
    lab.bridge("app", options(["bridge.enable_ip_masquerade", "false"]));
    const c1 = lab.start("c1", "sleep 1000", on("app"));
    expect(savedRules(lab.node.namespace, ["nat"]).join("\n")).not.toContain("172.18.0.0/16");
    expect(received(lab.on(c1, "ping -c 1 -W 1 192.168.50.100").text)).toBe("0"); // the client has no way back
    lab.on(lab.client, "ip route add 172.18.0.0/16 via 192.168.50.11");
    expect(received(lab.on(c1, "ping -c 1 192.168.50.100").text)).toBe("1");
  });

  it("bind published ports to one address of the host", () => {
    const lab = new EngineLab("current");
    lab.bridge("app", options(["bridge.host_binding_ipv4", "127.0.0.1"]));
    const ports = [{ protocol: "tcp", containerPort: 80, hostPort: 8_080 }] as const;
    const c1 = lab.start("c1", "serve http 80", { ...on("app"), ports });
    expect(c1.publishedPorts).toEqual([
      { protocol: "tcp", containerPort: 80, hostAddress: ip("127.0.0.1"), hostPort: 8_080 },
    ]);
    expect(lab.on(lab.node, "curl -s http://127.0.0.1:8080/").status).toBe(0);
    expect(lab.on(lab.client, "curl -s http://192.168.50.11:8080/").status).toBe(7);
    expect(savedRules(lab.node.namespace, ["raw"])).toContain(
      "-A PREROUTING -d 127.0.0.1/32 ! -i lo -p tcp -m tcp --dport 8080 -j DROP",
    );
  });

  it("are refused when they make no sense", () => {
    const lab = new EngineLab("current");
    const refusal = (...pairs: [string, string][]) => {
      const answer = lab.engine.createNetwork({ name: "app", driver: "bridge", ...options(...pairs) });
      return isRefusal(answer) ? answer.message : "made";
    };
    expect(refusal(["bridge.enable_icc", "maybe"])).toContain("strconv.ParseBool");
    expect(refusal(["driver.mtu", "big"])).toContain("strconv.Atoi");
    expect(refusal(["bridge.name", "docker0"])).toContain("docker0 exists already");
    expect(refusal(["bridge.name", "a-name-that-is-too-long"])).toContain("numerical result out of range");
    expect(lab.engine.networks.size).toBe(3);
  });

  it("take a subnet, a gateway, a range and addresses that are taken", () => {
    const lab = new EngineLab("current");
    const subnet = {
      subnet: net("10.9.0.0/16"),
      gateway: ip("10.9.0.254"),
      range: net("10.9.8.0/24"),
      auxiliary: new Map([["printer", ip("10.9.8.1")]]),
    };
    const network = lab.engine.createNetwork({ name: "app", driver: "bridge", subnet });
    expect(network instanceof BridgeNetwork && network.gateway).toBe(ip("10.9.0.254"));
    const c1 = lab.start("c1", "sleep 1000", on("app"));
    expect(c1.endpoints[0]!.address).toEqual({ address: ip("10.9.8.0"), length: 16 });
    expect(lab.start("c2", "sleep 1000", on("app")).endpoints[0]!.address.address).toBe(ip("10.9.8.2"));
  });

  it("of an internal network keep it from the outside, both ways", () => {
    for (const release of ["current", "20.10"] as const) {
      const lab = new EngineLab(release);
      lab.bridge("app", { internal: true });
      const [c1, c2] = [lab.start("c1", "sleep 1000", on("app")), lab.start("c2", "sleep 1000", on("app"))];
      expect(c2.endpoints[0]!.gateway).toBeUndefined();
      expect(received(lab.on(c1, "ping -c 1 172.18.0.3").text)).toBe("1");
      lab.on(c1, "ip route add default via 172.18.0.1"); // by force
      expect(received(lab.on(c1, "ping -c 1 -W 1 192.168.50.100").text)).toBe("0");
      lab.on(lab.client, "ip route add 172.18.0.0/16 via 192.168.50.11");
      expect(received(lab.on(lab.client, "ping -c 1 -W 1 172.18.0.2").text)).toBe("0");
    }
  });
});

describe("MAC addresses", () => {
  it("say the IPv4 address in 20.10, and nothing since", () => {
    const mac = (release: "current" | "20.10") => {
      const lab = new EngineLab(release);
      return formatMac(lab.start("c1", "sleep 1000").namespace!.device("eth0")!.address);
    };
    expect(mac("20.10")).toBe("02:42:ac:11:00:02");
    expect(mac("current")).not.toContain("ac:11:00:02");
    expect(Number.parseInt(mac("current").slice(0, 2), 16) & 3).toBe(2);
  });
});

describe("Without the userland proxy", () => {
  const ports = [{ protocol: "tcp", containerPort: 80, hostPort: 8_080 }] as const;
  const peer = (text: string): string => /RemoteAddr: ([\d.]+):/.exec(text)?.[1] ?? text;

  it.each(["current", "20.10"] as const)(
    "a published port is redirected from outside and from 127.0.0.1 (%s)",
    (release) => {
      const lab = new EngineLab(release, { userlandProxy: false });
      lab.start("web", "serve http 80", { ports });
      expect(peer(lab.on(lab.client, "curl -s http://192.168.50.11:8080/").text)).toBe("192.168.50.100");
      expect(peer(lab.on(lab.node, "curl -s http://127.0.0.1:8080/").text)).toBe("172.17.0.1");
      expect(lab.on(lab.node, "ss -lnt").text).toContain("0.0.0.0:8080"); // held, so that nobody else listens there
    },
  );
});

describe("Flows of before", () => {
  it("do not go on to an address that somebody else has now", () => {
    const lab = new EngineLab("current");
    const udp = [{ protocol: "udp", containerPort: 7, hostPort: 7_007 }] as const;
    const echo = lab.start("echo", "serve echo 7", { ports: udp });
    const ask = () => lab.on(lab.client, "echo hello | nc -u -p 5555 -w 1 192.168.50.11 7007").text;
    expect(ask()).toContain("hello");
    echo.remove(true);
    lab.start("squatter", "sleep 1000"); // takes 172.17.0.2
    const second = lab.start("second", "serve echo 7", { ports: udp });
    expect(second.endpoints[0]!.address.address).toBe(ip("172.17.0.3"));
    lab.wait(SECOND);
    expect(ask()).toContain("hello");
  });
});

describe("Containers of bridges of the current release", () => {
  it("are not reached by routes of other hosts, published ports or not", () => {
    const lab = new EngineLab("current");
    const ports = [{ protocol: "tcp", containerPort: 80, hostPort: 8_080 }] as const;
    lab.start("web", "serve http 80", { ports });
    lab.on(lab.client, "ip route add 172.17.0.0/16 via 192.168.50.11");
    expect(lab.on(lab.client, "curl -s -m 2 http://172.17.0.2/").status).toBe(28);
    expect(lab.on(lab.client, "curl -s -m 2 http://192.168.50.11:8080/").status).toBe(0);
    const old = new EngineLab("20.10");
    old.start("web", "serve http 80", { ports });
    old.on(old.client, "ip route add 172.17.0.0/16 via 192.168.50.11");
    expect(old.on(old.client, "curl -s -m 2 http://172.17.0.2/").status).toBe(0);
  });

  it("are apart from those of other bridges", () => {
    const lab = new EngineLab("current");
    lab.bridge("app");
    const c1 = lab.start("c1", "sleep 1000", on("app"));
    lab.start("d1", "serve http 80");
    expect(lab.on(c1, "curl -s -m 2 http://172.17.0.2/").status).toBe(28);
  });
});
