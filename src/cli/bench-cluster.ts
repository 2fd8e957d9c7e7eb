/** The workload cluster: machines with dockerd that form a swarm, run services, and go on for a while. */
import { EmulatedSwarm } from "../check/swarm/emulated-swarm.ts";
import { SECOND } from "../sim/time.ts";
import { type Figures, type Options, round } from "./bench-machine.ts";
import { cpuSeconds, createServices, runningTasks, runUntilRunning } from "./bench-services.ts";

const MEBIBYTE = 1 << 20;

export function cluster(options: Options): Figures {
  const count = options.get("nodes") ?? 100;
  const services = options.get("services") ?? 10;
  const tasks = options.get("tasks") ?? 1_000;
  const seconds = options.get("seconds") ?? 60;
  const managers = options.get("managers") ?? 3;
  const startCpuS = cpuSeconds();
  const swarm = new EmulatedSwarm(count, 1);
  const { simulation } = swarm.world;
  swarm.form(managers);
  const formedS = cpuSeconds() - startCpuS;
  createServices(swarm, services, tasks);
  const upNs = runUntilRunning(swarm, Math.floor(tasks / services) * services);
  const upS = cpuSeconds() - startCpuS - formedS;
  const quietCpuS = cpuSeconds();
  simulation.run(simulation.nowNs + seconds * SECOND);
  return {
    workload: "cluster",
    nodes: count,
    services,
    running: runningTasks(swarm),
    form_cpu_s: round(formedS, 1),
    up_virtual_s: round(upNs / SECOND, 1),
    up_cpu_s: round(upS, 1),
    quiet_virtual_s: seconds,
    quiet_cpu_s: round(cpuSeconds() - quietCpuS, 1),
    events: simulation.events,
    rss_mb: round(process.memoryUsage().rss / MEBIBYTE, 0),
  };
}
