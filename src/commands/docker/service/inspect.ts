/** `docker service inspect`. */
import type { Service } from "../../../swarm/api/objects.ts";
import { CommandError } from "../../command-error.ts";
import { ask, clientOf, must } from "../cluster.ts";
import type { DockerCommand } from "../command.ts";
import { INSPECT_FORMAT_FLAG } from "../format-flag.ts";
import { writeObjects } from "../output-format.ts";
import { prettyService } from "./pretty.ts";
import { serviceObject } from "./service-object.ts";

export const SERVICE_INSPECT: DockerCommand = {
  path: "service inspect",
  takes: "[OPTIONS] SERVICE [SERVICE...]",
  summary: "Display detailed information on one or more services",
  flags: [
    INSPECT_FORMAT_FLAG,
    { name: "pretty", kind: "bool", usage: "Print the information in a human friendly format" },
  ],
  least: 1,
  most: undefined,
  *run(process, context, flags, operands) {
    const isPretty = flags.bool("pretty");
    if (isPretty && flags.has("format"))
      throw new CommandError(1, "--format is incompatible with human friendly format");
    const client = clientOf(context);
    const services: Service[] = [];
    let problems = "";
    for (const name of operands) {
      const reply = yield* ask(client.find("service", name, true));
      if ("value" in reply) services.push(reply.value);
      else if (reply.error === `service ${name} not found`) problems += `Error: no such service: ${name}\n`;
      else problems += `Error response from daemon: ${reply.error}\n`;
    }
    if (isPretty) {
      const { networks } = yield* must(client.call("ListNetworks", {}));
      const names = new Map(networks.map(({ id, spec }) => [id, spec.annotations.name]));
      process.stdout.write(services.map((service) => prettyService(service, names, process.clock.nowNs)).join(""));
    } else writeObjects(process.stdout, flags.string("format"), services.map(serviceObject));
    process.stderr.write(problems);
    return problems === "" ? 0 : 1;
  },
};
