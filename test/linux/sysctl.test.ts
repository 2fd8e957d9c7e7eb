import { describe, expect, it } from "vitest";
import { Sysctl } from "../../src/linux/sysctl.ts";
import { DEVICE_KEYS, NEIGHBOUR_KEYS, SCALAR_KEYS } from "../../src/linux/sysctl-keys.ts";
import { twoHosts } from "./two-hosts.ts";

describe("sysctl", () => {
  it("has every key of its list, each with a default that it accepts back", () => {
    const sysctl = new Sysctl();
    sysctl.addDevice("eth0");
    const keys = sysctl.keys();
    expect(keys.length).toBeGreaterThan(SCALAR_KEYS.size + 3 * DEVICE_KEYS.size + 2 * NEIGHBOUR_KEYS.size);
    for (const key of keys) {
      const value = sysctl.get(key);
      expect([key, value]).toEqual([key, expect.stringMatching(/^-?\d+(\t-?\d+)*$/)]);
      expect([key, sysctl.set(key, value!)]).toEqual([key, undefined]);
      expect(sysctl.get(key)).toBe(value);
    }
  });

  it("refuses what the kernel refuses, and changes nothing then", () => {
    const { sysctl } = twoHosts().c1;
    expect(sysctl.set("net.ipv4.no_such_key", "1")).toBe("ENOENT");
    expect(sysctl.set("net.ipv4.conf.eth7.rp_filter", "1")).toBe("ENOENT");
    for (const bad of ["x", "", "1 2", "-1", "2", "1.5"]) expect(sysctl.set("net.ipv4.ip_forward", bad)).toBe("EINVAL");
    expect(sysctl.get("net.ipv4.ip_forward")).toBe("0");
    expect(sysctl.set("net.ipv4.ip_local_port_range", "500 400")).toBe("EINVAL");
    expect(sysctl.set("net.ipv4.ip_local_port_range", "40000\t 41000")).toBeUndefined();
    expect([sysctl.localPortLow, sysctl.localPortHigh]).toEqual([40_000, 41_000]);
    expect(sysctl.get("net.ipv4.ip_local_port_range")).toBe("40000\t41000");
  });

  it("makes a host a router on every device, those to come included", () => {
    const { c1 } = twoHosts();
    c1.sysctl.set("net.ipv4.ip_forward", "1");
    expect(c1.sysctl.get("net.ipv4.conf.eth0.forwarding")).toBe("1");
    expect(c1.sysctl.get("net.ipv4.conf.all.accept_redirects")).toBe("0");
    c1.addDevice({
      name: "eth1.5",
      kind: "dummy",
      address: c1.drawMac("eth1.5"),
      mtu: 1500,
      driver: { transmit() {} },
    });
    expect(c1.sysctl.get("net.ipv4.conf.eth1/5.forwarding")).toBe("1");
    expect(c1.sysctl.device("eth1.5").forwarding).toBe(true);
    expect(c1.sysctl.set("net.ipv4.conf.eth1/5.forwarding", "0")).toBeUndefined();
    expect(c1.sysctl.device("eth1.5").forwarding).toBe(false);
  });

  it("combines a device's own value with that of all: the larger, either, or both", () => {
    const { sysctl } = twoHosts().c1;
    sysctl.set("net.ipv4.conf.all.rp_filter", "1");
    sysctl.set("net.ipv4.conf.eth0.rp_filter", "2");
    expect(sysctl.device("eth0").rpFilter).toBe(2);
    sysctl.set("net.ipv4.conf.eth0.rp_filter", "0");
    expect(sysctl.device("eth0").rpFilter).toBe(1);
    expect(sysctl.device("eth0").acceptSourceRoute).toBe(false);
    sysctl.set("net.ipv4.conf.all.accept_source_route", "1");
    expect(sysctl.device("eth0").acceptSourceRoute).toBe(true);
    sysctl.set("net.ipv4.conf.all.proxy_arp", "1");
    expect(sysctl.device("eth0").proxyArp).toBe(true);
  });

  it("gives new devices the defaults as they are then, and keeps what was set for one", () => {
    const { sysctl } = twoHosts().c1;
    sysctl.set("net.ipv4.conf.eth0.arp_ignore", "2");
    sysctl.set("net.ipv4.conf.default.arp_ignore", "1");
    sysctl.addDevice("eth1");
    expect(sysctl.get("net.ipv4.conf.eth1.arp_ignore")).toBe("1");
    expect(sysctl.get("net.ipv4.conf.eth0.arp_ignore")).toBe("2");
    sysctl.renameDevice("eth0", "wan");
    expect(sysctl.get("net.ipv4.conf.wan.arp_ignore")).toBe("2");
    expect(sysctl.get("net.ipv4.conf.eth0.arp_ignore")).toBeUndefined();
    sysctl.removeDevice("wan");
    sysctl.addDevice("wan");
    expect(sysctl.get("net.ipv4.conf.wan.arp_ignore")).toBe("1");
  });

  it("shows one reachable time in seconds and in milliseconds", () => {
    const { sysctl } = twoHosts().c1;
    sysctl.set("net.ipv4.neigh.eth0.base_reachable_time_ms", "1500");
    expect(sysctl.get("net.ipv4.neigh.eth0.base_reachable_time")).toBe("1");
    sysctl.set("net.ipv4.neigh.eth0.base_reachable_time", "20");
    expect(sysctl.get("net.ipv4.neigh.eth0.base_reachable_time_ms")).toBe("20000");
    expect(sysctl.neighbour("eth0").baseReachableMs).toBe(20_000);
  });
});
