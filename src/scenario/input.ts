/**
 * A scenario as code writes it: the form of a scenario file, with the quantities as the file spells them. What `new Lab({...})` takes; docs/SCENARIOS.md says what
 * each key means.
 */

/** `200ms`, `1.5s`, `1m30s`. */
export type DurationText = string | 0;
/** `10mbit`, `1gbit`. */
export type RateText = string;
/** `5%`. */
export type ChanceText = string;
/** Bytes, or `64kb`. */
export type SizeText = string | number;
/** A number, or a comparison such as `">= 2"`. */
export type CountText = string | number;

export interface LinkInput {
  readonly delay?: DurationText;
  readonly jitter?: DurationText;
  readonly rate?: RateText;
  readonly queue?: SizeText;
  readonly loss?: ChanceText;
  readonly burst?: { readonly enter: ChanceText; readonly leave: ChanceText; readonly loss?: ChanceText };
  readonly duplicate?: ChanceText;
  readonly reorder?: ChanceText;
  readonly corrupt?: ChanceText;
}

export interface NodeInput {
  readonly role?: "manager" | "worker" | "host";
  readonly address?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly link?: LinkInput;
  readonly setup?: readonly string[];
}

export interface NetworkInput {
  readonly driver?: "overlay" | "bridge";
  readonly mode?: "swarm" | "flood-and-learn";
  readonly subnet?: string;
  readonly vni?: number;
  readonly mtu?: number;
  readonly attachable?: boolean;
}

export interface AttachmentInput {
  readonly address?: string;
  readonly mac?: string;
}

export interface ContainerInput {
  readonly node: string;
  readonly networks?: readonly string[] | Readonly<Record<string, AttachmentInput>>;
  readonly setup?: readonly string[];
}

export interface FaultInput extends LinkInput {
  readonly link?: string;
  readonly direction?: "out" | "in" | "both";
  readonly down?: string;
  readonly partition?: readonly (readonly string[])[];
}

export interface StepInput {
  readonly at: DurationText;
  readonly in?: string;
  readonly on?: string;
  readonly run?: string;
  readonly as?: string;
  readonly fault?: FaultInput;
  readonly for?: DurationText;
}

export interface ResultInput {
  readonly transmitted?: CountText;
  readonly received?: CountText;
  readonly errors?: CountText;
  readonly exit?: CountText;
  readonly output?: string | readonly string[];
}

interface HowManyInput {
  readonly exactly?: number;
  readonly "at-least"?: number;
  readonly "at-most"?: number;
}

export type ExpectationInput =
  | ({ readonly capture: string; readonly filter?: string } & HowManyInput)
  | ({ readonly drops: string; readonly at?: string } & HowManyInput)
  | { readonly eventually: { readonly reach: string }; readonly within?: DurationText; readonly after?: DurationText }
  | Readonly<Record<string, ResultInput>>;

export interface ScenarioInput {
  readonly name: string;
  readonly description?: string;
  readonly seed?: number | string;
  readonly start?: string;
  readonly crossing?: DurationText;
  readonly until?: DurationText;
  readonly underlay?: { readonly subnet?: string; readonly mtu?: number; readonly link?: LinkInput };
  readonly nodes?: Readonly<Record<string, NodeInput>>;
  readonly networks?: Readonly<Record<string, NetworkInput>>;
  readonly containers?: Readonly<Record<string, ContainerInput>>;
  readonly setup?: readonly string[];
  readonly capture?: string | readonly string[];
  readonly steps?: readonly StepInput[];
  readonly expect?: readonly ExpectationInput[];
}
