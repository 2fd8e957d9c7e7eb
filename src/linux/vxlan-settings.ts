/** What `ip link add … type vxlan` says of a device, with the defaults of the kernel (drivers/net/vxlan, iproute2's iplink_vxlan.c). */
import type { Nanoseconds } from "../sim/time.ts";
import { SECOND } from "../sim/time.ts";
import { IPV4_ANY, type Ipv4Address, isMulticastIpv4, type MacAddress, type Vni } from "../wire/address.ts";
import type { NetDevice } from "./net-device.ts";

/** Linux's port where no `dstport` is given; RFC 7348 came later and has 4789. */
export const DEFAULT_DESTINATION_PORT = 8_472;
/** Inner Ethernet 14, outer IPv4 20, UDP 8, VXLAN 8: what the inner packet has less than the underlay's MTU. */
export const OVERHEAD_BYTES = 50;
const DEFAULT_MTU = 1_500;

export type VxlanDontFragment = "unset" | "set" | "inherit";

/** As given; what is missing takes the kernel's default. */
export interface VxlanOptions {
  readonly name: string;
  readonly vni: Vni;
  /** MAC address; random unless given. */
  readonly address?: MacAddress | undefined;
  readonly mtu?: number | undefined;
  readonly destinationPort?: number | undefined;
  /** Outer source address; the route's unless given. */
  readonly local?: Ipv4Address | undefined;
  /** `remote` or, when it is a multicast address, `group`: where frames without an entry go. */
  readonly remote?: Ipv4Address | undefined;
  /** `dev`: the underlay device that outer packets leave by; a group needs one. */
  readonly device?: NetDevice | undefined;
  /** 1 to 255; "auto" (0): the host's default, 1 for a group. */
  readonly timeToLive?: number | "auto" | "inherit" | undefined;
  /** DSCP; ECN is the inner packet's in any case. */
  readonly typeOfService?: number | "inherit" | undefined;
  readonly dontFragment?: VxlanDontFragment | undefined;
  readonly udpChecksum?: boolean | undefined;
  /** `srcport LOW HIGH`; 0 0: the host's ephemeral ports. */
  readonly sourcePortLow?: number | undefined;
  readonly sourcePortHigh?: number | undefined;
  readonly learning?: boolean | undefined;
  readonly proxy?: boolean | undefined;
  readonly l2miss?: boolean | undefined;
  readonly l3miss?: boolean | undefined;
  /** 0: learnt entries stay for ever. */
  readonly ageingSeconds?: number | undefined;
  /** FDB entries at most; 0: no limit. */
  readonly maximumAddresses?: number | undefined;
  /** Frames for a VTEP address of this host go straight to the device there. */
  readonly localBypass?: boolean | undefined;
}

export interface VxlanSettings {
  readonly vni: Vni;
  readonly destinationPort: number;
  readonly local: Ipv4Address | undefined;
  readonly remote: Ipv4Address | undefined;
  readonly group: boolean;
  readonly device: NetDevice | undefined;
  readonly timeToLive: number | "auto" | "inherit";
  readonly typeOfService: number | "inherit";
  readonly dontFragment: VxlanDontFragment;
  readonly udpChecksum: boolean;
  readonly sourcePortLow: number;
  readonly sourcePortHigh: number;
  readonly learning: boolean;
  readonly proxy: boolean;
  readonly l2miss: boolean;
  readonly l3miss: boolean;
  readonly ageingNs: Nanoseconds;
  readonly maximumAddresses: number;
  readonly localBypass: boolean;
}

export function vxlanSettings(options: VxlanOptions): VxlanSettings {
  const remote = options.remote === IPV4_ANY ? undefined : options.remote;
  return {
    vni: options.vni,
    // `dstport 0` asks for the default without the warning.
    destinationPort: options.destinationPort || DEFAULT_DESTINATION_PORT,
    local: options.local === IPV4_ANY ? undefined : options.local,
    remote,
    group: remote !== undefined && isMulticastIpv4(remote),
    device: options.device,
    timeToLive: options.timeToLive === 0 ? "auto" : (options.timeToLive ?? "auto"),
    // The kernel writes "inherit" as TOS 1.
    typeOfService: options.typeOfService === 1 ? "inherit" : (options.typeOfService ?? 0),
    dontFragment: options.dontFragment ?? "unset",
    udpChecksum: options.udpChecksum ?? true,
    sourcePortLow: options.sourcePortLow ?? 0,
    sourcePortHigh: options.sourcePortHigh ?? 0,
    learning: options.learning ?? true,
    proxy: options.proxy ?? false,
    l2miss: options.l2miss ?? false,
    l3miss: options.l3miss ?? false,
    ageingNs: (options.ageingSeconds ?? 300) * SECOND,
    maximumAddresses: options.maximumAddresses ?? 0,
    localBypass: options.localBypass ?? true,
  };
}

/** The MTU of a new device: as given, else what the underlay device carries, else 1500. */
export function initialMtu(options: VxlanOptions): number {
  return options.mtu ?? (options.device === undefined ? DEFAULT_MTU : options.device.mtu - OVERHEAD_BYTES);
}
