/** A case of conformance as its `case.json` describes it: what to build, what to do, what was captured. */

export interface CaseVxlan {
  readonly id: number;
  readonly dstport: number;
  readonly local?: string | null;
  readonly group?: string;
  readonly remote?: string;
  readonly dev?: string;
  readonly ttl?: number | string;
  readonly tos?: number | string;
  readonly df?: string;
  readonly learning?: boolean;
  readonly proxy?: boolean;
  readonly l2miss?: boolean;
  readonly l3miss?: boolean;
  readonly rsc?: boolean;
  readonly noudpcsum?: boolean;
  /** The namespace where the device is made, and its socket stays, before it is moved to its host. */
  readonly underlay_host?: string;
}

export interface CaseInterface {
  readonly name: string;
  readonly type: string;
  readonly mac?: string | null;
  readonly mtu?: number;
  readonly up?: boolean;
  readonly ipv4?: readonly string[];
  /** `host/interface` at the other end of a veth pair. */
  readonly peer?: string;
  readonly master?: string;
  readonly stp?: number;
  readonly ageing_s?: number;
  readonly mcast_snooping?: number;
  readonly vlan_filtering?: number;
  readonly hello_time?: number;
  readonly forward_delay?: number;
  readonly max_age?: number;
  readonly priority?: number;
  readonly vxlan?: CaseVxlan;
  /** Of a vlan device. */
  readonly link?: string;
  readonly id?: number;
}

export interface CaseHost {
  readonly name: string;
  readonly interfaces: readonly CaseInterface[];
  readonly sysctl?: Readonly<Record<string, string | number>>;
  readonly routes?: readonly string[];
  readonly neigh?: readonly {
    readonly ip: string;
    readonly mac: string;
    readonly dev: string;
    readonly nud?: string;
  }[];
  readonly fdb?: readonly {
    readonly mac: string;
    readonly dev: string;
    readonly dst?: string | null;
    readonly flags?: string;
  }[];
  readonly iptables?: readonly string[];
  readonly tc?: readonly string[];
  readonly xfrm_policy?: readonly string[];
  readonly xfrm_state?: readonly string[];
}

export interface CaseStimulus {
  readonly at_ms: number;
  readonly from: string;
  readonly cmd: string;
  /** Started, and listening, before the clock starts. */
  readonly service?: boolean;
}

export interface CaseCapture {
  readonly host: string;
  readonly interface: string;
  readonly file: string;
  readonly promiscuous?: boolean;
}

export interface CaseDescription {
  readonly case: string;
  readonly title: string;
  readonly sysctl_all?: Readonly<Record<string, string | number>>;
  readonly hosts: readonly CaseHost[];
  readonly links?: readonly (readonly [string, string])[];
  readonly stimuli: readonly CaseStimulus[];
  readonly run_ms: number;
  readonly captures: readonly CaseCapture[];
  readonly compare_options?: readonly string[];
}

/** The description in `text`, or what is wrong with it. */
export function parseCase(text: string): CaseDescription | { readonly problem: string } {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return { problem: `case.json is not JSON: ${error instanceof Error ? error.message : String(error)}` };
  }
  if (typeof value !== "object" || value === null) return { problem: "case.json holds no object" };
  const found = value as Record<string, unknown>;
  for (const key of ["hosts", "stimuli", "captures"])
    if (!Array.isArray(found[key])) return { problem: `case.json: "${key}" is not a list` };
  if (typeof found.run_ms !== "number") return { problem: 'case.json: "run_ms" is not a number' };
  return value as CaseDescription;
}
