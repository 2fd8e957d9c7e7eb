/** `ip monitor neigh` (iproute2's ip/ipmonitor.c): changes of the neighbour table, and the misses that VXLAN notifies. */
import type { Neighbour } from "../../linux/neighbour.ts";
import type { NeighbourListener } from "../../linux/neighbour-table.ts";
import type { NetDevice } from "../../linux/net-device.ts";
import type { Process, Program } from "../../linux/process.ts";
import { formatIpv4, formatMac, type Ipv4Address, type MacAddress } from "../../wire/address.ts";
import { CommandError } from "../command-error.ts";
import { type Arguments, matches, USAGE_STATUS } from "./arguments.ts";
import type { IpContext } from "./ip-context.ts";
import { neighbourText } from "./neighbour.ts";

export function* monitor(process: Process, context: IpContext, args: Arguments): Program {
  while (!args.done) {
    const word = args.take();
    const known = ["neigh", "neighbor", "neighbour", "all", "link", "address", "route", "rule"];
    if (!known.some((object) => matches(word, object)))
      throw new CommandError(USAGE_STATUS, `Argument "${word}" is unknown, try "ip monitor help".`);
  }
  const { listeners } = context.namespace.neighbours;
  const listener = new Printer(process);
  listeners.push(listener);
  process.atExit(() => listeners.splice(listeners.indexOf(listener), 1));
  for (;;) {
    const wake = yield { queues: [] };
    if (wake === "signal") return process.pendingSignal === "SIGINT" ? 130 : 143;
  }
}

class Printer implements NeighbourListener {
  readonly #process: Process;

  constructor(process: Process) {
    this.#process = process;
  }

  neighbourChanged(neighbour: Neighbour): void {
    this.#process.stdout.write(`${neighbourText(neighbour, true)}\n`);
  }

  neighbourRemoved(neighbour: Neighbour): void {
    this.#process.stdout.write(`Deleted ${neighbourText(neighbour, true)}\n`);
  }

  neighbourMissed(device: NetDevice, missing: { address?: Ipv4Address; mac?: MacAddress }): void {
    const { address, mac } = missing;
    const what =
      address === undefined
        ? `dev ${device.name} lladdr ${formatMac(mac!)}`
        : `${formatIpv4(address)} dev ${device.name}`;
    this.#process.stdout.write(`miss ${what} STALE \n`);
  }
}
