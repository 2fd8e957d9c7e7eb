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

/** Text, or what has one spelling. */
export type SpellingText = string | number | boolean | null;
type Spellings = Readonly<Record<string, SpellingText>>;

export interface EngineInput {
  readonly release?: "current" | "20.10";
  readonly "userland-proxy"?: boolean;
  readonly "pull-time"?: DurationText;
}

export interface SwarmInput extends EngineInput {
  readonly "control-plane"?: "clear" | "sealed";
  readonly "default-addr-pool"?: readonly string[];
  readonly "default-addr-pool-mask-length"?: number;
  readonly "data-path-port"?: number;
  readonly autolock?: boolean;
  readonly "task-history-limit"?: number;
  readonly "dispatcher-heartbeat"?: DurationText;
}

export interface FileObjectInput {
  readonly content?: string;
  readonly file?: string;
  readonly labels?: Spellings;
}

export interface NetworkInput {
  readonly driver?: "overlay" | "bridge";
  readonly mode?: "swarm" | "flood-and-learn";
  readonly subnet?: string;
  readonly vni?: number;
  readonly mtu?: number;
  readonly attachable?: boolean;
  readonly driver_opts?: Spellings;
  readonly internal?: boolean;
  readonly labels?: Spellings;
  readonly ipam?: { readonly config?: readonly { readonly subnet: string; readonly gateway?: string }[] };
}

export interface AttachmentInput {
  readonly address?: string;
  readonly mac?: string;
  readonly aliases?: readonly string[];
}

export interface ContainerInput {
  readonly node: string;
  readonly networks?: readonly string[] | Readonly<Record<string, AttachmentInput>>;
  readonly setup?: readonly string[];
  readonly image?: string;
  readonly command?: string | readonly string[];
  readonly environment?: Spellings | readonly string[];
  readonly ports?: readonly SpellingText[];
  readonly expose?: readonly SpellingText[];
  readonly hostname?: string;
  readonly labels?: Spellings;
  readonly restart?: string;
  readonly options?: readonly string[];
}

export interface FaultInput extends LinkInput {
  readonly link?: string;
  readonly direction?: "out" | "in" | "both";
  readonly down?: string;
  readonly partition?: readonly (readonly string[])[];
  readonly kill?: string;
  readonly "stop-engine"?: string;
  readonly block?: {
    readonly node: string;
    readonly ports: readonly string[];
    readonly direction?: "out" | "in" | "both";
  };
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
  readonly status?: CountText;
  readonly output?: string | readonly string[];
}

interface HowManyInput {
  readonly exactly?: number;
  readonly "at-least"?: number;
  readonly "at-most"?: number;
}

export type NodeStateText = "ready" | "down" | "unknown" | "disconnected" | "gone";

export interface ClusterInput {
  readonly tasks?: string;
  readonly running?: CountText;
  readonly nodes?: Readonly<Record<string, NodeStateText>>;
  readonly leader?: string;
}

export interface EventuallyInput {
  readonly eventually: ClusterInput & { readonly reach?: string };
  readonly within?: DurationText;
  readonly after?: DurationText;
}

export type ExpectationInput =
  | ({ readonly capture: string; readonly filter?: string } & HowManyInput)
  | ({ readonly drops: string; readonly at?: string } & HowManyInput)
  | EventuallyInput
  | ClusterInput
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
  readonly engine?: EngineInput | null;
  readonly swarm?: SwarmInput | null;
  readonly secrets?: Readonly<Record<string, FileObjectInput>>;
  readonly configs?: Readonly<Record<string, FileObjectInput>>;
  /** Each as in a stack file. */
  readonly services?: Readonly<Record<string, object>>;
  readonly stack?: string | { readonly file: string; readonly name?: string };
  readonly capture?: string | readonly string[];
  readonly "capture-from"?: "start" | "ready";
  readonly steps?: readonly StepInput[];
  readonly expect?: readonly ExpectationInput[];
}
