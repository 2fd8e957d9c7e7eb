/** The commands under `docker stack`. */
import type { DockerCommand, DockerGroup } from "../command.ts";
import { STACK_CONFIG } from "./config.ts";
import { STACK_DEPLOY } from "./deploy.ts";
import { STACK_LS, STACK_PS, STACK_SERVICES } from "./ls.ts";
import { STACK_RM } from "./rm.ts";

export const STACK_GROUP: DockerGroup = { path: "stack", takes: "[OPTIONS]", summary: "Manage Swarm stacks" };
export const STACK_COMMANDS: readonly DockerCommand[] = [
  STACK_CONFIG,
  STACK_DEPLOY,
  STACK_LS,
  STACK_PS,
  STACK_RM,
  STACK_SERVICES,
];
