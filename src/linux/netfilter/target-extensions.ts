/** The targets that `-j` knows, by name; any other word is a chain. */
import type { TargetExtension } from "./extension.ts";
import { DSCP_TARGET, TOS_TARGET, TTL_TARGET } from "./targets/header.ts";
import { LOG_TARGET } from "./targets/log.ts";
import { CONNMARK_TARGET, MARK_TARGET } from "./targets/mark.ts";
import { DNAT_TARGET, MASQUERADE_TARGET, NETMAP_TARGET, REDIRECT_TARGET, SNAT_TARGET } from "./targets/nat.ts";
import { CT_TARGET, NOTRACK_TARGET } from "./targets/notrack.ts";
import { REJECT_TARGET } from "./targets/reject.ts";
import { ACCEPT_TARGET, DROP_TARGET, RETURN_TARGET } from "./targets/standard.ts";
import { TCPMSS_TARGET } from "./targets/tcpmss.ts";

const TARGETS: readonly TargetExtension[] = [
  ACCEPT_TARGET,
  CONNMARK_TARGET,
  CT_TARGET,
  DNAT_TARGET,
  DROP_TARGET,
  DSCP_TARGET,
  LOG_TARGET,
  MARK_TARGET,
  MASQUERADE_TARGET,
  NETMAP_TARGET,
  NOTRACK_TARGET,
  REDIRECT_TARGET,
  REJECT_TARGET,
  RETURN_TARGET,
  SNAT_TARGET,
  TCPMSS_TARGET,
  TOS_TARGET,
  TTL_TARGET,
];

export const TARGET_EXTENSIONS: ReadonlyMap<string, TargetExtension> = new Map(
  TARGETS.map((extension) => [extension.name, extension]),
);
