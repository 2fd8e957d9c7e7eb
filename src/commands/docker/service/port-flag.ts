/** `--publish` of services: `8080:80/tcp`, ranges, or `published=8080,target=80,protocol=tcp,mode=host` (docker/cli opts/swarmopts/port.go). */
import { type PortConfig, portConfigShape } from "../../../swarm/api/parts.ts";
import { parsePortSpec } from "../../../swarm/stack/port-spec.ts";
import { csvFields } from "../container/csv-fields.ts";
import { parsePublish } from "../container/port-flags.ts";
import { splitPair } from "../flags.ts";

type Protocol = PortConfig["protocol"];

const PROTOCOLS: readonly Protocol[] = ["tcp", "udp", "sctp"];
const MOST_PORT = 0xffff;

/** The ports of one flag, or what is wrong with it. */
export function parseServicePort(value: string): PortConfig[] | string {
  const fields = csvFields(value) ?? [value];
  if (fields.some((field) => field.includes("="))) return parseLong(fields);
  const problem = parsePublish(value);
  if (typeof problem === "string") return problem;
  const mappings = parsePortSpec(value);
  if (mappings === undefined) return `invalid port specification: ${value}`;
  return mappings.map(({ protocol, target, published }) =>
    portConfigShape.make({ protocol: protocol as Protocol, targetPort: target, publishedPort: published }),
  );
}

function parseLong(fields: readonly string[]): PortConfig[] | string {
  let protocol: Protocol = "tcp";
  let publishMode: PortConfig["publishMode"] = "ingress";
  let [targetPort, publishedPort] = [0, 0];
  for (const field of fields) {
    if (!field.includes("=")) return `invalid field: ${field}`;
    const [name, text] = splitPair(field);
    const key = name.toLowerCase();
    switch (key) {
      case "protocol": {
        const known = PROTOCOLS.find((each) => each === text.toLowerCase());
        if (known === undefined) return `invalid protocol value '${text}'`;
        protocol = known;
        break;
      }
      case "mode":
        if (text !== "ingress" && text !== "host")
          return `invalid publish mode value (${text}): must be either 'ingress' or 'host'`;
        publishMode = text;
        break;
      case "target":
      case "published": {
        const port = /^\d+$/.test(text) ? Number(text) : undefined;
        if (port === undefined) return `invalid ${key} port (${text}): value must be an integer: invalid syntax`;
        if (port > MOST_PORT) return `invalid ${key} port (${text}): value must be an integer: value out of range`;
        if (key === "target") targetPort = port;
        else publishedPort = port;
        break;
      }
      default:
        return `invalid field key: ${key}`;
    }
  }
  if (targetPort === 0) return "missing mandatory field 'target'";
  return [portConfigShape.make({ protocol, publishMode, targetPort, publishedPort })];
}
