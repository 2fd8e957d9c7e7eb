/** Associations and policies as `ip xfrm` prints them (iproute2's ip/ipxfrm.c); with -s their limits, use and times too. */

import type { Policy, Template } from "../../linux/xfrm/policy.ts";
import type { Mark, Selector } from "../../linux/xfrm/selector.ts";
import type { Lifetime, XfrmState } from "../../linux/xfrm/state.ts";
import { SECOND } from "../../sim/time.ts";
import { formatIpv4 } from "../../wire/address.ts";
import { toHex } from "../../wire/bytes.ts";
import { PROTOCOL_ESP, protocolName, transformProtocolName } from "./xfrm-arguments.ts";

/** Above this size of window the kernel keeps the long form of it (XFRMA_REPLAY_ESN_VAL). */
const SHORT_WINDOW = 32;
/** `flag` of a state, then `extra-flag`. */
export const STATE_FLAGS = ["noecn", "decap-dscp", "nopmtudisc", "wildrecv", "icmp", "af-unspec", "align4"];
export const EXTRA_FLAGS = ["dont-encap-dscp", "oseq-may-wrap"];
export const POLICY_FLAGS = ["localok", "icmp"];

export interface PrintOptions {
  readonly statistics: boolean;
  readonly withKeys: boolean;
  deviceName(index: number): string;
}

interface Times {
  readonly bytes: number;
  readonly packets: number;
  readonly addedNs: number;
  readonly firstUseNs: number | undefined;
}

export function stateText(state: XfrmState, options: PrintOptions): string {
  const { request, replay } = state;
  const { statistics } = options;
  const long = request.replayWindow > SHORT_WINDOW;
  const lines = [
    ...identityLines(
      { ...request, protocol: PROTOCOL_ESP, mode: "transport" },
      { title: "", indent: "", showSpi: true, statistics },
    ),
  ];
  const flags = STATE_FLAGS.filter((name) => request.flags.includes(name));
  let second = `\treplay-window ${long ? 0 : request.replayWindow} `;
  if (statistics) second += "seq 0x00000000 ";
  if (statistics || flags.length > 0) second += `flag ${flags.join(" ")}`;
  if (statistics) second += ` (0x${maskText(flags, STATE_FLAGS)})`;
  lines.push(second);
  if (request.mark.mask !== 0) lines.push(`\t${markText(request.mark)}`);
  if (request.outputMark !== undefined) {
    const { value, mask } = request.outputMark;
    lines.push(`\toutput-mark 0x${value.toString(16)}${mask === 0xffff_ffff ? "" : `/0x${mask.toString(16)}`}`);
  }
  const key = options.withKeys ? `0x${toHex(request.keyAndSalt)}` : "<<Keys hidden>>";
  const bits = statistics && options.withKeys ? ` (${request.keyAndSalt.length * 8} bits)` : "";
  lines.push(`\taead rfc4106(gcm(aes)) ${key}${bits} ${request.icvBytes * 8}`);
  const sequences = `seq 0x${replay.highest.toString(16)}, oseq 0x${state.outputSequence.toString(16)}`;
  if (long) {
    const words = replay.words();
    lines.push("\tanti-replay esn context:");
    lines.push(
      `\t seq-hi 0x0, seq 0x${replay.highest.toString(16)}, oseq-hi 0x0, oseq 0x${state.outputSequence.toString(16)}`,
    );
    lines.push(`\t replay_window ${request.replayWindow}, bitmap-length ${words.length}`);
    for (let at = 0; at < words.length; at += 8)
      lines.push(
        `\t ${words
          .slice(at, at + 8)
          .map((word) => `${hex8(word)} `)
          .join("")}`,
      );
  } else {
    lines.push(`\tanti-replay context: ${sequences}, bitmap 0x${hex8(replay.bitmap)}`);
  }
  const extra = EXTRA_FLAGS.filter((name) => request.flags.includes(name));
  if (extra.length > 0) lines.push(`\textra_flag ${extra.join(" ")}`);
  lines.push(`\tsel ${selectorText(request.selector, options)}`);
  if (statistics) {
    lines.push(...lifetimeLines(request.lifetime, state));
    const { window, replay: seen, integrity } = state.refused;
    lines.push("\tstats:", `\t  replay-window ${window} replay ${seen} failed ${integrity}`);
  }
  return `${lines.join("\n")}\n`;
}

