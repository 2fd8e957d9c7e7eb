/** The commands of the docker client that are about the swarm; stacks are in a list of their own. */
import type { DockerCommand, DockerGroup } from "./command.ts";
import { NODE_DEMOTE, NODE_PROMOTE, NODE_RM, NODE_UPDATE } from "./node/change.ts";
import { NODE_INSPECT } from "./node/inspect.ts";
import { NODE_LS } from "./node/ls.ts";
import { NODE_PS } from "./node/ps.ts";
import { FILE_OBJECT_COMMANDS, FILE_OBJECT_GROUPS } from "./secret/file-objects.ts";
import { SERVICE_CHANGES } from "./service/change.ts";
import { SERVICE_CREATE } from "./service/create.ts";
import { SERVICE_INSPECT } from "./service/inspect.ts";
import { SERVICE_LOGS } from "./service/logs.ts";
import { SERVICE_LS } from "./service/ls.ts";
import { SERVICE_PS } from "./service/ps.ts";
import { SWARM_INIT, SWARM_JOIN } from "./swarm/init-join.ts";
import { SWARM_SETTINGS } from "./swarm/settings.ts";

export const CLUSTER_COMMANDS: readonly DockerCommand[] = [
  SWARM_INIT,
  SWARM_JOIN,
  ...SWARM_SETTINGS,
  NODE_LS,
  NODE_PS,
  NODE_INSPECT,
  NODE_PROMOTE,
  NODE_DEMOTE,
  NODE_UPDATE,
  NODE_RM,
  SERVICE_CREATE,
  SERVICE_LS,
  SERVICE_PS,
  SERVICE_LOGS,
  SERVICE_INSPECT,
  ...SERVICE_CHANGES,
  ...FILE_OBJECT_COMMANDS,
];

export const CLUSTER_GROUPS: readonly DockerGroup[] = [
  { path: "swarm", summary: "Manage Swarm" },
  { path: "node", summary: "Manage Swarm nodes" },
  { path: "service", summary: "Manage Swarm services" },
  ...FILE_OBJECT_GROUPS,
];
