import { describe, expect, it } from "vitest";
import { GlobalLimit, Peers } from "../../src/linux/peers.ts";
import { RawSocket } from "../../src/linux/raw-socket.ts";
import { UdpSocket } from "../../src/linux/udp-socket.ts";
import { Random } from "../../src/sim/random.ts";
import { Simulation } from "../../src/sim/simulation.ts";
import { SECOND } from "../../src/sim/time.ts";
import type { Ipv4Address } from "../../src/wire/address.ts";
import { ip, pass, twoHosts } from "./two-hosts.ts";

function at(): { simulation: Simulation; wait(seconds: number): void } {
  const simulation = new Simulation(new Random(1));
  return { simulation, wait: (seconds) => simulation.run(simulation.nowNs + seconds * SECOND) };
}
const count = (times: number, allowed: () => boolean) =>
  Array.from({ length: times }, allowed).filter((each) => each).length;

describe("limits on what a host says about errors", () => {
  it("let six errors to one peer pass at once, then one a second", () => {
    const { simulation, wait } = at();
    const peers = new Peers(simulation);
    const allow = () => peers.allowsError(1 as Ipv4Address, 250);
    expect(count(20, allow)).toBe(6);
    expect(peers.allowsError(2 as Ipv4Address, 250)).toBe(true);
    wait(1);
    expect(count(20, allow)).toBe(1);
    wait(3.5);
    expect(count(20, allow)).toBe(3);
    wait(100);
    expect(count(20, allow)).toBe(6);
  });

  it("let fifty errors to all peers pass at once, then a thousand a second", () => {
    const { simulation, wait } = at();
    wait(1);
    const limit = new GlobalLimit(simulation);
    const allow = () => {
      const allowed = limit.allows(1_000, 50);
      if (allowed) limit.take();
      return allowed;
    };
    expect(count(80, allow)).toBe(50);
    wait(0.02);
    expect(count(80, allow)).toBe(20);
    wait(1);
    expect(count(80, allow)).toBe(50);
  });

  it("let redirects pass at doubling intervals, nine in all, and again after silence", () => {
    const { simulation, wait } = at();
    wait(100);
    const peers = new Peers(simulation);
    let sent = 0;
    for (let step = 0; step < 400; step++) {
      if (peers.allowsRedirect(1 as Ipv4Address)) {
        peers.countRedirect(1 as Ipv4Address);
        sent++;
      }
      wait(0.05);
    }
    expect(sent).toBe(9);
    wait(21);
    expect(peers.allowsRedirect(1 as Ipv4Address)).toBe(true);
  });

  it("do not hold echo replies back", () => {
    const { world, c1 } = twoHosts();
    const socket = new RawSocket(c1);
    for (let sequence = 0; sequence < 100; sequence++) socket.send(ip("10.0.0.3"), sequence, new Uint8Array(8));
    pass(world, 0.1);
    expect(count(101, () => socket.receive()?.kind === "reply")).toBe(100);
  });

  it("follow icmp_ratelimit and icmp_ratemask", () => {
    const refused = (key: string, value: string) => {
      const { world, c1, c2 } = twoHosts();
      c2.sysctl.set(key, value);
      const socket = new UdpSocket(c1);
      socket.connect(ip("10.0.0.3"), 9);
      return count(20, () => {
        socket.sendTo(new Uint8Array(8));
        pass(world, 0.01);
        return socket.takeError() === "ECONNREFUSED";
      });
    };
    expect(refused("net.ipv4.icmp_ratelimit", "1000")).toBe(6);
    expect(refused("net.ipv4.icmp_ratelimit", "0")).toBe(20);
    expect(refused("net.ipv4.icmp_ratemask", "0")).toBe(20);
  });

  it("leave broadcasts without answer, unless icmp_echo_ignore_broadcasts is off", () => {
    const { world, c1, c2 } = twoHosts();
    const socket = new RawSocket(c1);
    const ask = () => socket.send(ip("10.0.0.255"), 1, new Uint8Array(8), { broadcast: true });
    expect(socket.send(ip("10.0.0.255"), 1, new Uint8Array(8))).toBe("EACCES");
    ask();
    pass(world, 0.1);
    expect(socket.receive()).toBeUndefined();
    c2.sysctl.set("net.ipv4.icmp_echo_ignore_broadcasts", "0");
    ask();
    pass(world, 0.1);
    expect(socket.receive()).toMatchObject({ kind: "reply", source: ip("10.0.0.3") });
    expect(world.frames.inFlight).toBe(0);
  });
});