export function policyText(policy: Policy, options: PrintOptions): string {
  const { statistics } = options;
  const lines = [selectorText(policy.selector, options)];
  let second = `\tdir ${policy.direction} `;
  if (policy.action === "block") second += "action block ";
  else if (statistics) second += "action allow ";
  if (statistics) second += `index ${policy.index} `;
  second += `priority ${policy.priority} ptype ${policy.type} `;
  if (statistics) second += "share any ";
  if (statistics || policy.flags.length > 0) second += `flag ${policy.flags.join(" ")}`;
  if (statistics) second += ` (0x${maskText(policy.flags, POLICY_FLAGS)})`;
  lines.push(second);
  if (statistics) lines.push(...lifetimeLines(policy.lifetime, policy));
  if (policy.mark.mask !== 0) lines.push(`\t${markText(policy.mark)}`);
  for (const template of policy.templates) lines.push(...templateLines(template, statistics));
  return `${lines.join("\n")}\n`;
}

function templateLines(template: Template, statistics: boolean): string[] {
  const lines = identityLines(template, { title: "tmpl ", indent: "\t", showSpi: false, statistics });
  if (statistics || template.optional)
    lines.push(`\t\tlevel ${template.optional ? "use" : "required"} ${statistics ? "share any " : ""}`);
  if (statistics) lines.push("\t\tenc-mask ffffffff auth-mask ffffffff comp-mask ffffffff");
  return lines;
}

/** xfrm_id_info_print */
function identityLines(
  what: Pick<Template, "source" | "destination" | "protocol" | "spi" | "reqid" | "mode">,
  how: { title: string; indent: string; showSpi: boolean; statistics: boolean },
): string[] {
  let second = `${how.indent}\tproto ${transformProtocolName(what.protocol)} `;
  if (how.statistics || how.showSpi || what.spi !== 0)
    second += `spi 0x${hex8(what.spi)}${how.statistics ? `(${what.spi})` : ""} `;
  second += `reqid ${what.reqid}${how.statistics ? `(0x${hex8(what.reqid)})` : ""} mode ${what.mode}`;
  return [`${how.indent}${how.title}src ${formatIpv4(what.source)} dst ${formatIpv4(what.destination)}`, second];
}

function selectorText(selector: Selector, options: PrintOptions): string {
  const { source, destination, protocol, sourcePort, destinationPort } = selector;
  let text = `src ${formatIpv4(source.address)}/${source.length} dst ${formatIpv4(destination.address)}/${destination.length} `;
  if (protocol !== 0) text += `proto ${protocolName(protocol)} `;
  const [first, second] = protocol === 1 || protocol === 58 ? ["type", "code"] : ["sport", "dport"];
  if (sourcePort !== undefined) text += `${first} ${sourcePort} `;
  if (destinationPort !== undefined) text += `${second} ${destinationPort} `;
  if (selector.device !== 0) text += `dev ${options.deviceName(selector.device)} `;
  if (options.statistics) text += "uid 0";
  return text;
}

function lifetimeLines(lifetime: Lifetime, times: Times): string[] {
  const limit = (value: number | undefined) => (value === undefined ? "(INF)" : String(value));
  return [
    "\tlifetime config:",
    `\t  limit: soft ${limit(lifetime.softBytes)}(bytes), hard ${limit(lifetime.hardBytes)}(bytes)`,
    `\t  limit: soft ${limit(lifetime.softPackets)}(packets), hard ${limit(lifetime.hardPackets)}(packets)`,
    `\t  expire add: soft ${lifetime.softSeconds ?? 0}(sec), hard ${lifetime.hardSeconds ?? 0}(sec)`,
    `\t  expire use: soft ${lifetime.softUseSeconds ?? 0}(sec), hard ${lifetime.hardUseSeconds ?? 0}(sec)`,
    "\tlifetime current:",
    `\t  ${times.bytes}(bytes), ${times.packets}(packets)`,
    `\t  add ${secondsText(times.addedNs)} use ${secondsText(times.firstUseNs)}`,
  ];
}

/** Times of a run have no date of their own: they are printed as the time since its start. */
function secondsText(timeNs: number | undefined): string {
  if (timeNs === undefined) return "-";
  const seconds = Math.floor(timeNs / SECOND);
  const two = (value: number) => String(value).padStart(2, "0");
  return `${two(Math.floor(seconds / 3_600))}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
}

function markText(mark: Mark): string {
  const sharp = (value: number) => (value === 0 ? "0" : `0x${value.toString(16)}`);
  return `mark ${sharp(mark.value)}/${sharp(mark.mask)} `;
}

/** Eight binary digits, as strxf_mask8 writes them; the first name is the lowest bit. */
function maskText(flags: readonly string[], known: readonly string[]): string {
  let mask = 0;
  for (const [bit, name] of known.entries()) if (flags.includes(name)) mask |= 1 << bit;
  return mask.toString(2).padStart(8, "0");
}

function hex8(value: number): string {
  return value.toString(16).padStart(8, "0");
}
