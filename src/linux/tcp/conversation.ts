/** What IPv4 needs to carry one conversation: the way, kept until routing changes, the next identification, and what the program asked for. */
import type { Ipv4Address } from "../../wire/address.ts";
import type { NetDevice } from "../net-device.ts";
import type { Path } from "../path.ts";

export class Conversation {
  readonly localAddress: Ipv4Address;
  readonly remoteAddress: Ipv4Address;
  path: Path | undefined = undefined;
  /** Of the next packet: counts from a random start for each socket. */
  identification: number;
  mark = 0;
  device: NetDevice | undefined = undefined;
  typeOfService = 0;
  /** 0: the host's default. */
  timeToLive = 0;

  constructor(localAddress: Ipv4Address, remoteAddress: Ipv4Address, identification: number) {
    this.localAddress = localAddress;
    this.remoteAddress = remoteAddress;
    this.identification = identification;
  }

  takeIdentification(): number {
    const taken = this.identification;
    this.identification = (taken + 1) & 0xffff;
    return taken;
  }
}
