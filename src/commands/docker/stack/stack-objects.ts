/** What of the swarm belongs to a stack: its label says so. */
import { filtersShape } from "../../../swarm/api/control.ts";
import type { Config, Network, Secret, Service } from "../../../swarm/api/objects.ts";
import type { ControlClient } from "../../../swarm/control/control-client.ts";
import { quoted } from "../../../swarm/stack/go-quote.ts";
import { STACK_LABEL } from "../../../swarm/stack/stack-labels.ts";
import { CommandError } from "../../command-error.ts";
import { type Asking, must } from "../cluster.ts";

function ofStack(stack: string) {
  return filtersShape.make({ labels: new Map([[STACK_LABEL, stack]]) });
}

export function* servicesOf(client: ControlClient, stack: string): Asking<readonly Service[]> {
  return (yield* must(client.call("ListServices", { filters: ofStack(stack) }))).services;
}

export function* networksOf(client: ControlClient, stack: string): Asking<readonly Network[]> {
  return (yield* must(client.call("ListNetworks", { filters: ofStack(stack) }))).networks;
}

export function* secretsOf(client: ControlClient, stack: string): Asking<readonly Secret[]> {
  return (yield* must(client.call("ListSecrets", { filters: ofStack(stack) }))).secrets;
}

export function* configsOf(client: ControlClient, stack: string): Asking<readonly Config[]> {
  return (yield* must(client.call("ListConfigs", { filters: ofStack(stack) }))).configs;
}

/** Throws a CommandError for a name of nothing but spaces and quotes. */
export function checkStackName(name: string): void {
  if (name.replace(/^["'\s]+|["'\s]+$/g, "") === "") throw new CommandError(1, `invalid stack name: ${quoted(name)}`);
}
