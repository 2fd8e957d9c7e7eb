/**
 * The firewall's part in encrypted overlays (libnetwork, drivers/overlay/encryption.go, bpf.go; 20.10: encryption_u32.go): VXLAN packets of an encrypted VNI are
 * marked on their way out, which is what the IPsec policy looks for, and those that come in clear are dropped.
 */
import type { NetworkNamespace } from "../../linux/namespace.ts";
import { findNetfilter, netfilterOf } from "../../linux/netfilter/attach.ts";
import { iptables } from "../../linux/netfilter/iptables.ts";
import type { Vni } from "../../wire/address.ts";
import { ENCRYPTION_MARK } from "./overlay-encryption.ts";

export interface EncryptedVniRulesSettings {
  readonly host: NetworkNamespace;
  readonly release: "current" | "20.10";
  readonly dataPathPort: number;
}

interface Placed {
  readonly table: "mangle" | "filter";
  readonly chain: "OUTPUT" | "INPUT";
  readonly command: "-A" | "-I";
  readonly rule: readonly string[];
}

export class EncryptedVniRules {
  readonly #settings: EncryptedVniRulesSettings;

  constructor(settings: EncryptedVniRulesSettings) {
    this.#settings = settings;
  }

  /** Rules that are there stay where they are. */
  install(vni: Vni): void {
    const netfilter = netfilterOf(this.#settings.host);
    for (const { table, chain, command, rule } of this.#rulesOf(vni))
      if (iptables(netfilter, ["-t", table, "-C", chain, ...rule]).status !== 0)
        iptables(netfilter, ["-t", table, command, chain, ...rule]);
  }

  /** Also those that a former network of this VNI has left. */
  remove(vni: Vni): void {
    const netfilter = findNetfilter(this.#settings.host);
    if (netfilter === undefined) return;
    for (const { table, chain, rule } of this.#rulesOf(vni)) iptables(netfilter, ["-t", table, "-D", chain, ...rule]);
  }

  #rulesOf(vni: Vni): readonly Placed[] {
    const { release, dataPathPort } = this.#settings;
    const packets = ["-p", "udp", "--dport", `${dataPathPort}`, ...(release === "current" ? byBpf(vni) : byU32(vni))];
    const mark: Placed = {
      table: "mangle",
      chain: "OUTPUT",
      command: "-A",
      rule: [...packets, "-j", "MARK", "--set-mark", `${ENCRYPTION_MARK}`],
    };
    const incoming = (policy: "none" | "ipsec", target: "DROP" | "ACCEPT"): Placed => ({
      table: "filter",
      chain: "INPUT",
      command: "-I",
      rule: ["-m", "policy", "--dir", "in", "--pol", policy, ...packets, "-j", target],
    });
    const drop = incoming("none", "DROP");
    return release === "current" ? [mark, drop] : [mark, incoming("ipsec", "ACCEPT"), drop];
  }
}

/** The word behind IPv4 header, UDP header and four bytes of VXLAN flags, without its reserved last byte. */
function byU32(vni: Vni): string[] {
  return ["-m", "u32", "--u32", `0>>22&0x3C@12&0xFFFFFF00=${vni * 0x100}`];
}

/** The kernel's own extension of classic BPF: where the payload begins (SKF_AD_OFF + SKF_AD_PAY_OFFSET). */
const PAYLOAD_OFFSET = 0xffff_f000 + 52;

/** ld poff; tax; ld [x + 4]; rsh #8; jeq #vni, 1, 0; ret #0; ret #-1 */
function byBpf(vni: Vni): string[] {
  const program = [
    [0x20, 0, 0, PAYLOAD_OFFSET],
    [0x07, 0, 0, 0],
    [0x40, 0, 0, 4],
    [0x74, 0, 0, 8],
    [0x15, 1, 0, vni],
    [0x06, 0, 0, 0],
    [0x06, 0, 0, 0xffff_ffff],
  ];
  const words = program.map((instruction) => instruction.join(" "));
  return ["-m", "bpf", "--bytecode", [words.length, ...words].join(",")];
}
