/**
 * The word `tcpdump` (4.99.3): frames of one device, or of all, as they pass; pcap-filter(7) chooses. Each frame is one line in the words of
 * wire/describe.ts, which go through VXLAN; addresses and ports stay numbers.
 */
import { compileFilter, type FrameFilter } from "../../capture/filter.ts";
import type { FrameId } from "../../linux/frame-store.ts";
import type { NetworkNamespace } from "../../linux/namespace.ts";
import type { NetDevice } from "../../linux/net-device.ts";
import { type Process, type Program, WaitQueue } from "../../linux/process.ts";
import { addTap } from "../../linux/tap-set.ts";
import { isGroup, MAC_BROADCAST, parseIpv4 } from "../../wire/address.ts";
import * as ethernet from "../../wire/ethernet.ts";
import { CommandError } from "../command-error.ts";
import type { CommandContext, Word } from "../word.ts";
import { FrameText } from "./frame-text.ts";
import { readTcpdumpOptions, type TcpdumpOptions } from "./options.ts";

const SNAPSHOT_BYTES = 262_144;

export const TCPDUMP: Word = {
  name: "tcpdump",
  *run(process, context, argv) {
    try {
      const options = readTcpdumpOptions(argv);
      if (options.list) {
        process.stdout.write(deviceList(context.namespace));
        return 0;
      }
      return yield* new Tcpdump(process, context, options).run();
    } catch (error) {
      if (!(error instanceof CommandError)) throw error;
      (error.status === 0 ? process.stdout : process.stderr).write(`${error.message}\n`);
      return error.status;
    }
  },
};

class Tcpdump {
  readonly #process: Process;
  readonly #options: TcpdumpOptions;
  readonly #namespace: NetworkNamespace;
  readonly #text: FrameText;
  readonly #filter: FrameFilter;
  readonly #enough = new WaitQueue();
  #captured = 0;
  #received = 0;

  constructor(process: Process, context: CommandContext, options: TcpdumpOptions) {
    this.#process = process;
    this.#options = options;
    this.#namespace = context.namespace;
    this.#text = new FrameText(options);
    const filter = compileFilter(options.filter, (name) => context.host.hostsFile.get(name) ?? parseIpv4(name));
    if (typeof filter !== "function") throw new CommandError(1, "tcpdump: can't parse filter expression: syntax error");
    this.#filter = filter;
  }

  *run(): Program {
    const { stdout, stderr } = this.#process;
    const { verbose, promiscuous } = this.#options;
    const devices = this.#chooseDevices();
    const any = this.#options.device === "any";
    if (any) stderr.write("tcpdump: data link type LINUX_SLL2\n");
    if (verbose === 0) stderr.write("tcpdump: verbose output suppressed, use -v[v]... for full protocol decode\n");
    const link = any
      ? "any, link-type LINUX_SLL2 (Linux cooked v2)"
      : `${devices[0]!.name}, link-type EN10MB (Ethernet)`;
    stderr.write(`${verbose > 0 ? "tcpdump: " : ""}listening on ${link}, snapshot length ${SNAPSHOT_BYTES} bytes\n`);
    for (const device of devices) {
      const tap = { frame: (frame: FrameId, direction: "in" | "out") => this.#frame(device, any, frame, direction) };
      this.#process.atExit(addTap(device, tap, promiscuous && !any));
    }
    const wake = yield { queues: [this.#enough] };
    if (wake === "signal") stdout.write("\n"); // in case a line was being printed
    const packets = (count: number) => `${count} packet${count === 1 ? "" : "s"}`;
    stderr.write(
      `${packets(this.#captured)} captured\n${packets(this.#received)} received by filter\n0 packets dropped by kernel\n`,
    );
    return 0;
  }

  #chooseDevices(): readonly NetDevice[] {
    const { device: name } = this.#options;
    const { devices } = this.#namespace;
    if (name === "any") return [...devices];
    const first = devices.find((device) => device.up && device.kind !== "loopback") ?? this.#namespace.loopback;
    const device = name === undefined ? first : this.#namespace.device(name);
    if (device === undefined)
      throw new CommandError(1, `tcpdump: ${name}: No such device exists\n(No such device exists)`);
    if (!device.up) throw new CommandError(1, `tcpdump: ${device.name}: That device is not up`);
    return [device];
  }

  #frame(device: NetDevice, any: boolean, frame: FrameId, direction: "in" | "out"): void {
    const { direction: wanted, count, onlyCount } = this.#options;
    // A loopback's packets are shown once: as they come in.
    if (direction === "out" && device.kind === "loopback") return;
    if (wanted !== "inout" && wanted !== direction) return;
    const { frames, clock } = this.#namespace;
    const at = frames.start(frame);
    const end = frames.end(frame);
    if (!this.#filter(frames.bytes, at, end)) return;
    this.#received++;
    if (count !== undefined && this.#captured >= count) return;
    this.#captured++;
    if (!onlyCount) {
      const where = any ? `${device.name.padEnd(5)} ${kindOf(device, direction, frames.bytes, at).padEnd(3)} ` : "";
      this.#process.stdout.write(this.#text.text(this.#captured, clock.nowNs, where, frames.bytes, at, end));
    }
    if (this.#captured === count) this.#enough.wake();
  }
}

/** What `-i any` tells of a frame: sent, for this host, for all, for a group, for somebody else. */
function kindOf(device: NetDevice, direction: "in" | "out", bytes: Uint8Array, at: number): string {
  if (direction === "out") return "Out";
  const destination = ethernet.destination(bytes, at);
  if (destination === MAC_BROADCAST) return "B";
  if (isGroup(destination)) return "M";
  return destination === device.address || device.kind === "loopback" ? "In" : "P";
}

/** -D */
function deviceList(namespace: NetworkNamespace): string {
  const ordinary = namespace.devices.filter((device) => device.kind !== "loopback");
  const line = (device: NetDevice) => {
    const states: string[] = [];
    if (device.up) states.push("Up");
    if (device.running) states.push("Running");
    if (device.kind === "loopback") states.push("Loopback");
    else states.push(device.carrier ? "Connected" : "Disconnected");
    return `${device.name} [${states.join(", ")}]`;
  };
  const names = [
    ...ordinary.map(line),
    "any (Pseudo-device that captures on all interfaces) [Up, Running]",
    line(namespace.loopback),
  ];
  return names.map((name, index) => `${index + 1}.${name}\n`).join("");
}
