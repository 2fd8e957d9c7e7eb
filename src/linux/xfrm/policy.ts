/** What is to be done with which traffic, RFC 4301 §4.4.1: the security policy database (struct xfrm_policy). */
import type { Nanoseconds } from "../../sim/time.ts";
import type { Ipv4Address } from "../../wire/address.ts";
import type { Mark, Selector } from "./selector.ts";
import type { Lifetime } from "./state.ts";

export type PolicyDirection = "in" | "out" | "fwd";
export type PolicyType = "main" | "sub";

/** One protection that a policy asks for. Zero: any. */
export interface Template {
  readonly source: Ipv4Address;
  readonly destination: Ipv4Address;
  /** IP protocol: 50 ESP, 51 AH, 108 IPComp; 255 any of them. */
  readonly protocol: number;
  readonly spi: number;
  readonly reqid: number;
  readonly mode: "transport" | "tunnel" | "beet";
  /** `level use`: protected when an association is there, in clear otherwise. */
  readonly optional: boolean;
}

export interface PolicyRequest {
  readonly selector: Selector;
  readonly direction: PolicyDirection;
  readonly mark: Mark;
  readonly action: "allow" | "block";
  /** The lowest number is asked first. */
  readonly priority: number;
  readonly templates: readonly Template[];
  readonly type: PolicyType;
  readonly lifetime: Lifetime;
  readonly flags: readonly string[];
}

export interface Policy extends PolicyRequest {
  readonly index: number;
  readonly addedNs: Nanoseconds;
  /** Order of birth: among equal priorities the elder is asked first. */
  readonly birth: number;
  /** Written on use. */
  firstUseNs: Nanoseconds | undefined;
  bytes: number;
  packets: number;
}
