/** Machines on one wire or in a row, with every word installed: what tests of words type into. */
import { Host, TextBuffer } from "../../src/commands/host.ts";
import { runLine } from "../../src/commands/shell.ts";
import { WORDS } from "../../src/commands/words.ts";
import type { Process } from "../../src/linux/process.ts";
import { World } from "../../src/linux/world.ts";
import { SECOND } from "../../src/sim/time.ts";

export interface Running {
  readonly process: Process;
  readonly stdout: string;
  readonly stderr: string;
  readonly status: number | undefined;
}

export class Machines {
  readonly world: World;
  readonly #hosts = new Map<string, Host>();

  constructor(seed = "machines") {
    this.world = new World({ seed });
  }

  host(name: string): Host {
    let host = this.#hosts.get(name);
    if (host === undefined) {
      host = new Host({ name, world: this.world, namespace: this.world.createNamespace(name), words: WORDS });
      this.#hosts.set(name, host);
      this.run(name, "ip link set lo up");
    }
    return host;
  }

  /** A cable; both ends are up and have the addresses. */
  join(a: string, aDevice: string, aAddress: string, b: string, bDevice: string, bAddress: string): void {
    this.world.createLink(
      "veth",
      { namespace: this.host(a).namespace, name: aDevice },
      { namespace: this.host(b).namespace, name: bDevice },
    );
    this.run(a, `ip addr add ${aAddress} dev ${aDevice}; ip link set ${aDevice} up`);
    this.run(b, `ip addr add ${bAddress} dev ${bDevice}; ip link set ${bDevice} up`);
  }

  start(name: string, line: string): Running {
    const host = this.host(name);
    const stdout = new TextBuffer();
    const stderr = new TextBuffer();
    const process = host.spawn("bash", { stdout, stderr }, (self) => runLine(self, host.context(), line));
    return {
      process,
      get stdout() {
        return stdout.text;
      },
      get stderr() {
        return stderr.text;
      },
      get status() {
        return process.exitStatus;
      },
    };
  }

  pass(seconds: number): void {
    this.world.simulation.run(this.world.simulation.nowNs + Math.round(seconds * SECOND));
  }

  /** Types a line and lets up to `seconds` go by until it has ended. */
  run(name: string, line: string, seconds = 60): Running {
    const running = this.start(name, line);
    for (let passed = 0; running.status === undefined && passed < seconds; passed += 0.25) this.pass(0.25);
    return running;
  }
}

/** `a` and `b` on one cable: 10.0.0.1 and 10.0.0.2. */
export function twoMachines(seed?: string): Machines {
  const machines = new Machines(seed);
  machines.join("a", "eth0", "10.0.0.1/24", "b", "eth0", "10.0.0.2/24");
  return machines;
}

/** `a` - `r1` - `r2` - `b`: 10.0.1.2 to 10.0.3.2. */
export function routedMachines(seed?: string): Machines {
  const machines = new Machines(seed);
  machines.join("a", "eth0", "10.0.1.2/24", "r1", "eth0", "10.0.1.1/24");
  machines.join("r1", "eth1", "10.0.2.1/24", "r2", "eth0", "10.0.2.2/24");
  machines.join("r2", "eth1", "10.0.3.1/24", "b", "eth0", "10.0.3.2/24");
  machines.run("a", "ip route add default via 10.0.1.1");
  machines.run("b", "ip route add default via 10.0.3.1");
  machines.run("r1", "sysctl -qw net.ipv4.ip_forward=1; ip route add 10.0.3.0/24 via 10.0.2.2");
  machines.run("r2", "sysctl -qw net.ipv4.ip_forward=1; ip route add 10.0.1.0/24 via 10.0.2.1");
  return machines;
}
