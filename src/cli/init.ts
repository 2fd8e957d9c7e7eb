/** `vxlab init [FILE]`: a first scenario to change. */
import { existsSync, writeFileSync } from "node:fs";
import { Command } from "commander";
import { UsageError } from "./usage-error.ts";

const FIRST_SCENARIO = `# yaml-language-server: $schema=./node_modules/vxlab/scenario.schema.json
name: my-network
description: two containers on two machines, joined by one overlay network
seed: 1

underlay: { subnet: 192.168.50.0/24, link: { delay: 50us, rate: 1gbit } }

nodes:
  node1: { role: manager }
  node2: { role: worker }

networks:
  my-net: { driver: overlay }

containers:
  c1: { node: node1, networks: [my-net] }
  c2: { node: node2, networks: [my-net] }

steps:
  - { at: 1s, in: c1, run: ping -c 3 c2, as: first }

expect:
  - first: { received: 3 }
  - { capture: node2/eth0, filter: udp port 4789, at-least: 6 }
`;

export function initCommand(): Command {
  return new Command("init")
    .description("write a first scenario to change")
    .argument("[file]", "the file to write", "my-network.yaml")
    .action((file: string) => {
      if (existsSync(file)) throw new UsageError(`${file} is there already`);
      try {
        writeFileSync(file, FIRST_SCENARIO, { flag: "wx" });
      } catch (error) {
        throw new UsageError(`cannot write ${file}: ${(error as Error).message}`);
      }
      process.stdout.write(`wrote ${file}; run it with: vxlab run ${file}\n`);
    });
}
