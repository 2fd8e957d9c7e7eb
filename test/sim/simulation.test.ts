import { describe, expect, it } from "vitest";
import { Random } from "../../src/sim/random.ts";
import { Simulation } from "../../src/sim/simulation.ts";
import { formatSeconds, SECOND } from "../../src/sim/time.ts";
import { Timer } from "../../src/sim/timer.ts";

function simulation(): Simulation {
  return new Simulation(new Random(1));
}

describe("A simulation", () => {
  it("hands values to receivers at their time and ends at the time asked for", () => {
    const sim = simulation();
    const seen: string[] = [];
    const receiver = sim.register({ receive: (value) => seen.push(`${sim.nowNs}:${value}`) });
    sim.schedule(20, receiver, 2);
    sim.schedule(10, receiver, 1);
    sim.schedule(30, receiver, 3);
    expect(sim.run(25)).toBe(false);
    expect(seen).toEqual(["10:1", "20:2"]);
    expect(sim.nowNs).toBe(25);
    sim.run(30);
    expect(seen).toEqual(["10:1", "20:2", "30:3"]);
    expect(sim.events).toBe(3);
  });

  it("stops when its condition comes true, with time where it is", () => {
    const sim = simulation();
    let count = 0;
    const receiver = sim.register({ receive: () => count++ });
    for (let at = 1; at <= 5; at++) sim.schedule(at, receiver, at);
    expect(sim.run(100, () => count === 3)).toBe(true);
    expect(sim.nowNs).toBe(3);
    expect(sim.run(100)).toBe(false);
    expect(count).toBe(5);
  });

  it("does maintenance between two events, not inside one", () => {
    const sim = simulation();
    const seen: string[] = [];
    const receiver = sim.register({
      receive: (value) => {
        sim.betweenEvents(() => seen.push(`between ${value}`));
        seen.push(`event ${value}`);
      },
    });
    sim.schedule(1, receiver, 1);
    sim.schedule(1, receiver, 2);
    sim.run(1);
    expect(seen).toEqual(["event 1", "between 1", "event 2", "between 2"]);
  });

  it("asserts that nothing is scheduled in the past", () => {
    const sim = simulation();
    const receiver = sim.register({ receive: () => {} });
    expect(() => sim.schedule(-1, receiver, 0)).toThrow("an event before now");
  });
});

describe("A timer", () => {
  it("fires once at the last time it was set to, whether moved later or earlier", () => {
    const sim = simulation();
    const fired: number[] = [];
    const timer = new Timer(sim, () => fired.push(sim.nowNs));
    timer.set(10);
    timer.set(50);
    timer.set(30);
    sim.run(100);
    expect(fired).toEqual([30]);
    expect(timer.armed).toBe(false);
    timer.set(5);
    sim.run(200);
    expect(fired).toEqual([30, 105]);
  });

  it("does not fire after it was stopped, and can be set again", () => {
    const sim = simulation();
    const fired: number[] = [];
    const timer = new Timer(sim, () => fired.push(sim.nowNs));
    timer.set(10);
    timer.stop();
    sim.run(5);
    timer.set(20);
    sim.run(100);
    expect(fired).toEqual([25]);
  });

  it("costs one event while it is pushed back again and again", () => {
    const sim = simulation();
    const timer = new Timer(sim, () => {});
    const mover = sim.register({ receive: () => timer.set(SECOND) });
    for (let at = 0; at < 1_000; at++) sim.schedule(at, mover, 0);
    sim.run(999);
    expect(sim.pendingEvents).toBe(1);
  });
});

describe("Virtual time", () => {
  it("is written in seconds with nine decimals", () => {
    expect(formatSeconds(1_000_052_000)).toBe("1.000052000");
    expect(formatSeconds(1_000_052_000, 6)).toBe("1.000052");
    expect(formatSeconds(0, 0)).toBe("0");
  });

  it("has a number at the clock only while an event of it is pending", () => {
    const sim = simulation();
    const next = (): number => {
      const number = sim.register({ receive: () => {} });
      sim.release(number);
      return number;
    };
    const free = next();
    const fired: number[] = [];
    for (let turn = 0; turn < 100; turn++) {
      const timer = new Timer(sim, () => fired.push(sim.nowNs));
      timer.set(20);
      timer.set(10); // the first event is stale now
      sim.run(sim.nowNs + 15);
      expect(next()).not.toBe(free);
      sim.run(sim.nowNs + 15);
      expect(next()).toBe(free);
    }
    expect(fired).toHaveLength(100);
  });

  it("is caught giving its number back twice", () => {
    const sim = simulation();
    const number = sim.register({ receive: () => {} });
    sim.release(number);
    expect(() => sim.release(number)).toThrow("given back twice");
  });
});
