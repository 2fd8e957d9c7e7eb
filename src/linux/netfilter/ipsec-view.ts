/** What `-m policy` asks of IPsec: which transformations a packet has gone through, or will go through. */
import type { FrameId } from "../frame-store.ts";
import type { NetDevice } from "../net-device.ts";

export interface IpsecStep {
  /** IP protocol: 50 ESP, 51 AH. */
  readonly protocol: number;
  readonly mode: "transport" | "tunnel";
  readonly spi: number;
  readonly reqid: number;
  readonly tunnelSource: number;
  readonly tunnelDestination: number;
}

export interface IpsecView {
  /** Transformations undone on the way in, outermost first; empty: the packet came in clear. */
  inbound(frame: FrameId): readonly IpsecStep[];
  /** Those that the output policies ask for. */
  outbound(frame: FrameId, egress: NetDevice | undefined): readonly IpsecStep[];
}
