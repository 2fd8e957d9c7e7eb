/** `docker node ls`. */
import type { Node } from "../../../swarm/api/objects.ts";
import { clientOf, must, swarmNodeOf } from "../cluster.ts";
import type { DockerCommand } from "../command.ts";
import { filtersOf, matchesLabel } from "../filters.ts";
import type { Flags } from "../flags.ts";
import { FORMAT_FLAG } from "../format-flag.ts";
import { naturalOrder } from "../natural-order.ts";
import { formatList, type ListForm, type Row } from "../output-format.ts";
import { capital } from "../task/task-list.ts";

const FORM: ListForm = {
  columns: [
    { field: "MarkedID", heading: "ID" },
    { field: "Hostname", heading: "HOSTNAME" },
    { field: "Status", heading: "STATUS" },
    { field: "Availability", heading: "AVAILABILITY" },
    { field: "ManagerStatus", heading: "MANAGER STATUS" },
    { field: "EngineVersion", heading: "ENGINE VERSION" },
  ],
  headings: { ID: "ID", Self: "", TLSStatus: "TLS STATUS" },
  goType: "*node.nodeContext",
};

export const NODE_LS: DockerCommand = {
  path: "node ls",
  aliases: ["node list"],
  takes: "[OPTIONS]",
  summary: "List nodes in the swarm",
  flags: [
    { name: "filter", letter: "f", kind: "filter", usage: "Filter output based on conditions provided" },
    FORMAT_FLAG,
    { name: "quiet", letter: "q", kind: "bool", usage: "Only display IDs" },
  ],
  least: 0,
  most: 0,
  *run(process, context, flags) {
    const { nodes } = yield* must(clientOf(context).call("ListNodes", {}));
    const shown = select(nodes, flags).sort((a, b) => naturalOrder(hostname(a), hostname(b)));
    const self = swarmNodeOf(context).nodeId;
    if (flags.bool("quiet")) process.stdout.write(shown.map(({ id }) => `${id}\n`).join(""));
    else {
      const rows = shown.map((node) => rowOf(node, node.id === self));
      process.stdout.write(formatList(flags.string("format"), FORM, rows));
    }
    return 0;
  },
};

function hostname({ description }: Node): string {
  return description?.hostname ?? "";
}

function select(nodes: readonly Node[], flags: Flags): Node[] {
  const filters = filtersOf(flags, ["id", "label", "membership", "name", "node.label", "role"]);
  return nodes.filter((node) =>
    [...filters].every(([name, values]) =>
      values.some((value) => {
        switch (name) {
          case "id":
            return node.id.startsWith(value);
          case "name":
            return hostname(node).startsWith(value);
          case "role":
            return node.role === value;
          case "membership":
            return node.spec.membership === value;
          case "label":
            return matchesLabel(node.description?.engine?.labels, value);
          default:
            return matchesLabel(node.spec.annotations.labels, value);
        }
      }),
    ),
  );
}

function rowOf(node: Node, isSelf: boolean): Row {
  const { id, spec, status, managerStatus, description } = node;
  const manager =
    managerStatus === undefined ? "" : managerStatus.leader ? "Leader" : capital(managerStatus.reachability);
  return {
    Availability: capital(spec.availability),
    EngineVersion: description?.engine?.engineVersion ?? "",
    Hostname: hostname(node),
    ID: id,
    ManagerStatus: manager,
    MarkedID: `${id} ${isSelf ? "*" : " "}`,
    Self: isSelf,
    Status: capital(status.state),
    TLSStatus: "Ready",
  };
}
