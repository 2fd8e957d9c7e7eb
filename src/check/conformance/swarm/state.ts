/**
 * What the nodes' commands say when a case is over, line by line against what the recorded ones said: firewall, IPVS, forwarding databases, neighbours,
 * routes. Identifiers, addresses and MAC addresses go by their owners; counters, the recorded machines' second NIC and IPv6 are left out.
 */
import { TextBuffer } from "../../../commands/host.ts";
import { runLine } from "../../../commands/shell.ts";
import type { NetworkNamespace } from "../../../linux/namespace.ts";
import { SECOND } from "../../../sim/time.ts";
import { parseIpv4, parseMac } from "../../../wire/address.ts";
import { matchingPairs, unifiedDiff } from "../matching-blocks.ts";
import type { LabNode, RecordedLab } from "./lab.ts";
import { type Naming, roleOf } from "./naming.ts";
import { findNamespace, hostInterface } from "./places.ts";
import { HOST_NAMESPACE } from "./recorded-state.ts";
import type { RecordedCase } from "./recording.ts";
import type { CaseRun } from "./session.ts";

const COMMANDS: readonly string[] = [
  "iptables-save",
  "ipvsadm -Ln",
  "bridge fdb show",
  "ip neigh",
  "ip route",
  "ip xfrm policy",
];

export interface StateResult {
  readonly node: string;
  readonly namespace: string;
  readonly command: string;
  readonly same: boolean;
  readonly matched: number;
  readonly recordedLines: number;
  readonly ourLines: number;
  readonly diff: readonly string[];
}

export function compareStates(run: CaseRun, lab: RecordedLab): StateResult[] {
  const results: StateResult[] = [];
  for (const [name, state] of run.recorded.states) {
    const node = lab.nodes.get(name);
    if (node === undefined) continue;
    for (const { namespace, container, command, text } of state.sections) {
      if (!COMMANDS.includes(command)) continue;
      const place = container ?? namespace;
      const own = namespace === HOST_NAMESPACE ? node.host.namespace : findNamespace(node, run.recorded, place);
      const shown = own === undefined ? "" : shownBy(lab, node, own, command);
      const left = linesOf(text, command, (line) => rename(line, run.recorded, node, run.recordedNaming));
      const right = linesOf(shown, command, (line) => rename(line, run.recorded, node, run.naming));
      const pairs = matchingPairs(left, right);
      const same = pairs.length === left.length && pairs.length === right.length;
      results.push({
        node: name,
        namespace: container === undefined ? namespace : roleOf(container),
        command,
        same,
        matched: pairs.length,
        recordedLines: left.length,
        ourLines: right.length,
        diff: same
          ? []
          : own === undefined
            ? ["there is no such namespace in our lab"]
            : unifiedDiff(left, right, pairs),
      });
    }
  }
  return results;
}

function shownBy(lab: RecordedLab, node: LabNode, namespace: NetworkNamespace, command: string): string {
  const buffer = new TextBuffer();
  const { host } = node;
  const process = host.spawn("sh", { stdout: buffer, stderr: buffer }, (own) =>
    runLine(own, { ...host.context(), namespace }, command),
  );
  const { simulation } = lab.world;
  if (process.running) simulation.run(simulation.nowNs + SECOND, () => !process.running);
  return buffer.text;
}

/** In an order of their own: tables list their entries as they were hashed. The order of rules within a chain is kept by numbering them. */
function linesOf(text: string, command: string, renamed: (line: string) => string): string[] {
  const places = new Map<string, number>();
  return text
    .split("\n")
    .map((line) => line.trimEnd())
    .filter((line) => !isOfTheMoment(line, command))
    .filter(
      (line) =>
        line !== "" && !/^#|mgmt0|169\.254\.|inet6|33:33:|fe80:|ff0[02]:|^IP Virtual|^Prot |->.*Remote/.test(line),
    )
    .map((line) => {
      const named = renamed(line.replace(/\[\d+:\d+\]/, "").trim());
      const chain = /^-A (\S+)/.exec(named)?.[1];
      if (chain === undefined) return named;
      const place = (places.get(chain) ?? 0) + 1;
      places.set(chain, place);
      return `${chain} ${place}: ${named}`;
    })
    .sort();
}

/** Neighbours and stations that were learnt; and entries for VLAN 1, which this kernel's bridges have though they filter none. */
function isOfTheMoment(line: string, command: string): boolean {
  if (command === "ip neigh") return !line.includes("PERMANENT");
  return command === "bridge fdb show" && (!line.includes("permanent") || / vlan 1 /.test(line));
}

function rename(line: string, recorded: RecordedCase, node: LabNode, naming: Naming): string {
  return (
    line
      .replace(/\bbr-\w{12}\b/g, (name) => `br(${bridgeName(recorded, node, name)})`)
      .replace(/\bveth(?:[0-9a-f]{7}|\d+)\b/g, "vethX")
      .replace(/\b[0-9a-f]{2}(?::[0-9a-f]{2}){5}\b/g, (text) => naming.nameOfMac(node.name, parseMac(text)!) ?? "MAC")
      .replace(/\b\d+\.\d+\.\d+\.\d+\b/g, (text) => naming.nameOf(node.name, parseIpv4(text)!) ?? text)
      // The embedded resolver's ports and the state of a neighbour are of the moment.
      .replace(/127\.0\.0\.11:\d+|--sport \d+(?= -j SNAT)|--to-source :53/g, (text) => text.replace(/\d+$/, "N"))
      .replace(/ (REACHABLE|STALE|DELAY|PROBE)\b/, " VALID")
      .replace(/ spi 0x\w+/, " spi SPI")
      .replace(/ link-netnsid \d+/, "")
      .replace(/\s+/g, " ")
  );
}

/** A bridge's network, whichever side's identifier it is called after. */
function bridgeName(recorded: RecordedCase, node: LabNode, name: string): string {
  const id = name.slice(3);
  const known = recorded.networkName(id);
  if (known !== id) return known;
  const own = [...node.daemon.engine.networks.values()].find((network) => network.id.startsWith(id));
  return own?.name ?? hostInterface(node, recorded, name);
}
