/** `tc qdisc show`, tc/tc_qdisc.c print_qdisc: one line a discipline, with -s two more. */
import type { NetDevice, Qdisc } from "../../linux/net-device.ts";
import { isConfigured } from "../../linux/qdisc/configured-qdisc.ts";
import { queueingName } from "../ip/device-text.ts";

/** `named`: the device stands on the command line, and is not repeated. */
export function qdiscText(device: NetDevice, named: boolean, withStatistics: boolean): string {
  const { qdisc } = device;
  const where = named ? "" : `dev ${device.name} `;
  let text: string;
  if (isConfigured(qdisc)) {
    const references = device.kind === "loopback" ? 2 : 3; // one of them is the change that installed it
    const blank = qdisc.kind === "tbf" ? " " : "";
    text = `qdisc ${qdisc.kind} ${handleText(qdisc.handle)} ${where}root refcnt ${references} ${qdisc.describe()}${blank}\n`;
  } else {
    text = `qdisc ${queueingName(device)} 0: ${where}root refcnt 2 ${qdisc === undefined ? defaultText(device) : ""}\n`;
  }
  return withStatistics ? text + statisticsText(qdisc) : text;
}

/** `8001:` */
export function handleText(handle: number): string {
  return `${handle.toString(16)}:`;
}

/** What the kernel gives a device without being asked: cables have a queue, virtual devices none. */
function defaultText(device: NetDevice): string {
  if (queueingName(device) !== "fq_codel") return "";
  const quantum = device.mtu + 14;
  return `limit 10240p flows 1024 quantum ${quantum} target 5ms interval 100ms memory_limit 32Mb ecn drop_batch 64 `;
}

function statisticsText(qdisc: Qdisc | undefined): string {
  const known = isConfigured(qdisc) ? qdisc : undefined;
  return (
    ` Sent ${known?.sentBytes ?? 0} bytes ${known?.sentFrames ?? 0} pkt ` +
    `(dropped ${known?.dropped ?? 0}, overlimits ${known?.overlimits ?? 0} requeues 0) \n` +
    ` backlog ${known?.backlogBytes ?? 0}b ${known?.backlogFrames ?? 0}p requeues 0\n`
  );
}
