/** A swarm of two: what tests of `docker stack` type into. */
import { Lab } from "../../../../src/scenario/lab.ts";
import { scenarioFrom } from "../../../../src/scenario/load.ts";
import { SECOND } from "../../../../src/sim/time.ts";

export interface Said {
  readonly status: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

export class StackLab {
  readonly lab: Lab;

  constructor() {
    const nodes = { node1: { role: "manager" }, node2: { role: "worker" }, alone: { role: "host" } };
    this.lab = new Lab(scenarioFrom({ name: "stacks", swarm: {}, capture: ["node1/eth0"], nodes })).ready();
  }

  file(name: string, text: string): this {
    this.lab.hosts.get("node1")!.files.set(name, text);
    return this;
  }

  type(line: string, node = "node1"): Said {
    const { status, stdout, stderr } = this.lab.exec(node, line);
    return { status, stdout, stderr };
  }

  pass(seconds: number): void {
    this.lab.runUntil(this.lab.nowNs + seconds * SECOND);
  }
}

export const IN_BACKGROUND =
  "Since --detach=false was not specified, tasks will be created in the background.\nIn a future release, --detach=false will become the default.\n";
